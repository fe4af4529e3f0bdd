"""The exercises of lesson 07: temperature, filters, dice, the loop that writes, and its cache."""

from __future__ import annotations

from itertools import count

import torch

from minigpt import sampling
from minigpt.course.exercise.calls.functions import call_function, call_value
from minigpt.course.exercise.calls.sampling import call_with_dice
from minigpt.course.exercise.calls.training import call_evaluation, gpt_of, random_weights
from minigpt.course.exercise.definition import Exercise
from minigpt.course.lessons.lesson_07_sampling import wrong_filters as wrong
from minigpt.course.lessons.lesson_07_sampling import wrong_writing as wrong_writing
from minigpt.model import evaluating

LESSON = "07_sampling"
INF = float("inf")


def dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(g: torch.Generator, *shape: int, dtype=torch.float32) -> torch.Tensor:
    return 2 * torch.randn(shape, generator=g, dtype=dtype)


def apart(g: torch.Generator, *shape: int, dtype=torch.bfloat16) -> torch.Tensor:
    """Draw rows of logits that are half a unit apart: no ties even in 16 bits."""
    order = torch.rand(shape, generator=g).argsort(dim=-1)
    return (0.5 * order - 1).to(dtype)


# --- apply_temperature ---


def draw_temperature(seed: int) -> list[dict]:
    g = dice(seed)
    hot, cool = 1.2 + torch.rand((), generator=g).item(), 0.2 + torch.rand((), generator=g).item()
    cut = normal(g, 2, 5).masked_fill(torch.arange(5) < 2, -INF)
    plans = [
        ("one row, hot", torch.tensor([1.0, 2, 3]), 2),
        ("one row, cool", torch.tensor([1.0, 2, 3]), 0.5),
        ("two texts, with the gradient", normal(g, 2, 5), hot),
        ("temperature 1", normal(g, 2, 3), 1.0),
        ("texts, time, vocabulary", normal(g, 2, 3, 4), cool),
        ("a transposed tensor", normal(g, 5, 2).T, hot),
        ("float64, with the gradient", normal(g, 3, 4, dtype=torch.float64), cool),
        ("bfloat16", apart(g, 2, 4), 2.0),
        ("logits of 10,000", torch.tensor([[10_000.0, -10_000, 0]]), 0.5),
        ("some tokens are filtered out already", cut, hot),
    ]
    drawn = [dict(title=t, args=[x, T], names=("logits", "temperature")) for t, x, T in plans]
    drawn[2]["gradient_of"] = drawn[6]["gradient_of"] = [0]
    return drawn


# --- top_k_filter, top_p_filter ---


def draw_top_k(seed: int) -> list[dict]:
    g = dice(seed)
    levels = normal(g, 3, 6) + torch.tensor([[0.0], [20], [-20]])
    cut = normal(g, 2, 6).masked_fill(torch.rand(2, 6, generator=g).argsort(dim=-1) < 3, -INF)
    plans = [
        ("three tokens, two stay", torch.tensor([1.0, 3, 2]), 2),
        ("only the best stays", torch.tensor([[0.5, -1, 2, 1], [3, 1, 0, 2]]), 1),
        ("with the gradient", normal(g, 2, 3, 7), 3),
        ("as many as there are", normal(g, 2, 5), 5),
        ("more than there are", normal(g, 2, 5), 9),
        ("a transposed tensor", normal(g, 6, 3).T, 2),
        ("float64, with the gradient", normal(g, 2, 5, dtype=torch.float64), 2),
        ("bfloat16", apart(g, 2, 6), 4),
        ("rows on very different levels", levels, 2),
        ("all logits far below 0", normal(g, 2, 5) - 50, 3),
        ("three tokens a row are filtered out already", cut, 2),
        ("fewer tokens left than may stay", cut, 4),
        ("logits of 10,000", torch.tensor([[10_000.0, -10_000, 0, 5]]), 2),
    ]
    drawn = [dict(title=t, args=[x, k], names=("logits", "k")) for t, x, k in plans]
    drawn[2]["gradient_of"] = drawn[6]["gradient_of"] = [0]
    return drawn


