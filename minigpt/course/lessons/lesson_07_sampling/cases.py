"""Draw the cases of lesson 07's exercises; the answers that the package does not have."""

from __future__ import annotations

from itertools import count

import torch
from torch import Generator, Tensor

from minigpt import sampling
from minigpt.course.exercise.calls.training import gpt_of, random_weights
from minigpt.course.exercise.drawing import Cases, seeded, whole
from minigpt.model import evaluating

INF = float("inf")


def normal(g: Generator, *shape: int, dtype=torch.float32) -> Tensor:
    return 2 * torch.randn(shape, generator=g, dtype=dtype)


def apart(g: Generator, *shape: int, dtype=torch.bfloat16) -> Tensor:
    """Draw rows of logits that are half a unit apart: no ties even in 16 bits."""
    order = torch.rand(shape, generator=g).argsort(dim=-1)
    return (0.5 * order - 1).to(dtype)


# --- apply_temperature ---


def draw_temperature(g: Generator) -> list[dict]:
    hot, cool = 1.2 + torch.rand((), generator=g).item(), 0.2 + torch.rand((), generator=g).item()
    cut = normal(g, 2, 5).masked_fill(torch.arange(5) < 2, -INF)
    case = Cases("logits", "temperature")
    return [
        case("one row, hot", torch.tensor([1.0, 2, 3]), 2),
        case("one row, cool", torch.tensor([1.0, 2, 3]), 0.5),
        case("two texts, with the gradient", normal(g, 2, 5), hot, gradients="logits"),
        case("temperature 1", normal(g, 2, 3), 1.0),
        case("texts, time, vocabulary", normal(g, 2, 3, 4), cool),
        case("a transposed tensor", normal(g, 5, 2).T, hot),
        case(
            "float64, with the gradient",
            normal(g, 3, 4, dtype=torch.float64),
            cool,
            gradients="logits",
        ),
        case("bfloat16", apart(g, 2, 4), 2.0),
        case("logits of 10,000", torch.tensor([[10_000.0, -10_000, 0]]), 0.5),
        case("a temperature of a millionth", normal(g, 2, 4), 1e-6),
        case("some tokens are filtered out already", cut, hot),
    ]


# --- top_k_filter, top_p_filter ---


def draw_top_k(g: Generator) -> list[dict]:
    levels = normal(g, 3, 6) + torch.tensor([[0.0], [20], [-20]])
    cut = normal(g, 2, 6).masked_fill(torch.rand(2, 6, generator=g).argsort(dim=-1) < 3, -INF)
    case = Cases("logits", "k")
    return [
        case("three tokens, two stay", torch.tensor([1.0, 3, 2]), 2),
        case("only the best stays", torch.tensor([[0.5, -1, 2, 1], [3, 1, 0, 2]]), 1),
        case("with the gradient", normal(g, 2, 3, 7), 3, gradients="logits"),
        case("as many rows as tokens", normal(g, 4, 4), 2),
        case("as many as there are", normal(g, 2, 5), 5),
        case("more than there are", normal(g, 2, 5), 9),
        case("a transposed tensor", normal(g, 6, 3).T, 2),
        case(
            "float64, with the gradient",
            normal(g, 2, 5, dtype=torch.float64),
            2,
            gradients="logits",
        ),
        case("bfloat16", apart(g, 2, 6), 4),
        case("rows on very different levels", levels, 2),
        case("all logits far below 0", normal(g, 2, 5) - 50, 3),
        case("three tokens a row are filtered out already", cut, 2),
        case("fewer tokens left than may stay", cut, 4),
        case("logits of 10,000", torch.tensor([[10_000.0, -10_000, 0, 5]]), 2),
    ]


def clear_cut(p: float, margin: float, make) -> Tensor:
    """Draw logits until no sum of the likeliest probabilities comes near p, in any row."""
    while True:
        logits = make()
        sums = logits.double().softmax(dim=-1).sort(dim=-1, descending=True).values.cumsum(dim=-1)
        if (sums - p).abs().min() > margin:
            return logits


