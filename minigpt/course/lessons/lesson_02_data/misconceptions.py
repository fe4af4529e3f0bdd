"""Wrong answers to the exercises of lesson 02, and what a teacher says to each."""

from __future__ import annotations

import math
import random
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

# --- embed ---


def rows_of_flat(idx, wte, wpe):
    places = torch.arange(idx.numel()).reshape(idx.shape) % len(wpe)
    return wte[idx] + wpe[places]


def rows_of_a_batch(idx, wte, wpe):
    _, T = idx.shape
    return wte[idx] + wpe[:T]


EMBED = {
    "positions-not-added": (
        "You look up the tokens, but add no positions. 'a fox saw a kite' and 'a kite saw a fox' "
        "become the same vectors in another order. Add the rows of wpe.",
        lambda idx, wte, wpe: wte[idx],
    ),
    "one-position-for-all": (
        "You add the same row of wpe at every position. Then the model cannot tell positions "
        "apart: position t gets row t.",
        lambda idx, wte, wpe: wte[idx] + wpe[0],
    ),
    "position-by-id": (
        "You look up wpe with the ids. The id says which token, and wte knows that already; wpe is "
        "asked where it stands: 0, 1, 2 ...",
        lambda idx, wte, wpe: wte[idx] + wpe[idx],
    ),
    "all-of-wpe": (
        "You add all rows of wpe, however short the text is. T tokens need its first T rows.",
        lambda idx, wte, wpe: wte[idx] + wpe,
    ),
    "two-dimensions-only": (
        "Yours works for a batch (B, T) only. idx may have any leading dimensions, or none: T is "
        "its last one.",
        rows_of_a_batch,
    ),
    "rows-counted-not-places": (
        "You take as many rows of wpe as idx has rows. T is the *last* dimension of idx: "
        "idx.shape[-1], not len(idx).",
        lambda idx, wte, wpe: wte[idx] + wpe[: len(idx)],
    ),
    "positions-from-1": (
        "Your positions start at 1. Rows are counted from 0: the first token gets row 0 of wpe.",
        lambda idx, wte, wpe: wte[idx] + wpe[(torch.arange(idx.shape[-1]) + 1) % len(wpe)],
    ),
    "last-rows-of-wpe": (
        "You take the last rows of wpe. A text of T tokens starts at position 0, so it uses the "
        "first T rows, however many there are.",
        lambda idx, wte, wpe: wte[idx] + wpe[len(wpe) - idx.shape[-1] :],
    ),
    "positions-run-on": (
        "Your positions run on from one row of the batch into the next. Each row is a text of its "
        "own and starts at position 0 again.",
        rows_of_flat,
    ),
    "times-root-c": (
        "You multiply the token's vector by the root of C. The first transformer did so; GPT-2 "
        "does not.",
        lambda idx, wte, wpe: wte[idx] * wte.shape[1] ** 0.5 + wpe[: idx.shape[-1]],
    ),
    "concatenated": (
        "You put the two vectors side by side, which makes rows of 2C numbers. They are added: the "
        "width stays C.",
        lambda idx, wte, wpe: torch.cat(
            [wte[idx], wpe[: idx.shape[-1]].expand(*idx.shape, -1)], dim=-1
        ),
    ),
    "multiplied": (
        "You multiply token and position. They are added.",
        lambda idx, wte, wpe: wte[idx] * wpe[: idx.shape[-1]],
    ),
}


# --- sinusoidal_positions ---


def waves(T, C, *, first=0, rate=None, halves=False, swap=False, only_sin=False):
    """Return the table of positions, wrong in the way that is asked for."""
    i = torch.arange(0, C // 2, dtype=torch.float64)
    rates = 10000.0 ** (-2 * i / C) if rate is None else rate(i, C)
    angles = torch.arange(first, T + first, dtype=torch.float64)[:, None] * rates
    both = [angles.sin(), angles.sin() if only_sin else angles.cos()]
    both = both[::-1] if swap else both
    if halves:
        return torch.cat(both, dim=1).float()
    return torch.stack(both, dim=-1).reshape(T, C).float()


def waves_each_its_own(T, C):
    column = torch.arange(C, dtype=torch.float64)
    angles = torch.arange(T, dtype=torch.float64)[:, None] * 10000.0 ** (-column / C)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos()).float()


