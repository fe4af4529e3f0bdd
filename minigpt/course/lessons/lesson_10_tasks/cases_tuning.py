"""Draw the cases of lesson 10's exercises on fine-tuning, and the right answers to them."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from minigpt.course.exercise.drawing import Cases, normal, not_contiguous, whole

# --- target_loss ---


def target_loss(logits, idx, prompt_lengths, lengths):
    """The mean surprise at the tokens between the prompt's end and the text's."""
    places = torch.arange(1, idx.size(1))
    counts = (places >= prompt_lengths[:, None]) & (places < lengths[:, None])
    nats = F.cross_entropy(logits[:, :-1].transpose(1, 2), idx[:, 1:], reduction="none")
    return nats[counts].mean()


def draw_target_loss(g: Generator) -> list[dict]:
    named = Cases("logits", "idx", "prompt_lengths", "lengths")

    def case(title, sizes: list[tuple[int, int]], V=7, pad=0, room=0, dtype=torch.float32):
        """sizes: of each text, how long its prompt and how long its target is."""
        longest = max(map(sum, sizes)) + room
        idx = torch.randint(V, (len(sizes), longest), generator=g)
        prompts, lengths = (torch.tensor(each) for each in zip(*((p, p + t) for p, t in sizes)))
        idx[torch.arange(longest) >= lengths[:, None]] = pad
        logits = 2 * normal(g, *idx.shape, V).to(dtype)
        return named(title, logits, idx, prompts, lengths, gradients="logits")

    return [
        case("one text, a prompt of 2 and a target of 2", [(2, 2)]),
        case("no padding, three texts", [(2, 3), (1, 4), (3, 2)]),
        case("padded", [(2, 4), (1, 2), (3, 1)]),
        case("padded with a token that texts hold, too", [(1, 6), (2, 2)], V=3, pad=1),
        case("a prompt of one token", [(1, 3), (1, 1)]),
        case("targets of one token", [(4, 1), (2, 1), (1, 1)]),
        case("padding behind every text", [(2, 2), (3, 3)], room=3),
        case("float64, many tokens", [(5, 9), (2, 4), (7, 3)], V=50, dtype=torch.float64),
    ]


# --- LoRAQueryValue ---


class LoRAQueryValue(nn.Module):
    """The joined layer, and a pair of small matrices for query and for value."""

    def __init__(self, c_attn, rank, alpha):
        super().__init__()
        C = c_attn.in_features
        self.c_attn = c_attn.requires_grad_(False)
        self.A_q = nn.Parameter(torch.randn(rank, C) / C**0.5)
        self.B_q = nn.Parameter(torch.zeros(C, rank))
        self.A_v = nn.Parameter(torch.randn(rank, C) / C**0.5)
        self.B_v = nn.Parameter(torch.zeros(C, rank))
        self.scale = alpha / rank

    def forward(self, x):
        q, k, v = self.c_attn(x).chunk(3, dim=-1)
        q = q + self.scale * (x @ self.A_q.T @ self.B_q.T)
        v = v + self.scale * (x @ self.A_v.T @ self.B_v.T)
        return torch.cat([q, k, v], dim=-1)


def draw_lora(g: Generator) -> list[dict]:
    named = Cases("x")

    def case(title, x: Tensor, rank: int, alpha: float, bias: bool = True, **start) -> dict:
        C = x.size(-1)

        def draw(*shape: int) -> Tensor:
            return normal(g, *shape, dtype=x.dtype)

        shapes = {"A_q": (rank, C), "B_q": (C, rank), "A_v": (rank, C), "B_v": (C, rank)}
        layer = {"weight": draw(3 * C, C)} | ({"bias": draw(3 * C)} if bias else {})
        pairs = {name: draw(*shape) for name, shape in shapes.items()}
        return named(title, x, sizes=[rank, alpha], pairs=pairs, **layer, **start)

    return [
        case("the start: 2 channels, rank 1", normal(g, 1, 2, 2), 1, 3, start=True),
        case("the start: no bias", normal(g, 2, 3, 6), 2, 1, bias=False, start=True),
        case("with weights: one text, two tokens, 2 channels, rank 1", normal(g, 1, 2, 2), 1, 3),
        case("rank 2 and alpha 2: a factor of 1", normal(g, 2, 3, 4), 2, 2),
        case("rank 2 and alpha 16", normal(g, 2, 3, 6), 2, 16),
        case("rank 4 and alpha 1", normal(g, 1, 3, 8), 4, 1),
        case("no bias", normal(g, 2, 2, 5), 2, 3, bias=False),
        case("as high a rank as there are channels", normal(g, 3, 3, 3), 3, 1),
        case("any leading axes", normal(g, 2, 2, 2, 4), 2, 5),
        case("a transposed input", not_contiguous(normal(g, 2, 4, 4)), 1, 0.5),
    ]


# --- merge_adapters ---


def merge_adapters(tensor, adapters):
    """Add each adapter's product, laid on its side as the file's tensor is."""
    for A, B, alpha in adapters:
        tensor = tensor + alpha / A.size(0) * (B @ A).T
    return tensor


def draw_merge(g: Generator) -> list[dict]:
    named = Cases("tensor", "adapters")

    def case(title, n_in, n_out, sizes: list[tuple[int, float]], dtype=torch.float32, side=False):
        """sizes: the rank and the alpha of each adapter."""
        adapters = [
            (normal(g, rank, n_in, dtype=dtype), normal(g, n_out, rank, dtype=dtype), alpha)
            for rank, alpha in sizes
        ]
        tensor = normal(g, n_in, n_out, dtype=dtype)
        return named(title, not_contiguous(tensor) if side else tensor, adapters)

    return [
        case("2 channels in, 3 out, rank 1", 2, 3, [(1, 2)]),
        case("a square matrix", 4, 4, [(2, 3)]),
        case("rank 2 and alpha 2: a factor of 1", 3, 5, [(2, 2)]),
        case("rank 4 and alpha 1", 6, 5, [(4, 1)]),
        case("two adapters of different ranks", 4, 6, [(1, 3), (3, 1)]),
        case("three adapters, a square matrix", 3, 3, [(2, 1), (1, 5), (3, 2)]),
        case("no adapter", 2, 4, []),
        case("float64", 5, 3, [(2, 8)], dtype=torch.float64),
        case("a tensor whose columns lie together", 4, 8, [(2, 0.5), (2, 4)], side=True),
    ]


# --- trained_parameters ---


def trained_parameters(*, n_layer, n_embd, rank, classes):
    """Two pairs a layer, and the head with its bias."""
    return n_layer * 2 * 2 * rank * n_embd + classes * (n_embd + 1)


def draw_trained(g: Generator) -> list[dict]:
    names = dict(n_layer=0, n_embd=0, rank=0, classes=0)
    case = Cases(*names)
    drawn = [whole(g, *between) for between in ((2, 9), (20, 90), (3, 12), (4, 9))]
    return [
        case.by_name("1 layer, 4 channels, rank 1, 2 classes", 1, 4, 1, 2),
        case.by_name("the storyteller's sizes, rank 4, 2 classes", 4, 128, 4, 2),
        case.by_name("gpt2, rank 8, 3 classes", 12, 768, 8, 3),
        case.by_name("sizes drawn by lot", *drawn),
    ]


# --- last_real ---


def last_real(stream, idx, mark):
    """The last place whose token is no mark."""
    places = torch.arange(idx.size(1)) * (idx != mark)
    return stream[torch.arange(len(idx)), places.amax(dim=1)]


def draw_last_real(g: Generator) -> list[dict]:
    named = Cases("stream", "idx", "mark")

    def case(title, lengths: list[int], C=3, mark=0, room=0, dtype=torch.float32, **more) -> dict:
        """lengths: how many tokens each text has behind its mark."""
        T = 1 + max(lengths) + room
        idx = 1 + torch.randint(20, (len(lengths), T), generator=g)
        idx = torch.where(idx == mark, 21, idx)
        place = torch.arange(T)
        idx[(place == 0) | (place > torch.tensor(lengths)[:, None])] = mark
        return named(title, normal(g, len(lengths), T, C, dtype=dtype), idx, mark, **more)

    return [
        case("one text, three tokens, two of padding", [3], room=2, C=2),
        case("no padding", [4, 4]),
        case("texts of different lengths", [2, 5, 1, 3], gradients="stream"),
        case("padding behind every text", [3, 2, 4], room=2),
        case("texts of one token", [1, 1, 1], room=1),
        case("the mark is a large number", [2, 4], mark=50256),
        case("the mark lies between the tokens", [6, 2, 5], mark=7, gradients="stream"),
        case("as many texts as tokens and channels", [3, 1, 2, 2], C=4),
        case("float64", [5, 3], dtype=torch.float64, room=3, gradients="stream"),
    ]