def sums_beside_one(g: Generator, dtype=torch.float32) -> Tensor:
    """Draw rows whose sums, rounded to dtype, exceed 1 before the end, two, and two that end below.

    Their last token is too unlikely to change a sum.
    """
    above, below = torch.empty(0, 1000), torch.empty(0, 1000)
    while min(len(above), len(below)) < 2:
        rows = 3 * torch.randn(256, 1000, generator=g)
        rows[:, -1] = -50
        ordered = rows.to(dtype).sort(descending=True).values
        sums = ordered.softmax(dim=-1).cumsum(dim=-1)[:, -2] - 1
        step = torch.finfo(dtype).eps  # two of them: also for sums in another order
        above, below = torch.cat([above, rows[sums >= 2 * step]]), rows[sums <= -2 * step]
    return torch.cat([above[:2], below[:2]])


def draw_top_p(g: Generator) -> list[dict]:
    named = Cases("logits", "p")

    def chances(*probabilities: float) -> Tensor:
        return torch.tensor(probabilities).log()

    def case(title: str, p: float, make, margin: float = 1e-3, **more) -> dict:
        return named(title, clear_cut(p, margin, make), p, **more)

    def double() -> Tensor:
        return normal(g, 2, 8, dtype=torch.float64)

    cut = torch.tensor([-INF, 0.0, -INF, 0, 0, -INF])
    shift = torch.tensor([[0.0], [100], [-100]])
    long = case("300 tokens", 0.8, lambda: normal(g, 300), margin=1e-4)
    sure = torch.tensor([[10_000.0, 9_999, 0], [0, -10_000, 1]])
    return [
        named("0.5, 0.3 and 0.2, to reach 0.6", chances(0.5, 0.3, 0.2), 0.6),
        named("the first token alone has more than p", chances(0.5, 0.3, 0.2), 0.3),
        named("the likeliest tokens come last", chances(0.1, 0.2, 0.4, 0.3), 0.65),
        case("with the gradient", 0.7, lambda: normal(g, 2, 3, 6), gradients="logits"),
        named("p = 1 keeps everything", torch.rand(2, 5, generator=g), 1.0),
        case("a transposed tensor", 0.6, lambda: normal(g, 5, 3).T),
        case("float64, with the gradient", 0.9, double, gradients="logits"),
        named("bfloat16: 0.41, 0.67, 0.82, ...", apart(g, 2, 6), 0.74),
        case("some tokens are filtered out already", 0.75, lambda: normal(g, 2, 6) + cut),
        case("rows on very different levels", 0.5, lambda: normal(g, 3, 5) + shift),
        case("a very small p", 0.01, lambda: normal(g, 2, 6)),
        long,
        named("logits of 10,000", sure, 0.9),
        named("p = 1, and a token that rounding adds nothing for", torch.tensor([0.0, -20]), 1.0),
        named(
            "p = 1, and a token that even 64 bits add nothing for", torch.tensor([0.0, -50]), 1.0
        ),
        named("p = 1, and rows whose rounded sums end above and below 1", sums_beside_one(g), 1.0),
        named(
            "p = 1, and rows whose sums in 64 bits end above and below 1",
            sums_beside_one(g, torch.float64),
            1.0,
        ),
    ]


# --- sample_next_token ---


def sample_next_token(logits, generator):
    """The first token whose stretch ends beyond the dart."""
    ends = logits.softmax(dim=-1).cumsum(dim=-1)
    darts = torch.rand(logits.size(0), 1, generator=generator).to(ends.dtype)
    return torch.searchsorted(ends, darts, right=True).squeeze(-1)


