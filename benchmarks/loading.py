"""From a file on disk to the first forward pass of a 124 M model, in a new process each time."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.decoding import random_gpt2
from benchmarks.harness import Result, publish

# Ours returns a tokenizer too. So theirs gets one, and both are read before the clock starts.
OURS = """
from minigpt import Tokenizer, from_pretrained
Tokenizer.gpt2()
def load(path):
    return from_pretrained(path, verbose=False)[0]
"""
THEIRS = """
from benchmarks.encoding import hugging_face_gpt2
from transformers import GPT2LMHeadModel
tokenizer = hugging_face_gpt2()
load = GPT2LMHeadModel.from_pretrained
"""
MEASURE = """
import json, sys, time
import torch
from benchmarks.peak import held
{imports}
import {module}
started = time.perf_counter()
model = load(sys.argv[1])
loaded = time.perf_counter()
with torch.no_grad():
    model(torch.zeros(1, 1, dtype=torch.int64))
done = time.perf_counter()
print(json.dumps([done - started, loaded - started, held("VmHWM") / 2**20]))
"""


def measure(imports: str, module: str, folder: Path) -> tuple[float, float, float]:
    """Return seconds to the first pass, seconds to the loaded model, and the peak in MiB."""
    code = MEASURE.format(imports=imports, module=module)
    command = [sys.executable, "-c", code, str(folder)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def run(peers: dict[str, Path], quick: bool) -> None:
    """Load in turn, after one unmeasured round that brings the file into memory."""
    contenders = {
        "transformers": (THEIRS, "transformers.models.gpt2.modeling_gpt2"),
        "minigpt": (OURS, "minigpt.pretrained"),
    }
    figures = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as temporary:
        folder = random_gpt2(Path(temporary))
        for round_number in range(-1, 2 if quick else 7):
            for name, (imports, module) in contenders.items():
                figure = measure(imports, module, folder)
                if round_number >= 0:
                    figures[name].append(figure)
    peaks = {name: statistics.median(f[2] for f in rows) for name, rows in figures.items()}
    publish(
        Result(
            "loading",
            "Loading 124 M from safetensors, to the end of the first forward pass",
            "transformers",
            {name: [f[0] for f in rows] for name, rows in figures.items()},
            goals={"minigpt": 2.0},
            notes={
                "before the first pass, ms": {
                    name: round(1000 * statistics.median(f[1] for f in rows), 1)
                    for name, rows in figures.items()
                },
                "peak memory, MiB": {name: round(peak) for name, peak in peaks.items()},
                "peak, ours to theirs (goal 0.9)": round(
                    peaks["minigpt"] / peaks["transformers"], 3
                ),
            },
        )
    )
