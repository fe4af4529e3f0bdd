"""What people get wrong when they draw from a distribution, or ask how open it is."""

from __future__ import annotations

import math

import torch

from minigpt.course.lessons.lesson_07_sampling.misconceptions_filters import in_double

# --- sample_next_token ---


def throw(logits, generator, *, count=None, dtype=None):
    return torch.rand(count or logits.size(0), 1, generator=generator, dtype=dtype)


def passed(stretches, darts):
    return (darts >= stretches.cumsum(dim=-1)).sum(dim=-1)


def landed(probabilities, darts):
    return passed(probabilities, darts).clamp(max=probabilities.size(-1) - 1)


def sample(logits, generator, **darts):
    return landed(in_double(logits), throw(logits, generator, **darts))


def beyond(logits, generator):
    """Counts the stretches that end beyond the dart."""
    return (logits.softmax(dim=-1).cumsum(dim=-1) > throw(logits, generator)).sum(dim=-1)


def likeliest_first(logits, generator):
    ordered, order = in_double(logits).sort(dim=-1, descending=True)
    return order.gather(-1, landed(ordered, throw(logits, generator))[:, None])[:, 0]


SAMPLE = {
    "one-dart-for-all": (
        "All rows share one dart. Each looks random, but they are lucky and unlucky together. "
        "Throw one for every row.",
        lambda logits, generator: sample(logits, generator, count=1),
    ),
    "argmax": (
        "You take the most likely token. That is greedy, whatever the dice say.",
        lambda logits, generator: logits.argmax(dim=-1),
    ),
    "one-further": (
        "You are one token too far. Count the stretches that end *before* the dart: that number is "
        "already the id.",
        lambda logits, generator: sample(logits, generator) + 1,
    ),
    "one-back": (
        "You are one token too early: the last stretch that ends before the dart. The dart lies in "
        "the *next* one.",
        lambda logits, generator: sample(logits, generator) - 1,
    ),
    "ranks": (
        "You sorted the probabilities, and return a place in the sorted row. A token's id is its "
        "place in the row as it came.",
        lambda logits, generator: landed(
            in_double(logits).sort(dim=-1, descending=True).values, throw(logits, generator)
        ),
    ),
    "no-softmax": (
        "You throw darts at the logits. They do not add up to 1. Make probabilities of them first.",
        lambda logits, generator: passed(logits, throw(logits, generator)),
    ),
    "column": (
        "The tokens are right, but the shape is (B, 1). One token for each row: (B,).",
        lambda logits, generator: sample(logits, generator)[:, None],
    ),
    "other-dice": (
        "You draw from PyTorch's global dice, not from the generator. Then no seed can repeat the "
        "text. Hand the generator on to torch.rand.",
        lambda logits, generator: sample(logits, None),
    ),
    "multinomial": (
        "multinomial draws from the right distribution, but not with the darts that this exercise "
        "asks for, so nobody can compare. Throw them with torch.rand, and see where they land.",
        lambda logits, generator: torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[
            :, 0
        ],
    ),
    "fraction": (
        "You return probabilities or darts, not ids. An id is a whole number, int64.",
        lambda logits, generator: sample(logits, generator).float(),
    ),
    "counts-the-rest": (
        "You count the stretches that end *beyond* the dart. The id is the number of those that "
        "end before it.",
        beyond,
    ),
    "likeliest-first": (
        "You lay the likeliest token first. That is fair dice as well, but other tokens are drawn "
        "than asked for here: keep the order of ids.",
        likeliest_first,
    ),
    "softmax-over-rows": (
        "Your probabilities sum to 1 over the rows, not over the vocabulary. Which axis is which "
        "in (B, V)?",
        lambda logits, generator: passed(logits.softmax(dim=0), throw(logits, generator)),
    ),
    "other-darts-in-float64": (
        "Right for float32. For float64 you ask for darts of float64, and those fall elsewhere. "
        "Draw them as the statement says, without a dtype.",
        lambda logits, generator: sample(logits, generator, dtype=logits.dtype),
    ),
    "darts-without-their-axis": (
        "Your darts are (B,), and PyTorch lays them along the vocabulary: that fails, or in a "
        "square table throws every row's dart at all. They need an axis: (B, 1).",
        lambda logits, generator: passed(
            in_double(logits), torch.rand(logits.size(0), generator=generator)
        ),
    ),
    "a-dart-for-each-token": (
        "You throw a dart for each token. One decides for a row: draw (B, 1) of them.",
        lambda logits, generator: passed(
            in_double(logits), torch.rand(logits.shape, generator=generator)
        ),
    ),
}

