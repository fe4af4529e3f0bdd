"""How long until the small story model is within 10 % of the best loss that any model can have."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from benchmarks.harness import Result, publish
from minigpt.config import GPTConfig
from minigpt.data import Data, load_data
from minigpt.model import GPT
from minigpt.training import Record, TrainConfig, train

WITHIN, LIMIT = 1.10, 240.0  # of the floor; seconds
RECIPE = TrainConfig(
    max_steps=400,
    batch_size=32,
    optimizer="muon",
    max_lr=5e-3,
    min_lr=0.0,
    eval_interval=10,
    eval_batches=4,
)


def curve(data: Data, seed: int) -> list[list[float]]:
    """Train once; return [seconds, held-out loss / floor] for each look; looks are on the clock."""
    torch.manual_seed(seed)
    model = GPT(GPTConfig(data.tokenizer.vocab_size, 128, n_layer=4, n_head=4, n_embd=128))
    points, started = [], time.perf_counter()

    def look(record: Record) -> None:
        if record.val_loss is not None:
            seconds = time.perf_counter() - started
            points.append([round(seconds, 2), round(record.val_loss / data.floor, 4)])

    train(model, data, RECIPE, seed=seed, on_step=look, progress=False)
    return points


def first_within(points: list[list[float]]) -> float:
    """Return the seconds at the first look from which the loss stays within the limit.

    >>> first_within([[1, 2.0], [2, 1.05], [3, 1.2], [4, 1.09], [5, 1.01]])
    4
    """
    for (seconds, _), later in zip(points, range(len(points))):
        if all(ratio <= WITHIN for _, ratio in points[later:]):
            return seconds
    return float("inf")


def run(peers: dict[str, Path], quick: bool) -> None:
    """Train with three seeds. The corpus is made, and its tokenizer trained, beforehand."""
    data = load_data("stories", vocab_size=1024)
    curves = {f"seed {seed}": curve(data, seed) for seed in range(1 if quick else 3)}
    seconds = [first_within(points) for points in curves.values()]
    verdict = "met" if max(seconds) <= LIMIT else "NOT met"
    publish(
        Result(
            "storyteller",
            f"Seconds until the story model stays within 10 % of the floor ({data.floor:.4f} nats)",
            "minigpt",
            {"minigpt": seconds},
            notes={
                "goal": f"{LIMIT:g} s: {verdict} by every seed",
                "at the end, of the floor": [points[-1][1] for points in curves.values()],
            },
            curves=curves,
            axes=("seconds", "held-out loss / floor"),
        )
    )
