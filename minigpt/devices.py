"""Where to compute, how precisely, and how much memory is left there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

# Linux limits memory by "control groups", in two versions that name the same things differently:
# controllers in /proc/self/cgroup: folder, limit, use, prefix of the details
CGROUPS = {
    "": ("", "memory.max", "memory.current", ""),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
}


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; "auto" takes an NVIDIA GPU if there is one, else the CPU.

    Apple's GPU is used only when asked for ("mps"): some PyTorch releases train wrongly on it.
    Raises ValueError for a device that this machine does not have.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise ValueError(f"device is {name!r}; it must be auto, cpu, cuda or mps") from None
    available = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    if (device.index or 0) >= available.get(device.type, 0):  # cuda:1 is the second
        here = ", ".join(f"{count} {kind}" for kind, count in available.items() if count)
        raise ValueError(f"device is {name!r}, but this machine has only: {here}")
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """Return "fp32" or "bf16"; "auto" is bf16 where the hardware multiplies it, else fp32."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if device.type == "cpu" and cpu_multiplies_bf16() else "fp32"


def cpu_multiplies_bf16() -> bool:
    """Say whether this CPU has instructions for bf16 products; without them bf16 is slower."""
    if not hasattr(torch.cpu, "get_capabilities"):  # PyTorch before 2.11 cannot tell
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def describe_device(device: torch.device, precision: str) -> str:
    """Say in words where the work happens.

    >>> describe_device(torch.device("mps"), "fp32")
    "Apple's GPU (mps), fp32"
    """
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (cuda), {precision}"
    if device.type == "mps":
        return f"Apple's GPU (mps), {precision}"
    words = f"the CPU with {torch.get_num_threads()} threads, {precision}"
    if torch.backends.mps.is_available():
        words += "; Apple's GPU is there too, ask for it with device='mps'"
    return words


def in_words(size: int) -> str:
    """Write a number of bytes for people.

    >>> in_words(497_759_232), in_words(3_840_000)
    ('0.50 GB', '3.8 MB')
    """
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


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
