"""What an explorer can be opened on: a GPT and a Tokenizer of this package."""

from __future__ import annotations

from minigpt.config import check_model
from minigpt.tokenizer import Tokenizer


def check_tokenizer(tokenizer) -> None:
    """Raise ValueError unless tokenizer is a Tokenizer of this package, saying how to get one."""
    if not isinstance(tokenizer, Tokenizer):
        kind = f"{type(tokenizer).__module__}.{type(tokenizer).__qualname__}"
        raise ValueError(
            f"tokenizer is a {kind.removeprefix('builtins.')}; give a Tokenizer of minigpt. "
            "GPT-2's is Tokenizer.gpt2(), one from a file Tokenizer.load('its file'), and "
            "model, tokenizer = from_pretrained('its name or folder') gives both"
        )


def check_pair(model, tokenizer) -> None:
    """Raise ValueError unless they are a model and a tokenizer, in this order."""
    if isinstance(model, tuple):  # what from_pretrained returns, as it is
        raise ValueError(
            f"model is a tuple of {len(model)}; take it apart first: "
            "model, tokenizer = from_pretrained('its name or folder')"
        )
    if isinstance(model, Tokenizer):
        raise ValueError("model is a Tokenizer; the model comes first, then its tokenizer")
    check_model(model)
    check_tokenizer(tokenizer)
