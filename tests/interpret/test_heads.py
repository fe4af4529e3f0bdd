"""Heads are known by what they look at."""

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.interpret import (
    attention_patterns,
    head_scores,
    mean_head_scores,
    repeated_tokens,
)
from minigpt.interpret.heads import CLEAR, DETECTORS, induction_targets
from minigpt.model import GPT
from tests.interpret.patterns import random_patterns

CONFIG = GPTConfig(vocab_size=50, block_size=64, n_layer=3, n_head=4, n_embd=32, dropout=0.5)


# --- Detectors ---


def probe(length=24):
    return repeated_tokens(40, length, torch.Generator().manual_seed(5))


def planted(name, ids, share):
    """One head that gives `share` of its weight to what its name says, else looks at itself.

    Where each detector should look is written out once more here, position by position.
    """
    T = len(ids)
    pattern = torch.eye(T)
    for t in range(1, T):
        earlier = [s for s in range(t) if ids[s] == ids[t]]
        target = {
            "previous token": t - 1,
            "first token": 0,
            "duplicate": earlier[-1] if earlier else t,
            "induction": earlier[-1] + 1 if earlier else t,
        }[name]
        pattern[t] = (1 - share) * pattern[t] + share * torch.eye(T)[target]
    return pattern


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("share", [0.6, 1.0])
def test_a_planted_head_is_found_among_noise_and_by_its_own_detector_only(name, share):
    ids = probe()
    patterns = random_patterns(12, 12, len(ids), len(ids))
    patterns[7, 3] = planted(name, ids, share)
    for detector, scores in head_scores(patterns, ids).items():
        found = (scores >= CLEAR).nonzero().tolist()
        assert found == ([[7, 3]] if detector == name else []), detector


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_detectors_are_silent_on_noise(spread):
    ids = probe()
    for name, scores in head_scores(random_patterns(12, 12, 48, 48, spread=spread), ids).items():
        assert scores.max() < CLEAR, name
        assert scores.mean().abs() < 0.02, name  # chance is 0


@pytest.mark.parametrize("name", DETECTORS)
def test_looking_at_the_targets_alone_is_1_and_at_everything_alike_is_0(name):
    ids = probe()
    targets = DETECTORS[name](ids)
    alone = torch.where(targets.any(-1)[:, None], targets.float(), torch.eye(len(ids)))
    alone = alone / alone.sum(-1, keepdim=True)
    alike = random_patterns(len(ids), len(ids), spread=0.0)
    scores = head_scores(torch.stack([alone, alike]), ids)[name]
    torch.testing.assert_close(scores, torch.tensor([1.0, 0.0]), atol=1e-6, rtol=0)


def test_a_target_is_never_the_future_nor_the_token_itself():
    for ids in (probe(), torch.zeros(9, dtype=torch.int64)):
        for name, targets in DETECTORS.items():
            assert not targets(ids).triu().any(), name


def test_only_the_first_token_detector_counts_the_first_token():
    ids = torch.zeros(20, dtype=torch.int64)  # the first token is everything's duplicate
    for name, targets in DETECTORS.items():
        assert targets(ids)[:, 0].any() == (name == "first token")


def test_induction_looks_behind_every_earlier_copy():
    ids = torch.tensor([5, 1, 5, 2, 5])
    assert induction_targets(ids)[4].nonzero().flatten().tolist() == [1, 3]


def test_a_text_without_repeats_cannot_tell_what_needs_repeats():
    scores = head_scores(random_patterns(2, 30, 30), torch.arange(30))
    assert scores["induction"].isnan().all() and scores["duplicate"].isnan().all()
    assert not scores["previous token"].isnan().any()
    assert scores["induction"].shape == (2,)


def test_a_model_that_has_learned_nothing_has_no_clear_head():
    torch.manual_seed(0)
    fresh, ids = GPT(CONFIG), probe()
    for name, scores in head_scores(attention_patterns(fresh, ids[None])[:, 0], ids).items():
        assert scores.abs().max() < 0.05, name


def test_patterns_and_ids_that_disagree_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 8, 8\) and ids \(7,\)"):
        head_scores(random_patterns(2, 8, 8), torch.arange(7))
    with pytest.raises(ValueError, match="one row"):
        head_scores(random_patterns(2, 8, 8), torch.zeros(2, 8, dtype=torch.int64))


# --- The probe ---


def test_repeated_tokens_are_random_ids_said_twice():
    ids = repeated_tokens(50, 30, torch.Generator().manual_seed(1))
    assert ids.shape == (60,) and torch.equal(ids[:30], ids[30:])
    assert ids.min() >= 0 and ids.max() < 50 and len(ids.unique()) > 15


def test_scores_over_texts_are_means_of_those_that_can_tell(model):
    generator = torch.Generator().manual_seed(2)
    texts = torch.stack([*(repeated_tokens(40, 12, generator) for _ in range(2)), torch.arange(24)])
    found = mean_head_scores(model, texts)
    each = [head_scores(attention_patterns(model, ids[None])[:, 0], ids) for ids in texts]
    assert each[2]["induction"].isnan().all()  # nothing is repeated in the last
    wanted = (each[0]["induction"] + each[1]["induction"]) / 2
    torch.testing.assert_close(found["induction"], wanted)
    wanted = sum(scores["previous token"] for scores in each) / 3
    torch.testing.assert_close(found["previous token"], wanted)
    assert found["induction"].shape == (3, 4)