def clear_cut(p: float, margin: float, make) -> torch.Tensor:
    """Draw logits until no sum of the likeliest probabilities comes near p, in any row."""
    while True:
        logits = make()
        sums = logits.double().softmax(dim=-1).sort(dim=-1, descending=True).values.cumsum(dim=-1)
        if (sums - p).abs().min() > margin:
            return logits


def draw_top_p(seed: int) -> list[dict]:
    g = dice(seed)
    cut = torch.tensor([-INF, 0.0, -INF, 0, 0, -INF])
    shift = torch.tensor([[0.0], [100], [-100]])
    long = clear_cut(0.8, 1e-4, lambda: normal(g, 300))
    plans = [
        ("0.5, 0.3 and 0.2, to reach 0.6", torch.tensor([0.5, 0.3, 0.2]).log(), 0.6),
        ("the first token alone has more than p", torch.tensor([0.5, 0.3, 0.2]).log(), 0.3),
        ("the likeliest tokens come last", torch.tensor([0.1, 0.2, 0.4, 0.3]).log(), 0.65),
        ("with the gradient", clear_cut(0.7, 1e-3, lambda: normal(g, 2, 3, 6)), 0.7),
        ("p = 1 keeps everything", torch.rand(2, 5, generator=g), 1.0),
        ("a transposed tensor", clear_cut(0.6, 1e-3, lambda: normal(g, 5, 3).T), 0.6),
        ("float64, with the gradient",
         clear_cut(0.9, 1e-3, lambda: normal(g, 2, 8, dtype=torch.float64)), 0.9),
        ("bfloat16: 0.41, 0.67, 0.82, ...", apart(g, 2, 6), 0.74),
        ("some tokens are filtered out already",
         clear_cut(0.75, 1e-3, lambda: normal(g, 2, 6) + cut), 0.75),
        ("rows on very different levels",
         clear_cut(0.5, 1e-3, lambda: normal(g, 3, 5) + shift), 0.5),
        ("a very small p", clear_cut(0.01, 1e-3, lambda: normal(g, 2, 6)), 0.01),
        ("300 tokens", long, 0.8),
        ("logits of 10,000", torch.tensor([[10_000.0, 9_999, 0], [0, -10_000, 1]]), 0.9),
    ]  # fmt: skip
    drawn = [dict(title=t, args=[x, p], names=("logits", "p")) for t, x, p in plans]
    drawn[3]["gradient_of"] = drawn[6]["gradient_of"] = [0]
    return drawn


# --- sample_next_token ---


def sample_next_token(logits, generator):
    """The first token whose stretch ends beyond the dart."""
    ends = logits.softmax(dim=-1).cumsum(dim=-1)
    darts = torch.rand(logits.size(0), 1, generator=generator).to(ends.dtype)
    return torch.searchsorted(ends, darts, right=True).squeeze(-1)


