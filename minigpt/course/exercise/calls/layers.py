"""Run a layer of the model and, where a case asks for it, find out where its dropout sits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.modules import call_module

EVALUATED = "result for one row in evaluation"
FACTORS = "what dropout does to each number in training"
SILENCED = "the share of heads that dropout silences as a whole"
MOST_FACTORS = 8  # more than these are no longer listed


def call_layer(module_class: type[nn.Module], case: dict) -> dict[str, Any]:
    """Do as call_module does; with "copies" in the case, look at the dropout instead.

    case: "copies" (how many times the one row of args[0] is repeated: dropout decides for each),
    "heads" (the channels fall into so many groups; 0: do not look at groups) and "adds_to_input"
    (whether the layer's own part is the result minus the input).
    """
    look = look_at_dropout if "copies" in case else call_module
    return look(module_class, case)


def look_at_dropout(module_class: type[nn.Module], case: dict) -> dict[str, Any]:
    """Run many copies of one row, in evaluation and in training, and compare the two.

    What is seen does not depend on chance: enough copies make every possible factor appear.
    """
    x = case["args"][0].expand(case["copies"], -1, -1).contiguous()  # (copies, 1, C)
    seen = call_module(module_class, {**case, "args": [x]})
    usual = seen.pop("result", None)
    if not isinstance(usual, Tensor) or usual.shape != x.shape:
        return seen if usual is None else seen | {EVALUATED: usual}
    if not torch.allclose(usual, usual[:1].expand_as(usual), rtol=1e-4, atol=1e-5):
        return seen | {EVALUATED: "another one each time"}
    seen[EVALUATED] = usual[0].detach()
    module = module_class(GPTConfig(**case["config"]))
    module.load_state_dict(case["weights"], strict=False)
    before = x if case.get("adds_to_input") else torch.zeros_like(x)
    with torch.no_grad():
        made = module.train()(x.clone()) - before
    return seen | _effects(made, usual.detach() - before, case.get("heads", 0))


def _done_to_numbers(factors: list[float]) -> str:
    """Say in words what multiplies each number by one of these factors.

    >>> _done_to_numbers([0.0, 4.0])
    'it becomes 0 or 4 times itself'
    """
    if factors == [1]:
        return "no number is changed"
    if len(factors) > MOST_FACTORS:
        return f"it is multiplied by one of more than {MOST_FACTORS} different factors"
    return "it becomes " + " or ".join(
        "0" if not factor else f"{factor:g} times itself" for factor in factors
    )


def _effects(made: Tensor, usual: Tensor, heads: int) -> dict[str, Any]:
    """Say by which factors `made` differs from `usual`, both (copies, 1, C)."""
    factors = torch.round((made / usual).nan_to_num(), decimals=2).unique().tolist()
    seen: dict[str, Any] = {FACTORS: _done_to_numbers([factor + 0 for factor in factors])}
    if heads:
        silent = (made.unflatten(-1, (heads, -1)) == 0).all(dim=-1)  # (copies, 1, heads)
        seen[SILENCED] = round(silent.double().mean().item(), 1)
    return seen
