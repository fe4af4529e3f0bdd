"""Generated text is that of the slow loop, cached or not, up to and past the context."""

import copy

import pytest
import torch

from minigpt.sampling import generate, generation, sample_next_token, stream
from tests.sampling.slow import TINY, slow_generate, some_prompts


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("time", [1, 3, 7, 8, 9, 30])
def test_every_logit_equals_that_of_the_slow_loop_up_to_and_past_block_size(
    model, monkeypatch, use_cache, time
):
    seen = []

    def spy(logits, **settings_):
        seen.append(logits)
        return sample_next_token(logits, **settings_)

    monkeypatch.setattr(generation, "sample_next_token", spy)
    idx = some_prompts(4, time)
    tokens = generate(model, idx, 20, temperature=0, use_cache=use_cache)
    assert len(seen) == 20
    for step, logits in enumerate(seen):
        window = tokens[:, : time + step][:, -TINY.block_size :]
        torch.testing.assert_close(logits, model(window)[:, -1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize(
    "settings_",
    [{"temperature": 0}, {}, {"temperature": 0.8, "top_k": 5}, {"top_p": 0.9}],
)
@pytest.mark.parametrize("time", [1, 8, 13])
def test_generated_tokens_equal_those_of_the_slow_loop(model, use_cache, settings_, time):
    idx = some_prompts(4, time)
    fast, slow = (torch.Generator().manual_seed(5) for _ in range(2))
    with torch.no_grad():
        expected = slow_generate(model, idx, 20, generator=slow, **settings_)
    actual = generate(model, idx, 20, generator=fast, use_cache=use_cache, **settings_)
    assert torch.equal(actual, expected)
    assert actual.dtype == torch.int64


def test_the_cache_makes_each_token_cost_one_position_until_the_context_is_full(model, monkeypatch):
    fed = []
    features = model.features
    monkeypatch.setattr(
        model, "features", lambda idx, cache: fed.append(idx.size(1)) or features(idx, cache)
    )
    generate(model, some_prompts(2, 3), 9, temperature=0)
    assert fed == [3, 1, 1, 1, 1, 1, 8, 8, 8]
    fed.clear()
    generate(model, some_prompts(2, 3), 4, temperature=0, use_cache=False)
    assert fed == [3, 4, 5, 6]


def test_each_row_continues_as_it_would_alone(model):
    idx = some_prompts(4, 5)
    together = generate(model, idx, 12, temperature=0)
    alone = torch.cat([generate(model, row[None], 12, temperature=0) for row in idx])
    assert torch.equal(together, alone)


def test_the_prompt_comes_back_first_and_is_left_as_it_was(model):
    idx = some_prompts(2, 30)
    before = idx.clone()
    result = generate(model, idx, 3)
    assert result.shape == (2, 33)
    assert torch.equal(result[:, :30], before)
    assert torch.equal(idx, before)
    result.zero_()
    assert torch.equal(idx, before), "the result is no view of the prompt"


def test_no_new_tokens_is_a_copy_of_the_prompt(model):
    idx = some_prompts(2, 3)
    result = generate(model, idx, 0)
    assert torch.equal(result, idx)
    assert result.data_ptr() != idx.data_ptr()
    assert list(stream(model, idx, 0)) == []


def test_int32_prompts_work(model):
    idx = some_prompts(2, 3)
    assert torch.equal(
        generate(model, idx.int(), 12, temperature=0), generate(model, idx, 12, temperature=0)
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_models_of_other_precision_generate_with_and_without_cache(model, dtype):
    other = copy.deepcopy(model).to(dtype)
    idx = some_prompts(2, 3)
    with_cache = generate(other, idx, 5, temperature=0)
    assert with_cache.shape == (2, 8)
    assert torch.equal(with_cache, generate(other, idx, 5, temperature=0, use_cache=False))


def test_the_seed_fixes_the_text(model):
    idx = some_prompts(3, 4)

    def text(seed):
        return generate(model, idx, 15, generator=torch.Generator().manual_seed(seed))

    assert torch.equal(text(1), text(1))
    assert not torch.equal(text(1), text(2))
    torch.manual_seed(1)
    first = generate(model, idx, 15)
    torch.manual_seed(1)
    assert torch.equal(generate(model, idx, 15), first)


def test_equal_prompts_in_a_batch_get_different_continuations(model):
    idx = some_prompts(1, 4).expand(4, 4)
    result = generate(model, idx, 15, generator=torch.Generator().manual_seed(0))
    assert len({tuple(row.tolist()) for row in result}) == 4


def test_a_generator_or_greed_leaves_the_global_random_state_alone(model):
    before = torch.get_rng_state()
    generate(model, some_prompts(2, 3), 12, generator=torch.Generator().manual_seed(0))
    generate(model, some_prompts(2, 3), 12, temperature=0)
    assert torch.equal(torch.get_rng_state(), before)
