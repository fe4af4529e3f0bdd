"""What people get wrong when they measure: each wrong answer, and what a teacher says."""

from __future__ import annotations

import math
from functools import partial

import torch

from minigpt.course.exercise.mistakes import half_mended

# --- per_token_word_byte ---


def per_all(surprises):
    """Nats a token, over all windows together."""
    return torch.cat(surprises).mean().item()


def means(surprises):
    return [window.mean().item() for window in surprises]


def measures(
    surprises, text, *, token=lambda s: math.exp(per_all(s)), words=lambda text: len(text.split()),
    word=lambda nats, tokens, words: math.exp(nats / words), units=lambda text: len(text.encode()),
    byte=lambda nats, units: nats / math.log(2) / units,
):  # fmt: skip
    """The three measures with one thing wrong."""
    joined = torch.cat(surprises)
    nats, tokens = joined.sum().item(), joined.numel()
    return token(surprises), word(nats, tokens, words(text)), byte(nats, units(text))


def of_the_mean_window(surprises, text):
    """Takes the mean of the windows' means for the surprise of each token."""
    mean, tokens = sum(means(surprises)) / len(surprises), torch.cat(surprises).numel()
    return measures([torch.full((tokens,), mean, dtype=torch.float64)], text)


MEASURES = {
    "mean-of-means": (
        "You average each window first, and then the windows. A window of three tokens then weighs "
        "as much as one of twelve. Add up all surprises and divide once, by all tokens.",
        partial(measures, token=lambda s: math.exp(sum(means(s)) / len(s))),
    ),
    "mean-of-means-throughout": (
        "You average each window first, and then the windows, and go on with that mean: all three "
        "numbers are wrong. A window of three tokens weighs as much as one of twelve. Add up all "
        "surprises, and share out their sum.",
        of_the_mean_window,
    ),
    "mean-of-perplexities": (
        "You take the perplexity of each window and average those. The exponential of a mean is "
        "not the mean of exponentials: one hard window drives it up. Average the surprises, over "
        "all tokens, and take the exponential last.",
        partial(measures, token=lambda s: sum(map(math.exp, means(s))) / len(s)),
    ),
    "exp-of-the-sum": (
        "You take the exponential of the *sum* of the surprises. It grows with every token. Divide "
        "by the tokens first.",
        partial(measures, token=lambda s: torch.cat(s).double().sum().exp().item()),
    ),
    "two-to-the-nats": (
        "You raise 2 to a surprise that is in nats. Nats belong to e, bits to 2: take the "
        "exponential, or turn the nats into bits first.",
        partial(
            measures,
            token=lambda s: 2 ** per_all(s),
            word=lambda nats, tokens, words: 2 ** (nats / words),
        ),
    ),
    "loss-not-perplexity": (
        "Your first two numbers are nats per token and per word. The perplexity is the "
        "exponential of that.",
        partial(measures, token=per_all, word=lambda nats, tokens, words: nats / words),
    ),
    "perplexity-shared-out": (
        "You take the perplexity per token times the tokens in a word. What adds up is the "
        "surprise: share out the *nats* among the words, and take the exponential of that.",
        partial(
            measures, word=lambda nats, tokens, words: math.exp(nats / tokens) * tokens / words
        ),
    ),
    "words-by-single-spaces": (
        "You split at each single space. Two spaces in a row then make an empty word, and a new "
        "line makes none. text.split(), without an argument, splits at any white space.",
        partial(measures, words=lambda text: len(text.split(" "))),
    ),
    "nats-per-byte": (
        "Your last number is in nats. A bit is the surprise at a coin, ln 2 = 0.69 nats: how many "
        "of those are in your sum?",
        partial(measures, byte=lambda nats, units: nats / units),
    ),
    "times-ln-2": (
        "You multiply by ln 2. A nat is *more* than a bit, so there must be more bits than nats: "
        "divide.",
        partial(measures, byte=lambda nats, units: nats * math.log(2) / units),
    ),
    "log2-of-the-sum": (
        "You take the base-2 logarithm of the sum of surprises. They are logarithms already: to "
        "turn nats into bits, divide by ln 2.",
        partial(measures, byte=lambda nats, units: math.log2(nats) / units),
    ),
    "characters": (
        "You divide by characters. Right for plain English, where each is one byte; é has two, and "
        "a Chinese character three. Count the bytes of the UTF-8.",
        partial(measures, units=len),
    ),
    "bits-per-token": (
        "Your last number is bits per *token*. It depends on the tokenizer, and bytes do not: that "
        "is what they are for.",
        lambda surprises, text: measures(
            surprises, text, units=lambda text: torch.cat(surprises).numel()
        ),
    ),
    "two-to-the-bits": (
        "You return the perplexity per byte. Bits per byte is the exponent itself.",
        partial(measures, byte=lambda nats, units: math.exp(nats / units)),
    ),
}

