"""Compare what was seen of a learner's run with what should be seen, and say it in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

FEW = 16  # elements of a tensor that are shown whole


def same(seen: Any, expected: Any, rtol: float, atol: float) -> bool:
    """Say whether two pieces of plain data agree within the tolerances."""
    return describe_difference(seen, expected, rtol, atol) is None


def describe_difference(
    seen: Any, expected: Any, rtol: float, atol: float, what: str = "it"
) -> str | None:
    """Return the first difference in words, or None. `what` names the thing in the sentence.

    >>> describe_difference([1, 2], [1, 3], 0, 0, "result")
    'result[1] is 2; it should be 3.'
    """
    if isinstance(expected, Tensor):
        return _tensor_difference(seen, expected, rtol, atol, what)
    if isinstance(expected, (bool, str, bytes)) or expected is None:
        if type(seen) is type(expected) and seen == expected:
            return None
    elif isinstance(expected, (int, float)):
        number = seen.item() if isinstance(seen, Tensor) and seen.dim() == 0 else seen
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            exact = isinstance(expected, int)  # a count is right or wrong
            if number == expected or (not exact and _near(number, expected, rtol, atol)):
                return None
            return f"{what} is {show(number)}; it should be {show(expected)}."
    elif isinstance(expected, (list, tuple)):
        if isinstance(seen, (list, tuple)) and type(seen) is type(expected):
            return _list_difference(seen, expected, rtol, atol, what)
    elif isinstance(expected, dict) and isinstance(seen, dict) and seen.keys() != {"type"}:
        return _dict_difference(seen, expected, rtol, atol, what)
    if kind(seen) == kind(expected):
        return f"{what} is {show(seen)}; it should be {show(expected)}."
    return f"{what} is {kind(seen)}{_shown(seen)}; it should be {kind(expected)}{_shown(expected)}."


def kind(value: Any) -> str:
    """Name the kind of a piece of plain data: "a tensor", "None", "a list of 3".

    >>> kind({"type": "ndarray"})
    'of type ndarray'
    """
    if value is None:
        return "None"
    if isinstance(value, dict) and value.keys() == {"type"}:
        return f"of type {value['type']}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    names = {Tensor: "a tensor", bool: "a truth value", int: "an int", str: "a text"}
    return names.get(type(value), f"a {type(value).__name__}")


def show(value: Any) -> str:
    """Show a piece of plain data in one line, or a small tensor in a few; long ones are cut."""
    if isinstance(value, Tensor):
        about = f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
        if value.numel() > FEW:
            return about
        return f"{about} {_nested(value.tolist())}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)) and "tensor(" in repr(value):
        inside = ", ".join(map(show, value))
        text = f"[{inside}]" if isinstance(value, list) else f"({inside})"
    else:
        text = repr(value)
    return text if len(text) <= 200 else f"{text[:150]} ... ({len(text)} characters)"


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, dict) and value.keys() == {"type"}):
        return ""
    if isinstance(value, Tensor) and value.numel() > FEW:
        return f" of shape {tuple(value.shape)}"
    return f", {show(value)}"


def _nested(values: Any) -> str:
    if isinstance(values, list):
        return "[" + ", ".join(map(_nested, values)) + "]"
    return f"{values:.5g}" if isinstance(values, float) else str(values)


def _tensor_difference(seen: Any, expected: Tensor, rtol: float, atol: float, what: str):
    if not isinstance(seen, Tensor):
        shape = f"a tensor of shape {tuple(expected.shape)}"
        return f"{what} is {kind(seen)}{_shown(seen)}; it should be {shape}."
    if seen.shape != expected.shape:
        return f"{what} has the shape {tuple(seen.shape)}; it should be {tuple(expected.shape)}."
    if seen.dtype != expected.dtype:
        names = [str(tensor.dtype).removeprefix("torch.") for tensor in (seen, expected)]
        return f"{what} is of dtype {names[0]}; it should be {names[1]}."
    ours, right = _numbers(seen), _numbers(expected)
    wrong = ~_close(ours, right, rtol, atol)
    if not wrong.any():
        return None
    first = tuple(int(place) for place in np.argwhere(wrong)[0])
    where = f"{what}[{', '.join(map(str, first))}]" if first else what
    count = f" {int(wrong.sum()):,} of {wrong.size:,} elements differ." if wrong.size > 1 else ""
    yours, theirs = show(ours[first].item()), show(right[first].item())
    if expected.dtype == torch.bool:
        yours, theirs = bool(ours[first]), bool(right[first])
    if math.isnan(ours[first]):
        return f"{where} is NaN (not a number); it should be {theirs}.{count}"
    return f"{where} is {yours}; it should be {theirs}.{count}"


def _numbers(tensor: Tensor) -> np.ndarray:
    """Return a tensor's numbers: integers exactly, everything else as float64."""
    if tensor.dtype in (torch.int64, torch.int32, torch.uint8, torch.int16, torch.int8):
        return tensor.numpy()
    return tensor.double().numpy()


def _close(seen: np.ndarray, expected: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """Say element by element what agrees. Infinities must be equal; NaN agrees with NaN only."""
    with np.errstate(all="ignore"):  # whatever the notebook asked numpy to raise
        near = np.abs(seen - expected) <= atol + rtol * np.abs(expected)
    finite = np.isfinite(seen) & np.isfinite(expected)
    both_nan = np.isnan(seen) & np.isnan(expected)
    return (finite & near) | (seen == expected) | both_nan


def _near(number: float, expected: float, rtol: float, atol: float) -> bool:
    return bool(_close(np.array([number], float), np.array([expected]), rtol, atol)[0])


def _list_difference(seen, expected, rtol: float, atol: float, what: str) -> str | None:
    for place, (one, other) in enumerate(zip(seen, expected)):
        if found := describe_difference(one, other, rtol, atol, f"{what}[{place}]"):
            return found
    if len(seen) == len(expected):
        return None
    shown = f" {show(seen)} instead of {show(expected)}." if len(expected) <= FEW else ""
    return f"{what} has {len(seen)} elements; it should have {len(expected)}.{shown}"


def _dict_difference(seen: dict, expected: dict, rtol: float, atol: float, what: str):
    if missing := [key for key in expected if key not in seen]:
        instead = [key for key in seen if key not in expected]
        return f"{what} lacks {_listed(missing)}{f', and has {_listed(instead)}' * bool(instead)}."
    if more := [key for key in seen if key not in expected]:
        return f"{what} has {_listed(more)}, which should not be there."
    for key in expected:
        if found := describe_difference(seen[key], expected[key], rtol, atol, f"{what}[{key!r}]"):
            return found
    return None


def _listed(keys: list) -> str:
    return ", ".join(repr(key) for key in keys[:3]) + (", ..." if len(keys) > 3 else "")
