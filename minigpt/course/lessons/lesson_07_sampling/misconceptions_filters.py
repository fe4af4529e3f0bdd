"""What people get wrong with a distribution: each wrong answer, and what a teacher says."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from minigpt.sampling import top_p_filter

# --- apply_temperature ---


TEMPERATURE = {
    "multiplied": (
        "You multiply. Then a low temperature flattens the distribution and a high one sharpens "
        "it: the wrong way round. At T = 1 nobody notices.",
        lambda logits, temperature: logits * temperature,
    ),
    "probabilities": (
        "You return probabilities. Temperature makes logits of logits; the softmax comes later, "
        "after the filters.",
        lambda logits, temperature: (logits / temperature).softmax(dim=-1),
    ),
    "after-the-softmax": (
        "You take the softmax first and divide the probabilities. All shrink alike, and they no "
        "longer sum to 1. Divide the logits.",
        lambda logits, temperature: logits.softmax(dim=-1) / temperature,
    ),
    "log-probabilities": (
        "The distribution would be right, but you return log-probabilities: every row is shifted. "
        "Return just the logits, divided.",
        lambda logits, temperature: logits.log_softmax(dim=-1) / temperature,
    ),
    "unchanged": (
        "You return the logits as they came. Is the result of your division thrown away?",
        lambda logits, temperature: logits,
    ),
    "in-place": (
        "The numbers are right, but you changed the caller's logits. `/=` works in place; make a "
        "new tensor.",
        lambda logits, temperature: logits.div_(temperature),
    ),
    "square-root": (
        "You divide by the root of the temperature. That is the scale of attention scores; here it "
        "is T itself.",
        lambda logits, temperature: logits / math.sqrt(temperature),
    ),
    "small-constant": (
        "You add a small constant to the temperature. It is above 0 already, and a very cool one "
        "is no longer what was asked for.",
        lambda logits, temperature: logits / (temperature + 1e-8),
    ),
    "never-so-cool": (
        "You keep the temperature above a least value. It may be as small as anyone likes: divide "
        "by the number that you are given.",
        lambda logits, temperature: logits / max(temperature, 0.01),
    ),
    "always-float32": (
        "You return float32, whatever came in. A result has the dtype of its logits.",
        lambda logits, temperature: logits.float() / temperature,
    ),
}

# --- top_k_filter ---


def keep(logits, kept):
    return logits.masked_fill(~kept, -math.inf)


def at_least(logits, k):
    """The k-th largest logit of each row, or the smallest where there are fewer."""
    return logits.topk(min(k, logits.size(-1)), dim=-1).values[..., -1:]


def as_nanogpt(logits, k):
    """What many copy: for (B, V) only, and into the caller's tensor."""
    best, _ = logits.topk(min(k, logits.size(-1)))
    logits[logits < best[:, [-1]]] = -math.inf
    return logits


def over_the_first_axis(logits, k):
    turned = logits.movedim(0, -1)
    return keep(turned, turned >= at_least(turned, k)).movedim(-1, 0)