# --- strided_perplexity ---

BUGS = {
    "twice": "Where two windows overlap, their tokens count twice.",
    "first": "The first token is counted, though nothing predicts it.",
    "tail": "What lies behind the last full window is not scored at all.",
}


@torch.no_grad()
def strided(model, idx, stride, *, bugs=(), means=False, skip=0, sums=False):
    """The loop, with some of its three bugs, or with another."""
    size, total, done, each = model.config.block_size, 0.0, 1, []
    starts = range(0, len(idx) - (size - 1 if "tail" in bugs else 1), stride)
    for start in starts:
        window = idx[start : start + size]
        log_p = model(window[None])[0, :-1].log_softmax(dim=-1)
        nats = -log_p.gather(-1, window[1:, None])[:, 0]
        if "twice" not in bugs:
            nats = nats[max(done - start - 1 - skip, 0) :]
        total += nats.sum().item()
        each += [nats.mean().item()] if len(nats) else []
        done = start + len(window)
    if means:
        return math.exp(sum(each) / len(each))
    return math.exp(total / (1 if sums else len(idx) - ("first" not in bugs)))


STRIDED = {
    **half_mended(strided, BUGS, "Which line is to blame?"),
    "mean-of-means": (
        "You average each window, and then the windows. The last ones have fewer new tokens, and "
        "would weigh as much as the first. Add up all, divide once.",
        partial(strided, means=True),
    ),
    "one-twice": (
        "One token of each overlap still counts twice. The window begins at `start`, and its first "
        "surprise is that of place start + 1: how many are done already?",
        partial(strided, skip=1),
    ),
    "one-left-out": (
        "You leave one token too many out of each overlap. The window's first surprise is already "
        "that of its *second* token.",
        partial(strided, skip=-1),
    ),
    "sum": (
        "You take the exponential of the sum. Divide by the number of tokens that were scored.",
        partial(strided, sums=True),
    ),
}

# --- last_words_right ---


def all_of(right, inside):
    return (right | ~inside).all(dim=-1)


def words_right(logits, idx, n_tokens, *, back=1, judge=all_of, more=0, count=lambda n: n):
    """Which last words are right, with one thing wrong. back: whose logits predict a place."""
    T = idx.size(1)
    right = logits.argmax(dim=-1).roll(back, dims=1) == idx
    return judge(right, torch.arange(T) >= T - count(n_tokens)[:, None] - more)


def first_of(right, inside):
    return right[torch.arange(len(right)), inside.int().argmax(dim=-1)]


LAST_WORDS = {
    "last-token-only": (
        "You look at the last token only. *bridge* is not found by whoever says *idge*: the whole "
        "word is right only if each of its tokens is.",
        lambda logits, idx, n_tokens: words_right(logits, idx, torch.ones_like(n_tokens)),
    ),
    "first-token-only": (
        "You look at the first token of the word only. The rest has to be right as well.",
        partial(words_right, judge=first_of),
    ),
    "any-token": (
        "One token that is right makes your word right. All of them must be.",
        partial(words_right, judge=lambda right, inside: (right & inside).any(-1)),
    ),
    "most-tokens": (
        "You call a word right if half of its tokens or more are. Half a word is no word.",
        partial(
            words_right,
            judge=lambda right, inside: 2 * (right & inside).sum(-1) >= inside.sum(-1),
        ),
    ),
    "share-of-tokens": (
        "You return the share of each word's tokens that are right. A word is right or wrong: one "
        "truth value for each text.",
        partial(words_right, judge=lambda right, inside: (right & inside).sum(-1) / inside.sum(-1)),
    ),
    "accuracy": (
        "You return one number, the accuracy. That is the mean of what was asked for: a truth "
        "value for each text.",
        partial(words_right, judge=lambda right, inside: (right | ~inside).all(-1).float().mean()),
    ),
    "not-shifted": (
        "You compare a place's logits with the token that stands *at* that place. They predict the "
        "next one: the word's first token is predicted one place before the word.",
        partial(words_right, back=0),
    ),
    "shifted-twice": (
        "You are one place too far back: the logits at place t predict place t + 1, not t + 2.",
        partial(words_right, back=2),
    ),
    "one-token-too-many": (
        "You ask for the token before the word as well. Off by one: the word begins at place "
        "T - n_tokens.",
        partial(words_right, more=1),
    ),
    "one-token-too-few": (
        "You leave out the word's first token. Its prediction stands before the word, at place "
        "T - n_tokens - 1.",
        partial(words_right, more=-1),
    ),
    "longest-for-all": (
        "You take the longest word's tokens for all texts. Each text has a number of its own.",
        partial(words_right, count=lambda n: n.max().expand_as(n)),
    ),
    "whole-text": (
        "You ask for every token of the text. Only the last word counts.",
        partial(words_right, judge=lambda right, inside: right[:, 1:].all(-1)),
    ),
}

