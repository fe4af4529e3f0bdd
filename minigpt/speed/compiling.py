"""What it takes to have PyTorch turn Python into machine code."""

from __future__ import annotations

import os
import platform
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import FunctionType

import torch
from torch import nn


def check_compiler() -> None:
    """Raise OSError if what PyTorch compiles with is missing, saying how to get it."""
    usual = {"Windows": "cl", "Darwin": "clang++"}.get(platform.system(), "g++")
    compiler = os.environ.get("CXX") or usual
    if shutil.which(compiler) is None:
        raise OSError(
            f"compile=True needs a C++ compiler, and {compiler!r} was not found. Leave compile "
            "out, or install one. Linux: sudo apt install g++. macOS: xcode-select --install. "
            "Windows: Visual Studio Build Tools, then start from its Developer Command Prompt."
        )
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        raise OSError(
            "compile=True needs Python's own header files, and this Python came without them. "
            "Leave compile out, or install them. Debian, Ubuntu: sudo apt install python3-dev."
        )


def compiled(function: Callable, **settings) -> Callable:
    """Return the function, to be compiled when it is first called, for that call's shapes.

    Raises OSError if there is no C++ compiler. `settings` are torch.compile's.
    """
    check_compiler()
    # PyTorch keeps what it compiled with a function's code, and only so many for each. This is a
    # copy, so that many models can be compiled in one process.
    own = FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    own.__kwdefaults__ = function.__kwdefaults__
    return torch.compile(own, dynamic=False, **settings)


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside torch.compile's wrapper, DistributedDataParallel or DataParallel."""
    while isinstance(
        inside := getattr(model, "_orig_mod", getattr(model, "module", None)), nn.Module
    ):
        model = inside
    return model
