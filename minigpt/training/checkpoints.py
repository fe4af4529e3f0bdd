"""The whole state of a training run in one file, from which it goes on as if never interrupted."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from minigpt.files import CHECKPOINT as FORMAT
from minigpt.files import atomic_write
from minigpt.model import GPT
from minigpt.speed.compiling import unwrapped
from minigpt.training.config import Record, history_tensor, records_in
from minigpt.training.parallel import from_first_process, part_of, whole
from minigpt.training.processes import ALONE, Team

# What an optimizer remembers of each weight: tensors like it, and AdamW its number of steps.
REMEMBERED = {
    "AdamW": ("step", "exp_avg", "exp_avg_sq"),
    "Muon": ("momentum_buffer",),
    "ShardedMuon": ("momentum_buffer",),
}


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


def save_checkpoint(
    path: str | os.PathLike,
    model: GPT,
    optimizer,
    generator: torch.Generator,
    notes: dict,
    history: Sequence[Record] = (),
    team: Team = ALONE,
) -> None:
    """Write weights, optimizer and random states, `notes` (anything JSON can hold) and `history`.

    The optimizer has made a step at least. The file is replaced in one step too: at every moment
    it is the old one or the new one, whole. Of a team the first process writes, what all put
    together; so the file is the same whatever their number.
    """
    tensors = {f"model.{name}": weight for name, weight in unwrapped(model).named_parameters()}
    tensors |= {name: state[key] for name, key, _, state in named_states(model, optimizer)}
    tensors |= random_states(generator) | {"history": history_tensor(history)}
    for name, value in tensors.items():
        complete = whole(value.detach())  # one after the other: a device may not hold all
        tensors[name] = complete.cpu().contiguous() if team.first else None
    if not team.first:
        return
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


def read_checkpoint(path: str | os.PathLike, model: GPT, optimizer) -> tuple[dict, dict]:
    """Return the notes and the tensors of a checkpoint, if they are of this model and optimizer."""
    notes = read_notes(path)
    with open_checkpoint(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    check_tensors(path, tensors, model, optimizer)
    return notes, tensors


def load_checkpoint(
    path: str | os.PathLike,
    model: GPT,
    optimizer,
    generator: torch.Generator,
    team: Team = ALONE,
) -> dict:
    """Put everything back where `save_checkpoint` found it; return the notes.

    Of a team the first process reads; the others get from it what is theirs, so that the file has
    to lie on one machine only. Raises FileNotFoundError or ValueError, before anything is changed,
    if the file is no whole checkpoint or is one of another model or optimizer.
    """
    tensors: dict[str, Tensor] = {}

    def read() -> tuple[dict, dict]:
        notes, content = read_checkpoint(path, model, optimizer)
        tensors.update(content)
        return notes, {name: content[name] for name in content if name.startswith("random.")}

    notes, random = team.from_first(read)

    def fill(target: Tensor, name: str) -> None:
        target.copy_(part_of(from_first_process(tensors.get(name), target, team), target))

    with torch.no_grad():
        for name, weight in unwrapped(model).named_parameters():
            fill(weight, f"model.{name}")
        for name, key, weight, state in named_states(model, optimizer):
            # A copy, because a tensor from the file keeps it mapped, and so not replaceable. In
            # its weight's memory layout, because fused AdamW goes through both side by side.
            scalar = torch.zeros((), device=weight.device)
            state[key] = scalar if key == "step" else torch.empty_like(weight)
            fill(state[key], name)
    generator.set_state(random["random.data"])
    torch.set_rng_state(random["random.cpu"])
    if "random.cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random["random.cuda"])
    return notes
