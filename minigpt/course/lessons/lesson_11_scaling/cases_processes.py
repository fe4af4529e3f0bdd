"""Draw the cases of lesson 11's exercises on several processes, and the right answers."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from minigpt.course.exercise.calls.training import random_weights
from minigpt.course.exercise.drawing import Cases, normal, readable, whole

# --- accumulated_gradients ---

SIZES = dict(vocab_size=11, block_size=6, n_layer=1, n_head=2, n_embd=8)


def accumulated_gradients(model, batches, total, size):
    """Each surprise gets the weight that the mean over all processes gives it."""
    nats = 0.0
    for place, (x, y) in enumerate(batches, start=1):
        with nullcontext() if place == len(batches) else model.no_sync():
            loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum")
            (loss * size / total).backward()
        nats += loss.item()
    return nats / total


def draw_accumulations(g: Generator) -> list[dict]:
    named = Cases("batches", "total", "size")

    def case(title, shapes: list[tuple[int, int]], left_out=(), others=0, size=1) -> dict:
        """shapes: rows and places of each micro-batch; left_out: how many targets have no say."""
        batches = []
        for shape, gone in zip(shapes, [*left_out, *[0] * len(shapes)]):
            ids = torch.randint(SIZES["vocab_size"], (shape[0], shape[1] + 1), generator=g)
            x, y = ids[:, :-1].clone(), ids[:, 1:].reshape(-1)
            y = y.masked_fill(torch.randperm(len(y), generator=g) < gone, -100)
            batches.append((x, y.view(shape)))
        total = others + sum(int((y != -100).sum()) for _, y in batches)
        return named(title, batches, total, size, config=SIZES, weights=random_weights(SIZES, g))

    return [
        case("one process, one micro-batch", [(1, 2)]),
        case("one process, two micro-batches", [(2, 3), (2, 3)]),
        case("micro-batches of different lengths", [(2, 6), (1, 2), (3, 4)]),
        case("targets that are left out", [(2, 4)] * 3, left_out=[5, 0, 2]),
        case("two processes with as many targets", [(2, 3)] * 2, others=12, size=2),
        case("the other process has more targets", [(2, 3)] * 2, others=31, size=2),
        case("four processes, targets left out", [(1, 5)] * 4, [3, 1, 4, 0], others=50, size=4),
        case("a micro-batch without a target", [(2, 2)] * 3, left_out=[0, 4, 1]),
        case("the last micro-batch has no target", [(1, 4)] * 3, [1, 0, 4], others=9, size=2),
        case("one micro-batch, three processes", [(2, 5)], others=8, size=3),
    ]


# --- sharded_step ---


def sharded_step(shards, gradients, rate, exchange):
    """Sums grow on their way to the owner, who steps; then new weights go round."""
    size = len(shards)
    sums = [list(chunks) for chunks in gradients]
    for turn in range(size - 1):
        received = exchange([sums[worker][(worker - 1 - turn) % size] for worker in range(size)])
        for worker, message in enumerate(received):
            place = (worker - 2 - turn) % size  # the chunk that the left neighbour sent
            sums[worker][place] = sums[worker][place] + message
    held: list[list] = [[None] * size for _ in shards]
    for worker, shard in enumerate(shards):
        held[worker][worker] = shard - rate * sums[worker][worker] / size
    for turn in range(size - 1):
        received = exchange([held[worker][(worker - turn) % size] for worker in range(size)])
        for worker, message in enumerate(received):
            held[worker][(worker - 1 - turn) % size] = message
    return held


def draw_rings(g: Generator) -> list[dict]:
    named = Cases("shards", "gradients", "rate")

    def case(title: str, *lengths: int, rate=0.5, make=normal, **more) -> dict:
        """lengths: of the chunks, as many as workers."""
        shards = [make(g, n, **more) for n in lengths]
        gradients = [[make(g, n, **more) for n in lengths] for _ in lengths]
        return named(title, shards, gradients, rate)

    lengths = [whole(g, 1, 9) for _ in range(6)]
    return [
        case("two workers, one number a chunk", 1, 1, make=readable),
        case("three workers, one number a chunk", 1, 1, 1, make=readable),
        case("one worker", 4),
        case("four workers", 3, 3, 3, 3, rate=0.1),
        case("chunks of different lengths", 3, 3, 2),
        case("five workers, a rate above 1", 4, 4, 4, 4, 3, rate=1.7),
        case("more workers than numbers", 1, 1, 1, 0, 0),
        case("lengths drawn by lot", *lengths, rate=0.3),
        case("float64", 2, 5, 1, dtype=torch.float64),
    ]


# --- reshard ---


def reshard(shards, n, size):
    """Join, drop the padding, pad anew, cut; each piece is a tensor of its own."""
    whole = torch.cat(shards)[:n]
    length = -(-n // size)
    padded = F.pad(whole, (0, length * size - n))
    return [piece.clone() for piece in padded.split(length)]


def draw_shards(g: Generator) -> list[dict]:
    named = Cases("shards", "n", "size")

    def case(title: str, n: int, before: int, size: int, dtype=torch.float32) -> dict:
        length = -(-n // before)
        flat: Tensor = normal(g, length * before).to(dtype)
        flat[n:] += 10  # what padding holds after a few steps
        return named(title, [piece.clone() for piece in flat.split(length)], n, size)

    return [
        case("four numbers from two processes to one", 4, 2, 1),
        case("five numbers from two to one", 5, 2, 1),
        case("six numbers from one to three", 6, 1, 3),
        case("seven numbers from one to three", 7, 1, 3),
        case("from two to three", 10, 2, 3),
        case("from three to two", 10, 3, 2),
        case("the same number of processes", 11, 4, 4),
        case("a shard of padding alone", 5, 2, 4),
        case("more processes than numbers", 2, 2, 5),
        case("from shards of padding alone", 5, 4, 2),
        case("float64", 13, 3, 4, dtype=torch.float64),
        case("bfloat16", 9, 2, 5, dtype=torch.bfloat16),
        case("sizes drawn by lot", whole(g, 40, 80), whole(g, 5, 8), whole(g, 9, 12)),
    ]
