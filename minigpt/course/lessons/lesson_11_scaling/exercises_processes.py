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
        "sharded_step",
        "Round the ring, with a step on the way",
        Worth(points=5, difficulty=4, importance=3, minutes=20),
        (
            "Follow chunk 0 alone. It has to come to worker 0 last. Who sends it first, then?",
            "3 workers. Round 0: worker 1 sends chunk 0, worker 2 chunk 1, worker 0 chunk 2. "
            "Round 1: worker 2 sends chunk 0 on, worker 0 chunk 1, worker 1 chunk 2. Now each has "
            "the sum of its own chunk, and steps. Round 2: worker 0 sends new chunk 0, round 3: "
            "worker 1 passes it on.",
            "sums = a copy of the lists of gradients\n"
            "for r = 0 to W - 2: worker w sends sums[w][(w - 1 - r) % W], and adds what it "
            "receives to its chunk (w - 2 - r) % W\n"
            "worker w's new chunk w = shards[w] - rate × sums[w][w] / W\n"
            "for r = 0 to W - 2: worker w sends new chunk (w - r) % W, and keeps what it receives "
            "as its chunk (w - 1 - r) % W",
        ),
        draw=cases.draw_rings,
        call=call_ring,
        reference=cases.sharded_step,
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