TOP_K = {
    "one-too-many": (
        "You keep one token too many: k + 1. The probe is k = 1, which must leave only the best. "
        "Python counts places from 0.",
        lambda logits, k: keep(logits, logits >= at_least(logits, k + 1)),
    ),
    "one-too-few": (
        "You cut off the k-th token as well. It is one of the k: compare so that it stays.",
        lambda logits, k: keep(logits, logits > at_least(logits, k)),
    ),
    "smallest": (
        "You keep the k *smallest* logits: everything that the model finds unlikely.",
        lambda logits, k: keep(logits, logits <= -at_least(-logits, k)),
    ),
    "zero": (
        "You set the others to 0. A logit of 0 is no ban: softmax gives it e^0 = 1 share. What "
        "logit has the exponential 0?",
        lambda logits, k: logits * (logits >= at_least(logits, k)),
    ),
    "only-the-k": (
        "You return only the k logits. Then nobody knows whose they are. Keep the shape (..., V), "
        "with each logit at its place.",
        lambda logits, k: logits.topk(min(k, logits.size(-1)), dim=-1).values,
    ),
    "sorted": (
        "You return the row in sorted order. A logit's place is its token's id; the result must "
        "not move it.",
        lambda logits, k: keep(logits, logits >= at_least(logits, k)).sort(-1, True).values,
    ),
    "top-of-the-batch": (
        "You take the k largest of the whole batch. A row with small logits loses everything. Each "
        "row keeps its own k.",
        lambda logits, k: keep(logits, logits >= at_least(logits.flatten(), k)),
    ),
    "threshold-of-the-first-row": (
        "You use the first row's k-th logit for all rows. Each row needs a threshold of its own: "
        "keep the last axis when you look it up.",
        lambda logits, k: keep(logits, logits >= at_least(logits, k).flatten()[0]),
    ),
    "larger-than-the-vocabulary": (
        "Right, until k is larger than the vocabulary: then topk stops with an error. There "
        "everything is kept.",
        lambda logits, k: keep(logits, logits >= logits.topk(k, dim=-1).values[..., -1:]),
    ),
    "probabilities": (
        "You return probabilities. The filter makes logits of logits, so that another filter can "
        "follow.",
        lambda logits, k: keep(logits, logits >= at_least(logits, k)).softmax(dim=-1),
    ),
    "in-place": (
        "You cut off tokens in the caller's own tensor. Leave it as it was, and return a new one.",
        lambda logits, k: logits.masked_fill_(logits < at_least(logits, k), -math.inf),
    ),
    "two-axes-only": (
        "You look up the k-th logit with [:, [-1]]: that is for a table (B, V). A single row has "
        "one axis, and with three the second one is not the vocabulary. Take it from the *last* "
        "axis, however many stand before it: [..., -1:].",
        lambda logits, k: keep(
            logits, logits >= logits.topk(min(k, logits.size(-1))).values[:, [-1]]
        ),
    ),
    "two-axes-and-in-place": (
        "Two things. You look up the k-th logit with [:, [-1]], which is for a table (B, V) only: "
        "[..., -1:] takes it from the last axis, however many stand before it. And you write -inf "
        "into the caller's own tensor: return a new one.",
        as_nanogpt,
    ),
    "threshold-without-its-axis": (
        "Your thresholds have lost the last axis: (B,) instead of (B, 1). PyTorch lays them along "
        "the vocabulary, which fails, or in a square table compares each row with the others' "
        "thresholds. Keep the axis: [..., -1:].",
        lambda logits, k: keep(
            logits, logits >= logits.topk(min(k, logits.size(-1))).values[..., -1]
        ),
    ),
    "threshold-of-the-last-row": (
        "You take the *last row* of the k best instead of each row's last one. Counting from the "
        "end goes along the first axis unless you say which: [..., -1:].",
        lambda logits, k: keep(
            logits, logits >= logits.topk(min(k, logits.size(-1))).values[-1, ..., -1:]
        ),
    ),
    "large-number-below-zero": (
        "You set the others to a number far below 0. That is almost a ban. Minus infinity is one, "
        "whatever the other logits are.",
        lambda logits, k: logits.masked_fill(logits < at_least(logits, k), -1e9),
    ),
    "zero-times-infinity": (
        "You multiply a mask with minus infinity. Where the mask is 0, that is not a number. "
        "Choose with masked_fill or torch.where instead.",
        lambda logits, k: logits + (logits < at_least(logits, k)) * -math.inf,
    ),
    "over-the-first-axis": (
        "You look for the largest along the first axis, that of the texts. A row is the *last* "
        "axis.",
        over_the_first_axis,
    ),
}

# --- top_p_filter ---


def in_double(logits):
    return logits.double().softmax(dim=-1)


def as_given(logits):
    return logits.softmax(dim=-1)


def put_back(removed, order):
    return torch.zeros_like(removed).scatter(-1, order, removed)


