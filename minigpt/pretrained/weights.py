"""What a file of GPT-2 weights holds, and how it becomes a model.

The tensors are those of `GPT`, name for name. Two things differ: the prefix `transformer.` may be
absent, and four matrices of each block are stored (in, out), the layout of OpenAI's Conv1D, where
nn.Linear keeps (out, in). So loading is a transpose, and a transpose copies nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor, nn

from minigpt.config import PRESETS
from minigpt.files import parse_json, read_text
from minigpt.pretrained.names import HEAD, POSITIONS, TABLE, our_names

INDEX = "model.safetensors.index.json"  # of a model in several files
WEIGHTS = "model.safetensors"  # what the hub calls a file of weights
CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Map a safetensors file into memory; return its tensors by name, and its notes.

    Nothing is read before it is used. Writing to a tensor changes memory, never the file. An index
    stands for all the files that it lists. Raises ValueError for any other file, saying what it
    seems to be, and FileNotFoundError for a listed file that is missing.
    """
    if path.name.endswith(INDEX):
        return read_shards(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{what_is(path)} (safetensors says: {error})") from None
    except OSError as error:  # some drives hold files that cannot be mapped
        try:
            content = path.read_bytes()
        except OSError:
            raise OSError(error.errno, f"cannot be read ({error})", str(path)) from None
        return load(content), notes_in(content)


def notes_in(content: bytes) -> dict[str, str]:
    """Return the notes of a safetensors file: 8 bytes of length, then JSON that holds them."""
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]).get("__metadata__", {})


def read_shards(index: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a model that is kept in several files, which an index lists."""
    places = parse_json(read_text(index), index.name).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise ValueError("it lists no files of weights (weight_map)")
    tensors = {}
    for name in sorted(set(places.values())):
        if not (file := index.with_name(Path(name).name)).is_file():
            raise FileNotFoundError(f"{index.name} asks for {name}, which is not in {index.parent}")
        tensors |= read_weights(file)[0]
    if missing := sorted(places.keys() - tensors.keys()):
        raise ValueError(f"{index.name} promises {missing[0]}, and {places[missing[0]]} lacks it")
    return tensors, {}


def what_is(path: Path) -> str:
    """Say what a file that is not a whole safetensors file seems to be."""
    with open(path, "rb") as file:
        start = file.read(512)
    if not start:
        return "it is empty"
    if start[8:9] == b"{":  # 8 bytes of length, then JSON: it began well
        size = path.stat().st_size
        return f"it breaks off or is damaged at {size:,} bytes, as a download cut short is"
    if start.startswith((b"PK", b"\x80")):
        return "it is a pickle (.bin, .pt): opening one can run any program, so it is never opened"
    if start.startswith(b"version https://git-lfs"):
        return "it is git-lfs's note of where the weights are: run `git lfs pull` to get them"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, most likely an error message saved under this name"
    return "it is not a safetensors file"


def count_layers(names: Iterable[str]) -> int:
    """Count the blocks that tensor names speak of.

    >>> count_layers(["transformer.h.0.ln_1.weight", "transformer.h.1.ln_1.weight"])
    2
    """
    return len({match[1] for name in names if (match := re.match(r"transformer\.h\.(\d+)", name))})


def has_biases(names: Iterable[str]) -> bool:
    """Say whether tensors with these names include any bias."""
    return any(name.endswith(".bias") for name in names)


def stored_shape(name: str, shape: Iterable[int]) -> tuple[int, ...]:
    """Return the shape that a parameter of `GPT` has in the file.

    >>> stored_shape("transformer.h.0.mlp.c_fc.weight", (3072, 768))
    (768, 3072)
    """
    return tuple(shape)[::-1] if name.endswith(CONV1D) else tuple(shape)


def why_missing(name: str, named: dict[str, Tensor], model: nn.Module) -> str:
    """Guess why a file lacks a tensor that the model needs."""
    stored, layers = count_layers(named), count_layers(dict(model.named_parameters()))
    if stored < layers:
        return f"the file holds {stored} layers, the model has {layers}"
    if not has_biases(named):
        return "the file was saved without biases, the model has them (bias=True)"
    return f"the file holds {len(named)} other tensors; it was saved in part, or is another model"


def why_misshapen(name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """Guess why a tensor has another shape than expected."""
    if found == expected[::-1]:
        return "it is transposed; files of GPT-2 keep (in, out), and nn.Linear keeps (out, in)"
    if found[1:] == expected[1:] and name == TABLE:
        return f"it belongs to a model with {found[0]} tokens in its vocabulary"
    if found[1:] == expected[1:] and name == POSITIONS:
        return f"it belongs to a model with a context of {found[0]} tokens"
    for size, shape in PRESETS.items():
        if name == TABLE and found[1:] == (shape["n_embd"],):
            return f"{shape['n_embd']} is the width of {size}"
    return "it belongs to a model of another size"


def check_tensor(name: str, named: dict[str, Tensor], model: nn.Module) -> None:
    """Raise ValueError unless the tensor is there, in its shape, as floating-point numbers."""
    expected = stored_shape(name, model.get_parameter(name).shape)
    if name not in named:
        reason = why_missing(name, named, model)
        raise ValueError(f"{name}, of shape {expected}, is missing: {reason}")
    shape, dtype = tuple(named[name].shape), named[name].dtype
    if shape != expected:
        reason = why_misshapen(name, shape, expected)
        raise ValueError(f"{name} has shape {shape}, expected {expected}: {reason}")
    if not dtype.is_floating_point or dtype != named[TABLE].dtype:
        raise ValueError(
            f"{name} is stored as {dtype} and {TABLE} as {named[TABLE].dtype}; "
            "weights must all be of one floating-point type (give dtype=... to convert them)"
        )


def load_weights(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give the model a checkpoint's weights, named and laid out as on the hub, without a copy.

    The parameters become these very tensors, four per block as transposed views; clone the tensors
    first if training must not change them. The head stays tied. Masks are ignored.
    Raises ValueError, before anything is changed, naming the first tensor that does not fit.
    """
    named = our_names(tensors)
    needed = [name for name, _ in model.named_parameters(remove_duplicate=False) if name != HEAD]
    for name in needed:
        check_tensor(name, named, model)
    for name in sorted(named.keys() - {*needed, HEAD}):
        raise ValueError(f"{name} has no place in a model of {count_layers(needed)} layers")
    if HEAD in named and not torch.equal(named[HEAD], named[TABLE]):
        raise ValueError(f"{HEAD} differs from {TABLE}; GPT-2 uses one matrix for both (tied)")
    fitted = {name: t.t() if name.endswith(CONV1D) else t for name, t in named.items()}
    model.load_state_dict(fitted, strict=False, assign=True)
    model.lm_head.weight = model.transformer.wte.weight
