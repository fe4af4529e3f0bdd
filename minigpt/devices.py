"""Where to compute, and how precisely: chosen once, and said aloud."""

from __future__ import annotations

import torch


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
