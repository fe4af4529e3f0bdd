"""How the loss falls with size, data or compute: a power law, fitted to runs of one's own.

L(x) = floor + factor · x^-exponent. Where the floor is known, as for the stories, the logarithm of
what is above it is a straight line. Where nobody knows it, it is a third number to fit: Kaplan et
al. 2020 (section 1.2) leave it out, Hoffmann et al. 2022 (section 3.3) fit one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minigpt.config import check_whole, is_number, require

EXPONENTS = np.geomspace(0.01, 10, 700)  # tried where the floor is free: a step is 1 %


@dataclass(frozen=True)
class PowerLaw:
    """The loss, in nats, that is expected at an amount: parameters, tokens or FLOPs.

    >>> PowerLaw(floor=0.5, factor=3.0, exponent=0.5)(100)
    0.8
    """

    floor: float
    factor: float  # nats above the floor at amount 1
    exponent: float

    def __call__(self, amount: float) -> float:
        return self.floor + self.factor * amount**-self.exponent


def chances(spread: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw by which factor each run lies off its law; beyond e^±50 nothing can be told apart."""
    return np.exp(np.clip(spread * random.normal(size=spread.shape), -50, 50))


@dataclass(frozen=True, eq=False)
class LawWithDoubt:
    """A fitted law, and others that might as well be the true one: the same runs, drawn anew.

    `law` is the fit. `others` holds floor, factor and exponent of each draw (D, 3), and `spread`
    (D,) how far single runs lie from that law: the standard deviation of the logarithm of what is
    above the floor or, where the floor was fitted too, of the whole loss.
    """

    law: PowerLaw
    others: np.ndarray
    spread: np.ndarray
    floor_known: bool

    def __call__(self, amount: float) -> float:
        return self.law(amount)

    def interval(self, amount: float, confidence: float = 0.95) -> tuple[float, float]:
        """Return the least and the largest loss that one more run at this amount may well have.

        In it are both kinds of doubt: which law, and where around it a single run comes to lie.
        """
        fine = is_number(confidence) and 0 < confidence < 1
        require(fine, "confidence", confidence, "between 0 and 1, as 0.95")
        floor, factor, exponent = self.others.T
        above = factor * amount**-exponent
        chance = chances(self.spread, np.random.default_rng(0))
        losses = floor + above * chance if self.floor_known else (floor + above) * chance
        low, high = np.quantile(losses, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)


