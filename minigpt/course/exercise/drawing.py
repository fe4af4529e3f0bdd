"""Draw an exercise's cases from a generator; nothing touches the global seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.modules import random_weights


class Cases:
    """Makes the cases of one exercise, which all have the same arguments.

    >>> case = Cases("q", "k")
    >>> case("two words", [1], [2], gradients="k")
    {'title': 'two words', 'args': [[1], [2]], 'names': ['q', 'k'], 'gradient_of': [1]}
    """

    def __init__(self, *names: str) -> None:
        self.names = names

    def __call__(self, title: str, *args: Any, gradients: str = "", **more: Any) -> dict:
        """Return a case. gradients: the names of the arguments to which gradients flow back.

        `more` is what the exercise's call asks for besides, such as "config" or "kwargs".
        """
        case = {"title": title, "args": list(args), "names": list(self.names), **more}
        if gradients:
            case["gradient_of"] = [self.names.index(name) for name in gradients.split()]
        return case

    def by_name(self, title: str, *values: Any) -> dict:
        """Return a case for a function that takes all its arguments by keyword."""
        return {"title": title, "args": [], "kwargs": dict(zip(self.names, values))}


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


def whole(generator: torch.Generator, low: int, high: int) -> int:
    """Draw one whole number, from low to high - 1."""
    return int(torch.randint(low, high, (), generator=generator))


def not_contiguous(x: Tensor) -> Tensor:
    """Return the same numbers, laid out in memory with the last two axes the other way round."""
    return x.transpose(-2, -1).contiguous().transpose(-2, -1)


def small(n_embd: int, n_head: int, **more: Any) -> dict:
    """Return the arguments of a small GPTConfig."""
    return dict(vocab_size=16, block_size=8, n_layer=2, n_embd=n_embd, n_head=n_head) | more


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


def layer_cases(module_class: type[nn.Module], generator: torch.Generator) -> Callable[..., dict]:
    """Return what makes the cases of a layer: `case(title, x, config, **more)` draws weights."""
    case = Cases("x")

    def with_weights(title: str, x: Tensor, config: dict, **more: Any) -> dict:
        weights = weights_for(module_class, config, generator, x.dtype)
        return case(title, x, config=config, weights=weights, **more)

    return with_weights
