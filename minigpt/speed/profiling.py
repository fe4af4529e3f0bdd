"""Where the time of a training step goes: a tree of parts, each with its seconds.

PyTorch's profiler notes when each operation begins and ends. Which module an operation belongs to
is noted here, by hooks; a gradient belongs to the module whose operation it undoes.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.flop_counter import flop_registry

from minigpt.config import check_whole

ORDER = ("forward", "backward", "optimizer", "the rest of the step")
STEP, MODULE, NODE = "step", "module:", "autograd::engine::evaluate_function: "
REST = "Python and everything else"
# What a module computes itself, between the modules that it calls.
OWN = {
    "CausalSelfAttention": "scores, softmax, mix",
    "MLP": "GELU",
    "Block": "residual additions",
    "GPT": "positions and ids",
}


@dataclass(frozen=True)
class Part:
    """A part of something that takes time, and the parts it consists of.

    `seconds` is the whole part's time, those of `parts` included. `flops` counts the additions and
    multiplications of its matrix products; 0 says that nobody counted.
    """

    name: str
    seconds: float
    parts: tuple[Part, ...] = ()
    flops: int = 0


@contextmanager
def named_modules(model: nn.Module) -> Iterator[None]:
    """Have the profiler note each module's forward pass under the module's name."""
    open_ranges = []

    def enter(name: str) -> None:
        open_ranges.append(record_function(MODULE + name))
        open_ranges[-1].__enter__()

    def leave(*_) -> None:
        open_ranges.pop().__exit__(None, None, None)

    handles = []
    for name, module in model.named_modules():
        before = module.register_forward_pre_hook(lambda *_, name=name: enter(name))
        handles += [before, module.register_forward_hook(leave, always_call=True)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def ancestors(event) -> list:
    """Return the event and all that it happened inside of, the innermost first."""
    found = [event]
    while (event := event.cpu_parent) is not None:
        found.append(event)
    return found


def is_range(event) -> bool:
    """Say whether an event is a stretch of Python that somebody named, not an operation."""
    return event.is_user_annotation or event.name.startswith(MODULE)


def module_path(name: str, model: nn.Module) -> list[str]:
    """Turn a module's full name into the names of parts, the outermost first.

    A module that calls others has a part for what it does itself.
    """
    path = re.findall(r"[^.]+(?:\.\d+)*", name.removeprefix("transformer."))  # "h.0" is one name
    module = model.get_submodule(name)
    if next(module.children(), None) is None:
        return path
    return [*path, OWN.get(type(module).__name__, "in between")]


def place(event, model: nn.Module, undone: dict[int, list[str]]) -> list[str]:
    """Return where in the tree an operation belongs: the names of the parts, from the top.

    `undone` has, for each number that autograd gave, where that forward operation belongs.
    """
    above = ancestors(event)
    inside = next((i for i, up in enumerate(above) if is_range(up)), len(above))
    outermost = above[inside - 1]
    kind = outermost.name.removeprefix("aten::").removeprefix(NODE)
    if any(up.name.startswith("Optimizer.step") for up in above):
        return ["optimizer", kind]
    names = [up.name.removeprefix(MODULE) for up in above if up.name.startswith(MODULE)]
    path = module_path(names[0], model) if names else []
    node = next((up for up in above if up.name.startswith(NODE)), None)
    if node is None:
        # Outside the model, what autograd took note of is the loss; clipping is not.
        path = path or (["loss"] if outermost.sequence_nr >= 0 else [])
        return ["forward", *path, kind] if path else ["the rest of the step", kind]
    if path:  # a module runs forward in the middle of the backward pass
        return ["backward", "computed again", *path, kind]
    return ["backward", *undone.get(node.sequence_nr, ["gradients kept"]), kind]


def product_flops(event) -> int:
    """Count an operation's FLOPs by PyTorch's own formulas; 0 for all but matrix products."""
    name = event.name.removeprefix("aten::")
    if name.startswith("_scaled_dot_product_flash_attention_for_cpu"):  # not in PyTorch's list
        name = name.replace("_for_cpu", "")
    operation = getattr(torch.ops.aten, name, None)
    formula = flop_registry.get(operation) if event.name.startswith("aten::") else None
    shapes = [shape for shape in event.input_shapes if shape]  # those that are not are numbers
    return formula(*shapes, out_val=None) if formula else 0


def as_tree(name: str, leaves: dict[tuple[str, ...], tuple[float, int]]) -> Part:
    """Build a part from its leaves: their paths, each with its seconds and FLOPs."""
    if () in leaves:
        return Part(name, leaves[()][0], (), leaves[()][1])
    branches: dict[str, dict] = defaultdict(dict)
    for (first, *rest), leaf in leaves.items():
        branches[first][tuple(rest)] = leaf
    parts = tuple(as_tree(first, branch) for first, branch in branches.items())
    return Part(name, sum(p.seconds for p in parts), parts, sum(p.flops for p in parts))


def recorded(step: Callable[[], object], model: nn.Module, repeats: int):
    """Run a step several times under the profiler; return what it noted, in order of beginning."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or it writes when it starts and stops
    cuda = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * cuda
    with named_modules(model), profile(activities=activities, record_shapes=True) as profiler:
        for _ in range(repeats):
            with record_function(STEP):
                step()
                if cuda:
                    torch.cuda.synchronize()
    events = [e for e in profiler.events() if e.device_type == torch.autograd.DeviceType.CPU]
    return sorted(events, key=lambda event: event.time_range.start)


def as_profile(events: list, model: nn.Module, repeats: int) -> Part:
    """Sort what was recorded into a tree of parts, each the mean over the repeats."""
    on_gpu = next(model.parameters()).device.type == "cuda"
    undone: dict[int, list[str]] = {}
    leaves: dict[tuple[str, ...], list] = defaultdict(lambda: [0.0, 0])
    whole = 0.0
    for event in events:
        if event.name == STEP:
            whole += event.cpu_time_total / 1e6 / repeats
        if is_range(event) or not (on_gpu or ancestors(event)[-1].name == STEP):
            continue
        path = place(event, model, undone)
        if path[0] == "forward" and event.sequence_nr >= 0:
            undone[event.sequence_nr] = path[1:-1]  # the last to have a number is what it counts
        leaf = leaves[tuple(path)]
        own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        leaf[0] += own / 1e6 / repeats
        leaf[1] += product_flops(event)
    operations = as_tree(STEP, {path: (s, f // repeats) for path, (s, f) in leaves.items()})
    parts = sorted(operations.parts, key=lambda part: ORDER.index(part.name))
    rest = Part(REST, whole - operations.seconds)
    return Part(STEP, whole, (*parts, rest), operations.flops)


def profile_step(step: Callable[[], object], model: nn.Module, repeats: int = 3) -> Part:
    """Return where the time of one call of `step` goes, the mean of several after a first.

    A step is usually forward, backward and update of `model`, uncompiled. The parts add up to the
    whole: what lies between operations is a part of its own. On a GPU the parts' time is the GPU's.
    Raises ValueError if `repeats` is less than 1.
    """
    check_whole("repeats", repeats)
    step()  # the first call makes buffers and chooses ways to compute
    return as_profile(recorded(step, model, repeats), model, repeats)
