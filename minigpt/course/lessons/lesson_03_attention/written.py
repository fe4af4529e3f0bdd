"""How the answer in words of lesson 03 is marked."""

from minigpt.course.exercise import Marking

WHY_SCALE = Marking(
    checklist=(
        (
            1,
            "The spread: a score is a sum of hs products, each of variance about 1, so its "
            'variance is hs and its standard deviation √hs. Half for "it grows with hs" without '
            "the sum or without the root.",
        ),
        (
            1,
            "The softmax: it turns differences of scores into ratios of weights, so with large "
            'scores nearly all the weight goes to one word. Half for "it becomes extreme" without '
            "a reason.",
        ),
        (
            0.5,
            "Learning: where a weight is near 0 or 1 its slope w(1 - w) is near 0, so less "
            "gradient comes back to queries and keys, the wider the head the less.",
        ),
        (
            0.5,
            "The root: dividing by √hs makes the standard deviation 1. Dividing by hs would make "
            "it 1/√hs, and every pattern nearly a plain average.",
        ),
    ),
    weak=(
        "If the head size is large, the dot products become very large, and large numbers are bad "
        "for the softmax: it saturates and training becomes unstable. So the scores are "
        "normalised. The root is taken because the paper found that it works better than dividing "
        "by the head size."
    ),
    weak_points=1,
    lacks=(
        "Half for the spread: the scores do grow, but nothing says why, or how fast. Half for the "
        'softmax: "saturates" is the word, but not what happens to the weights. Nothing for '
        'learning: "unstable" does not say that less gradient comes through. Nothing for the '
        "root: it has a reason, and it is no matter of trial."
    ),
    good=(
        "A dot product of query and key is a sum of hs products. If the numbers in both have "
        "variance 1 and are independent, each product has variance 1, so the sum has variance hs: "
        "its standard deviation, the typical size of a score, grows like √hs, to 8 for "
        "hs = 64.\n\n"
        "The softmax turns differences of scores into ratios of weights. With differences of 8 "
        "the larger weight is 3,000 times the smaller: nearly all goes to one word, although the "
        "head has learned nothing yet. When a score moves, its weight w moves with slope w(1 - w), "
        "which is nearly 0 where w is near 0 or 1. So less gradient comes through, the wider the "
        "head the less.\n\n"
        "Dividing by √hs brings the standard deviation back to 1, whatever the head size. "
        "Dividing by hs would make it 1/√hs: every pattern would start as nearly a plain average, "
        "the more so the wider the head."
    ),
)
