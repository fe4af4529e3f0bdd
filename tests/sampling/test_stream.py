"""A stream yields what generate returns, stops where it should, and leaves the model as it was."""

import pytest
import torch

from minigpt.sampling import generate, stream
from tests.sampling.slow import TINY, some_prompts


def test_a_stream_yields_what_generate_returns(model):
    idx = some_prompts(3, 4)
    first, second = (torch.Generator().manual_seed(9) for _ in range(2))
    tokens = list(stream(model, idx, 12, top_k=5, generator=first))
    assert all(token.shape == (3,) and token.dtype == torch.int64 for token in tokens)
    expected = generate(model, idx, 12, top_k=5, generator=second)
    assert torch.equal(torch.stack(tokens, dim=1), expected[:, 4:])


def apply_stop(tokens: torch.Tensor, stop: int) -> list[list[int]]:
    """Cut each row at its stop token, repeat that, and end when all have stopped."""
    cut = [row.index(stop) if stop in row else len(row) for row in tokens.tolist()]
    length = min(tokens.size(1), max(cut) + 1)
    return [[*row[:c], *[stop] * length][:length] for row, c in zip(tokens.tolist(), cut)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("time", [2, 12])
def test_a_stopped_row_repeats_its_stop_token_and_the_others_go_on_as_before(model, seed, time):
    idx = some_prompts(3, time, seed)
    settings_ = {"top_k": 3}
    free = generate(model, idx, 25, generator=torch.Generator().manual_seed(seed), **settings_)
    for stop in range(TINY.vocab_size):
        stopped = generate(
            model,
            idx,
            25,
            generator=torch.Generator().manual_seed(seed),
            stop_token=stop,
            **settings_,
        )
        assert stopped[:, time:].tolist() == apply_stop(free[:, time:], stop)


def test_a_stop_token_in_the_prompt_does_not_stop(model):
    idx = torch.full((1, 3), 7)
    assert generate(model, idx, 1, temperature=0, stop_token=7).size(1) == 4


def test_generation_ends_as_soon_as_every_row_has_stopped(model):
    idx = some_prompts(1, 3)
    first = generate(model, idx, 1, temperature=0)[0, -1].item()
    assert len(list(stream(model, idx, 50, temperature=0, stop_token=first))) == 1


def test_the_model_is_in_evaluation_mode_while_streaming_and_back_afterwards(model):
    model.train()
    try:
        tokens = stream(model, some_prompts(1, 3), 5, generator=torch.Generator().manual_seed(0))
        next(tokens)
        assert not model.training
        assert sum(1 for _ in tokens) == 4
        assert model.training
    finally:
        model.eval()


def test_dropout_is_off_while_generating(model):
    idx = some_prompts(2, 4)
    expected = generate(model, idx, 12, temperature=0)
    model.train()
    try:
        assert torch.equal(generate(model, idx, 12, temperature=0), expected)
        assert model.training
    finally:
        model.eval()


@pytest.mark.parametrize("leave", ["close", "break", "raise"])
def test_an_abandoned_stream_restores_the_mode(model, leave):
    model.train()
    try:
        tokens = stream(model, some_prompts(1, 3), 50)
        if leave == "close":
            next(tokens)
            tokens.close()
        elif leave == "break":
            for _ in tokens:
                break
            del tokens
        else:
            with pytest.raises(KeyError):
                tokens.throw(KeyError) if next(tokens) is not None else None
        assert model.training
    finally:
        model.eval()


def test_a_failing_model_leaves_its_mode_as_it_was(model, monkeypatch):
    def fail(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model, "features", fail)
    model.train()
    try:
        with pytest.raises(RuntimeError, match="out of memory"):
            generate(model, some_prompts(1, 3), 5)
        assert model.training
    finally:
        model.eval()


def test_gradients_are_off_inside_the_stream_and_on_outside(model, monkeypatch):
    features, inside = model.features, []

    def spy(*arguments):
        inside.append(torch.is_grad_enabled())
        return features(*arguments)

    monkeypatch.setattr(model, "features", spy)
    for _ in stream(model, some_prompts(1, 3), 3):
        assert torch.is_grad_enabled()
    assert inside == [False] * 3, "kept for a backward pass, every step would cost memory"
    assert torch.is_grad_enabled()
