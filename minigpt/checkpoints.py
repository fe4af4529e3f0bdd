"""The whole state of a training run in one file, from which it goes on as if never interrupted."""

from __future__ import annotations

import json
import os

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from minigpt.files import atomic_write
from minigpt.model import GPT

FORMAT = "minigpt-checkpoint-1"


def save_checkpoint(
    path: str | os.PathLike, model: GPT, optimizer, generator: torch.Generator, notes: dict
) -> None:
    """Write weights, optimizer and random states, and `notes` (anything JSON can hold).

    The file is replaced in one step: at every moment it is the old one or the new one, whole.
    """
    tensors = {f"model.{name}": weight.detach() for name, weight in model.named_parameters()}
    for name, state in optimizer_states(model, optimizer):
        tensors |= {f"optimizer.{name}.{key}": value for key, value in state.items()}
    tensors |= random_states(generator)
    tensors = {name: value.cpu().contiguous() for name, value in tensors.items()}
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, {"format": FORMAT, "notes": json.dumps(notes)})


def read_notes(path: str | os.PathLike) -> dict:
    """Return the notes of a checkpoint without loading its tensors.

    Raises FileNotFoundError, or ValueError if the file is not a whole checkpoint of ours.
    """
    with open_checkpoint(path) as file:
        return json.loads(file.metadata()["notes"])


def load_checkpoint(
    path: str | os.PathLike, model: GPT, optimizer, generator: torch.Generator
) -> dict:
    """Put everything back where `save_checkpoint` found it; return the notes.

    Raises ValueError, before anything is changed, if the checkpoint is of another model.
    """
    with open_checkpoint(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
        notes = json.loads(file.metadata()["notes"])
    for name, weight in model.named_parameters():
        saved = tensors.get(f"model.{name}")
        if saved is None or saved.shape != weight.shape:
            found = "missing" if saved is None else f"of shape {tuple(saved.shape)}"
            raise ValueError(
                f"{path} is of another model: {name} is {found}, expected {tuple(weight.shape)}"
            )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(tensors[f"model.{name}"])
    weights = dict(model.named_parameters())
    for part in parts_of(optimizer):
        mine = {weight for group in part.param_groups for weight in group["params"]}
        for name, weight in weights.items():
            prefix = f"optimizer.{name}."
            if weight in mine:
                part.state[weight] = {
                    # Cloned: a tensor from the file keeps it mapped, and so not replaceable.
                    key.removeprefix(prefix): value.to(weight.device, copy=True)
                    for key, value in tensors.items()
                    if key.startswith(prefix)
                }
    generator.set_state(tensors["random.data"])
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
    return notes


def open_checkpoint(path: str | os.PathLike):
    """Open a checkpoint of ours or say what is wrong with the file."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no checkpoint at {path}")
    try:
        file = safe_open(path, framework="pt")
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no checkpoint: {error}") from None
    if (file.metadata() or {}).get("format") != FORMAT:
        raise ValueError(f"{path} holds tensors, but is no training checkpoint of this package")
    return file


def parts_of(optimizer) -> list[torch.optim.Optimizer]:
    """Return the optimizers that an optimizer is made of: usually itself."""
    return getattr(optimizer, "parts", [optimizer])


def optimizer_states(model: GPT, optimizer) -> list[tuple[str, dict[str, Tensor]]]:
    """List each weight's name with what the optimizer remembers of it."""
    names = {weight: name for name, weight in model.named_parameters()}
    return [
        (names[weight], state)
        for part in parts_of(optimizer)
        for weight, state in part.state.items()
    ]


def random_states(generator: torch.Generator) -> dict[str, Tensor]:
    """Collect the states that decide what is drawn next: batches, and dropout."""
    states = {"random.data": generator.get_state(), "random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random.cuda"] = torch.cuda.get_rng_state()
    return states
