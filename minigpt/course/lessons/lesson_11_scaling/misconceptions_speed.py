"""What people get wrong about time, memory and precision, and what a teacher says."""

from __future__ import annotations

from functools import partial

import torch

from minigpt.course.exercise.mistakes import in_pairs
from minigpt.course.lessons.lesson_11_scaling import cases_speed
from minigpt.course.lessons.lesson_11_scaling.cases_speed import attainable_time, round_bits

# --- attainable_time ---


def timed(
    flops, traffic, peak, bandwidth, *, longer=torch.maximum, axis=-1,
    memory=lambda each, computing, moving: each * (moving > computing),
    whole=lambda each: each,
):  # fmt: skip
    """The two results with one thing wrong."""
    computing, moving = flops / peak, traffic / bandwidth
    each = longer(computing, moving)
    share = memory(whole(each), computing, moving).sum(dim=axis) / whole(each).sum(dim=axis)
    return each.sum(dim=axis), share


def one_operation(flops, traffic, peak, bandwidth):
    """Sums first, and takes the longer time of the pass."""
    sums = (tensor.sum(dim=-1, keepdim=True) for tensor in (flops, traffic))
    return attainable_time(*sums, peak, bandwidth)


def upside_down(flops, traffic, peak, bandwidth):
    return timed(1 / flops, 1 / traffic, 1 / peak, 1 / bandwidth)


def exchanged(flops, traffic, peak, bandwidth):
    return timed(flops, traffic, bandwidth, peak)


def by_intensity(flops, traffic, peak, bandwidth):
    """The share of operations with few FLOPs a byte."""
    seconds, _ = attainable_time(flops, traffic, peak, bandwidth)
    return seconds, (flops / traffic < peak / bandwidth).float().mean(dim=-1)


TIMES = {
    "one-bound-for-the-pass": (
        "You add up FLOPs and bytes first, and take the longer time of the whole pass. That lets "
        "one operation's computing hide behind another's reading, and they run one after the "
        "other. Take the longer time of each operation.",
        one_operation,
    ),
    "added": (
        "You add the two times of an operation. At best it moves bytes *while* it computes: the "
        "longer of the two is what it takes.",
        partial(timed, longer=torch.add),
    ),
    "shorter": (
        "You take the shorter time. Both limits hold, so the operation is ready when the slower "
        "one is.",
        partial(timed, longer=torch.minimum),
    ),
    "computing-alone": (
        "You divide FLOPs by the peak, and that is all. An operation that has few FLOPs for each "
        "byte waits for its bytes.",
        partial(timed, longer=lambda computing, moving: computing),
    ),
    "memory-alone": (
        "Your seconds are those of moving bytes alone. An operation with many FLOPs for each byte "
        "takes longer than that.",
        partial(timed, longer=lambda computing, moving: moving),
    ),
    "upside-down": (
        "You divide the peak by the FLOPs. FLOPs divided by FLOPs a second are seconds.",
        upside_down,
    ),
    "peak-and-bandwidth-exchanged": (
        "You divide FLOPs by the bandwidth and bytes by the peak. Look at the units: FLOPs belong "
        "to FLOPs a second.",
        exchanged,
    ),
    "share-of-operations": (
        "Your share counts operations. Asked is a share of the *time*: a long operation weighs "
        "more than a short one.",
        by_intensity,
    ),
    "share-of-all-moving": (
        "You divide all the time of moving bytes by the pass. Where computing takes longer, moving "
        "is hidden behind it, and nobody waits for memory.",
        partial(timed, memory=lambda each, computing, moving: moving),
    ),
    "share-of-computing": (
        "Your share is that of the operations which wait for *computing*. Asked is the other one.",
        partial(timed, memory=lambda each, computing, moving: each * (moving <= computing)),
    ),
    "a-tie-is-memory": (
        "Where both times are equal, you count the operation as waiting for memory. It does so "
        "only if moving takes longer.",
        partial(timed, memory=lambda each, computing, moving: each * (moving >= computing)),
    ),
    "seconds-of-memory": (
        "Your second result is in seconds. Divide by those of the pass: it is a share, at most 1.",
        lambda *given: (attainable_time(*given)[0], attainable_time(*given)[1] * timed(*given)[0]),
    ),
    "over-the-passes": (
        "You add up over the passes. Each pass has a result of its own: sum over its operations, "
        "the last axis.",
        partial(timed, axis=0),
    ),
    "mean-of-operations": (
        "Your seconds are the mean of the operations. They run one after the other: their times "
        "add up.",
        lambda flops, *given: (
            attainable_time(flops, *given)[0] / flops.size(-1),
            attainable_time(flops, *given)[1],
        ),
    ),
}