# --- fill_the_gap ---


def gap(model, before, candidates, after, per_token, *, scored=lambda told, b, c: told[b - 1 :],
        sees=lambda before: before, back=1, score=None, recording=False):  # fmt: skip
    """The scores with one thing wrong. told: the log-probability of each place but the first."""
    score = score or (lambda told, per_token, c: told.mean() if per_token else told.sum())
    scores = []
    with torch.set_grad_enabled(recording):
        for candidate in candidates:
            seen = sees(before)
            idx = torch.cat([seen, candidate, after])
            log_p = model(idx[None])[0].log_softmax(dim=-1)
            told = log_p[: len(idx) - back].gather(-1, idx[back:, None])[:, 0]
            kept = scored(told, len(seen) if back else len(seen) + 1, len(candidate))
            scores.append(score(kept, per_token, len(candidate)))
    return torch.stack(scores)


GAP = {
    "never-per-token": (
        "You add up and never divide. A candidate of three tokens pays three times, one of one "
        "token once: where `per_token` is True, take the mean.",
        partial(gap, score=lambda told, per_token, c: told.sum()),
    ),
    "always-per-token": (
        "You always divide by the number of tokens. Where `per_token` is False, the score is the "
        "plain sum.",
        partial(gap, score=lambda told, per_token, c: told.mean()),
    ),
    "other-way-round": (
        "True and False are swapped: per token means divided by the number of tokens.",
        partial(gap, score=lambda told, per_token, c: told.sum() if per_token else told.mean()),
    ),
    "divided-by-the-candidate": (
        "You divide by the candidate's tokens. But your sum holds those that follow as well: "
        "divide by as many as you added.",
        partial(gap, score=lambda told, per_token, c: told.sum() / c if per_token else told.sum()),
    ),
    "what-follows-left-out": (
        "You score the candidate alone. What follows the gap is the best witness: *the ___ barked* "
        "fits few words. Score it, too, given the candidate.",
        partial(gap, scored=lambda told, b, c: told[b - 1 : b - 1 + c]),
    ),
    "context-scored": (
        "You score what stands before the gap as well. It is the same for all candidates, and in "
        "a mean it still blurs their difference. It is given, not scored.",
        partial(gap, scored=lambda told, b, c: told),
    ),
    "first-token-left-out": (
        "You miss the candidate's first token. It is predicted by the last token *before* the gap.",
        partial(gap, scored=lambda told, b, c: told[b:]),
    ),
    "own-place": (
        "You read off each token's log-probability at its own place. The logits there have seen "
        "it already: they predict the next. Go one place back.",
        partial(gap, back=0),
    ),
    "nearest-token-only": (
        "Your model sees only the last token before the gap. Give it all of the context.",
        partial(gap, sees=lambda before: before[-1:]),
    ),
    "probabilities-added": (
        "You add up probabilities. That they all come, one after the other, has their *product* "
        "as its probability: add up the logarithms.",
        partial(
            gap,
            score=lambda told, per_token, c: told.exp().mean() if per_token else told.exp().sum(),
        ),
    ),
    "probability": (
        "You take the exponential at the end. The score is the log-probability; a long text's "
        "probability would be rounded to 0.",
        partial(
            gap,
            score=lambda told, per_token, c: (told.mean() if per_token else told.sum()).exp(),
        ),
    ),
    "surprise": (
        "Your scores are surprises: the best candidate has the lowest. The score is the "
        "log-probability itself, and more is better.",
        partial(gap, score=lambda told, per_token, c: -(told.mean() if per_token else told.sum())),
    ),
    "record-for-gradients": (
        "The scores are right, but PyTorch keeps a record for gradients that nobody will ask for, "
        "and memory with it. Use torch.no_grad().",
        partial(gap, recording=True),
    ),
}