def draw_sample(g: Generator) -> list[dict]:
    named = Cases("logits")

    def case(title: str, logits: Tensor) -> dict:
        """Choose dice whose darts land clear of every border, and, if they can, apart."""
        ends = logits.double().softmax(dim=-1).cumsum(dim=-1)
        for attempt in count():
            dice_seed = whole(g, 0, 10**6)
            darts = torch.rand(logits.size(0), 1, generator=seeded(dice_seed)).double()
            clear = (ends - darts).abs().min() > 1e-4
            differ = (darts >= ends).sum(dim=-1).unique().numel() > 1
            if clear and (differ or logits.size(0) == 1 or attempt > 50):
                return named(title, logits, dice_seed=dice_seed)

    tiny = torch.tensor([0.2, 0.5, 0.3]).log()
    cut = torch.tensor([-INF, 0.0, 0, -INF, 0])
    return [
        case("one row: 0.2, 0.5, 0.3", tiny[None]),
        case("the same row four times", tiny.repeat(4, 1)),
        case("as many rows as tokens", normal(g, 6, 6)),
        case("some tokens are filtered out", normal(g, 6, 5) + cut),
        case("a transposed tensor", normal(g, 4, 7).T),
        case("float64", normal(g, 12, 6, dtype=torch.float64)),
        case("logits of 10,000", torch.tensor([[0.0, 10_000, 1], [10_000, 0, 0]])),
        case("forty rows", normal(g, 40, 6)),
    ]


# --- entropy ---


def entropy(logits):
    """Sum of -p ln p, where 0 ln 0 counts as 0."""
    return torch.special.entr(logits.softmax(dim=-1)).sum(dim=-1)


def draw_entropy(g: Generator) -> list[dict]:
    cut = normal(g, 3, 6).masked_fill(torch.arange(6) % 2 == 1, -INF)
    unlikely = "a token so unlikely that its probability is rounded to 0"
    case = Cases("logits")
    return [
        case("four equal tokens", torch.zeros(4)),
        case("one half and two quarters", torch.tensor([0.5, 0.25, 0.25]).log()),
        case("two texts, with the gradient", normal(g, 2, 5), gradients="logits"),
        case("texts, time, vocabulary", normal(g, 2, 3, 4)),
        case("a transposed tensor", normal(g, 5, 3).T),
        case(
            "float64, with the gradient",
            normal(g, 3, 4, dtype=torch.float64),
            gradients="logits",
        ),
        case(unlikely, torch.tensor([0.0, -1000])),
        case("every other token is filtered out", cut),
        case("only one token is left", torch.tensor([[-INF, 3.0, -INF]])),
        case("logits of 1,000", torch.tensor([[1000.0, 1000, 0], [0, 0, -1000]])),
        case("1,000 tokens", normal(g, 1000)),
    ]


# --- generate, write_until ---

# Only the last 13 ids are ever written: beyond 256 Python makes a new object for each number.
SMALL = dict(vocab_size=270, block_size=5, n_layer=1, n_head=2, n_embd=8, bias=False)
WORDS = range(257, 270)


def lively_weights(config: dict, g: Generator) -> dict:
    """Draw weights of a model that looks at its context more than at its last token."""
    weights = random_weights(config, g, spread=0.2)
    for name, weight in weights.items():
        if "attn" in name:
            weight *= 10 if "c_proj" in name else 3.5
    weights["transformer.wte.weight"][: WORDS.start] *= 0.01  # hardly a logit: never the best
    return weights


@torch.no_grad()
def greedy(model, idx, max_new_tokens):
    """Return the texts and, for each, how clearly the closest of its choices was made."""
    closest = torch.full((idx.size(0),), INF)
    for _ in range(max_new_tokens):
        logits = model(idx[:, -model.config.block_size :])[:, -1]
        best, second = logits.topk(2, dim=-1).values.unbind(dim=-1)
        closest = closest.minimum(best - second)
        idx = torch.cat([idx, logits.argmax(dim=-1, keepdim=True)], dim=1)
    return idx, closest


def draw_texts(g: Generator, config: dict, prompt: int, new: int):
    """Draw a model and texts of it that are varied, none decided by a near tie: weights, (N, T)."""
    weights = lively_weights(config, g)
    model = gpt_of(dict(config=config, weights=weights))
    idx = torch.randint(WORDS.start, WORDS.stop, (64, prompt), generator=g)
    texts, closest = greedy(model, idx, new)
    varied = [row[prompt:].unique().numel() >= min(new, 4) - 1 for row in texts]
    return weights, texts[torch.tensor(varied) & (closest > 1e-3)]


