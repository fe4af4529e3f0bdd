"""How the answer in words of lesson 11 is marked."""

from minigpt.course.exercise import Marking

TWICE_THE_TOKENS = Marking(
    checklist=(
        (
            1,
            "What is compared: the same model, data and settings on one machine and on two; and "
            "above all the number of tokens in a step. If each machine keeps its batch, a step of "
            "two has twice as many, and twice the tokens a second is no proof that learning is "
            "twice as fast. Half for asking about settings without naming the batch.",
        ),
        (
            1,
            "Another measure: the time, or the money, until the same held-out loss. Or the "
            'held-out loss after the same time. Half for "look at the loss" without saying at '
            "which equal time, tokens or cost; a training loss earns half as well.",
        ),
        (
            0.5,
            "How the speed was measured: warm-up steps left out, the accelerator waited for, "
            "several steps or runs and their spread, evaluation and checkpoints counted or not. "
            "One of these is enough.",
        ),
        (
            0.5,
            "What it cost: two machines for the same time are twice the machine hours, so twice "
            "the speed at twice the cost saves time and no money; or one machine is not used as "
            "well as it could be, so that the comparison is too kind.",
        ),
    ),
    weak=(
        "I would ask which machines they are and whether the number is exact. Twice as many tokens "
        "per second sounds right with two machines, because they share the work. I would also look "
        "at the loss to see that the model really learns. If the loss goes down, the setup is "
        "twice as good and we should use it."
    ),
    weak_points=0.5,
    lacks=(
        "Half a point for the loss, though nobody says after which time or how many tokens, and on "
        "which text. Nothing for what is compared: the batch of a step may have doubled. Nothing "
        'for the measuring, "exact" names no way to get it wrong. Nothing for cost: the second '
        "machine is not paid for in this answer."
    ),
    good=(
        "I would first ask what stayed the same: the model, the data, the precision, and how many "
        "tokens make one step. If each machine keeps its batch, a step now has twice as many "
        "tokens. Twice the tokens a second is then just as many steps a second, and a larger batch "
        "does not always learn as much from each token.\n\n"
        "So I would ask for the time until both runs reach the same held-out loss, with a learning "
        "rate that suits each.\n\n"
        "Then I would ask how the speed was taken: over how many steps, with the first ones left "
        "out, and how far it varies between runs.\n\n"
        "And two machines cost twice as much an hour. Even a run that is twice as fast saves time "
        "and no money."
    ),
)
