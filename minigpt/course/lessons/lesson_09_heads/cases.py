"""Draw the cases of lesson 09's exercises; the answers that the package does not have."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from minigpt.course.exercise.calls.training import random_weights
from minigpt.course.exercise.drawing import Cases, normal, not_contiguous, whole

# --- repeat_pieces ---


def repeat_pieces(pieces, T):
    """Say each piece again and again; targets count from where the second saying has begun."""
    positions = torch.arange(T + 1)
    ids = torch.stack([piece[positions % len(piece)] for piece in pieces])
    sizes = torch.tensor([[len(piece)] for piece in pieces])
    return ids[:, :-1], ids[:, 1:].masked_fill(positions[:-1] < sizes, -100)


def draw_pieces(g: Generator) -> list[dict]:
    case = Cases("pieces", "T")

    def drawn(*sizes: int) -> list[Tensor]:
        """Draw pieces without the id 0, and no token twice in one."""
        return [1 + torch.randperm(60, generator=g)[:size] for size in sizes]

    return [
        case("a piece of three tokens, to seven", [torch.tensor([7, 8, 9])], 7),
        case("two pieces of four tokens", drawn(4, 4), 10),
        case("pieces of different lengths", drawn(2, 5, 3), 11),
        case("a row that ends with the end of a piece", drawn(3), 9),
        case("a piece of one token", drawn(1, 4), 6),
        case("a piece as long as the row, and one that is longer", drawn(6, 8, 2), 6),
        case("forty tokens", drawn(7, 12, whole(g, 13, 20)), 40),
    ]


# --- offset_score, induction_score ---


def drawn_patterns(g: Generator, *shape: int, dtype=torch.float32) -> Tensor:
    """Draw patterns (*shape, T, T) whose rows are causal and sum to 1; shape ends with T."""
    T = shape[-1]
    scores = 2 * normal(g, *shape, T, dtype=dtype)
    return scores.masked_fill(~torch.ones(T, T, dtype=torch.bool).tril(), -math.inf).softmax(-1)


def offset_score(patterns, offset):
    """Average a diagonal, from its second entry: the first looks at the first token."""
    return patterns.diagonal(-offset, -2, -1)[..., 1:].mean(dim=-1)


def draw_offsets(g: Generator) -> list[dict]:
    case = Cases("patterns", "offset")
    tiny = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0.8, 0.2, 0], [0, 0.1, 0.6, 0.3]])
    return [
        case("four tokens, the one before", tiny, 1),
        case("a layer of two heads", drawn_patterns(g, 2, 6), 1),
        case("as many heads as tokens", drawn_patterns(g, 5, 5), 2),
        case("the token itself", drawn_patterns(g, 3, 6), 0),
        case("layers, texts, heads", drawn_patterns(g, 2, 3, 2, 7), 3),
        case("the farthest that counts", drawn_patterns(g, 2, 5), 3),
        case("not contiguous", not_contiguous(drawn_patterns(g, 2, 6)), 1),
        case("float64", drawn_patterns(g, 2, 6, dtype=torch.float64), 2),
    ]


def induction_targets(idx: Tensor) -> Tensor:
    """Mark what came after the same token before: (B, T) -> (B, T, T) bool."""
    targets = torch.zeros(*idx.shape, idx.size(1), dtype=torch.bool)
    targets[:, :, 1:] = idx[:, :, None] == idx[:, None, :-1]
    return targets.tril(-1)


def induction_score(patterns, idx):
    """Pool the rows of all texts that have a target, and take chance off."""
    targets = induction_targets(idx)
    rows = targets.any(dim=-1)  # (B, T)
    visible = torch.arange(1, idx.size(1) + 1)
    chance = (targets.sum(dim=-1) / visible)[rows].mean()
    weight = (patterns * targets[:, None]).sum(dim=-1).transpose(0, 1)  # (nh, B, T)
    return (weight[:, rows].mean(dim=-1) - chance) / (1 - chance)


def draw_induction(g: Generator) -> list[dict]:
    case = Cases("patterns", "idx")

    def drawn(title: str, idx: Tensor, nh: int = 2, dtype=torch.float32) -> dict:
        B, T = idx.shape
        return case(title, drawn_patterns(g, B, nh, T, dtype=dtype), idx)

    def ids(B: int, T: int, vocab: int) -> Tensor:
        return torch.randint(vocab, (B, T), generator=g)

    once = torch.tensor([[7, 8, 9, 7]])
    looks = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.4, 0.3, 0.3, 0], [0.1, 0.7, 0.2, 0]])
    twice = torch.randperm(20, generator=g)[:4].repeat(2)
    uneven = torch.stack([torch.tensor([1, 1, 2, 1, 2, 1, 1, 2]), torch.arange(8)])
    uneven[1, -1] = uneven[1, 0]
    none = torch.stack([torch.arange(6), torch.tensor([3, 5, 3, 5, 3, 3])])
    return [
        case("four tokens, of which the last stood there before", looks[None, None], once),
        drawn("a piece said twice", twice[None]),
        drawn("a token two times running", torch.tensor([[5, 5, 6, 5, 7, 5]])),
        drawn("two texts", ids(2, 7, 4), nh=3),
        drawn("a text with many chances and a text with one", uneven),
        drawn("a text that repeats nothing, and one that does", none),
        drawn("as many texts as heads as tokens", ids(5, 5, 3) % 2, nh=5),
        drawn("float64", ids(3, 6, 3), dtype=torch.float64),
    ]


# --- fold_means, mean_ablation ---


def fold_means(weight, bias, heads, means):
    """What the heads would always add goes into the bias, and their columns become 0."""
    hs = means.size(-1)
    columns = torch.cat([torch.arange(head * hs, (head + 1) * hs) for head in heads])
    added = weight[:, columns] @ means.flatten()
    return weight.index_fill(1, columns, 0.0), bias + added


def draw_fold(g: Generator) -> list[dict]:
    case = Cases("weight", "bias", "heads", "means")

    def drawn(title: str, nh: int, hs: int, heads: list[int], zero=False, turned=False, **more):
        C = nh * hs
        weight, bias = normal(g, C, C, **more), normal(g, C, **more)
        means = normal(g, len(heads), hs, **more) * (0 if zero else 1)
        return case(title, not_contiguous(weight) if turned else weight, bias, heads, means)

    tiny = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([10.0, 20]), [1], torch.tensor([[5.0]])
    return [
        case("two heads of one channel", *tiny),
        drawn("three heads of two channels, the means are 0", 3, 2, [1], zero=True),
        drawn("three heads of two channels", 3, 2, [2]),
        drawn("two of four heads", 4, 3, [3, 1]),
        drawn("as many heads as channels a head", 3, 3, [0, 1]),
        drawn("all heads", 2, 3, [0, 1]),
        drawn("the weight is not contiguous", 2, 4, [0], turned=True),
        drawn("float64", 4, 2, [1, 2], dtype=torch.float64),
    ]


def mean_ablation(z, others, head):
    """Put the mean over the other texts in the place of one head, position by position."""
    result = z.clone()
    result[:, head] = others[:, head].mean(dim=0)
    return result


def draw_mean(g: Generator) -> list[dict]:
    case = Cases("z", "others", "head")

    def drawn(title: str, B: int, N: int, nh: int, T: int, hs: int, head: int, **more) -> dict:
        return case(title, normal(g, B, nh, T, hs, **more), normal(g, N, nh, T, hs, **more), head)

    tiny = torch.tensor([[[[1.0], [2]]]]), torch.tensor([[[[10.0], [20]]], [[[30.0], [60]]]]), 0
    return [
        case("one head, two positions, one channel", *tiny),
        drawn("one text, three others", 1, 3, 2, 4, 3, 1),
        drawn("two texts, four others", 2, 4, 3, 2, 5, 0),
        drawn("as many of everything", 3, 3, 3, 3, 3, 2),
        drawn("one other text", 2, 1, 2, 3, 2, 0),
        drawn("float64", 2, 5, 2, 3, 4, 1, dtype=torch.float64),
    ]


# --- cost_of_head, patch_residual, lens_rank: a model and its weights ---

SMALL = dict(vocab_size=13, block_size=8, n_layer=3, n_head=3, n_embd=12, bias=True)
SINGLE = SMALL | dict(n_layer=1, n_head=2, n_embd=8, bias=False)


def a_model(g: Generator, config: dict = SMALL) -> dict:
    """Draw weights of a model in which each part matters for the logits."""
    weights = random_weights(config, g, spread=0.4)
    return dict(config=config, weights=weights)


def ids_of(g: Generator, config: dict, B: int, T: int) -> Tensor:
    """Draw texts in which all tokens of one position differ from text to text."""
    V = config["vocab_size"]
    return (torch.randperm(V, generator=g)[:T] + 1 + torch.arange(B)[:, None]) % V


@torch.no_grad()
def cost_of_head(model, idx, layer, head):
    """Cut the head's columns out of c_proj, and put the weight back."""

    def loss():
        return F.cross_entropy(model(idx)[:, :-1].flatten(0, 1), idx[:, 1:].flatten())

    weight, hs = model.transformer.h[layer].attn.c_proj.weight, model.config.head_size
    before, kept = loss(), weight.clone()
    weight[:, head * hs : (head + 1) * hs] = 0
    rise = loss() - before
    weight.copy_(kept)
    return rise


