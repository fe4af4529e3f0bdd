"""Importing the package, in a new process each time, against importing PyTorch alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.harness import Result, interleave, publish


def python(code: str):
    """Return a function that runs a line of Python in a process of its own."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


def run(peers: dict[str, Path], quick: bool) -> None:
    """Time `import torch` and `import minigpt` with the model's classes really loaded."""
    seconds = interleave(
        {
            "import torch": python("import torch"),
            "import minigpt": python("import minigpt"),
            "from minigpt import GPT, train, generate": python(
                "from minigpt import GPT, GPTConfig, Tokenizer, train, generate, from_pretrained"
            ),
        },
        rounds=3 if quick else 9,
    )
    publish(
        Result(
            "importing",
            "Import, in a new process",
            "import torch",
            seconds,
            goals=dict.fromkeys(list(seconds)[1:], 1 / 1.05),
        )
    )
