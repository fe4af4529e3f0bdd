"""What a minute of training buys: characters of the Python docs, a 0.8 M model, on the clock.

nanoGPT is timed with its own model, optimizer and recipe for small CPU runs (its README's: context
64, batch 12, AdamW at 1e-3, cosine to 1e-4); ours with the same sizes and our recipe.
Building the optimizer, finding out how many steps fit, and compiling are on the clock.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.harness import Result, publish
from benchmarks.peers import load_file
from benchmarks.texts import python_docs
from minigpt.config import GPTConfig
from minigpt.data import Data, get_batch
from minigpt.model import GPT, evaluating
from minigpt.training import lr_schedule, train

SIZES = {"n_layer": 4, "n_head": 4, "n_embd": 128}
T, B = 64, 12
TRIAL = 40  # steps that are timed to find out how many fit


def characters() -> Data:
    """Return the text as one id for each character; the last tenth is held out, as nanoGPT does."""
    text = python_docs()
    index = {char: i for i, char in enumerate(sorted(set(text)))}
    ids = np.array([index[char] for char in text], dtype=np.uint16)
    cut = int(0.9 * len(ids))
    return Data("characters", SimpleNamespace(vocab_size=len(index)), ids[:cut], ids[cut:])


@torch.no_grad()
def held_out_loss(model: nn.Module, data: Data, logits: Callable[[Tensor], Tensor]) -> float:
    """Return nats per character over the whole held-out text, in windows of T, fp32."""
    ids = torch.from_numpy(data.val.astype(np.int64))
    windows = (len(ids) - 1) // T
    x, y = ids[: windows * T].view(windows, T), ids[1 : windows * T + 1].view(windows, T)
    total = 0.0
    with evaluating(model):
        for rows, targets in zip(x.split(64), y.split(64)):
            scores = logits(rows).flatten(0, 1)
            total += F.cross_entropy(scores, targets.flatten(), reduction="sum").item()
    return total / x.numel()


def ours(data: Data, seconds: float, seed: int) -> tuple[float, int, float]:
    """Train for so long; return the held-out loss, the number of steps, and the seconds taken."""
    torch.manual_seed(seed)
    config = GPTConfig(vocab_size=data.tokenizer.vocab_size, block_size=T, **SIZES)
    model, trial = GPT(config), GPT(config)
    recipe = dict(batch_size=B, optimizer="muon", max_lr=5e-3, min_lr=0.0, seed=seed)
    looks = dict(eval_interval=10**9, eval_batches=1, progress=False)
    started = time.perf_counter()

    def steps(model: GPT, count: int, warmup: int) -> None:
        train(model, data, max_steps=count, warmup_steps=warmup, **recipe, **looks)

    steps(trial, 2, 1)  # the first steps are slow: memory is found, kernels are chosen
    before = time.perf_counter()
    steps(trial, TRIAL, 1)
    each = (time.perf_counter() - before) / TRIAL
    fitting = int((seconds - (time.perf_counter() - started)) / each)
    steps(model, fitting, min(100, fitting // 10))
    taken = time.perf_counter() - started
    return held_out_loss(model, data, model), fitting, taken


def nano_gpt(folder: Path, data: Data, seconds: float, seed: int) -> tuple[float, int, float]:
    """The same with nanoGPT, whose loop is in a script that has to be repeated here."""
    peer = load_file(folder, "model.py", "model")
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    vocab_size = data.tokenizer.vocab_size
    with contextlib.redirect_stdout(None):
        sizes = peer.GPTConfig(
            block_size=T, vocab_size=vocab_size, dropout=0.0, bias=False, **SIZES
        )
        model, trial = peer.GPT(sizes), peer.GPT(sizes)
    started = time.perf_counter()

    def steps(model: nn.Module, count: int) -> None:
        with contextlib.redirect_stdout(None):
            optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")
        schedule = dict(
            max_lr=1e-3, min_lr=1e-4, warmup_steps=min(100, count // 2), max_steps=count
        )
        for step in range(count):
            for group in optimizer.param_groups:
                group["lr"] = lr_schedule(step, **schedule)
            _, loss = model(*get_batch(data.train, T, B, generator))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    steps(trial, 2)
    before = time.perf_counter()
    steps(trial, TRIAL)
    each = (time.perf_counter() - before) / TRIAL
    fitting = int((seconds - (time.perf_counter() - started)) / each)
    steps(model, fitting)
    taken = time.perf_counter() - started
    # Given targets, it returns the logits of every position.
    return held_out_loss(model, data, lambda x: model(x, x)[0]), fitting, taken


def compare(contenders: dict, seconds: float, goal: float, seeds: int) -> None:
    """Train everyone in turn, once for each seed; publish the held-out losses."""
    data = characters()
    losses, counts, taken = {}, {}, {}
    for seed in range(seeds):
        for name, contender in contenders.items():
            loss, steps, clock = contender(data, seconds, seed)
            print(f"{name}, {seconds} s, seed {seed}: {loss:.4f}, {steps} steps", flush=True)
            losses.setdefault(name, []).append(round(loss, 4))
            counts.setdefault(name, []).append(steps)
            taken.setdefault(name, []).append(round(clock, 1))
    verdict = "met" if max(losses["minigpt"]) <= goal else "NOT met"
    title = f"Held-out loss after {seconds} s, 0.8 M model, characters of the Python docs"
    notes = {
        "held-out loss, nats per character": losses,
        "median": {name: statistics.median(row) for name, row in losses.items()},
        "steps": counts,
        "seconds on the clock": taken,
        "goal": f"at most {goal}: {verdict} by every seed",
    }
    publish(Result(f"time_to_loss_{seconds}s", title, "", {}, notes=notes))


def run(peers: dict[str, Path], quick: bool) -> None:
    """Train for a minute with three seeds, and for three minutes with one."""
    contenders = {"minigpt": ours}
    if "nanoGPT" in peers:
        contenders["nanoGPT"] = partial(nano_gpt, peers["nanoGPT"])
    if quick:
        compare(contenders, 10, math.inf, seeds=1)
        return
    compare(contenders, 60, 1.30, seeds=3)
    compare(contenders, 180, 1.20, seeds=1)
