"""Power laws: what is known is found again, intervals hold what they promise."""

import math

import numpy as np
import pytest

from minigpt.training.scaling_law import (
    PowerLaw,
    best_size,
    fit_power_law,
    leave_one_out,
    resample_law,
)

TRUTH = PowerLaw(floor=0.47, factor=30.0, exponent=0.4)
AMOUNTS = np.geomspace(1e3, 1e6, 9)
FAR = 1e8
T_975 = 2.365  # Student's t with 7 degrees of freedom: 97.5 % lie below


def noisy(seed: int, spread: float = 0.1, amounts=AMOUNTS) -> np.ndarray:
    """Return losses whose part above the floor is off by a factor, as one run's is."""
    chance = np.random.default_rng(seed).normal(0, spread, len(amounts))
    return TRUTH.floor + (np.array([TRUTH(x) for x in amounts]) - TRUTH.floor) * np.exp(chance)


@pytest.mark.parametrize("floor", [0.47, None])
@pytest.mark.parametrize("truth", [TRUTH, PowerLaw(0.0, 5.0, 0.076), PowerLaw(1.69, 406.4, 0.34)])
def test_a_law_without_noise_is_found_again(truth, floor):
    losses = [truth(x) for x in AMOUNTS]
    law = fit_power_law(AMOUNTS, losses, None if floor is None else truth.floor)
    close = 1e-9 if floor else 0.01
    assert math.isclose(law.exponent, truth.exponent, rel_tol=close)
    assert abs(law.floor - truth.floor) < (1e-12 if floor else 0.03)
    assert math.isclose(law(FAR), truth(FAR), rel_tol=close)


def test_with_a_known_floor_it_is_numpys_line():
    losses = noisy(1)
    slope, start = np.polyfit(np.log(AMOUNTS), np.log(losses - 0.47), 1)
    law = fit_power_law(AMOUNTS, losses, floor=0.47)
    assert math.isclose(law.exponent, -slope) and math.isclose(law.factor, math.exp(start))


def test_a_free_floor_is_the_best_of_all_that_a_slow_search_finds():
    losses = noisy(2, 0.02)
    law = fit_power_law(AMOUNTS, losses)

    def error(law):
        return sum((law(x) / y - 1) ** 2 for x, y in zip(AMOUNTS, losses))

    found = error(law)
    for d_floor in (-0.02, 0, 0.02):
        for factor in (0.97, 1, 1.03):
            for exponent in (0.98, 1, 1.02):
                other = PowerLaw(law.floor + d_floor, law.factor * factor, law.exponent * exponent)
                assert error(other) >= found * (1 - 1e-4)


def test_floor_and_factor_are_numpys_weighted_least_squares():
    losses = noisy(2, 0.05)
    law = fit_power_law(AMOUNTS, losses)
    columns = np.stack([np.ones(9), AMOUNTS**-law.exponent], axis=1) / losses[:, None]
    (floor, factor), *_ = np.linalg.lstsq(columns, np.ones(9), rcond=None)
    assert math.isclose(law.floor, floor) and math.isclose(law.factor, factor)


def test_no_floor_comes_out_below_0():
    assert fit_power_law([1, 2, 4, 8], [1.0, 0.49, 0.24, 0.11]).floor == 0


@pytest.mark.thorough
@pytest.mark.parametrize(("floor", "least"), [(0.47, 0.91), (None, 0.88)])
def test_the_interval_holds_the_next_run_about_as_often_as_it_says(floor, least):
    inside, count = 0, 120
    for seed in range(count):
        doubt = resample_law(AMOUNTS, noisy(seed, 0.05), floor, draws=300, seed=seed)
        at = 4e6
        low, high = doubt.interval(at)
        inside += low <= noisy(1000 + seed, 0.05, [at])[0] <= high
    assert least <= inside / count <= 0.995


def test_the_interval_is_as_wide_as_the_textbooks():
    """A line's prediction interval: t · s · sqrt(1 + 1/N + distance² / spread²)."""
    x, ratios = np.log(AMOUNTS), []
    for seed in range(60):
        y = np.log(noisy(seed) - 0.47)
        slope, start = np.polyfit(x, y, 1)
        s = math.sqrt(((y - start - slope * x) ** 2).sum() / 7)
        far = (math.log(FAR) - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
        exact = 2 * T_975 * s * math.sqrt(1 + 1 / 9 + far)
        low, high = resample_law(AMOUNTS, noisy(seed), 0.47, draws=400).interval(FAR)
        ratios.append(math.log((high - 0.47) / (low - 0.47)) / exact)
    assert 0.93 < np.mean(ratios) < 1.07


def test_more_noise_and_more_distance_make_wider_intervals():
    def width(spread, at):
        low, high = resample_law(AMOUNTS, noisy(3, spread), 0.47).interval(at)
        return math.log((high - 0.47) / (low - 0.47))

    assert width(0.02, FAR) < width(0.1, FAR) and width(0.1, 1e5) < width(0.1, FAR)


def test_the_same_seed_gives_the_same_interval():
    first, second = (resample_law(AMOUNTS, noisy(4), 0.47, seed=5).interval(FAR) for _ in "ab")
    assert first == second != resample_law(AMOUNTS, noisy(4), 0.47, seed=6).interval(FAR)


def test_leaving_one_out_leaves_each_out_once():
    losses = noisy(5)
    laws = leave_one_out(AMOUNTS, losses, 0.47)
    assert len(laws) == len(AMOUNTS)
    assert laws[3] == fit_power_law([*AMOUNTS[:3], *AMOUNTS[4:]], [*losses[:3], *losses[4:]], 0.47)


def test_the_best_size_is_where_the_parabola_is_lowest():
    sizes = [1e4, 1e5, 1e6, 1e7]
    losses = [math.exp(0.1 * (math.log(size) - math.log(3e5)) ** 2) for size in sizes]
    assert math.isclose(best_size(sizes, losses), 3e5)


@pytest.mark.parametrize("losses", [[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 2.0, 1.0]])
def test_no_best_size_is_made_up(losses):
    with pytest.raises(ValueError, match="best size"):
        best_size([1, 10, 100], losses)


@pytest.mark.parametrize(
    ("amounts", "losses", "floor", "words"),
    [
        ([1, 2], [1.0], 0.5, "one of each"),
        ([2, 2, 2], [1.0, 1.1, 1.2], 0.5, "1 different amounts; 2 are needed"),
        ([1, 2], [2.0, 1.0], None, "3 are needed where the floor is fitted too"),
        ([1, 2, 0], [3.0, 2.0, 1.0], 0.5, "an amount is 0.0; it must be finite, and above 0"),
        ([1, 2, 4], [3.0, 2.0, 0.5], 0.5, "a loss is 0.5; it must be finite, and above 0.5"),
        ([1, 2, 4], [3.0, math.nan, 1.0], 0.5, "a loss is nan"),
        ([1, 2, 4], [3.0, 2.0, 1.0], -1, "floor is -1"),
    ],
)
def test_what_no_law_fits_is_said_in_words(amounts, losses, floor, words):
    with pytest.raises(ValueError, match=words):
        fit_power_law(amounts, losses, floor)


def test_as_many_numbers_as_runs_leave_no_doubt_to_measure():
    with pytest.raises(ValueError, match="3 runs for 3 numbers"):
        resample_law([1, 2, 4], [3.0, 2.0, 1.5])
    with pytest.raises(ValueError, match="confidence is 95"):
        resample_law([1, 2, 4], [3.0, 2.0, 1.5], 1.0).interval(8, confidence=95)