SINUSOIDAL_POSITIONS = {
    "sines-then-cosines": (
        "You put all sines first and all cosines after them. They take turns here: column 2i is "
        "the sine, column 2i + 1 the cosine of the same angle.",
        partial(waves, halves=True),
    ),
    "cosine-first": (
        "Sine and cosine are swapped: even columns are sines. Row 0 must be 0, 1, 0, 1 ...",
        partial(waves, swap=True),
    ),
    "positions-from-1": (
        "Your positions start at 1. The first is t = 0, where every angle is 0: row 0 is 0, 1, 0, "
        "1 ...",
        partial(waves, first=1),
    ),
    "exponent-i": (
        "The exponent is i/C where 2i/C is meant, so your hands slow down half as fast. With C = 4 "
        "the second pair of columns turns 100 times slower than the first, not 10 times.",
        partial(waves, rate=lambda i, C: 10000.0 ** (-i / C)),
    ),
    "each-column-its-own-angle": (
        "Each of your columns has an angle of its own. Columns 2i and 2i + 1 share one: they are "
        "the sine and the cosine of the same hand.",
        waves_each_its_own,
    ),
    "multiplied-not-divided": (
        "You multiply t by 10000 ** (2i/C); it should be divided. Later columns turn slower, not "
        "faster.",
        partial(waves, rate=lambda i, C: 10000.0 ** (2 * i / C)),
    ),
    "whole-number-division": (
        "2i // C drops the fraction, and is 0 for every column here: all hands turn alike. Use /.",
        partial(waves, rate=lambda i, C: 10000.0 ** -(2 * i // C)),
    ),
    "doubled-twice": (
        "Your exponent is twice too large. torch.arange(0, C, 2) gives 2i already: do not double "
        "it again.",
        partial(waves, rate=lambda i, C: 10000.0 ** (-4 * i / C)),
    ),
    "base-1000": (
        "Your base is 1,000. The formula has 10,000.",
        partial(waves, rate=lambda i, C: 1000.0 ** (-2 * i / C)),
    ),
    "sines-only": (
        "All your columns are sines. Of each pair the second is the cosine: with both, a hand's "
        "direction is certain.",
        partial(waves, only_sin=True),
    ),
    "float64": (
        "The numbers are right, but of type float64. The model computes in float32: convert at the "
        "end.",
        lambda T, C: waves(T, C).double(),
    ),
}


# --- embedding_account ---


def account_of(wte, wpe, n_bytes):
    return {"wte": wte, "wpe": wpe, "bytes": n_bytes}


EMBEDDING_ACCOUNT = {
    "numbers-not-bytes": (
        "Under bytes you count numbers. A float32 takes 4 bytes.",
        lambda V, T, C: account_of(V * C, T * C, (V + T) * C),
    ),
    "bits-not-bytes": (
        "Under bytes you count bits. A float32 has 32 bits, which are 4 bytes.",
        lambda V, T, C: account_of(V * C, T * C, 32 * (V + T) * C),
    ),
    "float64": (
        "You count 8 bytes for a number: that is float64. Weights are float32, 4 bytes each.",
        lambda V, T, C: account_of(V * C, T * C, 8 * (V + T) * C),
    ),
    "wpe-without-width": (
        "You count one number for each position. A position gets a whole row, as wide as a "
        "token's, or the two could not be added.",
        lambda V, T, C: account_of(V * C, T, 4 * (V * C + T)),
    ),
    "one-table-only": (
        "Under bytes you forgot one of the tables: wpe has to be kept in memory, too.",
        lambda V, T, C: account_of(V * C, T * C, 4 * V * C),
    ),
    "tables-swapped": (
        "wte and wpe are swapped. wte has a row for each token of the vocabulary, wpe one for each "
        "position.",
        lambda V, T, C: account_of(T * C, V * C, 4 * (V + T) * C),
    ),
    "wpe-for-each-token": (
        "Your wpe has a row for each token at each position. Positions do not depend on the token: "
        "that is why the two are added.",
        lambda V, T, C: account_of(V * C, V * T * C, 4 * (V + V * T) * C),
    ),
}


# --- get_batch ---


def draws(n, B, generator):
    return torch.randint(max(n, 1), (B,), generator=generator)


def batch_with(shift=1, starts=lambda n, T, B, generator: draws(n - T, B, generator), cut=None):
    """Return a get_batch that is wrong in its targets, its starts or how it cuts."""

    def get_batch(data, T, B, generator):
        places = starts(len(data), T, B, generator)[:, None] + torch.arange(T)
        if cut is not None:
            return cut(data.long(), places)
        return data[places].long(), data[(places + shift) % len(data)].long()

    return get_batch


def batch_of_slices(more):
    """Return a get_batch that cuts slices, with `more` starts than there are windows."""

    def get_batch(data, T, B, generator):
        starts = draws(len(data) - T + more, B, generator)
        x = torch.stack([data[s : s + T] for s in starts])
        y = torch.stack([data[s + 1 : s + T + 1] for s in starts])
        return x.long(), y.long()

    return get_batch


def keeping_dtype(get_batch):
    return lambda data, *others: tuple(ids.to(data.dtype) for ids in get_batch(data, *others))


INT64 = "x and y must be int64, whatever the type of data: convert both."
GET_BATCH_IN_INT64 = {
    "targets-not-shifted": (
        "Your y equals x. A model trained on it learns to repeat what it reads, and its loss goes "
        "to 0, below any floor. y is the same window, one to the right.",
        batch_with(shift=0),
    ),
    "shifted-twice": (
        "Your y is two to the right. The target of a token is the very next one. (The last window "
        "would even need a token beyond the end.)",
        batch_with(shift=2),
    ),
    "shifted-left": (
        "Your y is one to the left: the model would learn to say the token before. The target is "
        "the one after.",
        batch_with(shift=-1),
    ),
    "next-window": (
        "Your y is the next window, T to the right. The target of a token is the very next one: y "
        "is the same window, one to the right.",
        batch_with(
            cut=lambda data, places: (data[places], data[(places + places.shape[1]) % len(data)])
        ),
    ),
    "x-and-y-swapped": (
        "You return y first. The inputs x come first, then their targets y.",
        batch_with(cut=lambda data, places: (data[places + 1], data[places])),
    ),
    "window-rolled": (
        "You roll each window by one, so its last target is the window's own first token. The last "
        "target is the token after the window: take it from data.",
        batch_with(cut=lambda data, places: (data[places], data[places].roll(-1, dims=1))),
    ),
    "one-target-a-window": (
        "You give one target a window, the token after its end. Every position has a target: T "
        "questions for one reading. y has the shape of x.",
        batch_with(cut=lambda data, places: (data[places], data[places[:, -1] + 1])),
    ),
    "transposed": (
        "Your batch is (T, B); it should be (B, T): each row is one window.",
        batch_with(cut=lambda data, places: (data[places.T], data[places.T + 1])),
    ),
    "last-window-missing": (
        "Your largest start is one too small, so the last window is never drawn. A window touches "
        "T + 1 tokens: there are N - T starts, and randint leaves out its upper end by itself.",
        batch_with(
            # Where there is only one window, randint(0, ...) raises.
            starts=lambda n, T, B, generator: torch.randint(n - T - 1, (B,), generator=generator)
        ),
    ),
    "one-start-too-many": (
        "Your largest start is one too large: a window at N - T has no target for its last token. "
        "There are N - T starts, from 0 to N - T - 1.",
        batch_with(starts=lambda n, T, B, generator: draws(n - T + 1, B, generator)),
    ),
    "numpy-dice": (
        "You draw with NumPy, and the generator is not used: the same seed gives another batch "
        "each time. Draw with torch.randint, and pass the generator on.",
        batch_with(starts=lambda n, T, B, _: torch.from_numpy(np.random.randint(0, n - T, B))),
    ),
    "pythons-dice": (
        "You draw with Python's random, and the generator is not used: the same seed gives another "
        "batch each time. Draw with torch.randint, and pass the generator on.",
        batch_with(
            starts=lambda n, T, B, _: torch.tensor([random.randint(0, n - T - 1) for _ in range(B)])
        ),
    ),
    "generator-ignored": (
        "You draw without the generator, so the same seed gives another batch each time. Pass it "
        "on to randint.",
        batch_with(starts=lambda n, T, B, generator: draws(n - T, B, None)),
    ),
    "drawn-twice": (
        "You draw starts for x and again for y, so the two come from different places. Draw once, "
        "use the starts for both.",
        lambda *given: (batch_with()(*given)[0], batch_with()(*given)[1]),
    ),
    "one-start-for-all": (
        "All rows of your batch are the same window. Draw one start for each row.",
        batch_with(starts=lambda n, T, B, generator: draws(n - T, 1, generator).expand(B)),
    ),
    "neighbouring-windows": (
        "You draw one start and take the windows beside it. Then a batch sees one small stretch of "
        "the text only. Each row has a start of its own.",
        batch_with(
            starts=lambda n, T, B, generator: (
                (draws(n - T, 1, generator) + torch.arange(B)) % (n - T)
            )
        ),
    ),
    "starts-at-multiples": (
        "Your windows start at multiples of T only. Any place from 0 to N - T - 1 is a start.",
        batch_with(starts=lambda n, T, B, generator: draws((n - 1) // T, B, generator) * T),
    ),
    "from-the-beginning": (
        "You always take the first windows of the text. Draw the starts at random, or the model "
        "never sees the rest.",
        batch_with(starts=lambda n, T, B, generator: torch.arange(B) % (n - T)),
    ),
}
# The lesson's own get_batch converts nothing, so each mistake also comes together with this one.
GET_BATCH = {
    **GET_BATCH_IN_INT64,
    "one-start-too-many, cut": (
        "Your largest start is one too large: a window at N - T has no target for its last token, "
        "its row of y comes out shorter, and stack refuses. There are N - T starts, from 0 to "
        "N - T - 1.",
        batch_of_slices(1),
    ),
    "dtype-kept": (
        "x and y keep the type of data. Files hold small integers to save space; PyTorch's loss "
        "wants int64. Convert both.",
        keeping_dtype(batch_with()),
    ),
    **{
        f"{name}, dtype-kept": (f"{message} And {INT64}", keeping_dtype(wrong))
        for name, (message, wrong) in GET_BATCH_IN_INT64.items()
    },
}


# --- bigram_counts ---


def counts_of(now, after, V):
    return torch.bincount(now * V + after, minlength=V * V).view(V, V)


def counts_once(ids, V):
    counts = torch.zeros(V, V, dtype=torch.int64)
    counts[ids[:-1], ids[1:]] += 1
    return counts


def as_floats(bigram_counts):
    return lambda ids, V: bigram_counts(ids, V).float()


COUNTS_IN_INT64 = {
    "repeats-lost": (
        "Every count is 0 or 1. counts[x, y] += 1 with many places at once adds 1 to each place "
        "only once, however often it is named. Use a loop, bincount, or index_put_ with "
        "accumulate=True.",
        counts_once,
    ),
    "transposed": (
        "Rows and columns are swapped. The row is the token, the column the one that came after "
        "it.",
        lambda ids, V: counts_of(ids[1:], ids[:-1], V),
    ),
    "both-directions": (
        "You count each pair in both directions. What came after a token is not what came before "
        "it.",
        lambda ids, V: counts_of(ids[:-1], ids[1:], V) + counts_of(ids[1:], ids[:-1], V),
    ),
    "ring": (
        "You also count the last token with the first. Nothing came after the last: N tokens are N "
        "- 1 pairs.",
        lambda ids, V: counts_of(ids, ids.roll(-1), V),
    ),
    "every-second-pair": (
        "You count every second pair only. Each token is the right half of one pair and the left "
        "half of the next.",
        lambda ids, V: counts_of(ids[:-1:2], ids[1::2], V),
    ),
    "last-pair-missing": (
        "The last pair is missing: N tokens are N - 1 pairs.",
        lambda ids, V: counts_of(ids[:-2], ids[1:-1], V),
    ),
    "starts-at-one": (
        "Every count is one too high: you start with ones. That is smoothing, which comes later; "
        "counting starts at 0.",
        lambda ids, V: counts_of(ids[:-1], ids[1:], V) + 1,
    ),
}
# torch.zeros gives floats, so each mistake also comes together with that one.
BIGRAM_COUNTS = {
    **COUNTS_IN_INT64,
    "float-counts": (
        "The counts are right, but they are floats. Counts are whole numbers: int64. (A float32 "
        "cannot count beyond 16,777,216.)",
        lambda ids, V: counts_of(ids[:-1], ids[1:], V).float(),
    ),
    **{
        f"{name}, float-counts": (f"{message} And make the counts int64.", as_floats(wrong))
        for name, (message, wrong) in COUNTS_IN_INT64.items()
    },
}


# --- bigram_loss ---


def by_row(counts):
    return counts / counts.sum(dim=1, keepdim=True)


def loss_with(P=lambda counts, extra: by_row(counts + extra), reduce=lambda p: -p.log().mean()):
    """Return a bigram_loss with other probabilities P(counts, extra) or another reduction."""

    def bigram_loss(counts, ids, extra):
        return reduce(P(counts.double(), extra)[ids[:-1], ids[1:]]).item()

    return bigram_loss


def surprise_capped(tiny, p):
    return -(p + tiny).log().mean()


BIGRAM_LOSS = {
    "columns-normalised": (
        "You divide each column by its sum. A row holds what came after one token: the rows must "
        "add up to 1.",
        loss_with(lambda n, extra: (n + extra) / (n + extra).sum(dim=0, keepdim=True)),
    ),
    "columns-normalised-by-broadcast": (
        "You divide by the row sums, but they lie the wrong way: (V, V) / (V,) divides each column "
        "by one of them. Keep the dimension: keepdim=True.",
        loss_with(lambda n, extra: (n + extra) / (n + extra).sum(dim=1)),
    ),
    "whole-table-normalised": (
        "You divide by the sum of the whole table: that is how often the pair occurs. Asked is the "
        "probability of the next token, given this one: divide each row by its own sum.",
        loss_with(lambda n, extra: (n + extra) / (n + extra).sum()),
    ),
    "extra-not-in-the-sum": (
        "You add extra to the counts, but divide by the sums without it, so the rows add up to "
        "more than 1. Add first, then divide by the new sums.",
        loss_with(lambda n, extra: (n + extra) / n.sum(dim=1, keepdim=True)),
    ),
    "extra-once-a-row": (
        "Your row sums grow by extra once. It was added to each of the V counts in the row, so the "
        "sum grows by V times extra.",
        loss_with(lambda n, extra: (n + extra) / (n.sum(dim=1, keepdim=True) + extra)),
    ),
    "extra-ignored": (
        "extra does nothing in your version. A pair that was never counted has probability 0 and "
        "an infinite surprise. Add extra to every count before you divide.",
        loss_with(lambda n, extra: by_row(n)),
    ),
    "softmax-of-counts": (
        "You take a softmax of the counts. Counts are not scores: divide each row by its sum. "
        "(Softmax would fit their logarithms.)",
        loss_with(lambda n, extra: (n + extra).softmax(dim=1)),
    ),
    "softmax-of-probabilities": (
        "You take a softmax of the probabilities, as F.cross_entropy does with what it is given. "
        "They are probabilities already: take their logarithm.",
        loss_with(lambda n, extra: by_row(n + extra).softmax(dim=1)),
    ),
    "bits": (
        "Your loss is in bits (log2). Nats use the natural logarithm.",
        loss_with(reduce=lambda p: -p.log2().mean()),
    ),
    **{
        f"{tiny:g}-in-the-logarithm": (
            f"You add {tiny:g} before you take the logarithm, to be safe from log(0). So the "
            "surprise is capped: a pair rarer than that costs too little, and nobody notices. "
            "extra is there for it, added to the counts.",
            loss_with(reduce=partial(surprise_capped, tiny)),
        )
        for tiny in (1e-8, 1e-9, 1e-10, 1e-12)
    },
    "sum": (
        "You add the surprises up. The loss is their mean, so that texts of different lengths can "
        "be compared.",
        loss_with(reduce=lambda p: -p.log().sum()),
    ),
    "sign": (
        "Your loss is negative. The logarithm of a probability is; surprise is minus that.",
        loss_with(reduce=lambda p: p.log().mean()),
    ),
    "divided-by-tokens": (
        "You divide by the number of tokens, N. There are N - 1 pairs: nothing predicts the first "
        "token.",
        loss_with(reduce=lambda p: -p.log().sum() / (len(p) + 1)),
    ),
    "log-of-the-mean": (
        "You take the mean of the probabilities first and the logarithm after. It is the other way "
        "round: the surprise at each token, then the mean.",
        loss_with(reduce=lambda p: -p.mean().log()),
    ),
    "perplexity": (
        "That is the perplexity, e to the loss. Asked is the loss itself, in nats.",
        loss_with(reduce=lambda p: (-p.log().mean()).exp()),
    ),
    "pairs-reversed": (
        "You look up (next, this). The row is the token that was read, the column the one that "
        "came.",
        lambda counts, ids, extra: loss_with()(counts, ids.flip(0), extra),
    ),
}

UNIFORM_LOSS = {
    "one-decimal-only": ("Right, but rounded too far: two decimals are asked for.", 10.8),
    "rounded-up": (
        "Almost: the second decimal is rounded the wrong way. Look at the third one.",
        10.83,
    ),
    "bits": ("That is in bits, with log2. In nats it is the natural logarithm.", math.log2(50257)),
    "log10": ("That is the logarithm to the base 10. Nats use the natural one.", math.log10(50257)),
    "sign": (
        "Right, but for the sign: surprise is minus the logarithm, so it is never negative.",
        -math.log(50257),
    ),
    "perplexity": (
        "50,257 is the perplexity: as unsure as guessing one of that many. The loss is its natural "
        "logarithm.",
        50257,
    ),
    "probability": (
        "That is the probability of a token. The loss is the surprise: minus its natural "
        "logarithm.",
        1 / 50257,
    ),
    "the-stories-vocabulary": (
        "That is ln 1,024, for the stories' vocabulary. GPT-2's has 50,257 tokens.",
        math.log(1024),
    ),
}


# --- batch_loss ---


def mixed(logits, y):
    return F.cross_entropy(logits.transpose(0, 1).flatten(0, 1), y.flatten())


def plainly(logits, y, **options):
    return F.cross_entropy(logits.flatten(0, 1), y.flatten(), **options)


BATCH_LOSS = {
    "untouched": (
        "Not written yet: this is still the broken version. Take x of two rows and three "
        "positions, and write down which target each position of x is compared with.",
        lambda table, x, y: mixed(table[x][:, :-1], y[:, 1:]),
    ),
    "still-shifted-twice": (
        "One bug is gone, the order. But y comes shifted already, and this shifts it once more: "
        "each position is graded on the token after the next.",
        lambda table, x, y: plainly(table[x][:, :-1], y[:, 1:]),
    ),
    "still-mixed-up": (
        "One bug is gone, the second shift. But the logits are still flattened column by column "
        "and the targets row by row, so a prediction meets the target of another row.",
        lambda table, x, y: mixed(table[x], y),
    ),
    "shifted-back": (
        "You shift the other way, so that each position is graded on a token that it has read. y "
        "is right as it comes: x[b, t] is answered by y[b, t].",
        lambda table, x, y: plainly(table[x], x),
    ),
    "last-position-dropped": (
        "The last position of each row is not graded any more. x and y have the same shape: every "
        "position has its target.",
        lambda table, x, y: plainly(table[x][:, :-1], y[:, :-1]),
    ),
    "softmax-twice": (
        "You take a softmax first. F.cross_entropy takes one itself: give it the logits as they "
        "are.",
        lambda table, x, y: plainly(table[x].softmax(dim=-1), y),
    ),
    "filling-counted": (
        "You divide by all positions, also those whose target is -100. They are filling: leave "
        "them out of the mean as well.",
        lambda table, x, y: plainly(table[x], y, reduction="none").mean(),
    ),
    "sum": (
        "You add the losses up. The loss is the mean over all targets that count.",
        lambda table, x, y: plainly(table[x], y, reduction="sum"),
    ),
    "mean-of-row-means": (
        "You take the mean of each row, then the mean of those. Rows that end early have fewer "
        "targets, so theirs would weigh more. Take one mean over all targets.",
        lambda table, x, y: torch.stack(
            [F.cross_entropy(table[row], targets) for row, targets in zip(x, y)]
        ).mean(),
    ),
}

STORY_FLOOR = {
    "two-decimals-only": ("Right, but rounded too far: three decimals are asked for.", 0.26),
    "per-story": (
        "That is for a whole story. The floor is per token: divide by its 12 tokens.",
        2 * math.log(2) + math.log(6),
    ),
    "bits": ("That is in bits (log2). Nats use the natural logarithm.", (2 + math.log2(6)) / 12),
    "options-added": (
        "You took the logarithm of the options' sum, 2 + 2 + 6. Options of independent choices "
        "multiply, and their logarithms add up.",
        math.log(10) / 12,
    ),
    "divided-by-choices": (
        "You divided by the three choices. The mean goes over all 12 tokens: those that are no "
        "choice cost 0, and count.",
        math.log(24) / 3,
    ),
    "end-mark-left-out": (
        "You divided by 11. The end mark is one of the 12 tokens, and it is predicted like the "
        "others.",
        math.log(24) / 11,
    ),
    "first-token-added": (
        "You divided by 13. The 12 tokens already include the end mark; the mark before the story "
        "is given, not predicted.",
        math.log(24) / 13,
    ),
    "one-coin": (
        "One coin is missing: it is thrown twice, and each throw costs ln 2.",
        math.log(12) / 12,
    ),
}
