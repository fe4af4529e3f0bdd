"""Intervals hold the truth as often as they say, and refuse what has none."""

import math

import numpy as np
import pytest

from minigpt.evaluation.intervals import bootstrap, paired_bootstrap, wilson


def by_trying(right: int, count: int, z: float) -> tuple[float, float]:
    """The shares whose count lies z errors from what was seen, found on a fine grid."""
    shares = np.linspace(0, 1, 2_000_001)[1:-1]
    inside = np.abs(right / count - shares) <= z * np.sqrt(shares * (1 - shares) / count)
    return shares[inside][0], shares[inside][-1]


@pytest.mark.parametrize(("right", "count"), [(0, 10), (1, 10), (5, 10), (10, 10), (873, 1000)])
def test_wilson_holds_the_shares_that_a_search_finds(right, count):
    found = wilson(right, count)
    assert found == pytest.approx(by_trying(right, count, 1.959964), abs=2e-6)
    assert 0 <= found[0] < found[1] <= 1


def exact_coverage(interval, share: float, count: int) -> float:
    """The probability, under the binomial, that an interval holds the share it was drawn from."""
    total = 0.0
    for right in range(count + 1):
        low, high = interval(right, count)
        chance = math.comb(count, right) * share**right * (1 - share) ** (count - right)
        total += chance * (low <= share <= high)
    return total


def test_wilson_covers_as_often_as_it_says_where_the_simple_interval_does_not():
    def simple(right, count):
        share = right / count
        half = 1.96 * math.sqrt(share * (1 - share) / count)
        return share - half, share + half

    shares = np.linspace(0.02, 0.98, 97)
    ours = [exact_coverage(wilson, share, 50) for share in shares]
    assert 0.94 < np.mean(ours) < 0.97
    assert min(ours) > 0.83
    assert min(exact_coverage(simple, share, 50) for share in shares) < 0.7


def test_more_confidence_is_a_wider_interval():
    for interval in (lambda c: wilson(7, 10, c), lambda c: bootstrap(range(30), confidence=c)):
        (low, high), (lower, higher) = interval(0.8), interval(0.99)
        assert lower < low < high < higher


def test_the_bootstrap_of_a_mean_is_that_of_the_normal_law():
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    error = values.std() / math.sqrt(len(values))
    expected = (values.mean() - 1.96 * error, values.mean() + 1.96 * error)
    assert bootstrap(values, draws=20_000) == pytest.approx(expected, abs=0.1 * error)


def test_the_bootstrap_is_the_same_for_a_seed_and_in_any_portion():
    values = np.arange(5000.0)  # so many that not all samples fit at once
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3) != bootstrap(values, seed=4)


def test_another_statistic_than_the_mean():
    low, high = bootstrap(np.r_[np.zeros(90), np.full(10, 1e6)], lambda x: np.median(x, axis=1))
    assert (low, high) == (0.0, 0.0)


def test_pairs_make_a_small_difference_plain():
    hard = np.random.default_rng(0).normal(0, 10, 200)  # how hard each item is, for both
    ours, theirs = hard + 0.5, hard + np.random.default_rng(1).normal(0, 0.5, 200)
    mean, low, high = paired_bootstrap(ours, theirs)
    assert low < mean < high and low > 0.3
    alone = bootstrap(ours)
    assert alone[1] - alone[0] > 10 * (high - low)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: wilson(11, 10), "right is 11, and count only 10"),
        (lambda: wilson(0, 0), "count"),
        (lambda: wilson(-1, 3), "right"),
        (lambda: wilson(1, 3, 95), "confidence is 95; it must lie between 0 and 1"),
        (lambda: bootstrap([]), r"values has shape \(0,\)"),
        (lambda: bootstrap([1.0, math.nan]), "values holds nan"),
        (lambda: bootstrap([1.0], draws=0), "draws"),
        (lambda: paired_bootstrap([1.0], [1.0, 2.0]), "ours has 1 values and theirs 2"),
    ],
)
def test_what_has_no_interval_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