def top_p_with(
    *,
    order=lambda logits: logits.argsort(dim=-1, descending=True, stable=True),
    numbers=in_double,
    cut=lambda total, own, p: total - own >= p,
    carry=put_back,
    special=True,
):
    """Return a top-p filter with one step replaced: numbers are added up in order, then cut.

    special: at p = 1 everything stays, as it should.
    """

    def top_p(logits, p):
        if special and p == 1:
            return logits
        places = order(logits)
        own = numbers(logits.gather(-1, places))
        return keep(logits, ~carry(cut(own.cumsum(dim=-1), own, p), places))

    return top_p


def share_of_the_best(logits, p):
    probabilities = logits.softmax(dim=-1)
    return keep(logits, probabilities >= p * probabilities.amax(dim=-1, keepdim=True))


def first_to_reach(logits, p):
    """Row by row: everything behind the first place where the sum reaches p is cut off."""
    ordered, order = logits.sort(dim=-1, descending=True)
    kept = torch.zeros_like(logits, dtype=torch.bool)
    sums = ordered.softmax(dim=-1).cumsum(dim=-1).reshape(-1, logits.size(-1))
    for row, ids, those in zip(sums, order.reshape(sums.shape), kept.view(sums.shape)):
        those[ids[: (row >= p).nonzero()[0] + 1]] = True
    return keep(logits, kept)


def one_row_only(logits, p):
    """Cuts by ids along the first axis, as for a single row."""
    if p == 1:
        return logits
    ordered, order = logits.sort(dim=-1, descending=True)
    removed = F.pad(ordered.softmax(dim=-1).cumsum(dim=-1) > p, (1, -1))
    result = logits.clone()
    result[order[removed]] = -math.inf
    return result


def along_axis_1(logits, p):
    """Sorts along the last axis, and carries back along axis 1."""
    if p == 1:
        return logits
    ordered, order = logits.sort(dim=-1, descending=True)
    removed = F.pad(ordered.softmax(dim=-1).cumsum(dim=-1) > p, (1, -1))
    return keep(logits, ~removed.scatter(1, order, removed))


ROUNDED = (
    "At p = 1 everything stays, but yours cuts tokens off. There are 24 bits to a number in "
    "float32: the running sum is rounded to 1, or past it, long before the last small probability "
    "is added. No comparison mends that. Take p = 1 out before you begin."
)


def kept_by(logits, p):
    return torch.isfinite(top_p_filter(logits, p))


