"""How much memory a model needs, and how much there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from minigpt.config import GPTConfig
from minigpt.model import GPT

# Linux limits memory by "control groups", in two versions that name the same things differently:
# controllers in /proc/self/cgroup: folder, limit, use, prefix of the details
CGROUPS = {
    "": ("", "memory.max", "memory.current", ""),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
}


def empty_model(config: GPTConfig) -> GPT:
    """Return a model of shapes without storage: nothing is allocated, nothing initialised."""
    with torch.device("meta"):
        return GPT(config)


def in_words(size: int) -> str:
    """Write a number of bytes for people.

    >>> in_words(497_759_232), in_words(3_840_000)
    ('0.50 GB', '3.8 MB')
    """
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def memory_needed(config: GPTConfig, dtype: torch.dtype = torch.float32) -> int:
    """Return the bytes that the weights of such a model take; the tied head counts once.

    >>> memory_needed(GPTConfig.preset("gpt2"))  # 124,439,808 numbers of 4 bytes
    497759232
    """
    return empty_model(config).num_parameters() * dtype.itemsize


def memory_available(device: torch.device | str = "cpu") -> int:
    """Return the bytes that can still be used: of the GPU if it has its own, else of the machine.

    A container or a class server may allow less than the machine has; the smallest limit counts.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    import psutil  # here, because importing minigpt must be quick

    return max(0, min(psutil.virtual_memory().available, *room_in_groups()))


def room_in_groups(proc: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> Iterator[int]:
    """Yield what is left, in bytes, under each memory limit that Linux sets on this process."""
    try:
        lines = Path(proc).read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return
    for _, controllers, group in (line.split(":", 2) for line in lines):
        for kind in CGROUPS.keys() & controllers.split(","):
            folder, *names = CGROUPS[kind]
            top = Path(root, folder)
            level = top / group.lstrip("/")
            while level.is_relative_to(top):  # every level above may set a limit too
                yield from room_in_group(level, *names)
                level = level.parent


def room_in_group(folder: Path, limit: str, use: str, prefix: str) -> Iterator[int]:
    """Yield the limit minus the use of one control group; nothing if it sets no limit."""
    try:
        allowed = int((folder / limit).read_text("utf-8"))
        used = int((folder / use).read_text("utf-8"))
        details = (folder / "memory.stat").read_text("utf-8").splitlines()
    except (OSError, ValueError):  # no such level, or "max": unlimited
        return
    # Files that Linux keeps in memory count as used, but give way to whoever needs the room.
    bytes_of = dict(line.split() for line in details)
    files = sum(int(bytes_of.get(f"{prefix}{age}_file", 0)) for age in ("active", "inactive"))
    yield allowed - used + files
