"""Look at numbers closely: the sign of a zero, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minigpt.course.exercise.calls.functions import call_function


def call_rounding(function: Callable, case: dict) -> dict[str, Any]:
    """Do as call_function does, and see the signs of the result's zeros: 0.0 and -0.0 are equal."""
    seen = call_function(function, case)
    result = seen["result"]
    if isinstance(result, Tensor) and result.is_floating_point():
        zeros = result[result == 0]
        seen["signs of your zeros"] = ["-" if sign else "+" for sign in torch.signbit(zeros)]
    return seen
