"""Draw the cases of lesson 08: files right and wrong, pairs of models, whole GPT-2s."""

from __future__ import annotations

import json
from functools import partial

import torch
from torch import Generator, Tensor

from minigpt.course.exercise.drawing import Cases, not_contiguous
from minigpt.course.exercise.drawing_gpt import file_tensors, gpt_weights
from minigpt.pretrained.names import TABLE

TINY = dict(vocab_size=6, block_size=5, n_layer=1, n_head=2, n_embd=4)
SMALL = dict(vocab_size=11, block_size=6, n_layer=2, n_head=2, n_embd=8)


def file_case(g: Generator, title: str, sizes: dict, **kind) -> dict:
    return {"title": title, "config": sizes, "tensors": file_tensors(sizes, g, **kind)}


def draw_files(g: Generator) -> list[dict]:
    """Draw files of every kind, the simplest first, and then wrong ones."""

    case = partial(file_case, g)

    def wrong(title: str, name: str, change=None) -> dict:
        found = case(title, SMALL)
        tensor = found["tensors"].pop(name)
        if change:
            found["tensors"][name] = change(tensor)
        return {**found, "wrong_file": True}

    double = case("float64", TINY)
    double["tensors"] = {name: tensor.double() for name, tensor in double["tensors"].items()}
    strided = case("tensors that are not contiguous", SMALL)
    for name, tensor in strided["tensors"].items():
        if tensor.dim() == 2:
            strided["tensors"][name] = not_contiguous(tensor)
    square = SMALL | dict(vocab_size=8, block_size=8)
    return [
        case("one layer, names with the prefix", TINY),
        case("the hub's way: no prefix, masks in every block", SMALL, prefix=False, masks=True),
        case("prefix, masks and the head", SMALL, masks=True, head=True),
        case("no prefix, but the head", SMALL, prefix=False, head=True),
        case("no biases (bias=False)", SMALL | dict(bias=False), prefix=False),
        case("both tables square, like attn.c_proj", square, prefix=False, masks=True),
        double,
        strided,
        wrong("a wrong file: ln_f.weight is missing", "transformer.ln_f.weight"),
        wrong("a wrong file: c_attn has no bias", "transformer.h.1.attn.c_attn.bias"),
        wrong(
            "a wrong file: the place table has one row",
            "transformer.wpe.weight",
            lambda table: table[:1].clone(),
        ),
        wrong("a wrong file: one token less", TABLE, lambda table: table[:-1].clone()),
        wrong(
            "a wrong file: c_fc is turned already",
            "transformer.h.0.mlp.c_fc.weight",
            lambda matrix: matrix.t().contiguous(),
        ),
    ]


def draw_names(g: Generator) -> list[dict]:
    """Draw the names of files of every kind, each with a small tensor."""
    named = Cases("tensors")

    def case(title: str, **kind) -> dict:
        names = file_tensors(TINY, g, **kind)
        return named(title, {name: torch.randn(2, 3, generator=g) for name in names})

    both = dict(head=True, masks=True)
    return [
        case("names with the prefix"),
        case("names without the prefix", prefix=False),
        case("with the prefix, the head and masks", **both),
        case("without the prefix, with the head and masks", prefix=False, **both),
        named("an empty file", {}),
    ]


def safetensors_bytes(tensors: dict[str, Tensor], header_order: list[str], notes: dict) -> bytes:
    """Write a file of safetensors: the numbers in the order of `tensors`."""
    entries, end = {}, 0
    for name, tensor in tensors.items():
        begin, end = end, end + 4 * tensor.numel()
        shape = list(tensor.shape)
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    header = {"__metadata__": notes} if notes else {}
    text = json.dumps(header | {name: entries[name] for name in header_order}).encode()
    text += b" " * (-len(text) % 8)
    numbers = b"".join(tensor.numpy().astype("<f4").tobytes() for tensor in tensors.values())
    return len(text).to_bytes(8, "little") + text + numbers


