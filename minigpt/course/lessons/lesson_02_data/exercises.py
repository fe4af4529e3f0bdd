"""The exercises of lesson 02: vectors, windows and targets, a bigram model and its loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from minigpt.course.exercise.calls.data import call_batch
from minigpt.course.exercise.calls.functions import call_function, call_value
from minigpt.course.exercise.definition import Exercise
from minigpt.course.lessons.lesson_02_data import wrong as wrong
from minigpt.data import NO_TARGET, get_batch

LESSON = "02_data"
EXACT = dict(rtol=0.0, atol=0.0)


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


def case(title: str, names: str, *args, **more) -> dict:
    return {"title": title, "names": names.split(), "args": list(args), **more}


def draw_embed(seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    wte = torch.randn(10, 6, generator=generator)
    wpe = torch.randn(12, 6, generator=generator)

    def ids(*shape: int) -> Tensor:
        return torch.randint(10, shape, generator=generator)

    names = "idx wte wpe"
    tiny_wte = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    tiny_wpe = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]])
    return [
        case("one row of three ids", names, torch.tensor([[0, 2, 0]]), tiny_wte, tiny_wpe),
        case("the same id everywhere", names, torch.full((2, 4), 3), wte, wpe),
        case("three rows, gradients", names, ids(3, 5), wte, wpe, gradient_of=(1, 2)),
        case("as long as wpe", names, ids(2, 12), wte, wpe),
        case("one id", names, ids(1, 1), wte, wpe),
        case("no batch dimension", names, ids(5), wte, wpe),
        case("two batch dimensions", names, ids(2, 3, 4), wte, wpe),
        case("not contiguous", names, ids(4, 3).T, wte, wpe),
        case("float64", names, ids(2, 4), wte.double(), wpe.double(), gradient_of=(1, 2)),
        case("no ids at all", names, ids(2, 0), wte, wpe),
    ]


def draw_sinusoidal_positions(seed: int) -> list[dict]:
    T, half = torch.randint(5, 12, (2,), generator=torch.Generator().manual_seed(seed)).tolist()
    sizes = {
        "three positions, four channels": (3, 4),
        "two channels": (5, 2),
        "more channels than positions": (4, 16),
        "position 0 only": (1, 6),
        "no position": (0, 4),
        "a long text": (128, 8),
        "another size": (T, 2 * half),
    }
    return [case(title, "T C", *size) for title, size in sizes.items()]


def draw_embedding_account(seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    sizes = [torch.randint(2, 5000, (3,), generator=generator).tolist() for _ in range(2)]
    names = "vocab_size block_size n_embd"
    return [
        case("the lesson's language of 8 words", names, 8, 14, 4),
        case("the storyteller", names, 1024, 128, 128),
        case("GPT-2", names, 50257, 1024, 768),
        case("GPT-2 XL", names, 50257, 1024, 1600),
        *(case("another model", names, *size) for size in sizes),
    ]


def draw_get_batch(seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1000, (60,), generator=generator)

    def drawn(title: str, data: Tensor, block_size: int, batch_size: int) -> dict:
        its_seed = int(torch.randint(1, 2**31, (1,), generator=generator))
        names = ["data", "block_size", "batch_size", "the generator's seed"]
        return {"title": title, "names": names, "args": [data, block_size, batch_size, its_seed]}

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


def draw_bigram_counts(seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)

    def ids(n: int, V: int) -> Tensor:
        return torch.randint(V, (n,), generator=generator)

    names = "ids vocab_size"
    return [
        case("three tokens", names, torch.tensor([0, 1, 0, 1, 2]), 3),
        case("one token, again and again", names, torch.tensor([1, 1, 1, 1]), 2),
        case("tokens that never occur", names, torch.tensor([2, 0]), 5),
        case("one id, no pair", names, torch.tensor([1]), 3),
        case("no ids at all", names, torch.tensor([], dtype=torch.int64), 3),
        case("many pairs", names, ids(200, 6), 6),
        case("not contiguous", names, ids(60, 5).view(30, 2)[:, 1], 5),
    ]


def draw_bigram_loss(seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(30, (6, 6), generator=generator)
    ids = torch.randint(6, (41,), generator=generator)
    names = "counts ids extra"
    tiny = torch.tensor([[0, 2, 1], [1, 0, 1], [1, 1, 0]])
    return [
        case("three tokens, nothing added", names, tiny, torch.tensor([0, 1, 2, 0]), 0.0),
        case("a pair that was never counted", names, tiny, torch.tensor([0, 0, 1]), 1.0),
        case("two ids, one pair", names, tiny, torch.tensor([1, 2]), 0.5),
        case("many pairs", names, counts, ids, 0.01),
        case("many pairs, much added", names, counts, ids, 10.0),
        case("large counts", names, counts * 100_000 + 1, ids, 1.0),
        case("a row without counts", names, counts * torch.arange(6)[:, None], ids, 0.1),
        case("counts as float32", names, counts.float(), ids, 0.1),
    ]


def draw_batch_loss(seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(7, 7, generator=generator) * 2
    data = torch.randint(7, (4, 9), generator=generator)
    x, y = data[:, :-1], data[:, 1:]
    filled = y.clone()
    filled[0, 3:] = filled[2, 6:] = NO_TARGET
    names = "table x y"
    tiny = torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    first = torch.tensor([[0, 1, 1]]), torch.tensor([[1, 1, 0]])
    return [
        case("one row of three", names, tiny, *first),
        case("four rows", names, table, x, y),
        case("a table of zeros: ln V", names, torch.zeros(7, 7), x, y),
        case("windows of one token", names, table, x[:, :1], y[:, :1]),
        case("rows that end early", names, table, x, filled),
        case("gradients", names, table, x[:2], filled[:2], gradient_of=(0,)),
        case("scores of 10,000", names, table * 10_000, x, y),
        case("float64", names, table.double(), x, y, gradient_of=(0,)),
    ]


# --- Exercises ---

EXERCISES = (
    Exercise(
        name="embed",
        lesson=LESSON,
        kind="function",
        title="Tokens and places become vectors",
        points=3,
        difficulty=2,
        importance=5,
        minutes=8,
        hints=(
            "Which table is asked by the id, which by the place? Does the place depend on the row?",
            "idx (B, T) picks rows of wte: (B, T, C). The first T rows of wpe are (T, C). Added, "
            "the second is the same for every row of the batch: (B, T, C).",
            "Look up all ids in wte at once. Take the rows 0 to T - 1 of wpe. Add: broadcasting "
            "does the rest.",
        ),
        draw=draw_embed,
        call=call_function,
        reference=embed,
        misconceptions=wrong.EMBED,
        keep=True,
    ),
    Exercise(
        name="sinusoidal_positions",
        lesson=LESSON,
        kind="function",
        title="Waves for places",
        points=4,
        difficulty=3,
        importance=3,
        minutes=12,
        hints=(
            "Which columns share one angle? How many different angles does a position have?",
            "T = 3, C = 4: angles (3, 2), with columns t and t / 100. The sines (3, 2) go to the "
            "columns 0 and 2, the cosines to 1 and 3: together (3, 4).",
            "Make a column of the positions 0 to T - 1 and a row of the divisors "
            "10000 ** (2i / C), i from 0 to C/2 - 1. Divide. Put sin and cos of it into the even "
            "and the odd columns of a (T, C) table.",
        ),
        draw=draw_sinusoidal_positions,
        call=call_function,
        reference=sinusoidal_positions,
        misconceptions=wrong.SINUSOIDAL_POSITIONS,
        atol=1e-4,
        keep=True,
    ),
    Exercise(
        name="embedding_account",
        lesson=LESSON,
        kind="account",
        title="What do the two tables cost?",
        points=2,
        difficulty=1,
        importance=3,
        minutes=6,
        hints=(
            "How many rows has each table, and how long is a row?",
            "V = 8, T = 14, C = 4: wte is (8, 4), wpe is (14, 4). How many numbers is that, "
            "and how many bytes is one number?",
            "wte: vocabulary times width. wpe: block size times width. Bytes: the numbers of both "
            "tables, times the bytes of one float32.",
        ),
        draw=draw_embedding_account,
        call=call_function,
        reference=embedding_account,
        misconceptions=wrong.EMBEDDING_ACCOUNT,
        **EXACT,
    ),
    Exercise(
        name="get_batch",
        lesson=LESSON,
        kind="function",
        title="Windows and their targets",
        points=4,
        difficulty=2,
        importance=5,
        minutes=12,
        hints=(
            "A window of T inputs and its T targets: how many tokens of data does it touch?",
            "data 0 to 9, T = 3, starts [4, 6]: x is [[4, 5, 6], [6, 7, 8]], y is [[5, 6, 7], "
            "[7, 8, 9]]. The largest start is 6, N - T - 1.",
            "Draw the starts with the one line of the statement. For each start take T ids from "
            "there for x, and T ids from one place further for y. Stack the rows, and make both "
            "int64.",
        ),
        draw=draw_get_batch,
        call=call_batch,
        reference=get_batch,
        misconceptions=wrong.GET_BATCH,
        keep=True,
        **EXACT,
    ),
    Exercise(
        name="bigram_counts",
        lesson=LESSON,
        kind="function",
        title="A first model: count",
        points=3,
        difficulty=2,
        importance=3,
        minutes=10,
        hints=(
            "Which is the row, which the column? And what if the same pair comes twice?",
            "[0, 1, 0, 1, 2] has the pairs 0→1, 1→0, 0→1, 1→2. With V = 3 row 0 is [0, 2, 0], row "
            "1 is [1, 0, 1], row 2 is [0, 0, 0].",
            "Start with a (V, V) table of int64 zeros. For each two neighbours add 1 at the row of "
            "the first and the column of the second.",
        ),
        draw=draw_bigram_counts,
        call=call_function,
        reference=bigram_counts,
        misconceptions=wrong.BIGRAM_COUNTS,
        keep=True,
        **EXACT,
    ),
    Exercise(
        name="bigram_loss",
        lesson=LESSON,
        kind="function",
        title="How surprised is the model?",
        points=4,
        difficulty=3,
        importance=4,
        minutes=12,
        hints=(
            "What must each row of the probabilities add up to, and after which step?",
            "counts (V, V) become P (V, V), rows adding up to 1. N ids are N - 1 pairs: N - 1 "
            "probabilities, N - 1 surprises, one mean.",
            "Add extra to every count. Divide each row by its own sum. Pick the probability at "
            "(this id, next id) for every two neighbours. Take minus the natural logarithm of "
            "each, then the mean.",
        ),
        draw=draw_bigram_loss,
        call=call_function,
        reference=bigram_loss,
        misconceptions=wrong.BIGRAM_LOSS,
        keep=True,
    ),
    Exercise(
        name="uniform_loss",
        lesson=LESSON,
        kind="number",
        title="The loss of knowing nothing",
        points=1,
        difficulty=1,
        importance=4,
        minutes=3,
        hints=(
            "What probability does such a model give to the token that comes?",
            "With 2 tokens the loss is ln 2 = 0.69, with 8 tokens it is ln 8 = 2.08.",
            "p is one divided by the size of the vocabulary. The surprise is minus its natural "
            "logarithm. It is the same at every token, so the mean is, too.",
        ),
        draw=lambda seed: [{"title": "V = 50,257"}],
        call=call_value,
        reference=math.log(50257),
        misconceptions=wrong.UNIFORM_LOSS,
        rtol=0.0,
        atol=0.006,
    ),
    Exercise(
        name="batch_loss",
        lesson=LESSON,
        kind="bug",
        title="Find the bugs: shifted, and shifted again",
        points=4,
        difficulty=3,
        importance=5,
        minutes=12,
        hints=(
            "x[0, 0] is answered by y[0, 0]. Which element of y does this code compare it with?",
            "x (2, 3) gives logits (2, 3, V), flattened (6, V): row 0, then row 1. y flattened "
            "(6,) must come in the same order. In which order do these come?",
            "Look up the logits of all of x. Put the first two dimensions together, rows one after "
            "the other. Do the same with all of y. Hand both to F.cross_entropy.",
        ),
        draw=draw_batch_loss,
        call=call_function,
        reference=batch_loss,
        misconceptions=wrong.BATCH_LOSS,
    ),
    Exercise(
        name="story_floor",
        lesson=LESSON,
        kind="number",
        title="The floor of a small language",
        points=2,
        difficulty=2,
        importance=4,
        minutes=6,
        hints=(
            "What does a perfect model pay at a token that is no choice?",
            "Two coins and one die: how many nats does each cost? Then: nats of one story, tokens "
            "of one story.",
            "Add up the natural logarithms of the numbers of options, one for each choice. Divide "
            "by all tokens that are predicted in a story.",
        ),
        draw=lambda seed: [{"title": "two coins and a die, 12 tokens"}],
        call=call_value,
        reference=(2 * math.log(2) + math.log(6)) / 12,
        misconceptions=wrong.STORY_FLOOR,
        rtol=0.0,
        atol=0.0006,
    ),
    Exercise(
        name="below_the_floor",
        lesson=LESSON,
        kind="written",
        title="Too good to be true",
        points=3,
        difficulty=3,
        importance=4,
        minutes=10,
    ),
)