def draw_sample(seed: int) -> list[dict]:
    g = dice(seed)

    def case(title: str, logits: torch.Tensor) -> dict:
        """Choose dice whose darts land clear of every border, and, if they can, apart."""
        ends = logits.double().softmax(dim=-1).cumsum(dim=-1)
        for attempt in count():
            dice_seed = int(torch.randint(10**6, (), generator=g))
            darts = torch.rand(logits.size(0), 1, generator=dice(dice_seed)).double()
            clear = (ends - darts).abs().min() > 1e-4
            differ = (darts >= ends).sum(dim=-1).unique().numel() > 1
            if clear and (differ or logits.size(0) == 1 or attempt > 50):
                return dict(title=title, args=[logits], names=("logits",), dice_seed=dice_seed)

    tiny = torch.tensor([0.2, 0.5, 0.3]).log()
    cut = torch.tensor([-INF, 0.0, 0, -INF, 0])
    return [
        case("one row: 0.2, 0.5, 0.3", tiny[None]),
        case("the same row four times", tiny.repeat(4, 1)),
        case("five rows of six", normal(g, 5, 6)),
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


def draw_entropy(seed: int) -> list[dict]:
    g = dice(seed)
    cut = normal(g, 3, 6).masked_fill(torch.arange(6) % 2 == 1, -INF)
    plans = [
        ("four equal tokens", torch.zeros(4)),
        ("one half and two quarters", torch.tensor([0.5, 0.25, 0.25]).log()),
        ("two texts, with the gradient", normal(g, 2, 5)),
        ("texts, time, vocabulary", normal(g, 2, 3, 4)),
        ("a transposed tensor", normal(g, 5, 3).T),
        ("float64, with the gradient", normal(g, 3, 4, dtype=torch.float64)),
        ("a token so unlikely that its probability is rounded to 0", torch.tensor([0.0, -1000])),
        ("every other token is filtered out", cut),
        ("only one token is left", torch.tensor([[-INF, 3.0, -INF]])),
        ("logits of 1,000", torch.tensor([[1000.0, 1000, 0], [0, 0, -1000]])),
    ]
    drawn = [dict(title=title, args=[x], names=("logits",)) for title, x in plans]
    drawn[2]["gradient_of"] = drawn[5]["gradient_of"] = [0]
    return drawn


# --- generate, write_until ---

SMALL = dict(vocab_size=13, block_size=5, n_layer=1, n_head=2, n_embd=8, bias=False)


def lively_weights(config: dict, g: torch.Generator) -> dict:
    """Draw weights of a model that looks at its context more than at its last token."""
    weights = random_weights(config, g, spread=0.2)
    for name, weight in weights.items():
        if "attn" in name:
            weight *= 10 if "c_proj" in name else 3.5
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


def draw_texts(g: torch.Generator, config: dict, prompt: int, new: int):
    """Draw a model and texts of it that are varied, none decided by a near tie: weights, (N, T)."""
    weights = lively_weights(config, g)
    model = gpt_of(dict(config=config, weights=weights))
    idx = torch.randint(config["vocab_size"], (64, prompt), generator=g)
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


def draw_generate(seed: int) -> list[dict]:
    g = dice(seed)

    def case(title, rows, prompt, new, training=False, config=SMALL):
        weights, texts = draw_texts(g, config, prompt, new)
        while len(texts) < rows:
            weights, texts = draw_texts(g, config, prompt, new)
        args = [texts[:rows, :prompt].clone(), new]
        model = dict(config=config, weights=weights, training=training)
        return dict(title=title, args=args, names=("idx", "max_new_tokens"), **model)

    return [
        case("one text, two tokens and three more", 1, 2, 3),
        case("three texts, a model in training mode", 3, 2, 3, training=True),
        case("longer than block_size = 5", 2, 3, 9),
        case("a prompt that is longer than block_size", 2, 9, 4, training=True),
        case("a prompt of just block_size", 1, 5, 2),
        case("no new token", 2, 3, 0),
        case("block_size = 2", 2, 1, 6, config=SMALL | {"block_size": 2}),
    ]


def write_until(model, idx, max_new_tokens, stop_token):
    """The package's loop does it."""
    return sampling.generate(model, idx, max_new_tokens, temperature=0, stop_token=stop_token)


def draw_until(seed: int) -> list[dict]:
    g = dice(seed)
    prompt, new = 3, 10

    def case(title: str, *kinds) -> dict:
        """Find a model, an end mark, and one text of each kind of end."""
        while True:
            weights, texts = draw_texts(g, SMALL, prompt, new)
            for mark in range(SMALL["vocab_size"]):
                ends = [(row[prompt:] == mark).tolist() for row in texts]
                rows = [next(filter(lambda r: kind(ends[r]), range(len(ends))), None)
                        for kind in kinds]  # fmt: skip
                if None not in rows:
                    names = ("idx", "max_new_tokens", "stop_token")
                    args = [texts[rows, :prompt], new, mark]
                    return dict(title=title, config=SMALL, weights=weights, args=args, names=names)

    def never(ends):
        return not any(ends)

    def early(ends):  # and the model would go on with something else, now and later
        return any(ends[:2]) and not ends[2] and not all(ends[3:])

    def later(ends):  # past block_size, before the time is up
        return not any(ends[:4]) and any(ends[4:8])

    return [
        case("no text ends", never, never),
        case("one text ends early", early, never),
        case("all texts end before the time is up", early, later),
        case("one ends early, one later, one never", later, never, early),
    ]


# --- cache_bytes ---


def cache_bytes(*, n_layer, n_head, n_embd, tokens, texts, bytes_per_number):
    """A key and a value of n_embd numbers, for each layer, token and text."""
    return 2 * n_layer * n_embd * tokens * texts * bytes_per_number


def draw_cache_bytes(seed: int) -> list[dict]:
    g = dice(seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=g))

    heads = number(2, 12)
    drawn = [number(2, 24), heads, 8 * heads, number(2, 1000), number(2, 64), 2]
    plans = [
        ("one layer, one head, two channels, three tokens", 1, 1, 2, 3, 1, 4),
        ("the storyteller's shape, one full text", 4, 4, 128, 128, 1, 4),
        ("GPT-2, one full text, 32 bits", 12, 12, 768, 1024, 1, 4),
        ("GPT-2 XL, eight texts, 16 bits", 48, 25, 1600, 1024, 8, 2),
        ("a model nobody has built", *drawn),
    ]
    names = ("n_layer", "n_head", "n_embd", "tokens", "texts", "bytes_per_number")
    return [dict(title=title, args=[], kwargs=dict(zip(names, plan))) for title, *plan in plans]


