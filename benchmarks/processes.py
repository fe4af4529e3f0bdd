"""One process with two threads, two with one each, two that share the model: time and memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import Result, publish

# The contenders: how many processes, threads in each, and whether they hold parts of the model.
KINDS = {
    "minigpt, 1 process, 2 threads": (1, 2, False),
    "minigpt, 2 processes": (2, 1, False),
    "minigpt, 2 processes, sharded": (2, 1, True),
}
TASK = {"n_layer": 4, "n_head": 4, "n_embd": 256}
# Run by each process: seconds a step, and what each of them holds, as the first one's last line.
CHILD = """
import json, sys, time
import torch
from minigpt import GPT, GPTConfig, load_data, train
from minigpt.training import loop
told = []
tell = loop.describe_memory
loop.describe_memory = lambda held: told.append(held) or tell(held)
sizes, device, steps, batch, sharded = json.loads(sys.argv[1])
data = load_data("stories", stories=500)
torch.manual_seed(0)
model = GPT(GPTConfig(vocab_size=data.tokenizer.vocab_size, block_size=128, **sizes))
times = []
train(model, data, max_steps=steps, batch_size=batch, warmup_steps=1, eval_interval=10**6,
      eval_batches=1, device=device, sharded=sharded, on_step=lambda _: times.append(
      time.perf_counter()))
if times:
    each = [b - a for a, b in zip(times[2:], times[3:-1])]
    print(json.dumps([each, told]))
"""


def steps_of(
    processes: int, threads: int, sharded: bool, device: str, steps: int, batch: int, sizes: dict
) -> tuple[list[float], list[dict]]:
    """Return the seconds of each step, and the bytes that each process held."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "child.py")
        script.write_text(CHILD, encoding="utf-8")
        settings = json.dumps([sizes, device, steps, batch, sharded])
        start = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        done = subprocess.run(
            [sys.executable, "-m", *start, str(script), settings],
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        )
    seconds, told = json.loads(done.stdout.splitlines()[-1])
    return seconds, told[0] if told else []


def compare(
    name: str, kinds: dict, device: str, rounds: int, steps: int, batch: int, sizes: dict
) -> None:
    """Time the kinds in turn, and write what was measured."""
    seconds = {kind: [] for kind in kinds}
    held = {}
    for _ in range(rounds):
        for kind, (processes, threads, sharded) in kinds.items():
            each, told = steps_of(processes, threads, sharded, device, steps, batch, sizes)
            seconds[kind].append(statistics.median(each))
            for sizes_held in told[:1]:
                held[f"a process of {kind} holds, in MB"] = {
                    key: round(value / 1e6, 1) for key, value in sizes_held.items()
                }
    width, layers = sizes["n_embd"], sizes["n_layer"]
    title = f"A training step, {layers} layers, width {width}, {batch} windows of 128, {device}"
    publish(Result(name, title, next(iter(kinds)), seconds, notes=held))


def run(peers: dict[str, Path], quick: bool) -> None:
    """Time steps on the CPU, with gloo."""
    rounds, steps = (1, 8) if quick else (5, 16)
    compare("processes", KINDS, "cpu", rounds, steps, 16, TASK)
