"""How the processes of a run find each other, and what is said when they do not."""

from __future__ import annotations

import os
import re
from datetime import timedelta

import torch
from torch import distributed

from minigpt.config import check_whole

meetings: list = []  # the store that this process met the others at, and how often it has


def whole_number(name: str, default: str = "0") -> int:
    """Return an environment variable's whole number. Raises ValueError if it is none."""
    text = os.environ.get(name, default)
    check_whole(name, int(text) if text.isdecimal() else text, least=0)
    return int(text)


def patience() -> timedelta:
    """Return how long a process waits for the others; MINIGPT_TIMEOUT says it in seconds."""
    return timedelta(seconds=max(1, whole_number("MINIGPT_TIMEOUT", "300")))


def place_in_environment() -> tuple[int, int, int]:
    """Read rank, size and local rank from what torchrun put into the environment.

    (0, 1, 0) if it put nothing there. Raises ValueError if it is not as torchrun leaves it.
    """
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        return 0, 1, 0
    rank, size, local = (whole_number(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    if rank >= size:
        raise ValueError(f"RANK is {rank}; with WORLD_SIZE={size} it must be below {size}")
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if size > 1 and not os.environ.get(name):
            raise ValueError(f"RANK and WORLD_SIZE are set and {name} is not; torchrun sets all")
    return rank, size, local


def first_line(error: Exception) -> str:
    """Return the first sentence of an error of PyTorch's, without its address in the source."""
    return re.sub(r"^\[[^\]]*\] *", "", str(error)).split("\n")[0].split(". ")[0][:200]


def why_not(error: Exception) -> str:
    """Say in words why nobody was met."""
    where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    if re.search("EADDRINUSE|address already in use", str(error), re.IGNORECASE):
        words = (
            f"the port of {where} is in use, perhaps by another run; choose another for all "
            "processes: torchrun --master-port, or MASTER_PORT"
        )
    else:
        rank, size, _ = place_in_environment()
        words = (
            f"process {rank} of {size} waited at {where} and did not meet the others in "
            f"{patience().seconds} seconds: were all started, with one address that all can reach?"
        )
    return f"{words} ({first_line(error)})"


def meet(rank: int, size: int):
    """Connect with the others at the address that all were given; return the store there.

    A store holds notes that all can read. Raises ConnectionError if the others do not come, or
    the address is no good.
    """
    try:
        if not meetings:
            meetings[:] = [next(distributed.rendezvous("env://", timeout=patience()))[0], 0]
        meetings[1] += 1  # a name of its own for each run: the store keeps what was left before
        store = distributed.PrefixStore(f"minigpt/{meetings[1]}", meetings[0])
        distributed.init_process_group(
            # Numbers of the CPU's travel by gloo, a GPU's by NCCL.
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
            store=store,
            rank=rank,
            world_size=size,
            timeout=patience(),
        )
    except (RuntimeError, OSError, ValueError) as error:
        raise ConnectionError(why_not(error)) from None
    return store
