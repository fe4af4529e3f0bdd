"""Draw the cases of lesson 02's exercises; the answers that the package does not have."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from minigpt.course.exercise.drawing import Cases, whole
from minigpt.data import NO_TARGET

# --- References ---


def embed(idx: Tensor, wte: Tensor, wpe: Tensor) -> Tensor:
    return F.embedding(idx, wte) + wpe[: idx.shape[-1]]


def sinusoidal_positions(T: int, C: int) -> Tensor:
    rates = 10000.0 ** -(torch.arange(0, C, 2, dtype=torch.float64) / C)
    angles = torch.arange(T, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).reshape(T, C).float()


def embedding_account(vocab_size: int, block_size: int, n_embd: int) -> dict[str, int]:
    wte, wpe = vocab_size * n_embd, block_size * n_embd
    return {"wte": wte, "wpe": wpe, "bytes": 4 * (wte + wpe)}


def bigram_counts(ids: Tensor, vocab_size: int) -> Tensor:
    pairs = ids[:-1] * vocab_size + ids[1:]
    return torch.bincount(pairs, minlength=vocab_size**2).view(vocab_size, vocab_size)


def bigram_loss(counts: Tensor, ids: Tensor, extra: float) -> float:
    smoothed = counts.double() + extra
    P = smoothed / smoothed.sum(dim=1, keepdim=True)
    return -P[ids[:-1], ids[1:]].log().mean().item()


def batch_loss(table: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(table[x].flatten(0, 1), y.flatten(), ignore_index=NO_TARGET)


# --- Cases ---


def draw_embed(g: Generator) -> list[dict]:
    wte = torch.randn(10, 6, generator=g)
    wpe = torch.randn(12, 6, generator=g)

    def ids(*shape: int) -> Tensor:
        return torch.randint(10, shape, generator=g)

    case = Cases("idx", "wte", "wpe")
    tiny_wte = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    tiny_wpe = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]])
    return [
        case("one row of three ids", torch.tensor([[0, 2, 0]]), tiny_wte, tiny_wpe),
        case("the same id everywhere", torch.full((2, 4), 3), wte, wpe),
        case("three rows, gradients", ids(3, 5), wte, wpe, gradients="wte wpe"),
        case("as long as wpe", ids(2, 12), wte, wpe),
        case("one id", ids(1, 1), wte, wpe),
        case("no batch dimension", ids(5), wte, wpe),
        case("two batch dimensions", ids(2, 3, 4), wte, wpe),
        case("not contiguous", ids(4, 3).T, wte, wpe),
        case("float64", ids(2, 4), wte.double(), wpe.double(), gradients="wte wpe"),
        case("numbers of very different size", ids(2, 4), wte * 10_000, wpe / 100),
        case("no ids at all", ids(2, 0), wte, wpe),
    ]


def draw_sinusoidal_positions(g: Generator) -> list[dict]:
    T, half = torch.randint(5, 12, (2,), generator=g).tolist()
    sizes = {
        "three positions, four channels": (3, 4),
        "two channels": (5, 2),
        "more channels than positions": (4, 16),
        "position 0 only": (1, 6),
        "no position": (0, 4),
        "a long text": (512, 8),
        "another size": (T, 2 * half),
    }
    return [Cases("T", "C")(title, *size) for title, size in sizes.items()]


def draw_embedding_account(g: Generator) -> list[dict]:
    sizes = [torch.randint(2, 5000, (3,), generator=g).tolist() for _ in range(2)]
    case = Cases("vocab_size", "block_size", "n_embd")
    return [
        case("the lesson's language of 8 words", 8, 14, 4),
        case("the storyteller", 1024, 128, 128),
        case("GPT-2", 50257, 1024, 768),
        case("GPT-2 XL", 50257, 1024, 1600),
        *(case("another model", *size) for size in sizes),
    ]


def draw_get_batch(g: Generator) -> list[dict]:
    case = Cases("data", "block_size", "batch_size", "the generator's seed")
    ids = torch.randint(1000, (60,), generator=g)

    def drawn(title: str, data: Tensor, block_size: int, batch_size: int) -> dict:
        return case(title, data, block_size, batch_size, whole(g, 1, 2**31))

    return [
        drawn("data counts from 0 to 9", torch.arange(10), 3, 2),
        drawn("many windows", ids, 4, 30),
        drawn("windows of one token", ids, 1, 5),
        drawn("there is only one window", torch.arange(5, 10), 4, 3),
        drawn("there are only two windows", torch.arange(5, 10), 3, 12),
        drawn("data of dtype int32", ids.int(), 5, 4),
        drawn("data that is not contiguous", ids.view(30, 2)[:, 1], 5, 4),
        drawn("a batch of one", ids, 8, 1),
    ]


def draw_bigram_counts(g: Generator) -> list[dict]:

    def ids(n: int, V: int) -> Tensor:
        return torch.randint(V, (n,), generator=g)

    case = Cases("ids", "vocab_size")
    return [
        case("three tokens", torch.tensor([0, 1, 0, 1, 2]), 3),
        case("one token, again and again", torch.tensor([1, 1, 1, 1]), 2),
        case("tokens that never occur", torch.tensor([2, 0]), 5),
        case("one id, no pair", torch.tensor([1]), 3),
        case("no ids at all", torch.tensor([], dtype=torch.int64), 3),
        case("many pairs", ids(200, 6), 6),
        case("not contiguous", ids(60, 5).view(30, 2)[:, 1], 5),
    ]


def draw_bigram_loss(g: Generator) -> list[dict]:
    counts = torch.randint(30, (6, 6), generator=g)
    ids = torch.randint(6, (41,), generator=g)
    case = Cases("counts", "ids", "extra")
    tiny = torch.tensor([[0, 2, 1], [1, 0, 1], [1, 1, 0]])
    hardly_ever = torch.tensor([[0, whole(g, 2_000_000, 5_000_000)], [1, 1]]), torch.tensor([0, 0])
    return [
        case("three tokens, nothing added", tiny, torch.tensor([0, 1, 2, 0]), 0.0),
        case("a pair that was never counted", tiny, torch.tensor([0, 0, 1]), 1.0),
        case("two ids, one pair", tiny, torch.tensor([1, 2]), 0.5),
        case("many pairs", counts, ids, 0.01),
        case("many pairs, much added", counts, ids, 10.0),
        case("large counts", counts * 100_000 + 1, ids, 1.0),
        case("a pair that hardly ever comes", *hardly_ever, 1e-5),
        case("a row without counts", counts * torch.arange(6)[:, None], ids, 0.1),
        case("counts as float32", counts.float(), ids, 0.1),
    ]


def draw_batch_loss(g: Generator) -> list[dict]:
    table = torch.randn(7, 7, generator=g) * 2
    data = torch.randint(7, (4, 9), generator=g)
    x, y = data[:, :-1].contiguous(), data[:, 1:].contiguous()  # as get_batch gives them
    filled = y.clone()
    filled[0, 3:] = filled[2, 6:] = NO_TARGET
    case = Cases("table", "x", "y")
    tiny = torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    first = torch.tensor([[0, 1, 1]]), torch.tensor([[1, 1, 0]])
    return [
        case("one row of three", tiny, *first),
        case("four rows", table, x, y),
        case("a table of zeros: ln V", torch.zeros(7, 7), x, y),
        case("windows of one token", table, x[:, :1].contiguous(), y[:, :1].contiguous()),
        case("rows that end early", table, x, filled),
        case("gradients", table, x[:2], filled[:2], gradients="table"),
        case("scores of 10,000", table * 10_000, x, y),
        case("float64", table.double(), x, y, gradients="table"),
    ]


# --- Exercises ---
