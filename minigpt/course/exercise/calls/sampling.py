"""Give a learner's sampling code its dice, and see what it draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from minigpt.course.exercise.calls.functions import INPUTS, changes, copy_of


def call_with_dice(function: Callable, case: dict) -> dict[str, Any]:
    """Call `function(*args, generator)` with a generator made from case["dice_seed"]."""
    args = copy_of(case["args"])
    generator = torch.Generator().manual_seed(case["dice_seed"])
    result = function(*args, generator)
    return {"result": result, INPUTS: changes(case["args"], args, case.get("names", ()))}
