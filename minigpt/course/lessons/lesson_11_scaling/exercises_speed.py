"""The exercises on time, memory and precision: what a step costs, and what makes it cost less."""

from __future__ import annotations

from minigpt.course.exercise.calls.numbers import call_rounding
from minigpt.course.exercise.kinds import EXACT, Worth, account, function
from minigpt.course.lessons.lesson_11_scaling import cases_speed as cases
from minigpt.course.lessons.lesson_11_scaling import misconceptions_speed as wrong

SPEED = (
    function(
        "attainable_time",
        "The best a machine can do",
        Worth(points=3, difficulty=2, importance=5, minutes=10),
        (
            "Two operations run one after the other: one waits for computing, one for memory. Can "
            "the second one's waiting be spent on the first?",
            "flops [[8, 2]], traffic [[1, 5]], peak 2, bandwidth 1: computing takes [[4, 1]] "
            "seconds, moving [[1, 5]]. Each operation takes the longer one, [[4, 5]]: 9 in all, "
            "and 5 of them wait for memory.",
            "computing = flops / peak; moving = traffic / bandwidth (both (N, K))\n"
            "each = the larger of the two\n"
            "seconds = sum of each over the operations\n"
            "share = sum of each where moving > computing, divided by seconds",
        ),
        draw=cases.draw_times,
        reference=cases.attainable_time,
        wrong=wrong.TIMES,
        keep=False,
    ),
    account(
        "decode_intensity",
        "Is writing worth the reading?",
        Worth(points=3, difficulty=3, importance=5, minutes=12),
        (
            "Which numbers are read once however many texts are written, and which for each text?",
            "1 layer, 2 channels, 6 tokens: 12 × 4 + 12 = 60 weights. 3 positions: 2 × 3 × 2 = 12 "
            "numbers in the cache. FLOPs: 120 for the weights, 24 for the cache. Bytes: 240 and "
            "48.",
            "weights = matrices of all layers + head\n"
            "cached = keys and values of one text, in all layers\n"
            "flops = batch_size × (2 × weights + 2 × cached)\n"
            "bytes = weights × weight_bytes + batch_size × cached × cache_bytes\n"
            "flops / bytes",
        ),
        draw=cases.draw_intensities,
        reference=cases.decode_intensity,
        wrong=wrong.INTENSITIES,
    ),
    function(
        "round_bits",
        "Round as bf16 does",
        Worth(points=5, difficulty=4, importance=3, minutes=20),
        (
            "A float32's 32 bits are a whole number, too. x.view(torch.int32) shows it. What "
            "happens to x if you add 1 to that number?",
            "1.75 is sign 0, exponent 01111111, fraction 1100...0. With one fraction bit kept it "
            "lies half-way between 1.5 (fraction 1) and 2.0 (the next exponent, fraction 0). The "
            "kept bit of 2.0 is even: 2.0.",
            "dropped = 23 - kept; pattern = the bits as whole numbers\n"
            "odd = the last kept bit\n"
            "add half of what the last kept bit is worth, less 1, and odd: a tie goes up only "
            "from odd\n"
            "set the dropped bits to 0; view as float32 again\n"
            "where x is NaN, keep x",
        ),
        draw=cases.draw_roundings,
        call=call_rounding,
        reference=cases.round_bits,
        wrong=wrong.ROUNDINGS,
        keep=False,
        **EXACT,
    ),
    account(
        "best_segment",
        "Compute it twice, hold it once",
        Worth(points=4, difficulty=4, importance=4, minutes=18),
        (
            "Write down what is held while the last segment goes back, and then what is held while "
            "the one before it does. Which is more, and when?",
            "5 blocks, k = 2: segments of 2, 2 and 1. Last: 3 kept inputs and 3 inside, 6 + 3 = 9. "
            "The one before: 2 kept inputs, 2 × 3 inside and the input between its blocks, "
            "4 + 6 + 2 = 12. The first: 2 + 6 + 2 = 10. So 12.",
            "for k from 1 to n_layer:\n"
            "    for each segment, the n-th from the start, of so many blocks:\n"
            "        held = n × boundary + blocks × inside + (blocks - 1) × boundary\n"
            "    peak of this k = the largest of these\n"
            "the k with the smallest peak, the smallest one if several have it",
        ),
        draw=cases.draw_segments,
        reference=cases.best_segment,
        wrong=wrong.SEGMENTS,
        **EXACT,
    ),
)
