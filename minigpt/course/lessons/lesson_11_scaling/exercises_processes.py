"""The exercises on several processes: one gradient, the sums of a ring, shards."""

from __future__ import annotations

from minigpt.course.exercise.calls.processes import call_accumulation, call_ring, call_shards
from minigpt.course.exercise.kinds import EXACT, Worth, function
from minigpt.course.lessons.lesson_11_scaling import cases_processes as cases
from minigpt.course.lessons.lesson_11_scaling import misconceptions_processes as wrong

PROCESSES = (
    function(
        "accumulated_gradients",
        "Many small batches, one exchange",
        Worth(points=5, difficulty=4, importance=5, minutes=18),
        (
            "Write the mean over all targets of all processes as one long sum. With which factor "
            "does one surprise of yours stand in it? And what will the exchange do to that factor?",
            "2 processes, 43 targets in all, 12 of them yours, in two micro-batches: each of your "
            "surprises has 1/43 in the mean. The exchange halves it, so send 2/43 back. First "
            "micro-batch: kept. Second: exchanged.",
            "for each micro-batch:\n"
            "    within model.no_sync(), unless it is the last one:\n"
            "        loss = sum of the surprises at its targets, from model(x)\n"
            "        go backward from loss × size / total\n"
            "return the sum of all losses / total",
        ),
        draw=cases.draw_accumulations,
        call=call_accumulation,
        reference=cases.accumulated_gradients,
        wrong=wrong.ACCUMULATED,
        keep=False,
    ),
    function(
        "ring_all_reduce",
        "Round the ring",
        Worth(points=5, difficulty=4, importance=3, minutes=20),
        (
            "Follow chunk 0 alone. Who sends it first, who adds to it then, and where is it when "
            "everybody's numbers are in it?",
            "3 workers. Round 0: worker 0 sends chunk 0, worker 1 chunk 1, worker 2 chunk 2. "
            "Round 1: worker 1 sends chunk 0 on, worker 2 chunk 1, worker 0 chunk 2. Now worker 2 "
            "has all of chunk 0, worker 0 of chunk 1, worker 1 of chunk 2. Rounds 2 and 3 pass "
            "these on.",
            "copy the lists of chunks\n"
            "for round r = 0 to 2(W - 1) - 1:\n"
            "    worker w sends its chunk (w - r) % W\n"
            "    what w receives is the left neighbour's, chunk (w - 1 - r) % W\n"
            "    in the first W - 1 rounds add it to your chunk of that number, then replace it",
        ),
        draw=cases.draw_rings,
        call=call_ring,
        reference=cases.ring_all_reduce,
        wrong=wrong.RING,
        keep=False,
    ),
    function(
        "reshard",
        "On another number of processes",
        Worth(points=4, difficulty=3, importance=4, minutes=12),
        (
            "Five numbers on two processes: what does each hold? And what on four?",
            "n = 5 on 2: length 3, [a b c] [d e ?]. On 4: length 2, [a b] [c d] [e 0] [0 0].",
            "whole = the shards one behind the other, the first n numbers\n"
            "length = n / size, rounded up\n"
            "pad with zeros to length × size\n"
            "each process gets a copy of its piece",
        ),
        draw=cases.draw_shards,
        call=call_shards,
        reference=cases.reshard,
        wrong=wrong.SHARDS,
        keep=False,
        **EXACT,
    ),
)
