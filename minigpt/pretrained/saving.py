"""A model in a folder, as `from_pretrained` and the transformers library read it."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save_file

from minigpt.files import atomic_write
from minigpt.model import GPT
from minigpt.pretrained.names import HEAD
from minigpt.pretrained.sizes import config_for_hub
from minigpt.pretrained.weights import CONV1D, WEIGHTS
from minigpt.speed.compiling import unwrapped
from minigpt.speed.quantization import is_quantized
from minigpt.tokenizer import Tokenizer


def settle_header(path: Path) -> None:
    """Put the notes in a safetensors file in order: the library writes them in any order."""
    with open(path, "rb+") as file:
        size = int.from_bytes(file.read(8), "little")  # of the header: JSON, and then spaces
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        settled = json.dumps(header, separators=(",", ":")).encode().ljust(size)
        assert len(settled) == size
        file.seek(8)
        file.write(settled)


def save_pretrained(
    model: GPT, folder: str | os.PathLike, tokenizer: Tokenizer | None = None
) -> None:
    """Save a model so that `from_pretrained(folder)`, and the transformers library, can load it.

    Writes model.safetensors (the hub's names and layout), config.json and tokenizer.json (ours).
    Each file is replaced in one step, none before all are written. On Windows a file from which a
    model is still loaded cannot be replaced: choose another folder.
    """
    model = unwrapped(model)
    if is_quantized(model):
        raise ValueError("the model's weights are rounded to int8; save the one it was made from")
    model.check_tied()
    folder, config = Path(folder), model.config
    weights = dict(model.named_parameters(remove_duplicate=False))
    del weights[HEAD]  # tied: one matrix, stored once
    for name, weight in weights.items():
        stored = weight.detach().t() if name.endswith(CONV1D) else weight.detach()
        weights[name] = stored.contiguous()
    notes = {"format": "pt", "config": json.dumps(asdict(config))}
    with ExitStack() as stack:
        temporary = stack.enter_context(atomic_write(folder / WEIGHTS))
        save_file(weights, temporary, notes)
        settle_header(temporary)  # the same model gives the same bytes
        described = stack.enter_context(atomic_write(folder / "config.json"))
        end = None if tokenizer is None else tokenizer.end_of_text
        described.write_text(json.dumps(config_for_hub(config, end), indent=2), encoding="utf-8")
        if tokenizer is not None:
            tokenizer.save(stack.enter_context(atomic_write(folder / "tokenizer.json")))
