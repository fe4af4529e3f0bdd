"""Let a learner's function look into a GPT, or reach into it, and see what is left of the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.course.exercise.calls.functions import INPUTS, changes, copy_of
from minigpt.course.exercise.calls.training import gpt_of

HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def call_intervention(function: Callable, case: dict) -> dict[str, Any]:
    """Call `function(model, *args)`, and see the result and whether the model is as it was.

    case: "args", and what gpt_of takes. Afterwards the model may hold no hook, and has to say the
    same of a text as before.
    """
    model = gpt_of(case)
    before = says(model)
    args = copy_of(case["args"])
    result = function(model, *args)
    return {
        "result": result,
        "the model, afterwards": left_in(model, before),
        INPUTS: changes(case["args"], args, case.get("names", ())),
    }


@torch.no_grad()
def says(model: nn.Module) -> Tensor:
    """Return the logits for the first ids in order, as many as fit."""
    sizes = model.config
    return model(torch.arange(min(sizes.vocab_size, sizes.block_size))[None])


def left_in(model: nn.Module, before: Tensor) -> str:
    """Say what an intervention left in a model."""
    hooks = sum(len(getattr(module, kind)) for module in model.modules() for kind in HOOKS)
    if hooks:
        return "a hook is left in it"
    return "as it was" if torch.equal(says(model), before) else "it says something else"
