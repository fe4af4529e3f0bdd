"""Run a learner's function, or look at a learner's value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, equal  # bound here: whatever a learner puts in place of torch.equal

INPUTS = "your inputs, afterwards"
AS_BEFORE = "as they were"
BESIDE = "beside"  # what a call saw that is no matter of right or wrong: a remark's mark -> names


def call_value(value: Any, case: dict) -> dict[str, Any]:
    """See a number, string or list that the learner worked out."""
    return {"result": value}


def call_function(function: Callable, case: dict) -> dict[str, Any]:
    """Call a function and see its result, the gradients, and whether it changed its inputs.

    case: "args" (a list), optionally "kwargs" (a dict), "names" (the arguments' names, for the
    report) and "gradient_of" (places in args: gradients flow back to these floating-point tensors
    from a fixed weighted sum of the result).
    """
    args = [copy_of(value) for value in case["args"]]
    kwargs = {name: copy_of(value) for name, value in case.get("kwargs", {}).items()}
    for place in case.get("gradient_of", ()):
        args[place].requires_grad_()
    result = function(*args, **kwargs)
    seen = {"result": result}
    if places := case.get("gradient_of", ()):
        inputs = {f"gradient of {name_of(case, place)}": args[place] for place in places}
        seen |= gradients(result, inputs)
    before = [*case["args"], *case.get("kwargs", {}).values()]
    names = [name_of(case, place) for place in range(len(args))]
    seen[INPUTS] = changes(before, [*args, *kwargs.values()], [*names, *kwargs])
    return seen


def gradients(result: Any, inputs: dict[str, Tensor]) -> dict[str, Tensor | str]:
    """Return the gradient of a fixed weighted sum of `result` for each named input."""
    if not isinstance(result, Tensor):
        return {}  # the result itself is reported
    if not result.requires_grad:
        return dict.fromkeys(inputs, "none: the result is cut off from the inputs")
    # Infinities (a filter's -inf) carry no gradient; every finite element gets a weight of its own.
    finite = torch.isfinite(result.detach())
    weights = torch.arange(1, result.numel() + 1).reshape(result.shape).sin().to(result.dtype)
    total = (result[finite] * weights[finite]).sum()
    found = torch.autograd.grad(total, list(inputs.values()), allow_unused=True)
    missing = "none: the result does not depend on it"
    return {name: missing if g is None else g for name, g in zip(inputs, found)}


def copy_of(value: Any) -> Any:
    """Copy a case's value, so that a learner who changes it in place changes nothing of ours.

    A tensor keeps its strides: a case may ask for one that is not contiguous.
    """
    if isinstance(value, Tensor):
        copy = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype)
        return copy.copy_(value)
    if isinstance(value, list):
        return [copy_of(item) for item in value]
    if isinstance(value, tuple):
        return tuple(copy_of(item) for item in value)
    if isinstance(value, dict):
        return {key: copy_of(item) for key, item in value.items()}
    return value


def changes(before: list, after: list, names: Sequence[str] = ()) -> str:
    """Say whether the inputs still hold what they held; `names` are theirs, for the report."""
    for place, (old, new) in enumerate(zip(before, after)):
        if not _same(old, new):
            name = names[place] if place < len(names) else f"argument {place}"
            return f"{name} was changed in place"
    return AS_BEFORE


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, Tensor):
        return isinstance(new, Tensor) and old.shape == new.shape and equal(old, new.detach())
    if isinstance(old, (list, tuple)):
        return len(old) == len(new) and all(_same(a, b) for a, b in zip(old, new))
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    return old == new


def name_of(case: dict, place: int) -> str:
    names = case.get("names", ())
    return names[place] if place < len(names) else f"argument {place}"