@torch.no_grad()
def generate(model, idx, max_new_tokens):
    """Without a cache, which a learner's GPT does not have: this one stands in as a part, too."""
    with evaluating(model):
        for _ in range(max_new_tokens):
            logits = model(idx[:, -model.config.block_size :])
            idx = torch.cat([idx, logits[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
    return idx


def draw_generate(g: Generator) -> list[dict]:
    named = Cases("idx", "max_new_tokens")

    def case(title, rows, prompt, new, training=False, config=SMALL):
        weights, texts = draw_texts(g, config, prompt, new)
        while len(texts) < rows:
            weights, texts = draw_texts(g, config, prompt, new)
        model = dict(config=config, weights=weights, training=training)
        return named(title, texts[:rows, :prompt].clone(), new, **model)

    return [
        case("one text, two tokens and three more", 1, 2, 3),
        case("three texts, a model in training mode", 3, 2, 3, training=True),
        case("longer than block_size = 5", 2, 3, 9),
        case("a prompt that is longer than block_size", 2, 9, 4, training=True),
        case("a prompt of just block_size", 1, 5, 2),
        case("a long prompt, and one token more", 2, 9, 1),
        case("no new token", 2, 3, 0),
        case("block_size = 2", 2, 1, 6, config=SMALL | {"block_size": 2}),
    ]


def write_until(model, idx, max_new_tokens, stop_token):
    """The package's loop does it."""
    return sampling.generate(model, idx, max_new_tokens, temperature=0, stop_token=stop_token)


def draw_until(g: Generator) -> list[dict]:
    named = Cases("idx", "max_new_tokens", "stop_token")
    prompt, new = 3, 10

    def case(title: str, *kinds) -> dict:
        """Find a model, an end mark, and one text of each kind of end."""
        while True:
            weights, texts = draw_texts(g, SMALL, prompt, new)
            for mark in WORDS:
                ends = [(row == mark).tolist() for row in texts]
                rows = [
                    next((r for r, end in enumerate(ends) if kind(end)), None) for kind in kinds
                ]
                if None not in rows:
                    idx = texts[rows, :prompt]
                    return named(title, idx, new, mark, config=SMALL, weights=weights)

    def never(ends):
        return not any(ends[prompt:])

    def early(ends):  # and the model would go on with something else, now and later
        return any(ends[3:5]) and not ends[5] and not all(ends[6:])

    def later(ends):  # past block_size, before the time is up
        return not any(ends[3:7]) and any(ends[7:11])

    def told_before(ends):  # a mark in the prompt, which does not count
        return any(ends[:prompt]) and later(ends)

    return [
        case("no text ends", never, never),
        case("one text ends early", early, never),
        case("all texts end before the time is up", early, later),
        case("one ends early, one later, one never", later, never, early),
        case("a mark in a prompt, which does not count", told_before, early),
    ]


# --- cache_bytes ---


def cache_bytes(*, n_layer, n_head, n_embd, tokens, texts, bytes_per_number):
    """A key and a value of n_embd numbers, for each layer, token and text."""
    return 2 * n_layer * n_embd * tokens * texts * bytes_per_number


def draw_cache_bytes(g: Generator) -> list[dict]:
    names = ("n_layer", "n_head", "n_embd", "tokens", "texts", "bytes_per_number")
    case, heads = Cases(*names).by_name, whole(g, 2, 12)
    drawn = [whole(g, 2, 24), heads, 8 * heads, whole(g, 2, 1000), whole(g, 2, 64), 2]
    return [
        case("one layer, one head, two channels, three tokens", 1, 1, 2, 3, 1, 4),
        case("the storyteller's shape, one full text", 4, 4, 128, 128, 1, 4),
        case("GPT-2, one full text, 32 bits", 12, 12, 768, 1024, 1, 4),
        case("GPT-2 XL, eight texts, 16 bits", 48, 25, 1600, 1024, 8, 2),
        case("a model nobody has built", *drawn),
    ]
