"""Give a learner's training code a tiny model and an optimizer, and see what became of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.functions import AS_BEFORE, INPUTS, changes, copy_of
from minigpt.model import GPT


class PlainDescent:
    """Steps straight down the gradient, in two groups. Its diary: both learning rates of each step.

    It has what training code uses of an optimizer of PyTorch's. Making one of those would load
    PyTorch's compiler first, which takes a second.
    """

    def __init__(self, model: nn.Module, lr: float) -> None:
        weights = list(model.parameters())
        self.param_groups = [{"params": weights[n::2], "lr": lr} for n in range(2)]
        self.rates: list[list[float]] = []

    def zero_grad(self, set_to_none: bool = True) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None if set_to_none or weight.grad is None else weight.grad.zero_()

    @torch.no_grad()
    def step(self) -> None:
        self.rates.append([float(group["lr"]) for group in self.param_groups])
        for group, rate in zip(self.param_groups, self.rates[-1]):
            for weight in group["params"]:
                if weight.grad is not None:
                    weight -= rate * weight.grad


def random_weights(config: dict, generator: torch.Generator, spread: float = 0.5) -> dict:
    """Draw weights for a GPT of that configuration: name -> tensor. The tied head has no own."""
    with torch.device("meta"):  # names and shapes only
        named = dict(GPT(GPTConfig(**config)).named_parameters())
    gains = {name for name in named if "ln_" in name and name.endswith("weight")}
    return {
        name: spread * torch.randn(weight.shape, generator=generator) + (name in gains)
        for name, weight in named.items()
    }


def gpt_of(case: dict) -> GPT:
    """Build the GPT of case["config"] with case["weights"], in the mode case["training"].

    With case["stale"] gradients of an earlier step are still there.
    """
    model = GPT(GPTConfig(**case["config"]))
    dtype = next(iter(case["weights"].values())).dtype
    model = model.to(dtype)
    model.load_state_dict(case["weights"], strict=False)  # the head is tied to wte
    if case.get("stale", False):
        for weight in model.parameters():
            weight.grad = torch.ones_like(weight)
    return model.train(case.get("training", False))


def call_schedule(schedule: Callable, case: dict) -> dict[str, Any]:
    """Ask for the learning rate of each of case["steps"], with case["kwargs"]."""
    return {
        f"learning rate of step {step}": schedule(step, **case["kwargs"]) for step in case["steps"]
    }


def call_groups(parameter_groups: Callable, case: dict) -> dict[str, Any]:
    """See which decay each parameter was given.

    case: "args" ([weight_decay]), and "config" for a GPT or "shapes" (name -> shape) for a module
    that holds just these; optionally "frozen" (names) and "tied" (name -> the other's name).
    """
    model = GPT(GPTConfig(**case["config"])) if "config" in case else _holder(case)
    parameters = dict(model.named_parameters())
    for name in case.get("frozen", ()):
        parameters[name].requires_grad_(False)
    groups = parameter_groups(model, *case["args"])
    if not isinstance(groups, (list, tuple)) or not all(isinstance(g, dict) for g in groups):
        return {"result": None if groups is None else type(groups).__name__}
    if not all("params" in group for group in groups):
        return {"result": "list with a dict that has no 'params'"}
    decays: dict[int, list] = {id(weight): [] for weight in parameters.values()}
    strange = 0
    for group in groups:
        members = group["params"]
        for weight in [members] if isinstance(members, Tensor) else members:
            decay = group.get("weight_decay", "none given: the optimizer's default applies")
            if id(weight) in decays:
                decays[id(weight)].append(decay)
            else:
                strange += 1
    seen = {f"decay of {name}": _one(decays[id(weight)]) for name, weight in parameters.items()}
    things = "number of things in your groups that are no parameters of this model"
    return {"result": "list of dicts", things: strange, **seen}


def _one(decays: list) -> Any:
    """Return the only decay that a parameter was given, or say that there is not just one."""
    if len(decays) == 1:
        return decays[0]
    return f"none, it is given {len(decays)} times" if decays else "none, it is in no group"


def _holder(case: dict) -> nn.Module:
    """Build a module that holds parameters of the given shapes, and nothing else."""
    module = nn.Module()
    for name, shape in case["shapes"].items():
        module.register_parameter(name, nn.Parameter(torch.ones(shape)))
    for name, other in case.get("tied", {}).items():
        module.register_parameter(name, getattr(module, other))
    return module


def call_training(function: Callable, case: dict) -> dict[str, Any]:
    """Call `function(model, optimizer, *args)`, and see the result, the weights and the steps.

    case: "lr", "args", and what gpt_of takes; the model is in training mode.
    """
    model = gpt_of({"training": True} | case)
    optimizer = PlainDescent(model, case["lr"])
    modes = set()

    def look(part: nn.Module, _, logits: Tensor) -> None:
        if logits.requires_grad:  # it learns from this one
            modes.add("training" if part.training else "evaluation")

    model.register_forward_hook(look)
    args = copy_of(case["args"])
    result = function(model, optimizer, *args)
    return {
        "result": result,
        "learning rates of the optimizer's groups, step by step": optimizer.rates,
        "mode, while the model learned": " and ".join(sorted(modes)),
        **{f"afterwards, {name}": weight for name, weight in model.named_parameters()},
        INPUTS: changes(case["args"], args, case.get("names", ())),
    }


def call_evaluation(function: Callable, case: dict) -> dict[str, Any]:
    """Call `function(model, *args)`, and see the result and what it did to the model."""
    model = gpt_of(case)
    before = _held(model)
    recorded, dropping = [], []

    def look(part: nn.Module, _, output: Tensor) -> None:  # a copy of the model is seen as well
        recorded.append(output.requires_grad)
        dropping.append(part.training)

    for part in model.modules():
        part.register_forward_hook(look)
    args = copy_of(case["args"])
    result = function(model, *args)
    learns = torch.is_grad_enabled() and all(w.requires_grad for w in model.parameters())
    return {
        "result": result,
        "dropout, while it ran": "on" if any(dropping) else "off",
        "mode afterwards": "training" if model.training else "evaluation",
        "record for gradients, while it ran": "on" if any(recorded) else "off",
        "gradients and weights, afterwards": "as they were"
        if changes(before, _held(model)) == AS_BEFORE
        else "changed",
        "record for gradients, afterwards": "on" if learns else "off",
        INPUTS: changes(case["args"], args, case.get("names", ())),
    }


def _held(model: nn.Module) -> list:
    """Copy what a model holds: its weights, and their gradients or None."""
    held = [tensor for w in model.parameters() for tensor in (w.detach(), w.grad)]
    return [tensor if tensor is None else tensor.clone() for tensor in held]
