"""The filters against slow obvious versions and transformers' own warpers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.sampling import (
    apply_temperature,
    next_token_distribution,
    sample_next_token,
    top_k_filter,
    top_p_filter,
)
from tests.sampling.slow import kept, slow_distribution, slow_top_k, slow_top_p

property_test = settings(derandomize=True, deadline=None, max_examples=150)


# Halves make ties likely; -inf is what an earlier filter leaves behind.
a_logit = st.integers(-12, 12).map(lambda n: n / 2) | st.floats(-30, 30, width=16)
rows = st.lists(a_logit | st.just(-math.inf), min_size=1, max_size=12).filter(
    lambda row: max(row) > -math.inf
)
temperatures = st.floats(0.05, 20)
top_ks = st.none() | st.integers(1, 15)
top_ps = st.none() | st.floats(1e-6, 1)


# --- Equal to slow, obvious versions ----------------------------------------------------------


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


def test_at_p_1_no_token_is_too_unlikely():
    """A float64 sum is 1 after the first of these."""
    logits = torch.tensor([0.0, -60, -math.inf, -80])
    assert kept(top_p_filter(logits, 1)) == kept(top_p_filter(logits, 1.0)) == [0, 1, 3]


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