def draw_bytes(g: Generator) -> list[dict]:
    """Draw small files, the simplest first."""

    named = Cases("data", "name")

    def case(title: str, shapes: dict, wanted: str, backwards: bool = False, **notes) -> dict:
        tensors = {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}
        order = list(tensors)[::-1] if backwards else list(tensors)
        return named(title, safetensors_bytes(tensors, order, notes), wanted)

    two = {"a": (2, 3), "b": (2,)}
    many = {f"h.{n}.mlp.c_fc.weight": (3, 2) for n in range(6)} | {"wte.weight": (4, 3)}
    sizes = torch.tensor([3e38, -3e38, 1e-40, -0.0, float("inf"), 1 / 3])
    extreme = {"x": torch.randn(3, generator=g), "y": sizes[torch.randperm(6, generator=g)]}
    readable = safetensors_bytes({"a": torch.tensor([1.0, 2.0])}, ["a"], {})
    torch.randn(2, generator=g)  # skipped: a seed's other cases stay what they always were
    return [
        named("one tensor of two numbers", readable, "a"),
        case("two tensors, the first", two, "a"),
        case("two tensors, the second", two, "b"),
        case("a header longer than 255 bytes", many, "h.4.mlp.c_fc.weight"),
        case("the header in another order than the numbers", many, "wte.weight", backwards=True),
        case("notes in the header", two, "b", format="pt"),
        case("three dimensions", {"x": (1,), "y": (2, 3, 2)}, "y"),
        case("a single number, of shape ()", {"x": (3,), "y": ()}, "y"),
        named("numbers of every size", safetensors_bytes(extreme, ["x", "y"], {}), "y"),
    ]


def draw_pairs(g: Generator) -> list[dict]:
    """Draw a reference and a mistake planted in a copy of it."""

    named = Cases("idx")

    def case(title: str, planted=None, scale: dict | None = None, **more) -> dict:
        held = gpt_weights(SMALL, g)
        for name, factor in (scale or {}).items():
            held[name] = held[name] * factor
        changed = {name: change(held[name].clone()) for name, change in (planted or {}).items()}
        ids = torch.randint(SMALL["vocab_size"], (2, 6), generator=g)
        return named(title, ids, config=SMALL, weights=held, planted=changed, **more)

    def one_off(matrix: Tensor) -> Tensor:
        matrix[2, 3] += 1.5e-4 * matrix.abs().max()
        return matrix

    square, places, tokens = "transformer.h.1.attn.c_proj.weight", "transformer.wpe.weight", TABLE
    return [
        case("two equal models"),
        case("two equal models, and no tolerance at all", kwargs={"tolerance": 0.0}),
        case("attn.c_proj on its side in the second block", {square: torch.t}),
        case("the place table upside down", {places: lambda table: table.flip(0)}),
        case(
            "a bias in the first block, and ln_f",
            {
                "transformer.h.0.mlp.c_fc.bias": lambda bias: bias + 0.01,
                "transformer.ln_f.weight": lambda weight: weight * 3,
            },
        ),
        case("the same weights, but no mask in the first block", attention="unmasked"),
        case(
            "attention in another order of sums, and large numbers",
            scale={"transformer.ln_f.weight": 1e5},
            attention="explicit",
        ),
        case(
            "tiny numbers at the beginning",
            {places: lambda table: table.flip(0)},
            scale={places: 1e-5, tokens: 1e-5},
        ),
        case("one number a little off", {places: one_off}),
        case(
            "a mistake that never reaches the logits, because ln_f multiplies by 0",
            {"transformer.h.1.mlp.c_fc.bias": lambda bias: bias + 1},
            scale={"transformer.ln_f.weight": 0},
        ),
        case(
            "a difference that the tolerance of 0.5 allows",
            {"transformer.ln_f.weight": lambda weight: weight * 1.01},
            kwargs={"tolerance": 0.5},
        ),
        case(
            "parts registered in another order than they run",
            {"transformer.h.0.ln_1.bias": lambda bias: bias + 1},
            backwards=True,
        ),
    ]


def draw_whole(g: Generator) -> list[dict]:
    """Draw the tensors of small GPT-2s, the simplest first."""

    case = partial(file_case, g)
    deep = dict(vocab_size=23, block_size=8, n_layer=3, n_head=3, n_embd=12)
    return [
        case("one layer", TINY),
        case("the hub's way: no prefix, masks in every block", deep, prefix=False, masks=True),
        case("saved again: prefix, masks and the head", deep, masks=True, head=True),
        case("a config with dropout, which must stay silent", deep | dict(dropout=0.5)),
        case("no biases (bias=False)", deep | dict(bias=False), prefix=False),
    ]
