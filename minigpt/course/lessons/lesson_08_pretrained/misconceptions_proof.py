"""Wrong ways to read a file, to compare models and to build one, as people really go them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.config import GPTConfig
from minigpt.course.lessons.lesson_08_pretrained.misconceptions_loading import loader, until_it_fits
from minigpt.model import GPT
from minigpt.pretrained import weights
from minigpt.pretrained.names import MASKS
from minigpt.pretrained.weights import CONV1D

# --- read_tensor ---


def reader(
    length: Callable = lambda data: int.from_bytes(data[:8], "little"),
    skip: Callable = lambda length: 8 + length,
    shaped: bool = True,
    numbers: str = "<f4",
    choose: Callable = lambda header, name: header[name],
) -> Callable:
    """Return a reader of safetensors in small steps, each replaceable."""

    def read_tensor(data: bytes, name: str) -> Tensor:
        import numpy as np

        size = length(data)
        entry = choose(json.loads(data[8 : 8 + size]), name)
        begin, end = (skip(size) + offset for offset in entry["data_offsets"])
        found = np.frombuffer(data[begin:end], dtype=numbers).astype(np.float32)
        return torch.from_numpy(found).view(entry["shape"] if shaped else [-1])

    return read_tensor


def first_listed(header: dict, name: str) -> dict:
    return next(entry for key, entry in header.items() if key != "__metadata__")


def one_after_the_other(header: dict, name: str) -> dict:
    """Find the place by adding up what comes before in the list."""
    begin = 0
    for key, entry in header.items():
        low, high = entry.get("data_offsets", (0, 0))
        if key == name:
            return {**entry, "data_offsets": [begin, begin + high - low]}
        begin += high - low
    raise KeyError(name)


def counted_in_numbers(header: dict, name: str) -> dict:
    begin, end = header[name]["data_offsets"]
    return {**header[name], "data_offsets": [4 * begin, 4 * end]}


def end_as_length(header: dict, name: str) -> dict:
    begin, end = header[name]["data_offsets"]
    return {**header[name], "data_offsets": [begin, begin + end]}


READ_WRONG = {
    "from-the-file's-beginning": (
        "You count the offsets from the first byte of the file, so you read the header as numbers. "
        "They count from the end of the header.",
        reader(skip=lambda length: 0),
    ),
    "eight-bytes-forgotten": (
        "You are eight bytes early: before the header stand the 8 bytes that tell its length.",
        reader(skip=lambda length: length),
    ),
    "one-byte-of-length": (
        "You take the first byte for the length. That works up to 255; it is a number of 8 bytes, "
        "the lowest first.",
        reader(length=lambda data: data[0]),
    ),
    "highest-byte-first": (
        "You read the length with the highest byte first, and get an enormous number. The lowest "
        "byte comes first.",
        reader(length=lambda data: int.from_bytes(data[:8], "big")),
    ),
    "numbers-reversed": (
        "You read the bytes of each number in the wrong order. As for the length, the lowest comes "
        "first.",
        reader(numbers=">f4"),
    ),
    "flat": (
        "The numbers are right, but they lie in one row. The header also tells the shape.",
        reader(shaped=False),
    ),
    "first-tensor": (
        "You return the first tensor of the header, whatever its name.",
        reader(choose=first_listed),
    ),
    "order-of-the-list": (
        "You add up the sizes in the order of the header. The numbers may lie in another order: "
        "only data_offsets says where.",
        reader(choose=one_after_the_other),
    ),
    "counted-in-numbers": (
        "You take the offsets for counts of numbers, and multiply by 4. They are bytes already.",
        reader(choose=counted_in_numbers),
    ),
    "end-as-length": (
        "You read `end` bytes from the beginning of the tensor. data_offsets says where it begins "
        "and where it *ends*: its length is the difference.",
        reader(choose=end_as_length),
    ),
    "whole-numbers": (
        "You read the bytes as whole numbers. They are F32: floating-point, 4 bytes each.",
        reader(numbers="<i4"),
    ),
}


# --- first_difference ---


def outputs(
    model: nn.Module,
    idx: Tensor,
    keep_hooks: bool = False,
    kinds: type | tuple = nn.Module,
    gives_back: bool = False,
) -> dict[str, Tensor]:
    """Return what every module with a weight gave, in the order in which they ran.

    kinds: the classes that are looked at; gives_back: the hooks return a value, as none should.
    """
    seen: dict[str, Tensor] = {}
    hooks = []
    for name, module in model.named_modules():
        if hasattr(module, "weight") and isinstance(module, kinds):

            def note(module, args, output, name=name):
                seen[name] = output
                return seen if gives_back else None

            hooks.append(module.register_forward_hook(note))
    with torch.no_grad():
        model(idx)
    for hook in () if keep_hooks else hooks:
        hook.remove()
    return seen


def share(mine: Tensor, right: Tensor) -> float:
    return ((mine - right).abs().max() / right.abs().max()).item()


def comparer(
    apart: Callable = share,
    choose: Callable = lambda wrong: next(iter(wrong), None),
    order: Callable = lambda reference, names: list(names),
    limit: float | None = None,
    **noting: Any,
) -> Callable:
    """Return a comparison in small steps, each replaceable."""

    def first_difference(model, reference, idx, tolerance=1e-4):
        tolerance = tolerance if limit is None else limit
        mine, right = (outputs(each, idx, **noting) for each in (model, reference))
        found = {name: apart(mine[name], right[name]) for name in order(reference, right)}
        return choose({name: gap for name, gap in found.items() if gap > tolerance})

    return first_difference


def as_registered(reference: nn.Module, names) -> list[str]:
    return [name for name, _ in reference.named_modules() if name in names]


def weights_compared(model, reference, idx, tolerance=1e-4):
    pairs = zip(model.named_parameters(), reference.named_parameters())
    for (name, mine), (_, right) in pairs:
        if share(mine, right) > tolerance:
            return name.rpartition(".")[0]
    return None


COMPARE_WRONG = {
    "last-difference": (
        "You return the last layer that differs. A mistake spreads to everything behind it, so "
        "that is nearly always the head. The first one is where it happened.",
        comparer(choose=lambda wrong: next(reversed(wrong), None)),
    ),
    "largest-difference": (
        "You return the layer with the largest difference. A mistake can grow on its way: where it "
        "is largest is not where it began.",
        comparer(choose=lambda wrong: max(wrong, key=wrong.get, default=None)),
    ),
    "order-of-registration": (
        "You go through the layers as they are registered. That need not be how they run: the "
        "first in the list may be the last at work.",
        comparer(order=as_registered),
    ),
    "absolute": (
        "You compare the difference itself with the tolerance. In numbers of 100,000 mere rounding "
        "is larger than that, in tiny ones a mistake is smaller. Take it as a share of the "
        "reference's largest value.",
        comparer(apart=lambda mine, right: (mine - right).abs().max().item()),
    ),
    "mean-difference": (
        "You average the difference over all numbers, so a mistake in one of them drowns. Take the "
        "largest.",
        comparer(
            apart=lambda mine, right: ((mine - right).abs().mean() / right.abs().mean()).item()
        ),
    ),
    "to-the-last-digit": (
        "You demand equality to the last digit. Sums in another order are rounded otherwise; that "
        "is no mistake. Differences up to the tolerance are fine.",
        comparer(limit=0.0),
    ),
    "tolerance-ignored": (
        "Your limit is always 1e-4. Take the tolerance that you are given.",
        comparer(limit=1e-4),
    ),
    "weights-compared": (
        "You compare the weights. Two models with the same weights can still compute different "
        "things, such as without a mask. Compare what the layers give.",
        weights_compared,
    ),
    "only-the-logits": (
        "You look at the logits only. They tell that something is wrong, not where.",
        comparer(order=lambda reference, names: ["lm_head"]),
    ),
    "hooks-left": (
        "The answer is right, but your hooks are still in the models: from now on each pass runs "
        "them again. Take out every hook that you put in.",
        comparer(keep_hooks=True),
    ),
    "one-name-for-all": (
        "All your hooks note under the last name of the loop, so only one output is left, the "
        "head's. A function looks its outer names up when it *runs*: give it the name as a default "
        "value, name=name.",
        comparer(order=lambda reference, names: ["lm_head"]),
        "only-the-logits",
    ),
    "a-hook-that-returns": (
        "Your hook returns something, and PyTorch puts that in the place of the layer's output. A "
        "hook that only looks on returns nothing.",
        comparer(gives_back=True),
    ),
    "one-dictionary-for-both": (
        "Both models note into one dictionary, so the second run replaces what the first one "
        "noted, and you compare it with itself. Each model needs its own.",
        comparer(apart=lambda mine, right: share(right, right)),
    ),
    "only-linear-layers": (
        "You look at linear layers only. Embeddings and LayerNorms have a weight as well, and may "
        "be the first to differ.",
        comparer(kinds=nn.Linear),
    ),
    "name-of-the-weight": (
        "The place is right, but you return the name of a weight. The *layer* is asked for, "
        "without .weight behind it.",
        comparer(choose=lambda wrong: next((f"{name}.weight" for name in wrong), None)),
    ),
}


# --- my_gpt2 ---


def with_loader(load: Callable, training: bool = False) -> Callable:
    """Return an assembly that fills the model with this loader."""

    def my_gpt2(config: GPTConfig, tensors: dict[str, Tensor]) -> nn.Module:
        model = GPT(config)
        load(model, tensors)
        return model.train(training)

    return my_gpt2


def masks_taken_out(config: GPTConfig, tensors: dict[str, Tensor]) -> nn.Module:
    for name in [name for name in tensors if name.endswith(MASKS)]:
        del tensors[name]
    return with_loader(weights.load_weights)(config, tensors)


WHOLE_WRONG = {
    "nothing-loaded": (
        "Your model still has its own first weights: the file's were never given to it, or to "
        "another model than the one you return.",
        lambda config, tensors: GPT(config).eval(),
    ),
    "returns-the-loader's-answer": (
        "You return what load_weights returns, and that is nothing. It fills the model in place; "
        "return the model.",
        lambda config, tensors: weights.load_weights(GPT(config), tensors),
    ),
    "still-training": (
        "Your model is still in training mode: with dropout it would say something else each time. "
        "A new model starts in training mode; put it into evaluation.",
        with_loader(weights.load_weights, training=True),
    ),
    "the-class": ("You return the class, not a model built from it.", lambda config, tensors: GPT),
    "turned-before-loading": (
        "You turn the matrices, and load_weights turns them again. Give it the file's tensors as "
        "they are.",
        lambda config, tensors: with_loader(weights.load_weights)(
            config, {n: t.t() if n.endswith(CONV1D) else t for n, t in tensors.items()}
        ),
    ),
    "masks-taken-out": (
        "You take the masks out of the dictionary that you were given. Whoever gave it still needs "
        "it as it was, and load_weights passes over them anyway.",
        masks_taken_out,
    ),
    "square-forgotten": (
        "The logits differ, and only attention's c_proj can be to blame: it is square, and lies on "
        "its side. Let load_weights do the turning.",
        with_loader(loader(turn=until_it_fits)),
    ),
    "head-apart": (
        "The model computes what it should, but its head has a matrix of its own. load_weights "
        "keeps it tied, if you change nothing afterwards.",
        with_loader(loader(head="apart")),
    ),
}
