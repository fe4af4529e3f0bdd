"""Sampling against slow obvious versions, transformers' own warpers, and exact probabilities."""

import copy
import math

import pytest
import torch
from hypothesis import assume, currently_in_test_context, given, settings
from hypothesis import strategies as st

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.sampling import (
    apply_temperature,
    generate,
    generation,
    next_token_distribution,
    sample_next_token,
    stream,
    top_k_filter,
    top_p_filter,
)

TINY = GPTConfig(vocab_size=19, block_size=8, n_layer=2, n_head=2, n_embd=16, dropout=0.3)
property_test = settings(derandomize=True, deadline=None, max_examples=150)

# Halves make ties likely; -inf is what an earlier filter leaves behind.
a_logit = st.integers(-12, 12).map(lambda n: n / 2) | st.floats(-30, 30, width=16)
rows = st.lists(a_logit | st.just(-math.inf), min_size=1, max_size=12).filter(
    lambda row: max(row) > -math.inf
)
temperatures = st.floats(0.05, 20)
top_ks = st.none() | st.integers(1, 15)
top_ps = st.none() | st.floats(1e-6, 1)


@pytest.fixture(scope="module")
def model() -> GPT:
    """A tiny model with weights so large that every context gives clearly different logits."""
    model = GPT(TINY)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0.0, 0.4, generator=generator)
    return model.eval()


def some_prompts(batch: int, time: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(TINY.vocab_size, (batch, time), generator=generator)


def kept(logits: torch.Tensor) -> list:
    return [i for i, logit in enumerate(logits.tolist()) if logit > -math.inf]


# --- Slow, obvious versions -------------------------------------------------------------------


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(logit - max(row)) for logit in row]
    return [power / math.fsum(powers) for power in powers]


def best_first(row: list[float]) -> list[int]:
    """Sort by logit; of equal ones, the lower id first."""
    return sorted(range(len(row)), key=lambda i: (-row[i], i))


def slow_top_k(row: list[float], k: int) -> list[float]:
    keep = best_first(row)[:k]
    return [logit if i in keep else -math.inf for i, logit in enumerate(row)]


def slow_top_p(row: list[float], p: float) -> list[float]:
    probabilities, keep, mass = softmax(row), [], 0.0
    for i in best_first(row):
        if mass >= p:
            break
        keep.append(i)
        mass = math.fsum(probabilities[j] for j in keep)
        if currently_in_test_context():  # a cut that rounding decides is nobody's mistake
            assume(abs(mass - p) > 1e-5)
    return [logit if i in keep else -math.inf for i, logit in enumerate(row)]


def slow_distribution(row, temperature, top_k, top_p):
    if temperature == 0:
        return [float(i == best_first(row)[0]) for i in range(len(row))]
    row = [logit / temperature for logit in row]
    if top_k is not None:
        row = slow_top_k(row, top_k)
    if top_p is not None:
        row = slow_top_p(row, top_p)
    return softmax(row)


def slow_generate(model, idx, max_new_tokens, **settings):
    """Run the whole cropped window through the model for every token."""
    for _ in range(max_new_tokens):
        window = idx[:, -model.config.block_size :]
        token = sample_next_token(model(window)[:, -1], **settings)
        idx = torch.cat([idx, token[:, None]], dim=1)
    return idx


# --- Filters ----------------------------------------------------------------------------------


@property_test
@given(rows, st.integers(1, 15))
def test_top_k_keeps_what_the_sorted_list_keeps_ties_included(row, k):
    assert top_k_filter(torch.tensor(row), k).tolist() == torch.tensor(slow_top_k(row, k)).tolist()


@property_test
@given(rows, st.floats(1e-9, 1))
def test_top_p_keeps_what_the_sorted_list_keeps_ties_included(row, p):
    row = torch.tensor(row).tolist()  # as float32 holds them
    assert kept(top_p_filter(torch.tensor(row), p)) == kept(torch.tensor(slow_top_p(row, p)))


@property_test
@given(rows, st.just(0.0) | temperatures, top_ks, top_ps)
def test_the_distribution_is_temperature_then_top_k_then_top_p(row, temperature, top_k, top_p):
    expected = slow_distribution(row, temperature, top_k, top_p)
    actual = next_token_distribution(
        torch.tensor(row, dtype=torch.float64), temperature, top_k, top_p
    )
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, torch.tensor(expected), atol=1e-5, rtol=0)


