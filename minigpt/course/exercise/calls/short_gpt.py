"""Build a learner's GPT of PyTorch's parts, give it GPT-2's weights, and run it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from minigpt.course.exercise.calls.functions import INPUTS, changes, copy_of
from minigpt.course.exercise.calls.modules import PARAMETERS


def call_short_gpt(make: Callable[..., nn.Module], case: dict) -> dict[str, Any]:
    """Build `make(**sizes)`, load the weights, and see the logits.

    case: "sizes", "weights" (name -> tensor; the tied head is the token table), "args" (the ids)
    and perhaps "training": True, where dropout would show.
    """
    model = make(**case["sizes"])
    if not isinstance(model, nn.Module):
        return {PARAMETERS: f"none: this is a {type(model).__name__}, not an nn.Module"}
    named = dict(model.named_parameters(remove_duplicate=False))
    shapes = {name: list(parameter.shape) for name, parameter in named.items()}
    seen: dict[str, Any] = {PARAMETERS: dict(sorted(shapes.items()))}
    if shapes != {name: list(weight.shape) for name, weight in case["weights"].items()}:
        return seen  # without the right parameters the rest means nothing
    model.load_state_dict(case["weights"], strict=False)
    args = copy_of(case["args"])
    seen["result"] = model.train(case.get("training", False))(*args)
    one = model.get_parameter("head.weight") is model.get_parameter("tokens.weight")
    seen["head and token table"] = "one parameter" if one else "two parameters"
    return seen | {INPUTS: changes(case["args"], args, case.get("names", ()))}
