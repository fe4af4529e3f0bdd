"""Draw the cases of lesson 11's exercise on a scaling law, and the right answer."""

from __future__ import annotations

import math

from torch import Generator

from minigpt.course.exercise.drawing import Cases, normal, uniform, whole

# --- size_for ---


def size_for(sizes, losses, floor, target):
    """A line through the logarithms of the points above the floor, read backwards."""
    points = [
        (math.log(n), math.log(loss - floor)) for n, loss in zip(sizes, losses) if loss > floor
    ]
    xs, ys = zip(*points)
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points)
    slope /= sum((x - mean_x) ** 2 for x in xs)
    return math.exp(mean_x + (math.log(target - floor) - mean_y) / slope)


def draw_laws(g: Generator) -> list[dict]:
    named = Cases("sizes", "losses", "floor", "target")

    def number(low: float, high: float) -> float:
        return round(uniform(g, low, high).item(), 4)

    def case(title, points: int, floor: float, *, noise=0.0, below=0, target=None) -> dict:
        """below: so many of the points are not above the floor; target: above it, as a factor."""
        a, b = number(5, 30), number(0.15, 0.45)
        sizes = sorted(whole(g, 10**3, 10**7) for _ in range(points))
        bends = (noise * normal(g, points)).tolist()
        gaps = [a * n**-b * math.exp(bend) for n, bend in zip(sizes, bends)]
        losses = [floor + gap for gap in gaps]
        for place in range(points - below, points):
            losses[place] = floor - 0.01 * (place - points + below)
        above = gaps[points - below - 1]
        goal = floor + above * (target or number(0.3, 0.8))
        return named(title, sizes, losses, floor, goal)

    tidy = [round(1 + 8 * n**-0.5, 6) for n in (16, 64, 256)]
    return [
        named("16, 64 and 256 weights: 3, 2 and 1.5 nats", [16, 64, 256], tidy, 1.0, 1.25),
        case("two sizes, no noise", 2, 0.7),
        case("six sizes, no noise", 6, 1.1),
        case("eight sizes, noise", 8, 0.9, noise=0.1),
        case("the floor is 0", 5, 0.0, noise=0.05),
        case("points at the floor and below", 7, 1.3, noise=0.05, below=2),
        case("a target between the points", 6, 2.1, noise=0.1, target=1.5),
        case("a floor that is nearly all of the loss", 6, 9.0, noise=0.03, below=1),
    ]