@property_test
@given(
    st.lists(rows, min_size=2, max_size=4),
    st.just(0.0) | temperatures,
    top_ks,
    top_ps,
)
def test_every_row_of_a_batch_is_filtered_alone(batch, temperature, top_k, top_p):
    width = max(map(len, batch))
    logits = torch.tensor([row + [-math.inf] * (width - len(row)) for row in batch])
    together = next_token_distribution(logits, temperature, top_k, top_p)
    alone = [next_token_distribution(row, temperature, top_k, top_p) for row in logits]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-6, rtol=0)
    deeper = next_token_distribution(logits[None, :, None], temperature, top_k, top_p)
    torch.testing.assert_close(deeper[0, :, 0], together, atol=1e-6, rtol=0)


@property_test
@given(rows, temperatures, top_ks, top_ps)
def test_a_distribution_sums_to_one_and_never_revives_what_was_ruled_out(
    row, temperature, top_k, top_p
):
    logits = torch.tensor(row)
    probabilities = next_token_distribution(logits, temperature, top_k, top_p)
    assert abs(probabilities.sum().item() - 1) < 1e-5
    assert (probabilities[logits == -math.inf] == 0).all()
    assert (probabilities > 0).any()
    if top_k is not None:
        assert (probabilities > 0).sum() <= top_k


def test_top_p_keeps_the_token_that_crosses_and_stops_where_p_is_reached_exactly():
    logits = torch.tensor([0.125, 0.5, 0.25, 0.125]).log()
    for p, expected in (
        (1e-12, [1]),
        (0.5, [1]),
        (0.51, [1, 2]),
        (0.75, [1, 2]),
        (0.76, [0, 1, 2]),  # of two equal tokens, the lower id
        (0.876, [0, 1, 2, 3]),
        (1, [0, 1, 2, 3]),
        (1.0, [0, 1, 2, 3]),
    ):
        assert kept(top_p_filter(logits, p)) == expected, p


def test_top_p_of_equal_tokens_keeps_their_exact_number_lowest_ids_first():
    for p, expected in ((0.25, [0]), (0.26, [0, 1]), (0.5, [0, 1]), (0.75, [0, 1, 2])):
        assert kept(top_p_filter(torch.zeros(4), p)) == expected  # sums are exact: no rounding
    many = kept(top_p_filter(torch.zeros(50257), 0.9))
    assert many == list(range(math.ceil(0.9 * 50257)))


def test_a_vocabulary_of_one_always_gives_its_only_token():
    logits = torch.zeros(3, 1)
    for settings_ in ({}, {"temperature": 0}, {"top_k": 1}, {"top_p": 1e-9}, {"top_k": 5}):
        assert sample_next_token(logits, **settings_).tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_filters_keep_dtype_shape_and_their_input(dtype):
    logits = torch.randn(2, 7, 3).to(dtype).transpose(1, 2)  # not contiguous
    before = logits.clone()
    for filtered in (
        apply_temperature(logits, 0.7),
        top_k_filter(logits, 2),
        top_k_filter(logits, 99),
        top_p_filter(logits, 0.5),
        top_p_filter(logits, 1.0),
    ):
        assert filtered.dtype == dtype
        assert filtered.shape == logits.shape
    next_token_distribution(logits, 0.7, 2, 0.5)
    sample_next_token(logits[0], temperature=0.7, top_k=2, top_p=0.5)
    assert torch.equal(logits, before)


def test_gradients_flow_through_what_the_filters_keep():
    logits = torch.tensor([1.0, 3.0, 2.0], requires_grad=True)
    next_token_distribution(logits, 0.5, top_k=2)[1].backward()
    assert logits.grad[0] == 0
    assert logits.grad[1] > 0 > logits.grad[2]


# --- Equal to transformers --------------------------------------------------------------------


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers", reason="pip install transformers")


