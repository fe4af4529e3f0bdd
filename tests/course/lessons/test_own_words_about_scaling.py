"""Known mistakes of lessons 11 and 12, in a learner's own way of writing: named all the same."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigpt.course.checking import diagnose


def sums_first(flops, traffic, peak, bandwidth):
    work, moved = flops.sum(1) / peak, traffic.sum(1) / bandwidth
    return torch.where(work > moved, work, moved), (moved > work).float()


def no_head_and_keys_only(
    *, n_layer, n_embd, vocab_size, batch_size, positions, weight_bytes, cache_bytes
):
    flops = n_bytes = 0
    for _ in range(n_layer):
        flops += 24 * n_embd * n_embd * batch_size + 4 * positions * n_embd * batch_size
        n_bytes += 12 * n_embd * n_embd * weight_bytes
        n_bytes += batch_size * positions * n_embd * cache_bytes
    return flops / n_bytes


def cut_in_numpy(x, kept):
    bits = x.numpy().copy().view(np.uint32)
    cut = torch.from_numpy((bits & np.uint32(2**32 - 2 ** (23 - kept))).view(np.float32))
    return torch.where(x.isnan(), x, cut)


def by_the_rule(*, n_layer, inside, boundary):
    k = round(n_layer**0.5)
    full, rest = divmod(n_layer, k)
    worst = full * boundary + k * inside + (k - 1) * boundary
    return k, max(worst, (full + rest) * boundary + rest * inside if rest else 0)


def as_on_one_machine(model, batches, total, size):
    """Means, shared out; every backward pass exchanges."""
    nats = 0.0
    for x, y in batches:
        logits = model(x)
        keep = y != -100
        if keep.any():
            loss = F.cross_entropy(logits[keep], y[keep]) / len(batches)
        else:
            loss = 0 * logits.sum()
        loss.backward()
        nats += F.cross_entropy(logits.transpose(1, 2), y, reduction="sum").item()
    return nats / total


def lesson_and_a_step(shards, gradients, rate, exchange):
    """The lesson's ring, with a step put in."""
    n = len(shards)
    parts = [list(chunks) for chunks in gradients]
    for phase in ("add", "hand on"):
        for turn in range(n - 1):
            js = [(rank - turn) % n for rank in range(n)]
            got = exchange([parts[rank][j] for rank, j in enumerate(js)])
            for rank in range(n):
                j = js[rank - 1]
                parts[rank][j] = parts[rank][j] + got[rank] if phase == "add" else got[rank]
        if phase == "add":
            for rank in range(n):
                parts[rank][rank] = shards[rank] - rate * parts[rank][rank] / n
    return parts


def numbers_with_padding(shards, n, size):
    numbers = torch.stack(shards).reshape(-1)
    while len(numbers) % size:
        numbers = F.pad(numbers, (0, 1))
    return [row.clone() for row in numbers.reshape(size, -1)]


def bases_left(sizes, losses, floor, target):
    above = np.array(losses) - floor
    x = np.log10(np.array(sizes)[above > 0])
    slope, start = np.polyfit(x, np.log(above[above > 0]), 1)
    return float(np.exp((np.log(target - floor) - start) / slope))


class Layer(nn.Module):
    """All mended but the last two."""

    def __init__(self, C, heads):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.attn = nn.MultiheadAttention(C, heads, batch_first=True)
        self.fc, self.proj = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)

    def forward(self, x):
        T, query = x.size(1), self.norm_1(x)
        mask = torch.full((T, T), float("-inf")).triu(1)
        x = x + self.attn(query, x, x, attn_mask=mask, need_weights=False)[0]
        return x + self.proj(F.gelu(self.fc(self.norm_2(x)), approximate="tanh"))


class RawKeys(nn.Module):
    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        layer = Layer(n_embd, n_head)
        self.blocks = nn.Sequential(*[layer for _ in range(n_layer)])
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, idx):
        x = self.tokens(idx) + self.positions.weight[: idx.size(1)]
        return self.head(self.norm(self.blocks(x)))


OWN = {
    "attainable_time": (sums_first, [("one-bound-for-the-pass",)]),
    "decode_intensity": (no_head_and_keys_only, [("keys-only, no-head",)]),
    "round_bits": (cut_in_numpy, [("cut-off",)]),
    "best_segment": (by_the_rule, [("square-root",)]),
    "accumulated_gradients": (
        as_on_one_machine,
        [("mean-of-means",), ("exchanged-each-time", "backward-within")],
    ),
    "sharded_step": (lesson_and_a_step, [("begins-with-its-own",)]),
    "reshard": (numbers_with_padding, [("padding-kept",)]),
    "size_for": (bases_left, [("left-bases",)]),
    "ShortGPT": (RawKeys, [("left-values-and-shared",)]),
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("seed", (0, 7))
def test_it_is_named(name, seed):
    answer, mistakes = OWN[name]
    diagnosis = diagnose(name, answer, seed)
    assert not diagnosis.passed and diagnosis.certain, diagnosis.message
    assert sorted(diagnosis.misconceptions) == sorted(mistakes)