def draw_cost(g: Generator) -> list[dict]:
    case = Cases("idx", "layer", "head")

    def drawn(title: str, B: int, T: int, layer: int, head: int, config: dict = SMALL) -> dict:
        return case(title, ids_of(g, config, B, T), layer, head, **a_model(g, config))

    return [
        drawn("one text, the first head of the first layer", 1, 6, 0, 0),
        drawn("two texts, the last layer", 2, 8, 2, 1),
        drawn("three texts, the last head", 3, 5, 1, 2),
        drawn("a model of one layer without biases", 2, 7, 0, 1, SINGLE),
    ]


@torch.no_grad()
def patch_residual(model, idx, other, layer, position):
    """Run both texts block by block, and put one vector over."""
    parts = model.transformer
    x, y = (parts.wte(ids) + parts.wpe(torch.arange(ids.size(1))) for ids in (idx, other))
    for n in range(len(parts.h) + 1):
        if n == layer:
            x[:, position] = y[:, position]
        if n < len(parts.h):
            x, y = parts.h[n](x), parts.h[n](y)
    return model.lm_head(parts.ln_f(x))[:, -1]


def draw_patch(g: Generator) -> list[dict]:
    case = Cases("idx", "other", "layer", "position")

    def drawn(title: str, B: int, T: int, layer: int, position: int, config: dict = SMALL) -> dict:
        texts = ids_of(g, config, 2 * B, T)
        return case(title, texts[:B], texts[B:], layer, position, **a_model(g, config))

    return [
        drawn("before the first block, position 1", 1, 4, 0, 1),
        drawn("after the first block, position 2", 1, 5, 1, 2),
        drawn("two texts, after the second block, position 0", 2, 6, 2, 0),
        drawn("after the last block, the last position", 1, 5, 3, 4),
        drawn("after the last block, a position before", 2, 5, 3, 1),
        drawn("before the last block, the last position", 2, 5, 2, 4),
        drawn("a model of one layer without biases", 1, 6, 0, 3, SINGLE),
    ]


