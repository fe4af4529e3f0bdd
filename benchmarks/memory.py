"""What memory generating and training take, against what counting says they must."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import Result, publish
from benchmarks.peak import MARK
from minigpt.config import GPTConfig
from minigpt.pretrained import memory_needed

FLOAT = 4  # bytes
MIB = 2**20
# A new process for each figure: VmHWM is the most that it held since the mark was cleared. glibc
# is told to give freed memory back at once, so that what is held is what is alive.
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
MEASURE = """
import sys
import torch
from benchmarks.peak import begin_anew, held
from minigpt import GPT, GPTConfig, generate
import minigpt.training
work, B, T = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
small = GPT(GPTConfig(vocab_size=64, block_size=64, n_layer=1, n_head=1, n_embd=64))
def run(model, B, T):
    begin_anew()  # the model being there
    idx = torch.zeros(B, T, dtype=torch.int64)
    if work == "generate":
        return generate(model, idx, 4, temperature=0)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    for _ in range(2):
        minigpt.training.train_step(model, optimizer, [(idx, idx)], 1.0)
run(small, 2, 32)  # what the libraries take for themselves comes before the first look
before = held("VmRSS")
run(GPT(GPTConfig.preset("gpt2")), B, T)
print(held("VmHWM") - before)
"""


def measure(work: str, B: int, T: int) -> int:
    """Return the bytes that GPT-2 124 M takes to generate 4 tokens, or to train for two steps."""
    command = [sys.executable, "-c", MEASURE, work, str(B), str(T)]
    environment = {**os.environ, **GIVE_BACK}
    root = Path(__file__).parents[1]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment, cwd=root
    )
    return json.loads(done.stdout)


def predict_generating(config: GPTConfig, B: int, T: int) -> int:
    """Count parameters, cache, and what is alive at the worst moment of reading the prompt.

    That moment is inside an MLP. For each token there are: what came into the block, the residual
    stream and its normalised copy, C numbers each; and the hidden layer before and after its GELU,
    4C each.
    """
    C, new = config.n_embd, 4
    cache = 2 * config.n_layer * B * (T + new) * C
    alive = (1 + 1 + 1 + 4 + 4) * B * T * C
    return memory_needed(config) + FLOAT * (cache + alive)


def predict_training(config: GPTConfig, B: int, T: int) -> int:
    """Count what is alive at the worse of two moments, from the second step on.

    When the backward pass begins there are the weights, AdamW's two averages, and for each token
    of each block 16C numbers: in and out of each LayerNorm (4C), query, key and value (3C), what
    attention gathered (C), the MLP's hidden layer before and after GELU (8C). And three times
    the size of the logits: log-probabilities, their gradient, the logits' gradient.
    When it ends there are all gradients in place of these, and that of the tied matrix comes in
    two parts, from the head and from the table, which are added to a third.
    """
    C, V, weights = config.n_embd, config.vocab_size, memory_needed(config)
    begin = 3 * weights + FLOAT * B * T * (16 * C * config.n_layer + 3 * V)
    end = 4 * weights + FLOAT * 2 * V * C
    return max(begin, end)


def run(peers: dict[str, Path], quick: bool) -> None:
    """Measure both at growing lengths; Linux only, where the kernel keeps the highest mark."""
    if not MARK.exists():
        print("memory: skipped, only Linux says how much a process ever held")
        return
    config, notes, curves = GPTConfig.preset("gpt2"), {}, {}
    for work, B, predict in (
        ("generate", 8, predict_generating),
        ("train", 2, predict_training),
    ):
        curves[f"{work}, measured"], curves[f"{work}, predicted"] = [], []
        for T in (128,) if quick else (128, 256, 512, 1020):
            seen, expected = measure(work, B, T), predict(config, B, T)
            curves[f"{work}, measured"].append([T, round(seen / MIB)])
            curves[f"{work}, predicted"].append([T, round(expected / MIB)])
            notes[f"{work}, batch {B}, length {T}"] = (
                f"{seen / MIB:.0f} MiB, predicted {expected / MIB:.0f} ({seen / expected:.3f})"
            )
    publish(
        Result(
            "memory",
            "Memory against length, 124 M, fp32",
            "",
            {},
            notes=notes,
            curves=curves,
            axes=("tokens", "MiB"),
        )
    )