@pytest.mark.parametrize("seed", range(5))
def test_the_filters_equal_transformers_warpers(transformers, seed):
    torch.manual_seed(seed)
    logits = 4 * torch.randn(8, 100)  # no ties: those the two break differently
    for temperature in (0.3, 1.0, 2.5):
        theirs = transformers.TemperatureLogitsWarper(temperature)(None, logits)
        torch.testing.assert_close(apply_temperature(logits, temperature), theirs)
    for k in (1, 2, 50, 99, 100, 1000):
        assert torch.equal(top_k_filter(logits, k), transformers.TopKLogitsWarper(k)(None, logits))
    for p in (1e-6, 0.1, 0.5, 0.9, 0.99):
        assert torch.equal(top_p_filter(logits, p), transformers.TopPLogitsWarper(p)(None, logits))


def test_all_three_together_equal_transformers_chain(transformers):
    torch.manual_seed(0)
    logits = 4 * torch.randn(64, 100)
    theirs = transformers.LogitsProcessorList(
        [
            transformers.TemperatureLogitsWarper(1.7),
            transformers.TopKLogitsWarper(20),
            transformers.TopPLogitsWarper(0.8),
        ]
    )(None, logits).softmax(dim=-1)
    torch.testing.assert_close(next_token_distribution(logits, 1.7, 20, 0.8), theirs)


# --- Drawing ----------------------------------------------------------------------------------


def chi_square(counts: list[int], probabilities: list[float]) -> float:
    total = sum(counts)
    assert all(count == 0 for count, p in zip(counts, probabilities) if p == 0)
    return sum((c - total * p) ** 2 / (total * p) for c, p in zip(counts, probabilities) if p > 0)


@pytest.mark.parametrize(
    "settings_",
    [
        {},
        {"temperature": 0.6},
        {"temperature": 3.0, "top_k": 4},
        {"top_p": 0.8},
        {"temperature": 1.5, "top_k": 5, "top_p": 0.7},
    ],
)
def test_tokens_are_drawn_as_often_as_their_probability_says(settings_):
    row = [0.0, 1.0, -1.0, 2.0, 0.5, 1.5]
    draws = sample_next_token(
        torch.tensor(row).expand(20_000, 6),
        generator=torch.Generator().manual_seed(0),
        **settings_,
    )
    counts = draws.bincount(minlength=6).tolist()
    expected = slow_distribution(
        row,
        settings_.get("temperature", 1.0),
        settings_.get("top_k"),
        settings_.get("top_p"),
    )
    # With five degrees of freedom, chance exceeds 25.7 once in ten thousand.
    assert chi_square(counts, expected) < 25.7


def test_rows_of_a_batch_are_drawn_independently():
    generator = torch.Generator().manual_seed(0)
    logits = torch.tensor([[0.0, 1.0, 2.0]] * 2)
    pairs = torch.stack([sample_next_token(logits, generator=generator) for _ in range(5000)])
    counts = (3 * pairs[:, 0] + pairs[:, 1]).bincount(minlength=9).tolist()
    one = softmax([0.0, 1.0, 2.0])
    # With eight degrees of freedom, chance exceeds 31.8 once in ten thousand.
    assert chi_square(counts, [a * b for a in one for b in one]) < 31.8


def test_what_one_row_draws_does_not_depend_on_the_logits_of_another():
    draws = []
    for first in (torch.zeros(9), torch.arange(9.0)):
        generator = torch.Generator().manual_seed(0)
        logits = torch.stack([first, torch.zeros(9)])
        draws.append([sample_next_token(logits, generator=generator)[1].item() for _ in range(20)])
    assert draws[0] == draws[1]


def test_greedy_takes_the_largest_and_of_equal_ones_the_lowest_id():
    logits = torch.tensor([[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0]])
    for temperature in (0, 0.0):
        assert sample_next_token(logits, temperature=temperature).tolist() == [1, 0]
        assert next_token_distribution(logits, temperature).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]


def test_top_k_of_one_and_a_tiny_p_are_greedy():
    torch.manual_seed(0)
    logits = torch.randn(50, 20)
    greedy = logits.argmax(dim=-1)
    assert torch.equal(sample_next_token(logits, top_k=1), greedy)
    assert torch.equal(sample_next_token(logits, top_p=1e-9), greedy)
    assert torch.equal(sample_next_token(logits, temperature=1e-6), greedy)


# --- Generating -------------------------------------------------------------------------------


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


# --- Streaming and stopping -------------------------------------------------------------------


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


# --- Bad input --------------------------------------------------------------------------------

