"""Perplexity: each token scored once, with the context it should have, as transformers says."""

import math
from itertools import islice

import pytest

from minigpt.data import load_data
from minigpt.evaluation.perplexity import measure, token_nats, windows
from minigpt.pretrained import from_pretrained
from minigpt.stories import Stories
from minigpt.training import TrainConfig, evaluate
from tests.evaluation.conftest import TEXT


@pytest.mark.parametrize("count", [2, 5, 24, 25, 26, 49, 100])
@pytest.mark.parametrize("stride", [1, 7, 12, 24])
def test_windows_score_each_id_but_the_first_once(count, stride):
    seen = []
    for start, end, scored in windows(count, 24, stride):
        assert 0 <= start < end - scored and end <= count and end - start <= 25
        assert start == 0 or end - start == 25  # all but a short text's are full
        seen += range(end - scored, end)
    assert seen == list(range(1, count))


@pytest.mark.parametrize("stride", [1, 5, 24])
def test_each_token_is_scored_as_transformers_scores_it_alone(model, tokenizer, slowly, stride):
    ids = [tokenizer.end_of_text, *tokenizer.encode(TEXT)]
    expected, done = [], 1
    while done < len(ids):  # the context that a token should have, counted in another way
        size = 24 if done == 1 else stride
        for at in range(done, min(done + size, len(ids))):
            last = min(done + size, len(ids))  # where its window ends
            expected.append(slowly(ids[max(0, last - 25) : at + 1]))
        done += size
    got = token_nats(model, ids, stride).tolist()
    assert got == pytest.approx(expected, abs=1e-4)
    found = measure(model, tokenizer, TEXT, stride=stride)
    assert found.nats == pytest.approx(sum(expected), abs=1e-4 * len(expected))
    mean = sum(expected) / len(expected)
    assert found.per_token == pytest.approx(math.exp(mean), rel=1e-4)
    assert found.bits_per_byte == pytest.approx(
        sum(expected) / len(TEXT.encode()) / math.log(2), rel=1e-4
    )
    assert found.loss * found.tokens == pytest.approx(math.log(found.per_word) * found.words)


def test_documents_weigh_by_their_tokens(model, tokenizer):
    short, long = measure(model, tokenizer, "Kites."), measure(model, tokenizer, TEXT)
    both = measure(model, tokenizer, ["Kites.", TEXT])
    assert both.nats == pytest.approx(short.nats + long.nats, rel=1e-6)
    assert both.loss == pytest.approx(both.nats / (short.tokens + long.tokens), rel=1e-6)
    assert both.loss != pytest.approx((short.loss + long.loss) / 2, rel=1e-3)


def test_on_stories_it_is_the_loss_that_training_reports(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path))
    model, tokenizer = from_pretrained("storyteller", verbose=False)
    told = list(islice(Stories(2), 8))
    data = load_data("stories", tokenizer, stories=8)
    starts = data.val_starts[:9]
    val = data.val[: starts[8] + 1]
    data = type(data)("few", tokenizer, data.train, val, data.train_starts, starts[:8])
    found = measure(model, tokenizer, told, closing=True)
    config = TrainConfig(batch_size=64, eval_batches=12, precision="fp32", device="cpu")
    assert evaluate(model, data, config) == pytest.approx(found.loss, rel=0.02)


def test_a_batch_of_any_size_gives_the_same(model, tokenizer, monkeypatch):
    whole = measure(model, tokenizer, ["Kites.", TEXT, "One kite."]).each
    monkeypatch.setattr("minigpt.evaluation.scoring.AT_ONCE", 1)
    assert measure(model, tokenizer, ["Kites.", TEXT, "One kite."]).each == pytest.approx(whole)


def test_a_tokenizer_without_the_mark_leaves_the_first_token_out(model, tokenizer):
    bare = type(tokenizer)(tokenizer.merges, special_tokens=[])
    found = measure(model, bare, "Kites sing.")
    assert found.tokens == len(bare.encode("Kites sing.")) - 1
    first = len(bare.token_bytes(bare.encode("Kites sing.")[0]))
    assert found.bytes == len("Kites sing.") - first


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, t: token_nats(m, [5]), "count is 1"),
        (lambda m, t: token_nats(m, [5, 6], stride=25), "stride is 25, and a window has 24"),
        (lambda m, t: token_nats(m, [5, 6], stride=0), "stride"),
        (lambda m, t: measure(m, t, []), "documents is empty"),
        (lambda m, t: measure(m, t, ["Kites.", ""]), "no token to score: ''"),
    ],
)
def test_what_cannot_be_measured_is_refused(model, tokenizer, call, words):
    with pytest.raises(ValueError, match=words):
        call(model, tokenizer)
