"""What people get wrong about a scaling law, and what a teacher says."""

from __future__ import annotations

import math

from minigpt.course.exercise.mistakes import half_mended
from minigpt.course.lessons.lesson_11_scaling.cases_law import size_for

# --- size_for ---

BUGS = {
    "floor": "The line is fitted to the whole losses. A power law holds for what lies above the "
    "floor: the logarithm of a loss that cannot fall to 0 bends.",
    "target": "The target still stands on the floor, while the line tells of what lies above it.",
    "bases": "Sizes go in as powers of 10 and come out as powers of e.",
    "slope": "The slope is turned round: that of sizes over losses, which is not one over the "
    "other when points scatter.",
}


def line(xs, ys, turned=False):
    """Return the means and the slope of the least-squares line of y over x."""
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    both = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys))
    if turned:
        return mean_x, mean_y, sum((y - mean_y) ** 2 for y in ys) / both
    return mean_x, mean_y, both / sum((x - mean_x) ** 2 for x in xs)


def fitted(sizes, losses, floor, target, *, bugs):
    """The broken function, with these of its bugs."""
    points = [(n, loss) for n, loss in zip(sizes, losses) if loss > floor]
    xs = [math.log10(n) if "bases" in bugs else math.log(n) for n, _ in points]
    ys = [math.log(loss if "floor" in bugs else loss - floor) for _, loss in points]
    mean_x, mean_y, slope = line(xs, ys, turned="slope" in bugs)
    goal = math.log(target if "target" in bugs else target - floor)
    return math.exp(mean_x + (goal - mean_y) / slope)


def least_squares_in_losses(sizes, losses, floor, target):
    """A straight line of losses over sizes, without logarithms."""
    points = [(n, loss) for n, loss in zip(sizes, losses) if loss > floor]
    mean_x, mean_y, slope = line(*zip(*points))
    return mean_x + (target - mean_y) / slope


def half_logarithmic(sizes, losses, floor, target):
    """Only the sizes have logarithms."""
    points = [(math.log(n), loss) for n, loss in zip(sizes, losses) if loss > floor]
    mean_x, mean_y, slope = line(*zip(*points))
    return math.exp(mean_x + (target - mean_y) / slope)


def lifted(sizes, losses, floor, target):
    """Points below the floor are lifted just above it."""
    return size_for(sizes, [max(loss, floor + 1e-6) for loss in losses], floor, target)


def first_and_last(sizes, losses, floor, target):
    """The line through two points."""
    points = [(n, loss) for n, loss in zip(sizes, losses) if loss > floor]
    ends = [points[0], points[-1]]
    return size_for([n for n, _ in ends], [loss for _, loss in ends], floor, target)


LAW = {
    **half_mended(fitted, BUGS, "Which line is to blame?"),
    "points-lifted": (
        "You lift points at the floor and below to just above it. Their logarithm is then a huge "
        "negative number that you have made up, and it turns the line. Leave such points out.",
        lifted,
    ),
    "first-and-last": (
        "You draw the line through the first and the last point. What chance did to these two then "
        "decides; the line of least squares uses all.",
        first_and_last,
    ),
    "no-logarithms": (
        "You fit a straight line to losses and sizes themselves. A power law is straight where "
        "both are logarithms.",
        least_squares_in_losses,
    ),
    "half-logarithmic": (
        "You take the logarithm of the sizes alone. Then an exponential is straight, and no power "
        "law: what lies above the floor needs one, too.",
        half_logarithmic,
    ),
    "logarithm-of-the-size": (
        "You return the size's logarithm. Take the exponential.",
        lambda *given: math.log(size_for(*given)),
    ),
}
