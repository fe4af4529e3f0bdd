"""Whose word the sizes of a stored model are: its own notes, config.json, or only its shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from minigpt.config import GPTConfig
from minigpt.files import CHECKPOINT, parse_json, read_text
from minigpt.pretrained.names import POSITIONS, TABLE
from minigpt.pretrained.weights import count_layers, has_biases

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
    if notes.get("format") == CHECKPOINT:
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
