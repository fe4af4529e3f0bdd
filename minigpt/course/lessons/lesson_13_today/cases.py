"""Draw the cases of lesson 13's exercises; what is right."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from minigpt.course.exercise.drawing import Cases, normal, not_contiguous, readable, whole

# --- rms_norm ---


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """PyTorch's, in float32 at least; the result is of x's dtype."""
    wide = torch.promote_types(x.dtype, torch.float32)
    return F.rms_norm(x.to(wide), weight.shape, weight.to(wide), eps).to(x.dtype)


def draw_norms(g: Generator) -> list[dict]:
    case = Cases("x", "weight", "eps")

    def drawn(title: str, *shape: int, eps=1e-5, size=1.0, shift=0.0, dtype=torch.float32) -> dict:
        x = shift + size * normal(g, *shape, dtype=torch.float64)
        weight = 1.5 + 0.5 * normal(g, shape[-1], dtype=torch.float64)
        return case(title, x.to(dtype), weight.to(dtype), eps)

    spread = torch.tensor([[3.0, 4.0], [-6.0, 8.0]])
    large = 250 + 50 * torch.rand(2, 3, 40, generator=g)
    return [
        case("two positions of two channels", spread, torch.tensor([1.0, 2.0]), 0.0),
        drawn("two texts of three positions", 2, 3, 6, shift=1.0),
        drawn("one position, no leading axis", 5),
        drawn("small numbers, beside which eps is large", 2, 4, size=0.01, eps=1e-3),
        drawn("three leading axes, as many of each", 4, 4, 4, 4, shift=0.5),
        drawn("float64", 3, 5, shift=2.0, dtype=torch.float64),
        case("float16, numbers about 275", large.half(), torch.ones(40).half(), 1e-5),
    ]


# --- rotate_packed ---


def rotate_packed(x: Tensor, positions: Tensor) -> Tensor:
    """Turn pairs of neighbours as complex numbers, each text by its own positions."""
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
    hs = x.size(-1)
    speeds = 10_000.0 ** (-torch.arange(0, hs, 2, dtype=x.dtype) / hs)
    angles = positions[:, None, :, None] * speeds  # (B, 1, T, hs/2)
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(-2)


def draw_packed(g: Generator) -> list[dict]:
    case = Cases("x", "positions")

    def documents(B: int, T: int) -> Tensor:
        """Draw rows in which two or three documents follow one another, each counted from 0."""
        rows = []
        for _ in range(B):
            cut = whole(g, 1, T)
            rows.append([*range(cut), *range(T - cut)])
        return torch.tensor(rows)

    def counted(B: int, T: int) -> Tensor:
        return torch.arange(T).expand(B, T).clone()

    return [
        case("two channels, three positions", readable(g, 1, 1, 3, 2), counted(1, 3)),
        case("four channels, one document", normal(g, 1, 2, 5, 4), counted(1, 5)),
        case("two documents in a row", normal(g, 1, 1, 6, 4), torch.tensor([[0, 1, 2, 0, 1, 2]])),
        case("two texts, cut in different places", normal(g, 2, 3, 7, 8), documents(2, 7)),
        case("as many of everything", normal(g, 4, 4, 4, 4), documents(4, 4)),
        case("position 40, as after a cache", normal(g, 2, 2, 1, 6), 40 + counted(2, 1)),
        case("float64, not contiguous", not_contiguous(normal(g, 2, 2, 5, 6, dtype=torch.float64)),
             documents(2, 5)),
    ]  # fmt: skip


# --- pool_heads ---


def pool_heads(weight: Tensor, n_head: int, n_kv_head: int) -> Tensor:
    """Keep the queries; average the keys, and the values, of each group of neighbouring heads."""
    q, k, v = weight.chunk(3)
    rest = weight.shape[1:]
    hs = len(q) // n_head
    grouped = (part.reshape(n_kv_head, -1, hs, *rest).mean(dim=1) for part in (k, v))
    return torch.cat([q, *(part.reshape(-1, *rest) for part in grouped)])


def draw_pools(g: Generator) -> list[dict]:
    case = Cases("weight", "n_head", "n_kv_head")

    def drawn(title: str, nh: int, nkv: int, hs: int, dtype=torch.float32, turned=False) -> dict:
        weight = normal(g, 3 * nh * hs, nh * hs, dtype=dtype)
        return case(title, not_contiguous(weight) if turned else weight, nh, nkv)

    rows = torch.tensor([1.0, 2, 3, 4, 10, 20, 30, 40, 100, 200, 300, 400])
    return [
        case("a bias of four heads of one channel, two groups", rows, 4, 2),
        drawn("four heads of two channels, two groups", 4, 2, 2),
        drawn("one group for all", 4, 1, 3),
        drawn("as many groups as heads: nothing changes", 3, 3, 2),
        drawn("six heads, three groups", 6, 3, 2),
        drawn("six heads, two groups, as many channels as heads", 6, 2, 6),
        drawn("float64", 4, 2, 4, dtype=torch.float64),
        drawn("not contiguous", 4, 2, 3, turned=True),
    ]


# --- windowed_cache_bytes ---


def draw_caches(g: Generator) -> list[dict]:
    case = Cases("T", "full", "windowed", "window", "n_head", "n_kv_head", "head_size")
    full, windowed, hs = whole(g, 2, 9), whole(g, 11, 20), whole(g, 21, 40)
    return [
        case("ten positions, one layer, one head of four channels", 10, 1, 0, 5, 1, 1, 4),
        case("three layers, eight heads of queries that share two", 10, 3, 0, 5, 8, 2, 4),
        case("one full layer, one with a window of four", 10, 1, 1, 4, 2, 2, 3),
        case("a text that is shorter than the window", 7, 2, 3, 50, 4, 2, 5),
        case("a text just as long as the window", 9, 2, 3, 9, 6, 3, 5),
        case("windows only", 300, 0, 7, 64, 16, 2, 16),
        case("long, drawn anew", 1000 + whole(g, 1, 99), full, windowed, 128, 12, 3, hs),
    ]
