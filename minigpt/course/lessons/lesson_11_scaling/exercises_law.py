"""The exercises on what more buys: a law of losses, and a figure to be questioned."""

from __future__ import annotations

from minigpt.course.exercise.kinds import Worth, bug, written
from minigpt.course.lessons.lesson_11_scaling import cases_law as cases
from minigpt.course.lessons.lesson_11_scaling import misconceptions_law as wrong
from minigpt.course.lessons.lesson_11_scaling.written import TWICE_THE_TOKENS

LAW = (
    bug(
        "size_for",
        "Mend: how large for this loss?",
        Worth(points=4, difficulty=3, importance=4, minutes=15),
        (
            "Put in three points that follow a law exactly, such as those of the example. Which "
            "number in the function is the first that is not what you work out on paper?",
            "sizes 16, 64, 256; above the floor 2, 1, 0.5. Logarithms: 2.77, 4.16, 5.55 and 0.69, "
            "0, -0.69. The slope of the second over the first is -0.5. The target is 0.25 above: "
            "-1.39, so 6.93, and e to that is 1024.",
            "x = ln of the size, y = ln of loss - floor, of the points above the floor\n"
            "slope = sum of (x - mean x)(y - mean y), divided by the sum of (x - mean x) squared\n"
            "y of the target = ln of target - floor\n"
            "x = mean x + (y of the target - mean y) / slope; e to that",
        ),
        draw=cases.draw_laws,
        reference=cases.size_for,
        wrong=wrong.LAW,
    ),
    written(
        "twice_the_tokens",
        "Twice as good?",
        Worth(points=3, difficulty=2, importance=4, minutes=10),
        TWICE_THE_TOKENS,
    ),
)
