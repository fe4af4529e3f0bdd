"""What a training run costs, worked out before it begins: FLOPs, hours, money, energy.

Only matrix products count, as in lesson 05: a forward pass, and twice as much on the way back.
Prices, watts and utilisation are what you type; nothing here knows them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from minigpt.config import GPTConfig, is_number, require
from minigpt.speed.roofline import forward_flops

HOURS_A_YEAR = 24 * 365.25


def check_positive(**values: float) -> None:
    """Raise ValueError unless all are finite numbers above 0."""
    for name, value in values.items():
        fine = is_number(value) and 0 < value < math.inf
        require(fine, name, value, "a finite number above 0")


def training_flops(config: GPTConfig, tokens: float, block_size: int | None = None) -> float:
    """Return the FLOPs of training on so many tokens, in texts of block_size each.

    Without a block_size they are as long as the model can read. Three forward passes' worth: the
    way back needs a product for each input's gradient and one for each weight's.

    >>> f"{training_flops(GPTConfig.preset('gpt2'), 300e9):.3g}"
    '2.56e+20'
    """
    check_positive(tokens=tokens)
    T = config.block_size if block_size is None else block_size
    return 3 * tokens * forward_flops(config, T) / T


def training_speed(
    config: GPTConfig, peak_flops: float, utilisation: float, block_size: int | None = None
) -> float:
    """Return the tokens a second of a machine of which training uses a part: `utilisation`, 0 to 1.

    `peak_flops` are what its maker says, a second, in the precision used and without sparsity.

    >>> round(training_speed(GPTConfig.preset("gpt2"), 989e12, utilisation=0.4))
    462994
    """
    check_positive(peak_flops=peak_flops)
    fine = is_number(utilisation) and 0 < utilisation <= 1
    require(fine, "utilisation", utilisation, "above 0 and at most 1, as 0.4 for 40 %")
    return utilisation * peak_flops / training_flops(config, 1, block_size)


def utilisation(
    config: GPTConfig,
    tokens_per_second: float,
    peak_flops: float,
    block_size: int | None = None,
) -> float:
    """Return which part of a machine's peak a measured speed is, from 0 to 1.

    The model FLOPs utilisation, MFU (Chowdhery et al. 2022, section 4.1): what a step needs counts,
    not what is done twice to save memory.
    """
    check_positive(tokens_per_second=tokens_per_second, peak_flops=peak_flops)
    return tokens_per_second * training_flops(config, 1, block_size) / peak_flops


@dataclass(frozen=True)
class TrainingCost:
    """What a run takes. str() says it in words."""

    tokens: float
    flops: float
    hours: float
    money: float  # in whatever unit the price was given
    kilowatt_hours: float  # at the building's meter

    def __str__(self) -> str:
        return (
            f"{self.tokens:.3g} tokens, {self.flops:.3g} FLOPs, {time_in_words(self.hours)}, "
            f"{self.money:,.0f} in money, {self.kilowatt_hours:,.0f} kWh"
        )


def time_in_words(hours: float) -> str:
    """Write a time for people.

    >>> [time_in_words(hours) for hours in (0.4, 22.5, 180, 87_000)]
    ['24 minutes', '22 hours', '7.5 days', '9.9 years']
    """
    for unit, length, digits in (
        ("years", HOURS_A_YEAR, 1),
        ("days", 24.0, 1),
        ("hours", 1.0, 0),
    ):
        if hours >= 2 * length:
            return f"{hours / length:,.{digits}f} {unit}"
    return f"{60 * hours:.0f} minutes"


def training_cost(
    config: GPTConfig,
    tokens: float,
    tokens_per_second: float,
    *,
    watts: float = 0.0,
    price_per_hour: float = 0.0,
    overhead: float = 1.0,
    block_size: int | None = None,
) -> TrainingCost:
    """Return what it takes to train on so many tokens at a given speed, of all machines together.

    `watts` is what they draw, `price_per_hour` what they cost, all together. `overhead` is the
    building's PUE (power usage effectiveness, ISO/IEC 30134-2): its whole energy, cooling included,
    divided by that of the machines. Raises ValueError for what is not a number, or too small.

    >>> cost = training_cost(GPTConfig.preset("gpt2"), 3.6e9, 1e6, watts=500, price_per_hour=2.0)
    >>> cost.hours, cost.money, cost.kilowatt_hours
    (1.0, 2.0, 0.5)
    """
    check_positive(tokens=tokens, tokens_per_second=tokens_per_second)
    for name, value, least in (
        ("watts", watts, 0.0),
        ("price_per_hour", price_per_hour, 0.0),
        ("overhead", overhead, 1.0),
    ):
        fine = is_number(value) and least <= value < math.inf
        require(fine, name, value, f"a finite number of at least {least:g}")
    hours = tokens / tokens_per_second / 3600
    flops = training_flops(config, tokens, block_size)
    energy = hours * watts / 1000 * overhead
    return TrainingCost(tokens, flops, hours, hours * price_per_hour, energy)
