"""Build a learner's module class, give it weights, and run it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.functions import (
    BESIDE,
    INPUTS,
    changes,
    copy_of,
    gradients,
    name_of,
)

PARAMETERS = "parameters (name: shape)"


def call_module(module_class: type[nn.Module], case: dict) -> dict[str, Any]:
    """Build `module_class(config)`, load the weights, run it forward and back.

    case: "config" (the arguments of GPTConfig), "weights" (name -> tensor, the checkpoint's
    names), "args" (the inputs of forward), optionally "training" (default: evaluation) and
    "gradient_of" (places in args; the gradients of all parameters are seen with them).
    Buffers beyond the weights are the learner's own affair; those of the state_dict are told.
    """
    module = module_class(GPTConfig(**case["config"]))
    if not isinstance(module, nn.Module):
        return {PARAMETERS: f"none: this is a {type(module).__name__}, not an nn.Module"}
    shapes = {name: list(p.shape) for name, p in module.named_parameters(remove_duplicate=False)}
    seen = {PARAMETERS: dict(sorted(shapes.items()))}
    if shapes != {name: list(tensor.shape) for name, tensor in case["weights"].items()}:
        return seen  # without the right parameters the rest means nothing
    dtype = next(iter(case["weights"].values())).dtype
    module = module.to(dtype)  # before loading, so that float64 cases are float64 throughout
    module.load_state_dict(case["weights"], strict=False)
    module.train(case.get("training", False))
    seen |= {BESIDE: persistent_buffers(module)}
    return seen | run_module(module, case)


def persistent_buffers(module: nn.Module) -> dict[str, list[str]]:
    """Return which buffers a file of the module's weights would hold; GPT-2's has none."""
    buffers = {name for name, _ in module.named_buffers()}
    return {"persistent-buffers": sorted(buffers & module.state_dict().keys())}


def run_module(module: nn.Module, case: dict) -> dict[str, Any]:
    """Run a module that already holds its weights, and see the result and the gradients."""
    args = [copy_of(value) for value in case["args"]]
    for place in case.get("gradient_of", ()):
        args[place].requires_grad_()
    result = module(*args)
    seen = {"result": result}
    if "gradient_of" in case:
        inputs = {f"gradient of {name_of(case, p)}": args[p] for p in case["gradient_of"]}
        parameters = {f"gradient of {name}": p for name, p in module.named_parameters()}
        seen |= gradients(result, inputs | parameters)
    seen[INPUTS] = changes(case["args"], args, case.get("names", ()))
    return seen


def random_weights(module: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw weights for every parameter of `module`, large enough for each to matter."""
    return {
        name: torch.randn(parameter.shape, generator=generator) * 0.5
        for name, parameter in module.named_parameters(remove_duplicate=False)
    }
