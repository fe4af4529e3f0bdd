"""The exercises of lesson 13: RMSNorm, rotary positions, grouped queries, what a cache takes."""

from __future__ import annotations

from minigpt.course.exercise.kinds import EXACT, Worth, account, function
from minigpt.course.lessons.lesson_13_today import cases
from minigpt.course.lessons.lesson_13_today import misconceptions_cache as wrong_cache
from minigpt.course.lessons.lesson_13_today import misconceptions_modules as wrong_modules

EXERCISES = (
    function(
        "rms_norm",
        "RMSNorm, for half-size numbers too",
        Worth(points=4, difficulty=2, importance=4, minutes=12),
        (
            "Which numbers on the way are much larger than those of x? Do they fit into float16, "
            "whose largest is 65,504?",
            "x (2, 3, 40) float16 -> float32 -> squares -> mean over the last axis, kept: "
            "(2, 3, 1) -> root -> x divided by it, times weight (40,): (2, 3, 40) -> float16.",
            "wide = x as float32, if it was smaller; the weight as well\n"
            "spread = root of (mean over the channels of wide squared, plus eps)\n"
            "return wide / spread * weight, in x's dtype",
        ),
        draw=cases.draw_norms,
        reference=cases.rms_norm,
        wrong=wrong_modules.RMS_NORM,
        keep=False,
        rtol=2e-3,  # float16 is rounded by a thousandth, and some round twice
    ),
    function(
        "rotate_packed",
        "Rotary positions, for several documents in a row",
        Worth(points=6, difficulty=4, importance=5, minutes=20),
        (
            "Turn one pair by hand: channels 0 and 1 of one position. Which angle? Where do the "
            "two results go? Then ask which shape the angles need for all at once.",
            "positions (B, T) times speeds (hs/2,): angles (B, T, hs/2); with an axis for the "
            "heads, (B, 1, T, hs/2). First channels of all pairs: (B, nh, T, hs/2), second ones "
            "the same; turned, side by side: (B, nh, T, hs/2, 2) -> (B, nh, T, hs).",
            "speeds = 10,000 to the power of -2i/hs, for i from 0 to hs/2 - 1\n"
            "angles = positions times speeds, an axis for the heads put in\n"
            "a, b = channels 0, 2, 4, ... and channels 1, 3, 5, ...\n"
            "first = a cos - b sin; second = a sin + b cos\n"
            "stack first and second in a new last axis, and flatten the last two",
        ),
        draw=cases.draw_packed,
        reference=cases.rotate_packed,
        wrong=wrong_modules.ROTATE_PACKED,
        keep=False,
    ),
    function(
        "pool_heads",
        "From GPT-2's heads to grouped ones",
        Worth(points=5, difficulty=3, importance=4, minutes=15),
        (
            "Which rows of the weight make queries, which keys, which values? And which of the "
            "keys' rows belong to head 1?",
            "weight (3C, C) -> three parts (C, C). Keys: (nh, hs, C) -> (nkv, group, hs, C) -> "
            "mean over the group: (nkv, hs, C) -> (nkv * hs, C). A bias has no last axis.",
            "q, k, v = the three thirds of the rows\n"
            "for k and v: split the rows into groups, heads of a group, channels of a head\n"
            "    average over the heads of a group; join groups and channels to rows again\n"
            "return q, k, v, one under the other",
        ),
        draw=cases.draw_pools,
        reference=cases.pool_heads,
        wrong=wrong_cache.POOL_HEADS,
        keep=False,
    ),
    account(
        "windowed_cache_bytes",
        "What is kept for a long text",
        Worth(points=4, difficulty=3, importance=4, minutes=10),
        (
            "For one layer and one position: which vectors are kept, and how long is each? How "
            "many positions does each kind of layer keep?",
            "T = 10, one full layer and one with a window of 4, two heads of 3 channels: the one "
            "keeps 10 positions, the other 4, so 14; each 2 x 2 x 3 numbers, 168 in all: 336 "
            "bytes.",
            "positions = full layers x T + layers with a window x the smaller of T and window\n"
            "each position keeps keys and values: 2 x n_kv_head x head_size numbers\n"
            "return 2 bytes x numbers",
        ),
        draw=cases.draw_caches,
        reference=wrong_cache.windowed_cache_bytes,
        wrong=wrong_cache.WINDOWED_CACHE_BYTES,
        **EXACT,
    ),
)
