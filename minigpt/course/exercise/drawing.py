"""Draw the inputs of an exercise's cases from a generator; nothing touches the global seed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.modules import random_weights


def seeded(seed: int) -> torch.Generator:
    """Return a generator that always draws the same for a seed."""
    return torch.Generator().manual_seed(seed)


def normal(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw standard normal numbers."""
    return torch.randn(shape, generator=generator, dtype=dtype)


def readable(generator: torch.Generator, *shape: int) -> Tensor:
    """Draw normal numbers with one digit after the point: a first case is read by people."""
    return torch.round(normal(generator, *shape), decimals=1)


def uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    """Draw numbers between low and high."""
    return low + (high - low) * torch.rand(shape, generator=generator)


def not_contiguous(x: Tensor) -> Tensor:
    """Return the same numbers, laid out in memory with the last two axes the other way round."""
    return x.transpose(-2, -1).contiguous().transpose(-2, -1)


def weights_for(
    module_class: type[nn.Module],
    config: dict,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Tensor]:
    """Draw the weights of `module_class(GPTConfig(**config))`, by name."""
    with torch.device("meta"):  # names and shapes only: nothing is initialised
        module = module_class(GPTConfig(**config))
    return {name: w.to(dtype) for name, w in random_weights(module, generator).items()}
