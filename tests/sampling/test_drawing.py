"""Tokens are drawn as often as their probability says."""

import pytest
import torch

from minigpt.sampling import next_token_distribution, sample_next_token
from tests.sampling.slow import slow_distribution, softmax


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
