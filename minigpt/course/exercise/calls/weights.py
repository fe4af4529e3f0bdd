"""Give a learner's loader a file's tensors, compare two models, or see a whole GPT-2 at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.functions import INPUTS, changes, copy_of
from minigpt.course.exercise.calls.gpt import HEAD, TABLE
from minigpt.model import GPT, explicit_attention


def call_loader(load: Callable, case: dict) -> dict[str, Any]:
    """Let a learner's loader fill a model, and look at every parameter.

    case: "config", "tensors" (name -> tensor, as in a file), and perhaps "wrong_file": True. Then
    only whether the loader raises is seen. The model held 0.25 everywhere, in the file's dtype.
    """
    model, tensors = GPT(GPTConfig(**case["config"])), copy_of(case["tensors"])
    model.to(next(iter(tensors.values())).dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.25)
    if case.get("wrong_file"):
        refused = raises(load, model, tensors)
        return {"what came of a wrong file": "an error" if refused else "it was taken"}
    load(model, tensors)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    seen: dict[str, Any] = {f"loaded {name}": parameter for name, parameter in parameters.items()}
    one = parameters[HEAD] is parameters[TABLE]
    seen["head and token table"] = "one parameter" if one else "two parameters"
    seen["requires_grad"] = all(parameter.requires_grad for parameter in parameters.values())
    seen["logits"] = logits_of(model.eval(), case["config"])
    seen["tensors in the dictionary, afterwards"] = len(tensors)
    return seen | {INPUTS: changes([case["tensors"]], [tensors], ["tensors"])}


def raises(function: Callable, *args: Any) -> bool:
    """Say whether a call ends in an error, of any kind."""
    try:
        function(*args)
    except Exception:
        return True
    return False


@torch.no_grad()
def logits_of(model: nn.Module, sizes: dict) -> Any:
    """Return the logits for the first ids in order, as many as fit."""
    return model(torch.arange(min(sizes["vocab_size"], sizes["block_size"]))[None])


def unmasked(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """Attend to everything, the future included."""
    return F.scaled_dot_product_attention(q, k, v)


ATTENTION = {"explicit": explicit_attention, "unmasked": unmasked}


def call_comparison(function: Callable, case: dict) -> dict[str, Any]:
    """Let a learner's function compare two models.

    case: "config", "weights" (of the reference), "planted" (of the model, where they differ),
    "args" (the ids), perhaps "kwargs", "attention" (a name in ATTENTION: how the model's first
    block attends) and "backwards": True (the parts are registered in another order than they run).
    """
    reference, model = (GPT(GPTConfig(**case["config"])).eval() for _ in range(2))
    for each, weights in ((reference, {}), (model, case["planted"])):
        each.load_state_dict({**case["weights"], **weights}, strict=False)
        if case.get("backwards"):
            parts = each.transformer._modules
            for name in reversed(list(parts)):
                parts[name] = parts.pop(name)
    if "attention" in case:
        model.transformer.h[0].attn.attend = ATTENTION[case["attention"]]
    args = copy_of(case["args"])
    seen = {"your answer": function(model, reference, *args, **case.get("kwargs", {}))}
    modules = [*model.modules(), *reference.modules()]
    seen["hooks left in the models"] = sum(len(module._forward_hooks) for module in modules)
    return seen | {INPUTS: changes(case["args"], args, case.get("names", ()))}


def call_whole(function: Callable, case: dict) -> dict[str, Any]:
    """Let a learner build a GPT-2 from a file's tensors, and use it.

    case: "config", "tensors" (name -> tensor, as on the hub).
    """
    tensors = copy_of(case["tensors"])
    model = function(GPTConfig(**case["config"]), tensors)
    if not isinstance(model, nn.Module):
        # Not the object itself: of what is no plain data nothing could be told.
        return {"result": None if model is None else f"no model, but a {type(model).__name__}"}
    seen: dict[str, Any] = {"result": "a model"}
    seen["the model's mode"] = "training" if model.training else "evaluation"
    file_table = next(t for name, t in case["tensors"].items() if name.endswith("wte.weight"))
    table = model.get_parameter(TABLE)
    loaded = table.shape == file_table.shape and torch.equal(table, file_table)
    seen["token table"] = "the file's" if loaded else "not the file's"
    if model.training or not loaded:
        return seen  # chance would have its part in the rest
    one = model.get_parameter(HEAD) is table
    seen["head and token table"] = "one parameter" if one else "two parameters"
    seen["number of parameters"] = sum(parameter.numel() for parameter in model.parameters())
    seen["logits"] = logits_of(model, case["config"])
    seen["how it goes on from token 0, greedily"] = greedy(model, case["config"]["block_size"])
    return seen | {INPUTS: changes([case["tensors"]], [tensors], ["tensors"])}


@torch.no_grad()
def greedy(model: nn.Module, length: int) -> list[int]:
    """Return `length` tokens: the first is 0, each of the others the likeliest."""
    ids = torch.tensor([[0]])
    while ids.size(1) < length:
        ids = torch.cat([ids, model(ids)[:, -1:].argmax(dim=-1)], dim=1)
    return ids[0].tolist()
