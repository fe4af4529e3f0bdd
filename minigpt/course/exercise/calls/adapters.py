"""Build a learner's adapter around a layer, look at what would learn, and run it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from minigpt.course.exercise.calls.functions import INPUTS, changes, copy_of, gradients
from minigpt.course.exercise.calls.modules import PARAMETERS


def call_adapter(module_class: type[nn.Module], case: dict) -> dict[str, Any]:
    """Build `module_class(layer, *sizes)` around a linear layer, and see what it does.

    case: "weight" and perhaps "bias" of the layer, "sizes" (the other arguments), "pairs" (name ->
    tensor: what the new parameters become), "args" (x), and perhaps "start": True. Then the module
    stays as it was built, and is described; so mistakes in its start and in its work show apart.
    """
    layer = layer_of(case)
    module = module_class(layer, *case["sizes"])
    if not isinstance(module, nn.Module):
        return {PARAMETERS: f"none: this is a {type(module).__name__}, not an nn.Module"}
    parameters = dict(module.named_parameters())
    seen: dict[str, Any] = {PARAMETERS: {n: list(parameters[n].shape) for n in sorted(parameters)}}
    new = {name: list(tensor.shape) for name, tensor in case["pairs"].items()}
    if {name: list(p.shape) for name, p in parameters.items() if name in new} != new:
        return seen  # without the right parameters the rest means nothing
    if case.get("start"):
        return seen | about_the_start(module, layer, sorted(new), case)
    with torch.no_grad():
        for name, tensor in case["pairs"].items():
            parameters[name].copy_(tensor)
    args = [copy_of(value) for value in case["args"]]
    args[0].requires_grad_()
    seen["result"] = result = module(*args)
    learning = {name: parameters[name] for name in new if parameters[name].requires_grad}
    wanted = {"x": args[0], **learning}
    seen |= gradients(result, {f"gradient of {name}": value for name, value in wanted.items()})
    return seen | {INPUTS: changes(case["args"], args, case.get("names", ()))}


@torch.no_grad()
def about_the_start(module: nn.Module, layer: nn.Linear, new: list[str], case: dict) -> dict:
    """Say in words how the new parameters start, what learns, and whether the layer is kept."""
    parameters = dict(module.named_parameters())
    kept = any(part is layer for part in module.modules())
    learning = [name for name, parameter in parameters.items() if parameter.requires_grad]
    expected, found = layer_of(case)(*case["args"]), module(*copy_of(case["args"]))
    same = isinstance(found, Tensor) and found.shape == expected.shape
    same = same and torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
    return {
        **{f"{name} at the start": start_of(parameters[name]) for name in new},
        "parameters that learn": ", ".join(sorted(learning)) or "none",
        "the layer inside": "the one given" if kept else "another one",
        "result at the start": "that of c_attn alone" if same else "not that of c_attn alone",
    }


def layer_of(case: dict) -> nn.Linear:
    """Make the linear layer of a case, with its weight and, if it has one, its bias."""
    weight, bias = case["weight"], case.get("bias")
    layer = nn.Linear(weight.size(1), weight.size(0), bias=bias is not None, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def start_of(tensor: Tensor) -> str:
    """Say in words how a parameter starts."""
    values = tensor.detach()
    if not values.any():
        return "all 0"
    return "random" if values.unique().numel() > 1 else "all the same"
