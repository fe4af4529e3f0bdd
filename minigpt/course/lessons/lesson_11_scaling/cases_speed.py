"""Draw the cases of lesson 11's exercises on time, memory and precision; the right answers."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from minigpt.course.exercise.drawing import Cases, normal, not_contiguous, uniform, whole

# --- attainable_time ---


def attainable_time(flops, traffic, peak, bandwidth):
    """Each operation takes the longer of its two times; a pass, those of its operations."""
    computing, moving = flops / peak, traffic / bandwidth
    each = torch.maximum(computing, moving)
    seconds = each.sum(dim=-1)
    return seconds, (each * (moving > computing)).sum(dim=-1) / seconds


def draw_times(g: Generator) -> list[dict]:
    named = Cases("flops", "traffic", "peak", "bandwidth")

    def case(title, passes: int, operations: int, peak: float, bandwidth: float) -> dict:
        """Draw operations on both sides of the ridge."""
        traffic = uniform(g, 1, 9, passes, operations).round() * 1e6
        intensity = peak / bandwidth * 10 ** uniform(g, -1.5, 1.5, passes, operations)
        return named(title, traffic * intensity, traffic, peak, bandwidth)

    twos = torch.tensor([[8.0, 2.0]]), torch.tensor([[1.0, 5.0]])
    level = torch.tensor([[8.0, 8.0, 2.0]]), torch.tensor([[4.0, 1.0, 3.0]])
    busy = uniform(g, 50, 99, 2, 3), uniform(g, 1, 5, 2, 3)
    return [
        named("one pass, two operations", *twos, 2.0, 1.0),
        named("one operation just where the limits meet", *level, 2.0, 1.0),
        named("one operation: it waits for memory", *(t[:, 1:] for t in twos), 2.0, 1.0),
        named("all operations wait for computing", *busy, 4.0, 2.0),
        named("all operations wait for memory", *busy, 400.0, 0.5),
        case("three passes of four operations", 3, 4, 8.0, 2.0),
        case("as many passes as operations", 3, 3, 5.0, 2.0),
        case("a laptop", 4, 6, 1e11, 2e10),
        case("an accelerator", 2, 9, 9e14, 3e12),
        case("one operation a pass", 5, 1, 3.0, 7.0),
    ]


# --- decode_intensity ---


def decode_intensity(
    *, n_layer, n_embd, vocab_size, batch_size, positions, weight_bytes, cache_bytes
):
    """All rows share one reading of the weights; each has a cache of its own."""
    weights = 12 * n_layer * n_embd**2 + vocab_size * n_embd
    cached = 2 * n_layer * positions * n_embd
    flops = batch_size * (2 * weights + 2 * cached)
    return flops / (weights * weight_bytes + batch_size * cached * cache_bytes)


def draw_intensities(g: Generator) -> list[dict]:
    case = Cases(
        "n_layer", "n_embd", "vocab_size", "batch_size", "positions", "weight_bytes", "cache_bytes"
    )
    drawn = [whole(g, *between) for between in ((2, 9), (20, 90), (100, 900), (2, 9), (50, 99))]
    return [
        case.by_name("the statement's example", 1, 2, 6, 1, 3, 4, 4),
        case.by_name("gpt2, one text, all in float32", 12, 768, 50257, 1, 1024, 4, 4),
        case.by_name("gpt2, 64 texts, all in bf16", 12, 768, 50257, 64, 1024, 2, 2),
        case.by_name("weights in 8 bits, the cache in bf16", 48, 1600, 50257, 16, 300, 1, 2),
        case.by_name("the first token of many texts", 4, 128, 2048, 256, 1, 4, 2),
        case.by_name("sizes drawn by lot", *drawn, 2, 4),
    ]


# --- round_bits ---


def round_bits(x, kept):
    """On the bit pattern as a whole number: add just less than half, or half, and cut."""
    dropped = 23 - kept
    pattern = x.view(torch.int32)
    odd = (pattern >> dropped) & 1
    rounded = (pattern + (1 << (dropped - 1)) - 1 + odd) & -(1 << dropped)
    return torch.where(x.isnan(), x, rounded.view(torch.float32))


def of_bits(*patterns: int) -> Tensor:
    """Return the float32 numbers of these bit patterns."""
    signed = [pattern - (pattern >> 31 << 32) for pattern in patterns]
    return torch.tensor(signed, dtype=torch.int32).view(torch.float32)


def draw_roundings(g: Generator) -> list[dict]:
    named = Cases("x", "kept")

    def ties(kept: int, count: int = 12) -> Tensor:
        """Draw numbers just half-way between two that remain, beside odd and even ones."""
        fraction = torch.randint(2 ** (kept + 1), (count,), generator=g) | 1
        sign = torch.randint(2, (count,), generator=g) * 2 - 1
        power = torch.randint(-6, 7, (count,), generator=g)
        return sign * torch.ldexp(1 + fraction.float() / 2 ** (kept + 1), power)

    nans = of_bits(0x7FC00000, 0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF)
    return [
        named("1 + 1/4 and 1 + 3/4 with two bits kept", torch.tensor([1.25, 1.75]), 2),
        named("1.1, 1.2 and 1.9 with one bit kept", torch.tensor([1.1, 1.2, 1.9]), 1),
        named("as bf16: positive numbers", normal(g, 8).abs(), 7),
        named("as bf16: both signs, two axes", normal(g, 3, 4), 7),
        named("as TF32: large and small", normal(g, 12) * 10 ** uniform(g, -30, 30, 12), 10),
        named("half-way, two bits kept", ties(2), 2),
        named("half-way, as bf16", ties(7), 7),
        named("half-way, 15 bits kept", ties(15), 15),
        named("all but one bit kept", normal(g, 8), 22),
        named("zero has a sign", torch.tensor([0.0, -0.0, 1.0, -1.0]), 7),
        named("too large: it becomes infinite", of_bits(0x7F7FFFFF, 0xFF7FFFFF, 0x7F7F0000), 7),
        named("infinite already", torch.tensor([float("inf"), -float("inf"), 2.7]), 7),
        named("not a number", torch.cat([nans, normal(g, 2)]), 7),
        named("tinier than float32's normal numbers", normal(g, 8) * 1e-39, 7),
        named("a transposed tensor", not_contiguous(normal(g, 4, 3)), 5),
    ]


# --- best_segment ---


def held(*, n_layer, inside, boundary, k):
    """The most numbers held at once: of the backward passes of all segments, the worst."""
    most = 0
    for kept, first in enumerate(range(0, n_layer, k), start=1):
        blocks = min(k, n_layer - first)
        most = max(most, kept * boundary + blocks * inside + (blocks - 1) * boundary)
    return most


def best_segment(*, n_layer, inside, boundary):
    """Try every length."""
    options = range(1, n_layer + 1)
    peak, k = min(
        (held(n_layer=n_layer, inside=inside, boundary=boundary, k=k), k) for k in options
    )
    return k, peak


def draw_segments(g: Generator) -> list[dict]:
    case = Cases("n_layer", "inside", "boundary")
    C = 64 * whole(g, 5, 20)
    return [
        case.by_name("the statement's example", 5, 3, 2),
        case.by_name("one block", 1, 7, 3),
        case.by_name("gpt2's blocks", 12, 15 * 768, 768),
        case.by_name("gpt2-xl's blocks", 48, 15 * 1600, 1600),
        case.by_name("little inside", 16, 1, 1),
        case.by_name("inputs weigh more than all the rest", 23, 1, 5),
        case.by_name("two lengths are equally good", 12, 5, 1),
        case.by_name("a hundred blocks", 100, 9 * C, C),
        case.by_name("a prime number of blocks", 37, 4 * C, C),
        case.by_name("sizes drawn by lot", whole(g, 20, 70), whole(g, 30, 60), whole(g, 8, 20)),
    ]