@torch.no_grad()
def lens_rank(model, stream, answers):
    """Count the tokens that the lens puts above the answer."""
    logits = model.lm_head(model.transformer.ln_f(stream))
    own = logits.gather(-1, answers.expand(stream.shape[:-1]).unsqueeze(-1))
    return (logits > own).sum(dim=-1)


def draw_lens(g: Generator) -> list[dict]:
    case = Cases("stream", "answers")
    config = SMALL | dict(vocab_size=40, n_layer=1)

    def drawn(title: str, depth: int, T: int) -> dict:
        """Draw what leaves no near tie between an answer and another token."""
        while True:
            made = a_model(g, config)
            w = made["weights"]
            stream = 2 * normal(g, depth, T, config["n_embd"]) + normal(g, depth, 1, 1)
            answers = torch.randint(config["vocab_size"], (T,), generator=g)
            norm = [w[f"transformer.ln_f.{part}"] for part in ("weight", "bias")]
            logits = F.layer_norm(stream, norm[0].shape, *norm) @ w["transformer.wte.weight"].T
            own = logits.gather(-1, answers.expand(depth, T).unsqueeze(-1))
            if ((logits - own).abs() < 1e-3).sum() == depth * T:
                return case(title, stream, answers, **made)

    return [
        drawn("one layer's stream, one position", 1, 1),
        drawn("two depths, three positions", 2, 3),
        drawn("as many depths as positions", 4, 4),
        drawn("five depths, six positions", 5, 6),
    ]


