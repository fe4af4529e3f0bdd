"""The texts that repeat themselves are what they say, and a run on them can be watched."""

import itertools
import math

import pytest
import torch

from minigpt.interpret import induction_model, repeated_batch, watch_birth
from minigpt.interpret.induction import sinusoids


def test_rows_repeat_a_piece_and_targets_count_from_its_second_time_on():
    x, y = repeated_batch(1000, 64, 200, torch.Generator().manual_seed(0))
    assert x.shape == y.shape == (200, 64)
    sizes = set()
    for row, targets in zip(x.tolist(), y.tolist()):
        size = targets.count(-100)  # nobody can guess the piece, nor where it begins again
        sizes.add(size)
        for t in range(64):
            if t < size:
                assert targets[t] == -100
            else:
                assert row[t] == row[t - size] and targets[t] == row[t - size + 1]
        assert len(set(row[:size])) > 0.8 * size  # random: of 1,000 tokens hardly one twice
    assert sizes == set(range(4, 33))


def test_the_same_seed_draws_the_same_texts_and_another_others():
    first, same, other = (
        repeated_batch(64, 16, 3, torch.Generator().manual_seed(seed))[0] for seed in (5, 5, 6)
    )
    assert torch.equal(first, same) and not torch.equal(first, other)


@pytest.mark.parametrize(("shortest", "longest"), [(0, 4), (5, 4), (4, 9)])
def test_pieces_that_do_not_stand_twice_are_refused(shortest, longest):
    with pytest.raises(ValueError, match=f"pieces of {shortest} to {longest} tokens.*8"):
        repeated_batch(64, 16, 1, None, shortest, longest)


def test_sinusoids_equal_the_formula():
    table = sinusoids(10, 6)
    for t, i in itertools.product(range(10), range(3)):
        angle = t / 100 ** (2 * i / 6)
        assert table[t, 2 * i] == pytest.approx(math.sin(angle), abs=1e-6)
        assert table[t, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-6)


def test_a_run_can_be_watched_and_stops_when_nobody_looks():
    model = induction_model(seed=0, n_layer=1)
    before = model.transformer.wte.weight.detach().clone()
    run = watch_birth(model, steps=100, every=2)
    first, second = next(run), next(run)
    assert (first.step, second.step) == (0, 2)
    assert first.loss == pytest.approx(math.log(64)) and 3.5 < second.loss < 4.5
    assert first.previous.shape == first.induction.shape == (1, 4)
    assert first.previous.abs().max() < 0.1  # nothing is learned yet
    run.close()
    assert not torch.equal(model.transformer.wte.weight, before)


def test_the_last_look_is_at_the_end_and_the_same_seed_runs_alike():
    runs = [
        [*watch_birth(induction_model(seed=3), steps=5, every=2, seed=seed)] for seed in (0, 0, 1)
    ]
    assert [look.step for look in runs[0]] == [0, 2, 4, 5]
    assert runs[0][-1].loss == runs[1][-1].loss != runs[2][-1].loss
