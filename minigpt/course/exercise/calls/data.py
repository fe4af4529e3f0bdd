"""Run a learner's function that draws batches, with a generator of known seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from minigpt.course.exercise.calls.functions import INPUTS, changes, copy_of


def call_batch(function: Callable, case: dict) -> dict[str, Any]:
    """Call `function(data, block_size, batch_size, generator)` and see x and y.

    case: "args", which are data (a tensor of ids), block_size, batch_size and the generator's seed.
    """
    *args, seed = copy_of(case["args"])
    generator = torch.Generator().manual_seed(seed)
    torch.rand(1, generator=generator)  # in use already, as in a run: nobody may seed it again
    result = function(*args, generator)
    pair = isinstance(result, (tuple, list)) and len(result) == 2
    seen: dict[str, Any] = {"what you return": "a pair (x, y)" if pair else "not a pair (x, y)"}
    if pair:
        seen |= {"your x": result[0], "your y": result[1]}
    return seen | {INPUTS: changes(case["args"][:-1], args, case.get("names", ()))}
