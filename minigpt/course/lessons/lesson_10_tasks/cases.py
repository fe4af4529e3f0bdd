"""Draw the cases of lesson 10's exercises on measuring, and the right answers to them."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from minigpt.course.exercise.calls.training import random_weights
from minigpt.course.exercise.drawing import Cases, normal, whole

# --- per_token_word_byte ---


def per_token_word_byte(surprises, text):
    """One sum of nats, shared out among tokens, words and bytes."""
    nats = sum(window.sum().item() for window in surprises)
    tokens = sum(window.numel() for window in surprises)
    bits = nats / math.log(2)
    return (
        math.exp(nats / tokens),
        math.exp(nats / len(text.split())),
        bits / len(text.encode("utf-8")),
    )


def draw_measures(g: Generator) -> list[dict]:
    def windows(*lengths: int, level: float = 1.5, dtype=torch.float32) -> list[Tensor]:
        """Draw surprises; the windows differ in level, so that their means are far apart."""
        return [
            level * (1 + place % 2 / 2) * (0.8 + 0.4 * torch.rand(length, generator=g, dtype=dtype))
            for place, length in enumerate(lengths)
        ]

    tea = "Once upon a time there was a sleepy goose, who lived in a teapot."
    case = Cases("surprises", "text")
    return [
        case("one window, two tokens, two words", [torch.tensor([1.0, 2.0])], "Good night"),
        case("a long window and a short one", windows(12, 3), tea),
        case("five windows of different lengths", windows(2, 9, 4, 1, 7), tea * 2),
        case(
            "accents: a letter is more than a byte", windows(7, 2), "Zoë naïvely ate crème brûlée"
        ),
        case("Chinese: three bytes a character", windows(10), "小狐狸 在河边 找到了 风筝"),
        case("two spaces, and a new line", windows(4, 6), "The  end.\n\nThe   beginning.\n"),
        case("float64", windows(5, 8, dtype=torch.float64), tea),
        case("a model that knows nearly everything", windows(6, 11, level=0.02), tea),
    ]


# --- strided_perplexity ---

SIZES = dict(vocab_size=11, block_size=6, n_layer=1, n_head=2, n_embd=8, bias=False)


@torch.no_grad()
def strided_perplexity(model, idx, stride):
    """Each token but the first is scored by the first window that sees something before it."""
    nats, done = [], 1
    for start in range(0, len(idx) - 1, stride):
        window = idx[start : start + model.config.block_size]
        log_p = model(window[None])[0, :-1].log_softmax(dim=-1)
        scored = -log_p.gather(-1, window[1:, None])[:, 0]  # places start + 1, start + 2, ...
        nats.append(scored[done - start - 1 :])
        done = start + len(window)
    return torch.cat(nats).mean().exp().item()


def draw_strided(g: Generator) -> list[dict]:
    named = Cases("idx", "stride")

    def case(title: str, length: int, stride: int, config: dict = SIZES) -> dict:
        idx = torch.randint(config["vocab_size"], (length,), generator=g)
        return named(title, idx, stride, config=config, weights=random_weights(config, g))

    return [
        case("ten tokens, windows of 6, a stride of 4", 10, 4),
        case("a stride of half a window", 18, 3),
        case("the last window is short", 17, 4),
        case("a stride of 1", 13, 1),
        case("the largest stride: one token is seen twice", 17, 5),
        case("a text that one window holds", 6, 2),
        case("a text shorter than a window", 4, 3),
        case("windows of 4", 20, 2, SIZES | {"block_size": 4}),
    ]


# --- last_words_right ---


def last_words_right(logits, idx, n_tokens):
    """All tokens of the last word are the likeliest ones, each at the place before it."""
    T = idx.size(1)
    right = logits[:, :-1].argmax(dim=-1) == idx[:, 1:]  # (B, T - 1): places 1 to T - 1
    in_word = torch.arange(1, T) >= T - n_tokens[:, None]
    return (right | ~in_word).all(dim=-1)


def predictions(g: Generator, idx: Tensor, told: list[str], V: int, dtype) -> Tensor:
    """Draw logits whose likeliest token is the next one just where `told` has a 1.

    Behind the end the last token comes again: to be mistaken for right by who looks one place on.
    """
    logits = normal(g, *idx.shape, V).to(dtype)
    logits[torch.arange(len(idx)), -1, idx[:, -1]] += 10
    for row, marks in enumerate(told):
        for place, mark in enumerate(marks[1:]):  # the logits of `place` predict the next
            shift = 0 if mark == "1" else 1 + whole(g, 0, V - 1)
            token = (idx[row, place + 1] + shift) % V
            logits[row, place, token] = logits[row, place].max() + 0.5
    return logits


def draw_last_words(g: Generator) -> list[dict]:
    named = Cases("logits", "idx", "n_tokens")

    def case(title, told: list[str], n_tokens: list[int], V=9, repeat=False, dtype=torch.float32):
        """told: for each text, which of its tokens are predicted rightly. repeat: all the same."""
        idx = torch.randint(V, (len(told), 1 if repeat else len(told[0])), generator=g)
        idx = idx.expand(len(told), len(told[0])).contiguous()
        logits = predictions(g, idx, told, V, dtype)
        return named(title, logits, idx, torch.tensor(n_tokens))

    words = ["0010111", "1101011", "0111101", "1110110", "1111010", "0101100"]
    long = ["".join(str(whole(g, 0, 2)) for _ in range(9)) + end for end in ("11", "01", "10")]
    return [
        case("one text, a word of two tokens, both right", ["0011"], [2]),
        case("one text, a word of two tokens, the first wrong", ["0101"], [2]),
        case("one text, a word of two tokens, the last wrong", ["0110"], [2]),
        case("words of 1, 2 and 3 tokens", words, [1, 2, 3, 1, 3, 2]),
        case("the token before the word is wrong", ["0001", "0011", "0111"], [1, 2, 3]),
        case("everything before the word is right", ["1110", "1101", "1011"], [1, 2, 3]),
        case("one token over and over", words, [3, 2, 3, 2, 1, 2], repeat=True),
        case("one token, and only the word is right", ["00111", "00011"], [3, 2], repeat=True),
        case("as many texts as tokens", ["011", "001", "110"], [1, 2, 2]),
        case("float64, longer texts", long, [2, 2, 1], V=20, dtype=torch.float64),
    ]


# --- fill_the_gap ---


@torch.no_grad()
def fill_the_gap(model, before, candidates, after, per_token):
    """The log-probability of a candidate and of all that follows it."""
    scores = []
    for candidate in candidates:
        idx = torch.cat([before, candidate, after])
        log_p = model(idx[None])[0, :-1].log_softmax(dim=-1)
        told = log_p.gather(-1, idx[1:, None])[len(before) - 1 :, 0]
        scores.append(told.mean() if per_token else told.sum())
    return torch.stack(scores)


def draw_gap(g: Generator) -> list[dict]:
    named = Cases("before", "candidates", "after", "per_token")
    config = SIZES | {"block_size": 12}

    def ids(length: int) -> Tensor:
        return torch.randint(config["vocab_size"], (length,), generator=g)

    def case(title: str, before: int, lengths: list[int], after: int, per_token: bool) -> dict:
        values = ids(before), [ids(length) for length in lengths], ids(after), per_token
        return named(title, *values, config=config, weights=random_weights(config, g))

    return [
        case("two candidates of one token, summed", 2, [1, 1], 2, False),
        case("candidates of 1, 2 and 3 tokens, summed", 3, [1, 2, 3], 3, False),
        case("candidates of 1, 2 and 3 tokens, per token", 3, [1, 2, 3], 3, True),
        case("nothing follows, summed", 4, [2, 1, 3], 0, False),
        case("nothing follows, per token", 4, [2, 1, 3], 0, True),
        case("one token before, per token", 1, [4, 1], 5, True),
        case("one candidate", 5, [2], 1, True),
        case("just as long as a window", 6, [2, 3], 3, False),
    ]