EXERCISES = (
    Exercise(
        "apply_temperature", LESSON, "function", "Temperature",
        points=1, difficulty=1, importance=4, minutes=4,
        hints=(
            "A cool model is surer of itself. Must its logits be farther apart, or closer?",
            "[1, 2, 3] at T = 2 becomes [0.5, 1, 1.5]: half as far apart. At T = 0.5 it becomes "
            "[2, 4, 6].",
            "the logits, each over the temperature; nothing else",
        ),
        draw=draw_temperature, call=call_function, reference=sampling.apply_temperature,
        misconceptions=wrong.TEMPERATURE,
        keep=True,
    ),
    Exercise(
        "top_k_filter", LESSON, "function", "The k best",
        points=3, difficulty=2, importance=4, minutes=10,
        hints=(
            "Which is the smallest logit that may stay? What if there are fewer than k?",
            "logits (2, 7), k = 3: the third largest of each row is (2, 1). Compared with it, "
            "(2, 7) gives True and False, three True in each row.",
            "k = at most the size of the vocabulary\n"
            "smallest = the k-th largest logit of each row, its axis kept\n"
            "where a logit is below smallest: minus infinity; elsewhere the logit",
        ),
        draw=draw_top_k, call=call_function, reference=sampling.top_k_filter,
        misconceptions=wrong.TOP_K,
        keep=True,
    ),
    Exercise(
        "top_p_filter", LESSON, "function", "The fewest that reach p",
        points=5, difficulty=4, importance=4, minutes=18,
        hints=(
            "In which order must you add up? And what do you ask of each token: the sum with it, "
            "or the sum before it?",
            "probabilities 0.1, 0.2, 0.4, 0.3 and p = 0.65: in order 0.4, 0.3, 0.2, 0.1 (ids 2, 3, "
            "1, 0). Sums before: 0, 0.4, 0.7, 0.9. Below 0.65 are the first two: ids 2 and 3 stay.",
            "order = the ids, likeliest first, in each row\n"
            "in that order: sum before = running sum of the probabilities, less the own one\n"
            "removed, in that order = sum before has reached p\n"
            "carry removed back to the order of ids; there minus infinity, elsewhere the logit",
        ),
        draw=draw_top_p, call=call_function, reference=sampling.top_p_filter,
        misconceptions=wrong.TOP_P,
        keep=True,
    ),
    Exercise(
        "chance_after_the_cut", LESSON, "number", "What is left for kite",
        points=2, difficulty=2, importance=3, minutes=6,
        hints=(
            "Two things happen, and their order matters. Which comes first?",
            "T = 0.5 squares each probability, up to a common factor: 0.25, 0.04, 0.0225, 0.01, "
            "0.0025.",
            "square all five; divide by their sum\n"
            "take the fewest that reach 0.9\n"
            "kite's share of those",
        ),
        draw=lambda seed: [dict(title="temperature 0.5, then top-p 0.9", args=[])],
        call=call_value, reference=0.8, misconceptions=wrong.CHANCE,
        rtol=0.0, atol=0.004,
    ),
    Exercise(
        "sample_next_token", LESSON, "function", "One dart for each row",
        points=4, difficulty=3, importance=4, minutes=12,
        hints=(
            "Lay the probabilities of a row end to end. Where does each stretch end?",
            "0.2, 0.5, 0.3 end at 0.2, 0.7 and 1. A dart at 0.6 has passed one end: token 1. "
            "For a batch: ends (B, V), darts (B, 1), the comparison (B, V), its count (B,).",
            "ends = running sum of the probabilities along the vocabulary\n"
            "darts = random numbers (B, 1) from the generator\n"
            "in each row, count the ends that are not beyond the dart",
        ),
        draw=draw_sample, call=call_with_dice, reference=sample_next_token,
        misconceptions=wrong.SAMPLE,
    ),
    Exercise(
        "entropy", LESSON, "function", "How open is the choice?",
        points=3, difficulty=3, importance=3, minutes=10,
        hints=(
            "How surprised are you by each token, and how often does it come? What about one that "
            "never comes?",
            "1/2, 1/4, 1/4: the surprises are ln 2, ln 4, ln 4. Weighted: "
            "1/2 ln 2 + 1/4 ln 4 + 1/4 ln 4 = 1.04. (..., V) becomes (...).",
            "p = softmax along the vocabulary\n"
            "term = -p × ln p, and 0 where p is 0\n"
            "add the terms up along the vocabulary",
        ),
        draw=draw_entropy, call=call_function, reference=entropy,
        misconceptions=wrong.ENTROPY,
    ),
    Exercise(
        "generate", LESSON, "function", "The loop that writes",
        points=5, difficulty=3, importance=5, minutes=15,
        hints=(
            "What does the model see at each turn, and which of its rows do you need?",
            "block_size = 5, a text of 7: the model sees the last 5, gives (B, 5, V); its last "
            "position (B, V) has a best token (B, 1); the text becomes 8 long.",
            "remember the mode; evaluation mode; no record for gradients\n"
            "repeat: logits of the last block_size tokens; best at the last position; append\n"
            "put the mode back; return the whole text",
        ),
        draw=draw_generate, call=call_evaluation, reference=generate,
        misconceptions=wrong_writing.GENERATE,
        keep=True,
    ),
    Exercise(
        "write_until", LESSON, "bug", "Mend: stop at the end mark",
        points=4, difficulty=3, importance=3, minutes=12,
        hints=(
            "Follow one text that is longer than block_size, and one that has ended. What happens "
            "to each, line by line?",
            "block_size = 5, a text of 7: seen should be places 2 to 6, and after the turn idx has "
            "8 places. A row that has stopped should get the mark again, whatever the model says.",
            "see the *last* block_size tokens\n"
            "where a row has stopped, its token becomes the mark\n"
            "append the tokens to the *whole* text",
        ),
        draw=draw_until, call=call_evaluation, reference=write_until,
        misconceptions=wrong_writing.WRITE_UNTIL,
    ),
    Exercise(
        "cache_bytes", LESSON, "account", "What the cache weighs",
        points=2, difficulty=2, importance=3, minutes=6,
        hints=(
            "What does attention keep of a position that it has seen?",
            "1 layer, 2 channels, 3 tokens, 1 text: 3 keys and 3 values of 2 numbers are 12 "
            "numbers, in 4 bytes each 48.",
            "numbers for one position in one layer: a key and a value\n"
            "times layers, positions, texts, bytes",
        ),
        draw=draw_cache_bytes, call=call_function, reference=cache_bytes,
        misconceptions=wrong_writing.CACHE_BYTES,
    ),
)  # fmt: skip