# --- entropy ---


def weighed(logits):
    p = logits.softmax(dim=-1)
    return -torch.special.xlogy(p, p)


ENTROPY = {
    "zero-times-infinity": (
        "A probability of 0 has the logarithm minus infinity, and 0 times infinity is not a "
        "number. Such a token can never come, so it adds no surprise: its term is 0.",
        lambda logits: -(logits.softmax(dim=-1) * logits.softmax(dim=-1).log()).sum(dim=-1),
    ),
    "minus-infinity-left": (
        "Log-softmax is a good start. But a logit of -inf has the log-probability -inf, and 0 "
        "times that is not a number. Such a token can never come: its term is 0.",
        lambda logits: -(logits.softmax(dim=-1) * logits.log_softmax(dim=-1)).sum(dim=-1),
    ),
    "bits": (
        "Your entropy is in bits. Nats are asked for: the natural logarithm.",
        lambda logits: weighed(logits).sum(dim=-1) / math.log(2),
    ),
    "sign": (
        "Yours is below 0. Logarithms of probabilities are negative; surprise is minus that.",
        lambda logits: -weighed(logits).sum(dim=-1),
    ),
    "mean-over-the-vocabulary": (
        "You divide by the size of the vocabulary. The mean is weighted by the probabilities "
        "already: add up.",
        lambda logits: weighed(logits).mean(dim=-1),
    ),
    "everything-added-up": (
        "You return one number for all rows. Each row is a distribution with an entropy of its "
        "own: (..., V) to (...).",
        lambda logits: weighed(logits).sum(),
    ),
    "not-weighted": (
        "You average the surprise of all tokens alike. A token that comes often should count "
        "often: weight each by its probability.",
        lambda logits: -logits.log_softmax(dim=-1).mean(dim=-1),
    ),
    "choices": (
        "You return the exponential of the entropy: how many equal choices that would be. The "
        "entropy itself is asked for.",
        lambda logits: weighed(logits).sum(dim=-1).exp(),
    ),
    "surprise-of-the-best": (
        "You return the surprise at the likeliest token. Entropy is the mean over all of them.",
        lambda logits: -logits.log_softmax(dim=-1).amax(dim=-1),
    ),
    "over-the-first-axis": (
        "Your probabilities sum to 1 along the first axis, that of the texts. A row is the *last* "
        "axis: (..., V).",
        lambda logits: weighed(logits.movedim(0, -1)).sum(dim=-1),
    ),
    "constant-too-large": (
        "You add a constant before the logarithm. With many tokens each probability is small, and "
        "yours is no longer small beside them. Give a token of probability 0 the term 0, and leave "
        "the others alone.",
        lambda logits: -(logits.softmax(dim=-1) * (logits.softmax(dim=-1) + 1e-5).log()).sum(-1),
    ),
}

# --- chance_after_the_cut ---

CHANCE = {
    "filter-first": (
        "You cut before the temperature. At T = 1 four tokens are needed to reach 0.9; at T = 0.5 "
        "fewer are.",
        0.25 / 0.3225,
    ),
    "multiplied": (
        "You made it hotter. T = 0.5 divides the logits by 0.5: each probability is raised to the "
        "power 1 / 0.5 = 2, not 0.5.",
        0.5**0.5 / sum(p**0.5 for p in (0.5, 0.2, 0.15, 0.1, 0.05)),
    ),
    "without-the-crossing-token": (
        "You stopped one token too early. The first two do not reach 0.9; the one that crosses "
        "stays in.",
        0.25 / 0.29,
    ),
    "not-renormalised": (
        "That is its probability before the cut. What was cut off is shared out among the rest.",
        0.25 / 0.325,
    ),
    "no-temperature": (
        "You left out the temperature. It comes first, and makes the likely likelier.",
        0.5 / 0.95,
    ),
    "divided-by-p": (
        "You divided by p. But the tokens that stay have *more* than p together; divide by what "
        "they have.",
        0.25 / 0.325 / 0.9,
    ),
    "percent": ("The right number, in percent. A probability is between 0 and 1.", 80.0),
}
