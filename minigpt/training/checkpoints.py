"""The whole state of a training run in one file, from which it goes on as if never interrupted."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import astuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from minigpt.files import CHECKPOINT as FORMAT
from minigpt.files import atomic_write
from minigpt.model import GPT
from minigpt.speed.compiling import unwrapped
from minigpt.training.config import Record

# What an optimizer remembers of each weight: tensors like it, and AdamW its number of steps.
REMEMBERED = {"AdamW": ("step", "exp_avg", "exp_avg_sq"), "Muon": ("momentum_buffer",)}


def optimizers_in(optimizer) -> list[torch.optim.Optimizer]:
    """Return the optimizers that an optimizer is made of: usually itself."""
    return getattr(optimizer, "optimizers", [optimizer])


def named_states(model: GPT, optimizer) -> list[tuple[str, str, Tensor, dict]]:
    """List what the optimizer remembers: the tensor's name and key, its weight, where it is."""
    names = {weight: name for name, weight in unwrapped(model).named_parameters()}
    return [
        (f"optimizer.{names[weight]}.{key}", key, weight, each.state[weight])
        for each in optimizers_in(optimizer)
        for group in each.param_groups
        for weight in group["params"]
        for key in REMEMBERED[type(each).__name__]
    ]


def random_states(generator: torch.Generator) -> dict[str, Tensor]:
    """Collect the states that decide what is drawn next: batches, and dropout."""
    states = {"random.data": generator.get_state(), "random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random.cuda"] = torch.cuda.get_rng_state()
    return states


def history_tensor(history: Sequence[Record]) -> Tensor:
    """Return the records as numbers, (steps, 6) float64 in the order of a Record's fields.

    The notes would not do: they may be 100 MB at most, and JSON takes 150 bytes for what takes 48.
    """
    rows = [[math.nan if value is None else value for value in astuple(r)] for r in history]
    return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), 6)


def records_in(tensor: Tensor) -> list[Record]:
    """Return what `history_tensor` was given."""
    return [
        Record(int(step), *figures, None if math.isnan(val_loss) else val_loss)
        for step, *figures, val_loss in tensor.tolist()
    ]


def save_checkpoint(
    path: str | os.PathLike,
    model: GPT,
    optimizer,
    generator: torch.Generator,
    notes: dict,
    history: Sequence[Record] = (),
) -> None:
    """Write weights, optimizer and random states, `notes` (anything JSON can hold) and `history`.

    The optimizer has made a step at least. The file is replaced in one step too: at every moment
    it is the old one or the new one, whole.
    """
    tensors = {f"model.{name}": weight for name, weight in unwrapped(model).named_parameters()}
    tensors |= {name: state[key] for name, key, _, state in named_states(model, optimizer)}
    tensors |= random_states(generator) | {"history": history_tensor(history)}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, {"format": FORMAT, "notes": json.dumps(notes)})


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


def read_notes(path: str | os.PathLike) -> dict:
    """Return the notes of a checkpoint without loading its tensors.

    Raises FileNotFoundError, or ValueError if the file is not a whole checkpoint of ours.
    """
    with open_checkpoint(path) as file:
        text = file.metadata().get("notes", "")
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        raise ValueError(f"{path} is damaged: its notes are {text!r:.60}") from None


def read_history(path: str | os.PathLike) -> list[Record]:
    """Return the records of the run so far, without loading its other tensors.

    Raises FileNotFoundError, or ValueError if the file is not a whole checkpoint of ours.
    """
    with open_checkpoint(path) as file:
        try:
            if "history" in file.keys():  # noqa: SIM118 (no dict)
                return records_in(file.get_tensor("history"))
            return [Record(**record) for record in read_notes(path)["history"]]  # an older file
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: its history gives {error!r}") from None


def describe_tensor(tensor: Tensor | None) -> str:
    """Name a tensor's type and shape, which must agree."""
    return "missing" if tensor is None else f"{tensor.dtype} {tuple(tensor.shape)}"


def check_tensors(path: str | os.PathLike, saved: dict, model: GPT, optimizer) -> None:
    """Raise ValueError unless the tensors of a checkpoint are those this run would have saved."""
    expected = {f"model.{name}": weight for name, weight in unwrapped(model).named_parameters()}
    for name, key, weight, _ in named_states(model, optimizer):
        expected[name] = torch.zeros(()) if key == "step" else weight
    expected |= random_states(torch.Generator())
    for name in [*expected, *saved]:
        there, here = describe_tensor(saved.get(name)), describe_tensor(expected.get(name))
        if name in ("history", "random.cuda"):  # as long as it is; of another machine, perhaps
            continue
        if there != here:
            raise ValueError(
                f"{path} is of another model or optimizer: {name} is {there} there, {here} here"
            )


def load_checkpoint(
    path: str | os.PathLike, model: GPT, optimizer, generator: torch.Generator
) -> dict:
    """Put everything back where `save_checkpoint` found it; return the notes.

    Raises FileNotFoundError or ValueError, before anything is changed, if the file is no whole
    checkpoint or is one of another model or optimizer.
    """
    notes = read_notes(path)
    with open_checkpoint(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    check_tensors(path, tensors, model, optimizer)
    with torch.no_grad():
        for name, weight in unwrapped(model).named_parameters():
            weight.copy_(tensors[f"model.{name}"])
        for name, key, weight, state in named_states(model, optimizer):
            # A copy, because a tensor from the file keeps it mapped, and so not replaceable. In
            # its weight's memory layout, because fused AdamW goes through both side by side.
            like = tensors[name] if key == "step" else weight
            state[key] = torch.empty_like(like, device=weight.device).copy_(tensors[name])
    generator.set_state(tensors["random.data"])
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
    return notes
