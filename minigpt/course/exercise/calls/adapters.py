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
    tensor: what the new parameters become after the start was looked at) and "args" (x).
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
    seen["parameters that learn"] = sorted(n for n, p in parameters.items() if p.requires_grad)
    seen["the layer inside"] = "the one given" if holds(module, layer) else "another one"
    seen |= {f"{name} at the start": start_of(parameters[name]) for name in sorted(new)}
    args = [copy_of(value) for value in case["args"]]
    with torch.no_grad():
        seen["result at the start"] = module.train(False)(*args)
        for name, tensor in case["pairs"].items():
            parameters[name].copy_(tensor)
    args[0].requires_grad_()
    seen["result"] = result = module(*args)
    learning = {name: parameters[name] for name in new if parameters[name].requires_grad}
    wanted = {"x": args[0], **learning}
    seen |= gradients(result, {f"gradient of {name}": value for name, value in wanted.items()})
    seen["the layer's weight, afterwards"] = layer.weight
    return seen | {INPUTS: changes(case["args"], args, case.get("names", ()))}


def layer_of(case: dict) -> nn.Linear:
    """Make the linear layer of a case, with its weight and, if it has one, its bias."""
    weight, bias = case["weight"], case.get("bias")
    layer = nn.Linear(weight.size(1), weight.size(0), bias=bias is not None, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def holds(module: nn.Module, layer: nn.Linear) -> bool:
    return any(part is layer for part in module.modules())


def start_of(tensor: Tensor) -> str:
    """Say in words how a parameter starts."""
    values = tensor.detach()
    if not values.any():
        return "all 0"
    return "random" if values.unique().numel() > 1 else "all the same"
