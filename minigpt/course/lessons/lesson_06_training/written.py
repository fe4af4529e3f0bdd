"""How the answer in words of lesson 06 is marked."""

from minigpt.course.exercise import Marking

WHY_WARM_UP = Marking(
    checklist=(
        (
            1,
            "The first steps: m and v, both corrected, are the gradient and its square, so each "
            "weight moves by the whole learning rate, up or down, whether its gradient was large "
            'or tiny. Half for "the steps are large" without the quotient. Nothing if the reason '
            "given is that gradients are large.",
        ),
        (
            1,
            "The risk: all weights move that far on the evidence of a single batch, and the "
            "weights are still random. Half for one of the two.",
        ),
        (
            0.5,
            "The change: while the rate is small, the averages collect many batches, so that the "
            "full rate is used in directions that are well supported.",
        ),
        (
            0.5,
            "The price: some steps at the start that hardly move. What it buys is a larger rate "
            "afterwards; at a small rate it matters little.",
        ),
    ),
    weak=(
        "At the start the weights are random, so the gradients are very large. With a high "
        "learning rate the model would take too large steps and the loss would explode. Warm-up "
        "starts with a small learning rate, so training is more stable."
    ),
    weak_points=0.5,
    lacks=(
        "Half for the risk: the weights are random, but one batch as the only evidence is not "
        "named. Nothing for the first steps: AdamW divides the gradient's size out, so a large "
        "gradient is not the reason; a tiny one makes the same step. Nothing for the change: "
        '"more stable" says that it works, not how. No price is named.'
    ),
    good=(
        "After the first step, m is a tenth of the gradient and v a hundredth of its square. "
        "Corrected, they are the gradient and its square again, so the step is the gradient "
        "divided by its own size: plus or minus the learning rate, for every weight, whether its "
        "gradient was large or tiny.\n\n"
        "So all weights move by a full step at once, on the evidence of one batch. Much of what a "
        "single batch says about a small gradient is chance. And the weights are still random: a "
        "direction that is right here can be wrong one full step farther.\n\n"
        "With warm-up these first steps are tiny. While the rate rises, the averages collect the "
        "gradients of many batches: chance cancels in m, and v learns each weight's usual "
        "gradient. The price is a few dozen steps that hardly move; what they buy is a larger "
        "rate afterwards, and with a small one you can do without."
    ),
)