TOP_P = {
    "without-the-crossing-token": (
        "You cut off the token that crosses p. What is left does not reach p, and where the first "
        "token alone has more than p, nothing is left at all. Keep the *smallest set that reaches "
        "p*.",
        top_p_with(cut=lambda total, own, p: total > p + 1e-9),
    ),
    "one-too-many": (
        "You keep one token beyond the one that crosses p. Shift by one place, not by two: a token "
        "stays if the sum *before* it is below p.",
        top_p_with(cut=lambda total, own, p: F.pad(total >= p, (2, -2))),
    ),
    "unsorted": (
        "You add up in the order of ids. The best token may come last and be cut off. Sort by "
        "probability first.",
        top_p_with(order=lambda logits: torch.arange(logits.size(-1)).expand_as(logits)),
    ),
    "ascending": (
        "You add up from the least likely token. So the likeliest ones are cut off. Sort the other "
        "way.",
        top_p_with(order=lambda logits: logits.argsort(dim=-1, stable=True)),
    ),
    "mask-left-sorted": (
        "Your mask belongs to the sorted row, and you put it on the unsorted one: the wrong tokens "
        "are cut off. Carry it back to the order of ids.",
        top_p_with(carry=lambda removed, order: removed),
    ),
    "sorted": (
        "You return the row in sorted order. A logit's place is its token's id; the result must "
        "not move it.",
        lambda logits, p: top_p_filter(logits, p).sort(dim=-1, descending=True).values,
    ),
    "each-against-p": (
        "You compare each probability with p. But p is about the *sum*: the fewest tokens that "
        "reach it together.",
        lambda logits, p: keep(logits, logits.softmax(dim=-1) >= p),
    ),
    "tail-below-p": (
        "You cut off tokens with a probability below 1 - p. A long tail of small ones can be worth "
        "more than that, and is partly needed. Add up from the top.",
        lambda logits, p: keep(logits, logits.softmax(dim=-1) >= 1 - p),
    ),
    "logits-added-up": (
        "You add up logits. They are scores of any size; only probabilities add up to 1.",
        top_p_with(numbers=lambda logits: logits),
    ),
    "zero": (
        "You set the others to 0. A logit of 0 is no ban: softmax gives it e^0 = 1 share. What "
        "logit has the exponential 0?",
        lambda logits, p: torch.where(kept_by(logits, p), logits, torch.zeros_like(logits)),
    ),
    "probabilities": (
        "You return probabilities. The filter makes logits of logits, with -inf where a token is "
        "removed.",
        lambda logits, p: top_p_filter(logits, p).softmax(dim=-1),
    ),
    "not-renormalised": (
        "You return probabilities, and they no longer sum to 1. Cut logits instead: the softmax "
        "that follows will share out the rest.",
        lambda logits, p: logits.softmax(dim=-1) * kept_by(logits, p),
    ),
    "first-not-kept": (
        "Your shift by one place leaves the first entry of the mask as it was. A token with more "
        "than p by itself is then cut off, and nothing stays. The first always stays.",
        top_p_with(
            numbers=as_given,
            cut=lambda total, own, p: torch.cat([total[..., :1], total[..., :-1]], dim=-1) > p,
        ),
    ),
    "best-one-saved": (
        "You always keep the first token, but you cut off the one that crosses p. What is left "
        "does not reach p. The crossing token stays.",
        top_p_with(numbers=as_given, cut=lambda total, own, p: F.pad(total[..., 1:] > p, (1, 0))),
    ),
    "carried-the-wrong-way": (
        "Your mask is right in sorted order, but you carry it back the wrong way. gather *reads* "
        "at the places of order; scatter *writes* there.",
        top_p_with(
            numbers=as_given,
            cut=lambda total, own, p: F.pad(total > p, (1, -1)),
            carry=lambda removed, order: removed.gather(-1, order),
        ),
    ),
    "share-of-the-best": (
        "You compare each probability with p times the largest. That is another filter, min-p. "
        "Here p is about the *sum*.",
        share_of_the_best,
    ),
    "in-place": (
        "You cut off tokens in the caller's own tensor. Leave it as it was, and return a new one.",
        lambda logits, p: logits.masked_fill_(~kept_by(logits.detach(), p), -math.inf),
    ),
    "first-that-reaches": (
        "You look for the first place where the sum reaches p. At p = 1 there may be none, since "
        "rounding can leave the last sum at 0.9999999, or it comes too early. There everything "
        "stays: take p = 1 out before you begin.",
        first_to_reach,
    ),
    "rounded-at-one": (ROUNDED, top_p_with(numbers=as_given, special=False)),
    "rounded-at-one-shifted": (
        ROUNDED,
        top_p_with(
            numbers=as_given, cut=lambda total, own, p: F.pad(total > p, (1, -1)), special=False
        ),
    ),
    "rounded-at-one-counted": (
        ROUNDED,
        top_p_with(
            numbers=as_given, cut=lambda total, own, p: F.pad(total >= p, (1, -1)), special=False
        ),
    ),
    "one-row-only": (
        "You cut with the ids of the tokens along the *first* axis. With one row that is the "
        "vocabulary; with several it is the texts. Make a mask (..., V) and carry it back with "
        "scatter along the last axis.",
        one_row_only,
    ),
    "axis-1": (
        "You carry the mask back along axis 1. That is the vocabulary only for (B, V): a single "
        "row has no axis 1, and with three axes it is time. Count from the end: -1.",
        along_axis_1,
    ),
    "over-the-first-axis": (
        "You sort and add up along the first axis, that of the texts. A row is the *last* axis.",
        lambda logits, p: top_p_filter(logits.movedim(0, -1), p).movedim(-1, 0),
    ),
}

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