def checked(
    amounts: Sequence[float], losses: Sequence[float], floor: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return amounts and losses (N,) float64, or raise ValueError for what no law fits."""
    x, y = (np.asarray(values, dtype=np.float64) for values in (amounts, losses))
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"amounts are {x.shape}, losses {y.shape}; give one of each for every run")
    needed, different = (3 if floor is None else 2), len({*x.tolist()})
    if different < needed:
        why = " where the floor is fitted too" if floor is None else ""
        raise ValueError(f"the runs have {different} different amounts; {needed} are needed{why}")
    require(floor is None or (is_number(floor) and floor >= 0), "floor", floor, "at least 0")
    for name, values, least in (("an amount", x, 0.0), ("a loss", y, floor or 0.0)):
        for value in values[~((values > least) & np.isfinite(values))].tolist():
            require(False, name, value, f"finite, and above {least:g}")
    return x, y


def fit_line(x: np.ndarray, losses: np.ndarray, floor: float) -> np.ndarray:
    """Fit factor and exponent to each row of losses (D, N); return (D, 3), the floor first.

    Least squares in log(loss - floor): each run counts by its relative distance from the line.
    """
    log_x, log_y = np.log(x), np.log(losses - floor)
    away = log_x - log_x.mean()
    slope = log_y @ away / (away @ away)
    factor = np.exp(log_y.mean(axis=1) - slope * log_x.mean())
    return np.stack([np.full_like(slope, floor), factor, -slope], axis=1)


def fit_all(x: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Fit floor, factor and exponent to each row of losses (D, N); return (D, 3).

    For a given exponent, floor and factor come from a weighted least-squares line, in closed form;
    so only exponents are tried. Each run counts by its relative distance. No floor below 0.
    """
    weights, unit = losses**-2.0, x.min()
    best, least = np.zeros((len(losses), 3)), np.full(len(losses), np.inf)
    for exponent in EXPONENTS:
        p = (x / unit) ** -exponent
        away = p - (weights @ p / weights.sum(axis=1))[:, None]  # from the weighted mean (D, N)
        slope = (weights * away * losses).sum(axis=1) / (weights * away**2).sum(axis=1)
        floor = (weights * (losses - slope[:, None] * p)).sum(axis=1) / weights.sum(axis=1)
        slope0 = (weights * losses) @ p / (weights @ p**2)  # through a floor of 0
        factor, floor = np.where(floor < 0, slope0, slope), np.maximum(floor, 0.0)
        errors = (((floor[:, None] + factor[:, None] * p) / losses - 1) ** 2).sum(axis=1)
        better = errors < least
        least[better] = errors[better]
        fits = [floor, factor * unit**exponent, np.full_like(floor, exponent)]
        best[better] = np.stack(fits, axis=1)[better]
    return best


def fit_power_law(
    amounts: Sequence[float], losses: Sequence[float], floor: float | None = None
) -> PowerLaw:
    """Return the power law that fits runs best; without a floor, that is fitted as well.

    `amounts` (N,) are parameters, tokens or FLOPs, `losses` (N,) nats. Raises ValueError for fewer
    different amounts than there is to fit, and for a loss that is not above the floor.

    >>> law = fit_power_law([1, 100, 10_000], [2.0, 1.1, 1.01], floor=1.0)
    >>> round(law.factor, 6), round(law.exponent, 6)
    (1.0, 0.5)
    """
    x, y = checked(amounts, losses, floor)
    [fit] = fit_all(x, y[None]) if floor is None else fit_line(x, y[None], floor)
    return PowerLaw(*fit.tolist())


def resample_law(
    amounts: Sequence[float],
    losses: Sequence[float],
    floor: float | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> LawWithDoubt:
    """Fit a power law, and fit it again to runs that are drawn anew around it, `draws` times.

    A parametric bootstrap (Efron 1979): each drawn run lies off the law by a normal chance. How
    large that chance is, few runs say only roughly, so its size is drawn as well: the squares' sum
    over chi-squared, with as many degrees of freedom as there are more runs than numbers to fit.
    With a known floor this makes the textbook's prediction interval of a line. Raises ValueError
    unless there are more runs than numbers to fit.
    """
    x, y = checked(amounts, losses, floor)
    check_whole("draws", draws)
    check_whole("seed", seed, least=0)
    fitted = 3 if floor is None else 2
    if len(x) <= fitted:
        raise ValueError(f"{len(x)} runs for {fitted} numbers to fit leave no doubt to measure")
    law, off = fit_power_law(x, y, floor), floor or 0.0
    expected = law.floor - off + law.factor * x**-law.exponent
    squares = (np.log((y - off) / expected) ** 2).sum()
    random = np.random.default_rng(seed)
    spread = np.sqrt(squares / random.chisquare(len(x) - fitted, draws))
    drawn = off + expected * chances(np.tile(spread[:, None], len(x)), random)
    fits = fit_all(x, drawn) if floor is None else fit_line(x, drawn, floor)
    return LawWithDoubt(law, fits, spread, floor is not None)


def leave_one_out(
    amounts: Sequence[float], losses: Sequence[float], floor: float | None = None
) -> list[PowerLaw]:
    """Return the laws fitted to all runs but the first, all but the second, and so on."""
    x, y = checked(amounts, losses, floor)
    return [fit_power_law(np.delete(x, i), np.delete(y, i), floor) for i in range(len(x))]


def best_size(sizes: Sequence[float], losses: Sequence[float]) -> float:
    """Return the size of the least loss among models of equal compute.

    The lowest point of a parabola in the logarithm of the size (Hoffmann et al. 2022, section 3.2),
    fitted to the logarithm of the losses, or of what is above a floor. Raises ValueError where it
    has no lowest point between the smallest and the largest size.
    """
    x, y = checked(sizes, losses, None)
    curve, slope, _ = np.polyfit(np.log(x), np.log(y), 2)
    best = float(np.exp(-slope / (2 * curve))) if curve > 0 else np.inf
    fine = x.min() <= best <= x.max()
    require(fine, "the best size", best, f"between {x.min():g} and {x.max():g}: try other sizes")
    return best