# --- decode_intensity ---


def intensity(
    *, n_layer, n_embd, vocab_size, batch_size, positions, weight_bytes, cache_bytes,
    head=1, matrices=12, sides=2, mixes=2, ops=2, cache_rows=True, weight_rows=False,
    working_rows=True, cache_layers=True, reads_cache=True, one_width=False,
):  # fmt: skip
    """The account with one thing wrong."""
    rows = batch_size if working_rows else 1
    weights = matrices * n_layer * n_embd**2 + head * vocab_size * n_embd
    one = n_layer * positions * n_embd
    flops = rows * ops * (weights + mixes * one)
    read = sides * (one if cache_layers else one // n_layer) * reads_cache
    width = weight_bytes if one_width else cache_bytes
    weight_times = batch_size if weight_rows else 1
    cache_times = batch_size if cache_rows else 1
    return flops / (weights * weight_bytes * weight_times + read * width * cache_times)


INTENSITIES = {
    "weights-for-each-row": (
        "You read the weights anew for each text. That is what a batch saves: one reading serves "
        "all its rows.",
        partial(intensity, weight_rows=True),
    ),
    "cache-once": (
        "You read one cache for all texts. Each text has keys and values of its own; a batch saves "
        "nothing there.",
        partial(intensity, cache_rows=False),
    ),
    "flops-of-one-row": (
        "Your FLOPs are those of one text. Every row is multiplied with the weights.",
        partial(intensity, working_rows=False),
    ),
    "cache-not-read": (
        "You read the weights alone. The new position's query meets all keys and values of the "
        "cache, and these are read as well.",
        partial(intensity, reads_cache=False),
    ),
    "keys-only": (
        "You read the keys and forget the values. The cache holds both.",
        partial(intensity, sides=1),
    ),
    "cache-of-one-layer": (
        "You read the cache of one layer. Each layer has its own.",
        partial(intensity, cache_layers=False),
    ),
    "scores-only": (
        "In attention you count the scores and forget the mix: the pattern is multiplied with the "
        "values, too.",
        partial(intensity, mixes=1),
    ),
    "no-attention": (
        "You count the matrices' FLOPs and leave attention out. With a long cache it is no small "
        "thing.",
        partial(intensity, mixes=0),
    ),
    "one-flop-a-weight": (
        "You count one FLOP for each number. It is multiplied and added: two.",
        partial(intensity, ops=1),
    ),
    "no-head": (
        "You leave the head out. To write a token, its n_embd × vocab_size matrix is read and "
        "multiplied with, like all others.",
        partial(intensity, head=0),
    ),
    "token-table-read-whole": (
        "You count the matrix of the tokens twice, for looking up and as the head. Looking up "
        "reads one row of it, and is left out here.",
        partial(intensity, head=2),
    ),
    "attention-matrices-only": (
        "You count the four n_embd × n_embd matrices of attention. The MLP has two more, four "
        "times as wide: eight such squares.",
        partial(intensity, matrices=4),
    ),
    "mlp-only": (
        "You count the MLP's two matrices only. Attention has c_attn and c_proj: four squares of "
        "n_embd × n_embd.",
        partial(intensity, matrices=8),
    ),
    "one-width-for-all": (
        "You take the weights' bytes for the cache as well. It has a width of its own: weights in "
        "8 bits do not make the cache smaller.",
        partial(intensity, one_width=True),
    ),
    "upside-down": (
        "Your result is bytes per FLOP. Intensity is FLOPs per byte.",
        lambda **sizes: 1 / intensity(**sizes),
    ),
}

# Of these pairs nothing is left but another mistake; the last three give the same by arithmetic.
SAME_AS = {
    "cache-not-read, keys-only": "cache-not-read",
    "cache-not-read, cache-of-one-layer": "cache-not-read",
    "cache-not-read, one-width-for-all": "cache-not-read",
    "cache-once, cache-not-read": "cache-not-read",
    "cache-once, flops-of-one-row": "weights-for-each-row",
    "cache-once, one-width-for-all": "cache-not-read, no-attention",
    "flops-of-one-row, cache-not-read": "weights-for-each-row, cache-not-read",
}
INTENSITIES |= in_pairs(INTENSITIES, **SAME_AS)

# --- round_bits ---


def by_pattern(x, kept, *, added=lambda half, odd: half - 1 + odd, shift=0, keep_nan=True):
    """Rounds the bit pattern, with one thing wrong."""
    dropped = 23 - kept + shift
    if not dropped:
        return x.clone()
    pattern = x.view(torch.int32)
    odd = (pattern >> dropped) & 1
    rounded = (pattern + added(1 << (dropped - 1), odd)) & -(1 << dropped)
    rounded = rounded.view(torch.float32)
    return torch.where(x.isnan(), x, rounded) if keep_nan else rounded


def by_value(x, kept, *, rounding=torch.round, significant=1):
    """Rounds the number in [1, 2) and forgets where numbers end."""
    power = torch.frexp(x.double()).exponent
    grid = torch.exp2(power.double() - kept - significant)
    rounded = (rounding(x.double() / grid) * grid).float()
    return torch.where(x.isfinite() & (x != 0), rounded, x)


def half_up(x, kept):
    """Half-way goes towards plus infinity."""
    down = by_pattern(x, kept, added=lambda half, odd: half)
    below = by_pattern(x, kept, added=lambda half, odd: half - 1)
    return torch.where(x < 0, below, down)


def finite_at_most(x, kept):
    """The largest number that is left, in place of infinity."""
    most = 2.0**127 * (2 - 2.0**-kept)
    rounded = round_bits(x, kept)
    return torch.where(x.isinf(), x, rounded.clamp(-most, most))


def nan_zero(x, kept):
    return round_bits(x, kept).nan_to_num(0.0, float("inf"), -float("inf"))


def without_sign(x, kept):
    """x + 0 makes -0.0 a plain zero."""
    return round_bits(x, kept) + 0.0


def tiny_gone(x, kept):
    rounded = round_bits(x, kept)
    return torch.where(rounded.abs() < 2.0**-126, torch.copysign(torch.zeros(()), x), rounded)


def infinity_lost(x, kept):
    rounded = round_bits(x, kept)
    return torch.where(x.isinf(), float("nan"), rounded)


ROUNDINGS = {
    "cut-off": (
        "You cut the bits off. That rounds towards 0, so the mean of many numbers shrinks. Round "
        "to the *nearest* one that is left.",
        partial(by_pattern, added=lambda half, odd: 0 * odd),
    ),
    "half-away-from-zero": (
        "You add half and cut off: what lies just half-way always goes away from 0. A tie goes to "
        "the neighbour whose last kept bit is 0.",
        partial(by_pattern, added=lambda half, odd: half),
    ),
    "half-towards-zero": (
        "What lies just half-way always goes towards 0. A tie goes to the neighbour whose last "
        "kept bit is 0: up from an odd one.",
        partial(by_pattern, added=lambda half, odd: half - 1),
    ),
    "half-up": (
        "What lies just half-way goes to the larger number, so that -1.25 and 1.25 are no mirror "
        "images. A tie goes to the neighbour whose last kept bit is 0.",
        half_up,
    ),
    "half-to-odd": (
        "What lies just half-way goes to the neighbour whose last kept bit is 1. It should be 0.",
        partial(by_pattern, added=lambda half, odd: half - odd),
    ),
    "always-up": (
        "You round away from 0, however little is dropped. Round to the nearest one.",
        partial(by_pattern, added=lambda half, odd: 2 * half - 1 + 0 * odd),
    ),
    "leading-one-counted": (
        "You keep one bit too few. The leading 1 of a number is not stored: `kept` counts the "
        "stored fraction bits, behind it.",
        partial(by_pattern, shift=1),
    ),
    "one-bit-too-many": (
        "You keep one bit too many. A float32 has 23 fraction bits: 23 - kept of them go.",
        partial(by_pattern, shift=-1),
    ),
    "fixed-steps": (
        "You round to multiples of one step, the same for all. Floating point keeps so many bits "
        "of *each* number: the step is smaller for small numbers.",
        lambda x, kept: torch.where(
            x.isfinite() & (x.abs() < 1e30), (x * 2**kept).round() / 2**kept, x
        ),
    ),
    "nan-by-accident": (
        "You round the pattern of NaN like any other. One whose last bits alone say so becomes an "
        "infinity, another runs over into -0.0. Leave NaN as it is.",
        partial(by_pattern, keep_nan=False),
    ),
    "nan-becomes-zero": (
        "Your NaN becomes 0. A run that has gone wrong then looks right: NaN stays NaN.",
        nan_zero,
    ),
    "infinity-becomes-nan": (
        "An infinity becomes NaN. It is one of the numbers that are left: it stays.",
        infinity_lost,
    ),
    "largest-number-instead-of-infinity": (
        "What is larger than the largest number left, and nearer to the next power of two, becomes "
        "infinite. You stop at the largest.",
        finite_at_most,
    ),
    "tiny-numbers-gone": (
        "Numbers below float32's normal ones become 0. Their patterns are rounded by the same rule "
        "as all others.",
        tiny_gone,
    ),
    "tiny-numbers-too-fine": (
        "Below 2**-126 the exponent stands still, and so does the step between numbers. Yours gets "
        "finer there: such numbers cannot be written with the bits that are left.",
        by_value,
    ),
    "sign-of-zero-lost": (
        "-0.0 becomes 0.0. The sign is a bit of its own, and stays.",
        without_sign,
    ),
}

# --- best_segment ---


def searched(
    *, n_layer, inside, boundary, kept_counts=1, between=1, first_twice=0, freed=True,
    which="all", options=None, largest=False, insides=True,
):  # fmt: skip
    """The account with one thing wrong."""

    def peak(k: int) -> int:
        sizes = [min(k, n_layer - first) for first in range(0, n_layer, k)]
        if not freed:
            sizes = [max(sizes)] * len(sizes)
        each = [
            kept_counts * number * boundary
            + (blocks * inside if insides else inside)
            + between * (blocks - 1) * boundary
            + first_twice * boundary
            for number, blocks in enumerate(sizes, start=1)
        ]
        return each[-1] if which == "last" else sum(each) if which == "sum" else max(each)

    ks = options(n_layer) if options else range(1, n_layer + 1)
    most, k = min((peak(k), -k if largest else k) for k in ks)
    return abs(k), most


def root(n_layer: int) -> list[int]:
    return [round(n_layer**0.5)]


SEGMENTS = {
    "square-root": (
        "You take the square root of the number of blocks, a rule that is often told. It holds if "
        "a block keeps as much inside as its input is. In GPT-2 the inside is some fifteen times "
        "as much: try all lengths.",
        partial(searched, options=root),
    ),
    "inputs-forgotten": (
        "You leave out the kept inputs of the segments. Without them nothing can be computed "
        "again.",
        partial(searched, kept_counts=0),
    ),
    "inputs-between-forgotten": (
        "Within a segment, each block's input is held as well while it goes back: that of the "
        "first is kept anyway, the others come on top.",
        partial(searched, between=0),
    ),
    "first-input-twice": (
        "You count the input of a segment's first block twice: it is kept, and it is there when "
        "the segment is computed again. It is one tensor.",
        partial(searched, first_twice=1),
    ),
    "last-segment-only": (
        "You look at the last segment alone. It may be shorter than the others; the one before it "
        "then needs more, though one input less is kept by that time.",
        partial(searched, which="last"),
    ),
    "nothing-freed": (
        "You put the longest segment beside all kept inputs. When the backward pass of a segment "
        "is done, its input is freed: a short last segment does not meet a long one.",
        partial(searched, freed=False),
    ),
    "all-segments-at-once": (
        "You add up what all segments hold. Each is computed again only when its turn comes, and "
        "then freed: the peak is that of the worst one.",
        partial(searched, which="sum"),
    ),
    "one-block-inside": (
        "You count the inside of one block. All blocks of a segment are computed again before "
        "the first of them can go back.",
        partial(searched, insides=False),
    ),
    "largest-of-equals": (
        "Two lengths are equally good, and you take the longer one. Asked is the smaller k.",
        partial(searched, largest=True),
    ),
    "single-blocks-not-tried": (
        "You begin with k = 2. Segments of one block are allowed, and often the best.",
        partial(searched, options=lambda n: range(min(2, n), n + 1)),
    ),
    "divisors-only": (
        "You try only lengths that divide the number of blocks. The last segment may be shorter.",
        partial(searched, options=lambda n: [k for k in range(1, n + 1) if n % k == 0]),
    ),
    "peak-first": (
        "You return the peak first. Asked is (k, peak).",
        lambda **sizes: cases_speed.best_segment(**sizes)[::-1],
    ),
}
