"""What a file of GPT-2 weights holds, and how it becomes a model.

The tensors are those of `GPT`, name for name. Two things differ: the prefix `transformer.` may be
absent, and four matrices of each block are stored (in, out), the layout of OpenAI's Conv1D, where
nn.Linear keeps (out, in). So loading is a transpose, and a transpose copies nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from minigpt.config import PRESETS, GPTConfig
from minigpt.files import CHECKPOINT as FORMAT
from minigpt.files import parse_json, read_text

WEIGHTS = "model.safetensors"  # what the hub calls a file of weights
CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
MASKS = (".attn.bias", ".attn.masked_bias")  # not weights: the causal mask, saved along
TABLE, POSITIONS, HEAD = "transformer.wte.weight", "transformer.wpe.weight", "lm_head.weight"

# What config.json may say of a GPT-2; the first is written and the default.
GPT2_ONLY = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),  # two names of the tanh form
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "reorder_and_upcast_attn": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Map a safetensors file into memory; return its tensors by name, and its notes.

    Nothing is read before it is used. Writing to a tensor changes memory, never the file.
    Raises ValueError for any other file, saying what it seems to be.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{what_is(path)} (safetensors says: {error})") from None


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


def our_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give every weight the name it has in `GPT`; leave out the masks."""
    named = {}
    for name, tensor in tensors.items():
        if name.endswith(MASKS):
            continue
        ours = name if name.startswith(("transformer.", HEAD)) else f"transformer.{name}"
        if ours in named:
            raise ValueError(f"{name} is there twice, with and without the prefix `transformer.`")
        named[ours] = tensor
    return named


def count_layers(names: Iterable[str]) -> int:
    """Count the blocks that tensor names speak of.

    >>> count_layers(["transformer.h.0.ln_1.weight", "transformer.h.1.ln_1.weight"])
    2
    """
    return len({match[1] for name in names if (match := re.match(r"transformer\.h\.(\d+)", name))})


def has_biases(names: Iterable[str]) -> bool:
    """Say whether tensors with these names include any bias."""
    return any(name.endswith(".bias") for name in names)


def config_from_hub(values: dict) -> GPTConfig:
    """Translate the hub's config.json; refuse what is not computed as GPT-2 computes it."""
    width = values.get("n_embd")
    for key, accepted in GPT2_ONLY.items():
        if (value := values.get(key, accepted[0])) not in accepted:
            raise ValueError(f"config.json says {key} = {value!r}; GPT-2 has {accepted[0]!r}")
    if values.get("n_inner") not in (None, 4 * width if isinstance(width, int) else None):
        raise ValueError(f"config.json says n_inner = {values['n_inner']!r}; GPT-2 has 4 * n_embd")
    sizes = {key: values.get(key) for key in ("vocab_size", "n_layer", "n_head", "n_embd")}
    return GPTConfig(block_size=values.get("n_positions", values.get("n_ctx")), **sizes)


def config_for_hub(config: GPTConfig, end_of_text: int | None) -> dict:
    """Describe a model as the hub's config.json does, for other libraries to read.

    >>> config_for_hub(GPTConfig(), 50256)["n_positions"]
    1024
    """
    return {
        "architectures": ["GPT2LMHeadModel"],
        **{key: accepted[0] for key, accepted in GPT2_ONLY.items()},
        "n_positions": config.block_size,
        **{key: getattr(config, key) for key in ("vocab_size", "n_layer", "n_head", "n_embd")},
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.dropout),
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
    }


def config_from_shapes(named: dict[str, Tensor]) -> GPTConfig:
    """Infer the sizes from the weights; heads leave no trace in them, but GPT-2's are 64 wide."""
    for name in (TABLE, POSITIONS):
        if name not in named or named[name].dim() != 2:
            raise ValueError(f"{name} is missing or no matrix, so it holds no GPT-2")
    (vocab_size, width), block_size = named[TABLE].shape, len(named[POSITIONS])
    if width % 64:
        raise ValueError(
            f"its width of {width} is no multiple of 64, GPT-2's head size, so the number of heads "
            "is unknown; put a config.json with n_head beside it"
        )
    return GPTConfig(vocab_size, block_size, max(1, count_layers(named)), width // 64, width)


def find_config(
    path: Path, named: dict[str, Tensor], notes: dict[str, str]
) -> tuple[GPTConfig, str]:
    """Return the sizes, and whose word that is: the file's, config.json's, or only its shapes'.

    Raises ValueError if they are impossible, or the file says that it is something else.
    """
    if notes.get("format") == FORMAT:
        raise ValueError(
            "it is a checkpoint of a training run: train(..., resume=True) goes on with it, and "
            "save_pretrained(model, folder) writes what can be loaded here"
        )
    beside = path.with_name("config.json")
    if "config" in notes:
        source = "its own notes"
        config = GPTConfig.from_dict(parse_json(notes["config"], source))
    elif beside.is_file():
        source = "config.json"
        config = config_from_hub(parse_json(read_text(beside), source))
    else:
        source = "its shapes, taking heads to be 64 wide"
        config = config_from_shapes(named)
    if config.n_layer > len(named):  # said before a model of a billion layers is built
        raise ValueError(f"it has {len(named)} tensors; {source} asks for {config.n_layer} layers")
    return replace(config, bias=has_biases(named)), source


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
