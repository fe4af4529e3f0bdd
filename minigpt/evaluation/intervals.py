"""How far a measured share, mean or difference can be trusted: intervals.

A model that is right 9 times of 10 may be right 99 times of 100, or 6 of 10. An interval says what
is still possible. Wilson's is for a share of right answers, the bootstrap for a mean of anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np

from minigpt.config import check_whole


def check_confidence(confidence: float) -> None:
    """Raise ValueError unless the confidence lies between 0 and 1."""
    if not isinstance(confidence, (int, float)) or not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}; it must lie between 0 and 1, as 0.95 does")


def numbers(name: str, values: Sequence[float]) -> np.ndarray:
    """Return measurements as an array (N,) float64; raise ValueError if there are none, or nan."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} has shape {array.shape}; give one row of at least one number")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]}; all must be finite")
    return array


def wilson(right: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return an interval for a share of right answers: lowest and highest, both from 0 to 1.

    `right` of `count` answers were right. All shares that would give such a count within the usual
    luck of drawing lie in it; unlike the share plus or minus its error, it never leaves 0 to 1, and
    has a width at 0 of 10 too. Wilson 1927, "Probable inference, the law of succession, and
    statistical inference".

    Raises ValueError unless 0 <= right <= count, with count at least 1.

    >>> [round(end, 3) for end in wilson(9, 10)]
    [0.596, 0.982]
    >>> [round(end, 3) for end in wilson(0, 10)]
    [0.0, 0.278]
    """
    check_whole("count", count)
    check_whole("right", right, least=0)
    check_confidence(confidence)
    if right > count:
        raise ValueError(f"right is {right}, and count only {count}; no more can be right")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, extra = right / count, z * z / count
    middle = (share + extra / 2) / (1 + extra)
    half = z * math.sqrt(share * (1 - share) / count + extra / (4 * count)) / (1 + extra)
    low = 0.0 if right == 0 else middle - half  # rounding would leave a trace of less than 0
    return low, 1.0 if right == count else middle + half


def bootstrap(
    values: Sequence[float],
    statistic: Callable[[np.ndarray], np.ndarray] | None = None,
    *,
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return an interval for the mean of some values (N,): lowest and highest.

    As if measured again and again: N of the values are drawn with replacement, `draws` times, and
    the interval holds the middle 95 % of the means (Efron 1979, the percentile interval). Each
    value must be one independent thing, as a story, not a token of it. `statistic` may be another
    than the mean: a function of samples (draws, N) that returns (draws,).

    Raises ValueError for no values, and for those that are not finite.

    >>> bootstrap([2.0, 2.0, 2.0])
    (2.0, 2.0)
    >>> [round(end, 1) for end in bootstrap([0, 1] * 50)]
    [0.4, 0.6]
    """
    values = numbers("values", values)
    check_confidence(confidence)
    check_whole("draws", draws)
    check_whole("seed", seed, least=0)
    random, found = np.random.default_rng(seed), []
    at_once = max(1, 2**20 // len(values))  # samples in memory: 8 MB
    for start in range(0, draws, at_once):
        size = (min(at_once, draws - start), len(values))
        samples = values[random.integers(len(values), size=size)]
        found.append(samples.mean(axis=1) if statistic is None else statistic(samples))
    low, high = np.quantile(np.concatenate(found), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def paired_bootstrap(
    ours: Sequence[float], theirs: Sequence[float], **settings
) -> tuple[float, float, float]:
    """Return the mean difference of two measurements of the same things, and its interval.

    ours (N,), theirs (N,): entry i of both is about the same item, so what makes an item hard for
    both cancels, and the interval is narrower than that of either. An interval without 0 says that
    the two differ. `settings` are those of `bootstrap`.

    Raises ValueError if they are not as long as each other.

    >>> paired_bootstrap([2.0, 5.0, 9.0], [1.0, 4.0, 8.0])
    (1.0, 1.0, 1.0)
    """
    ours, theirs = numbers("ours", ours), numbers("theirs", theirs)
    if len(ours) != len(theirs):
        raise ValueError(
            f"ours has {len(ours)} values and theirs {len(theirs)}; both need one for each item"
        )
    difference = ours - theirs
    return float(difference.mean()), *bootstrap(difference, **settings)