BAD_SETTINGS = [
    *(({"temperature": t}, "temperature is {}; it must be finite and at least 0")
      for t in (math.nan, math.inf, -math.inf, -0.1, -1, "1", None, True, False, [1.0])),
    *(({"top_k": k}, "top_k is {}; it must be a whole number of at least 1")
      for k in (0, -1, 1.5, 2.0, True, "5", math.nan)),
    *(({"top_p": p}, "top_p is {}; it must be above 0 and at most 1")
      for p in (0, 0.0, -0.5, 1.1, 2, math.nan, math.inf, True, "0.9")),
    *(({"stop_token": s}, "stop_token is {}; it must be a whole number of at least 0")
      for s in (-1, 1.0, True, "7")),
    ({"stop_token": 19}, "stop_token is {}; the ids of this model end at 18"),
    ({"generator": 42}, "generator is {}; it must be a torch.Generator"),
    ({"max_new_tokens": -1}, "max_new_tokens is {}; it must be a whole number of at least 0"),
    ({"max_new_tokens": 2.0}, "max_new_tokens is {}; it must be a whole number of at least 0"),
    ({"max_new_tokens": True}, "max_new_tokens is {}; it must be a whole number of at least 0"),
    ({"max_new_tokens": None}, "max_new_tokens is {}; it must be a whole number of at least 0"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "message"), BAD_SETTINGS)
def test_a_bad_setting_is_refused_with_its_value_and_what_is_accepted(model, bad, message):
    (value,) = bad.values()
    before = torch.get_rng_state()
    arguments = {"max_new_tokens": 3, **bad}
    with pytest.raises(ValueError) as error:
        generate(model, some_prompts(1, 3), **arguments)
    assert message.format(repr(value)) in str(error.value)
    with pytest.raises(ValueError):
        list(stream(model, some_prompts(1, 3), **arguments))
    with pytest.raises(ValueError):  # also when nothing would be drawn
        generate(model, some_prompts(1, 3), **{"max_new_tokens": 0, **bad})
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: apply_temperature(x, 0), "temperature is 0; .* above 0"),
        (lambda x: apply_temperature(x, math.nan), "temperature is nan"),
        (lambda x: apply_temperature(x, math.inf), "temperature is inf; .* finite"),
        (lambda x: apply_temperature(x, True), "temperature is True"),
        (lambda x: top_k_filter(x, 0), "top_k is 0"),
        (lambda x: top_k_filter(x, True), "top_k is True"),
        (lambda x: top_p_filter(x, 0), "top_p is 0"),
        (lambda x: top_p_filter(x, 1.01), "top_p is 1.01"),
        (lambda x: next_token_distribution(x, math.nan), "temperature is nan"),
        (lambda x: next_token_distribution(x, -1), "temperature is -1"),
        (lambda x: sample_next_token(x, temperature=-1), "temperature is -1"),
        (lambda x: sample_next_token(x, temperature="0"), "temperature is '0'"),
        (lambda x: sample_next_token(x, top_k=-3), "top_k is -3"),
    ],
)
def test_the_steps_refuse_what_generate_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call(torch.zeros(1, 5))


@pytest.mark.parametrize(
    ("idx", "words"),
    [
        (torch.zeros(3, dtype=torch.int64), r"\(batch, time\).*not torch.int64 \(3,\)"),
        (torch.zeros(1, 3), "torch.float32"),
        ("fox", "not str"),
        ("Once", "not str"),
        (torch.zeros(1, 0, dtype=torch.int64), "at least one token"),
        (torch.zeros(0, 1, dtype=torch.int64), "empty"),
        (torch.tensor([[19]]), "the id 19; ids of this model are 0 to 18"),
        (torch.tensor([[-1]]), "the id -1"),
        (torch.tensor([[19] + [0] * 20]), "the id 19"),  # also where it would be cropped away
        (
            torch.zeros(1, 3, dtype=torch.int64, device="meta"),
            "idx is on meta and the model on cpu",
        ),
    ],
)
def test_a_bad_prompt_is_refused(model, idx, words):
    with pytest.raises(ValueError, match=words):
        generate(model, idx, 3)


def test_a_generator_of_another_device_is_refused(model, monkeypatch):
    class Elsewhere(torch.Generator):
        device = torch.device("cuda")

    with pytest.raises(ValueError, match=r"generator is on cuda.*model on cpu.*Generator\('cpu'\)"):
        generate(model, some_prompts(1, 3), 3, generator=Elsewhere())
