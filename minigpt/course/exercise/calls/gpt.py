"""Build a learner's GPT, start one, or ask a learner's function about a configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.functions import BESIDE, INPUTS, changes, copy_of, gradients
from minigpt.course.exercise.calls.modules import PARAMETERS, persistent_buffers
from minigpt.model import GPT

HEAD, TABLE = "lm_head.weight", "transformer.wte.weight"
TIED = "head and token table"
QUIET = 1e-6  # so small that LayerNorm's epsilon outweighs it: then LayerNorm only centres


def call_with_config(function: Callable, case: dict) -> dict[str, Any]:
    """Call `function(config, *args)`. case: "config" (GPTConfig's arguments) and "args"."""
    return {"result": function(GPTConfig(**case["config"]), *case.get("args", ()))}


def call_gpt(gpt_class: type[nn.Module], case: dict) -> dict[str, Any]:
    """Build `gpt_class(config)`, load the weights, and run it forward and back.

    case: "config", "weights" (the checkpoint's names, without the head: it is the token table),
    "args" (the ids), perhaps "gradients": True, and perhaps "training": True. Then the weights are
    those of `dropout_weights`, and only what became of the embedding is seen.
    """
    model = gpt_class(GPTConfig(**case["config"]))
    if not isinstance(model, nn.Module):
        return {PARAMETERS: f"none: this is a {type(model).__name__}, not an nn.Module"}
    weights = {**case["weights"], HEAD: case["weights"][TABLE]}
    parameters = dict(model.named_parameters(remove_duplicate=False))
    shapes = {name: list(parameter.shape) for name, parameter in parameters.items()}
    seen: dict[str, Any] = {PARAMETERS: dict(sorted(shapes.items()))}
    if HEAD in parameters and TABLE in parameters:
        one = parameters[HEAD] is parameters[TABLE]
        seen[TIED] = "one parameter" if one else "two parameters"
    if shapes != {name: list(tensor.shape) for name, tensor in weights.items()}:
        return seen  # without the right parameters the rest means nothing
    model = model.to(weights[TABLE].dtype)
    model.load_state_dict(weights, strict=False)
    model.train(case.get("training", False))
    if case.get("training"):
        return seen | {"levels in the stream": levels(model(*case["args"]))}
    kept = model_config(model) == case["config"]
    seen["what your model keeps as model.config"] = "its config" if kept else "something else"
    return seen | {BESIDE: persistent_buffers(model)} | run_gpt(model, case)


def model_config(model: nn.Module) -> dict | None:
    """Return the sizes that a model says it has, or None."""
    config = getattr(model, "config", None)
    return dict(vars(config)) if isinstance(config, GPTConfig) else None


def run_gpt(model: nn.Module, case: dict) -> dict[str, Any]:
    """Run a model that holds its weights: the logits, and the gradient of every weight."""
    args = [copy_of(value) for value in case["args"]]
    result = model(*args)
    seen = {"result": result}
    if case.get("gradients"):
        wanted = {f"gradient of {name}": model.get_parameter(name) for name in case["weights"]}
        seen |= gradients(result, wanted)
    return seen | {INPUTS: changes(case["args"], args, case.get("names", ()))}


def dropout_weights(config: GPTConfig, added: float) -> dict[str, Tensor]:
    """Return weights with which the logits show what dropout did to the embedding.

    The first MLP adds `added` * QUIET, the blocks nothing else. Token C is 1 * QUIET in every
    channel and place 0 is 3 * QUIET; on values that small the final LayerNorm only centres and
    scales. The rows of the other tokens are the unit vectors, so the logit of token c is channel c
    of the stream.
    """
    C = config.n_embd
    weights = {name: torch.zeros_like(p) for name, p in GPT(config).named_parameters()}
    weights[TABLE] = torch.cat([torch.eye(C), torch.full((1, C), QUIET)])
    weights["transformer.wpe.weight"][0] = 3 * QUIET
    for name in weights:
        if ".ln_" in name and name.endswith("weight"):
            weights[name] += 1
    weights["transformer.h.0.mlp.c_proj.bias"] += added * QUIET
    return weights


def levels(logits: Any) -> list[int] | str:
    """Return the different levels of the stream, above the lowest, as a new model's logits show.

    Undisturbed, all channels are the same: [0]. Halves zeroed and the rest doubled: [0, 8]. With
    what a block adds, 5 or what dropout makes of it: [0, 8, 10, 18].
    """
    if not isinstance(logits, Tensor) or logits.dim() != 3:
        return "no logits of shape (B, T, V)"
    stream = logits.detach()[0, 0, :-1] * 1e-5**0.5 / QUIET  # LayerNorm divided by sqrt(epsilon)
    return sorted({round(value) for value in (stream - stream.min()).nan_to_num().tolist()})


def call_start(function: Callable, case: dict) -> dict[str, Any]:
    """Let a learner's function give a model its first weights, and look at each tensor.

    case: "config", "seed" (of torch's own random numbers). The model held 0.3 everywhere.
    """
    starts = []
    for seed in (case["seed"], case["seed"] + 1):
        model = GPT(GPTConfig(**case["config"]))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(0.3)
        torch.manual_seed(seed)
        function(model)
        starts.append(model)
    parameters = dict(starts[0].named_parameters(remove_duplicate=False))
    seen: dict[str, Any] = {f"start of {name}": about(p) for name, p in parameters.items()}
    one = parameters[HEAD] is parameters[TABLE]
    seen[TIED] = "one parameter" if one else "two parameters"
    seen["requires_grad"] = all(parameter.requires_grad for parameter in parameters.values())
    tables = [start.get_parameter(TABLE) for start in starts]
    seen["likeness of the token tables of two starts"] = likeness(*tables)
    part = "transformer.h.{}.mlp.c_fc.weight"
    first, last = (parameters[part.format(n)] for n in (0, case["config"]["n_layer"] - 1))
    if first is not last:
        seen["likeness of c_fc in the first and the last block"] = likeness(first, last)
    return seen


def about(tensor: Tensor) -> dict[str, float] | str:
    """Describe numbers by their spread, their mean and the shape of their distribution."""
    values = tensor.detach().double().flatten()
    if bool((values == values[0]).all()):
        return f"all {values[0]:g}"
    mean, spread = values.mean(), values.std()
    return {
        "spread (thousandths)": 1000 * spread.item(),
        "mean (in spreads)": (mean / spread).item(),
        "fourth moment (3 for the normal distribution)": (
            ((values - mean) / spread).pow(4).mean().item()
        ),
    }


def likeness(one: Tensor, other: Tensor) -> float:
    """Return the cosine between two tensors: 1 for equal ones, near 0 for independent ones."""
    return torch.cosine_similarity(one.detach().flatten(), other.detach().flatten(), dim=0).item()