# --- direct_attribution ---


def direct_attribution(parts, weight, bias, direction, eps=1e-5):
    """Centre each part, divide by the spread of their sum, and read along the direction."""
    spread = (parts.sum(dim=0).var(correction=0) + eps).sqrt()
    centred = parts - parts.mean(dim=-1, keepdim=True)
    told = (centred / spread * weight) @ direction
    return torch.cat([told, (bias @ direction)[None]])


def draw_attribution(g: Generator) -> list[dict]:
    case = Cases("parts", "weight", "bias", "direction")

    def drawn(title: str, n: int, C: int, size: float = 1.0, dtype=torch.float32) -> dict:
        parts = size * (normal(g, n, C, dtype=dtype) + 2 * normal(g, n, 1, dtype=dtype))
        weight, bias, direction = (normal(g, C, dtype=dtype) + shift for shift in (1, 0.5, 0.3))
        return case(title, parts, weight, bias, direction)

    tiny = torch.tensor([[1.0, 0, 0, 1], [2, 0, 2, 0]])
    ones = torch.ones(4), torch.zeros(4), torch.tensor([1.0, 0, 0, 0])
    return [
        case("two parts of four channels, the first one is read", tiny, *ones),
        drawn("one part: the stream itself", 1, 6),
        drawn("three parts", 3, 8),
        drawn("as many parts as channels", 5, 5),
        drawn("a stream so small that epsilon counts", 4, 6, size=1e-3),
        drawn("float64", 9, 16, dtype=torch.float64),
    ]


# --- paired_interval ---


def paired_interval(before, after):
    """Judge the mean of the differences by their own spread."""
    rise = after - before
    half = 1.96 * rise.std(dim=-1) / rise.size(-1) ** 0.5
    middle = rise.mean(dim=-1)
    return torch.stack([middle - half, middle + half], dim=-1)


def draw_interval(g: Generator) -> list[dict]:
    case = Cases("before", "after")

    def drawn(title: str, *shape: int, dtype=torch.float32) -> dict:
        """Draw stories that differ much, and rises that differ little."""
        before = 3 + normal(g, *shape, dtype=dtype)
        return case(title, before, before + 0.2 + 0.1 * normal(g, *shape, dtype=dtype))

    return [
        case("three stories", torch.tensor([1.0, 2, 6]), torch.tensor([2.0, 2, 8])),
        drawn("twenty stories", 20),
        drawn("two heads, twelve stories each", 2, 12),
        drawn("as many heads as stories", 5, 5),
        drawn("layers, heads, stories", 2, 3, 8),
        drawn("two stories", 2),
        drawn("float64", 3, 10, dtype=torch.float64),
    ]
