"""How the answer in words of lesson 09 is marked."""

from minigpt.course.exercise import Marking

WHY_INTERVENE = Marking(
    checklist=(
        (
            1,
            "The pattern: a weight says from which position a vector is fetched. It says nothing "
            "of what the value vector holds, or of whether anything later reads what c_proj adds. "
            "(A later position's stream may hold other words than its own, too.) Half for "
            '"attention is not explanation" with only one of these.',
        ),
        (
            1,
            "The test: take the head out, and see how far what it is said to do gets worse: the "
            "answer's surprise or logit, not the look of the text. Over many stories, each with "
            "and without the head, with an interval of the difference. Half for an ablation in one "
            "story, or without a measure.",
        ),
        (
            0.5,
            "The mean: a head that gives 0 is something the model has never met, so the loss may "
            "rise for that alone. The mean over other stories leaves what the head always gives, "
            "and takes only what it says of this one.",
        ),
        (
            0.5,
            "No cost proves less than it seems: another head may carry the same, so that one is "
            "missed only when both are out; or the head works in other texts than those tried.",
        ),
    ),
    weak=(
        "The pattern only shows where the head looks, and that can be a coincidence. To be sure I "
        "would switch the head off in this story and look whether the model still writes the right "
        "colour. If it does, the head has nothing to do with it. If not, the head is responsible "
        "for colours."
    ),
    weak_points=1,
    lacks=(
        "Half for the pattern: it shows where the head looks, but nothing says what is missing, "
        "the value and whoever reads it. Half for the test: the head is switched off, but in one "
        "story, and a colour that stays the best may have lost most of its lead. Nothing for the "
        'mean: 0 is not questioned. Nothing for the last: "nothing to do with it" is more than a '
        "missing cost says, because another head may do the same."
    ),
    good=(
        "The pattern shows from which position the head fetches a vector. It does not show what "
        "the value vector made of that position holds, nor whether any later layer reads what "
        "c_proj adds for it.\n\n"
        "So I would take the head out and measure how much more surprising the right colour "
        "becomes, in 100 stories or more. Each story is told with the head and without it, and the "
        "mean of the differences gets an interval.\n\n"
        "I would put in the head's mean over other stories as well as 0. The model has never met a "
        "head that gives 0, so the loss could rise for that alone; the mean leaves what the head "
        "always gives, and takes away only what it says of this story.\n\n"
        "If the cost is about 0, the head was not needed in these stories. It may still carry the "
        "colour, if another head carries it too, and then only taking out both would show it."
    ),
)
