"""What people get wrong with a distribution: each wrong answer, and what a teacher says."""

from __future__ import annotations

import math
from functools import partial

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
    "one-threshold-column": (
        "You look up the k-th logit with [:, -1]. A single row has no second axis; and of a table "
        "it gives (B,), which PyTorch lays along the vocabulary. Take it from the last axis, and "
        "keep that axis: [..., -1:].",
        lambda logits, k: keep(logits, logits >= logits.topk(k).values[:, -1]),
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


def along_axis_1(logits, p, special=True):
    """Sorts along the last axis, and carries back along axis 1."""
    if special and p == 1:
        return logits
    ordered, order = logits.sort(dim=-1, descending=True)
    removed = F.pad(ordered.softmax(dim=-1).cumsum(dim=-1) > p, (1, -1))
    return keep(logits, ~removed.scatter(1, order, removed))


ROUNDED = (
    "At p = 1 everything stays, but yours cuts tokens off. There are 24 bits to a number in "
    "float32: the running sum is rounded to 1, or past it, long before the last small probability "
    "is added. No comparison mends that. Take p = 1 out before you begin."
)
ROUNDED_IN_64_BITS = (
    "At p = 1 everything stays, but yours cuts tokens off. Float64 only moves the trouble: it has "
    "53 bits, so a probability below one in 10^16 adds nothing to a sum near 1, and a sum can "
    "still be rounded past 1. Take p = 1 out before you begin."
)


def in_place_and_rounded(logits, p):
    shifted = top_p_with(
        numbers=as_given, cut=lambda total, own, p: F.pad(total > p, (1, -1)), special=False
    )
    return logits.masked_fill_(shifted(logits.detach(), p).isinf(), -math.inf)


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
    "in-place-and-rounded-at-one": (
        "Two things. You cut off tokens in the caller's own tensor: leave it as it was, and return "
        "a new one. " + ROUNDED,
        in_place_and_rounded,
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
    "rounded-at-one-in-64-bits": (ROUNDED_IN_64_BITS, top_p_with(special=False)),
    "rounded-at-one-shifted-in-64-bits": (
        ROUNDED_IN_64_BITS,
        top_p_with(cut=lambda total, own, p: F.pad(total > p, (1, -1)), special=False),
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
    "axis-1-and-rounded-at-one": (
        "Two things. You carry the mask back along axis 1, which is the vocabulary only for "
        "(B, V): count from the end, -1. " + ROUNDED,
        partial(along_axis_1, special=False),
    ),
    "over-the-first-axis": (
        "You sort and add up along the first axis, that of the texts. A row is the *last* axis.",
        lambda logits, p: top_p_filter(logits.movedim(0, -1), p).movedim(-1, 0),
    ),
}
