"""How the answers in words of lesson 02 are marked."""

from minigpt.course.exercise import Marking

BELOW_THE_FLOOR = Marking(
    checklist=(
        (
            1,
            "Why it cannot be: the floor is the cost of the teller's own fair choices, which "
            "nobody can foresee, so on average over new stories every model pays at least that. "
            "And over many stories luck is too small. Half without the word on luck or average.",
        ),
        (
            1,
            "Two different mistakes that lower the loss below the floor, such as: targets not "
            "shifted, or a model that sees the token it is to predict; stories of the training "
            "among the held-out ones; filling counted in the mean; loss per character or in "
            "another unit, told as nats per token. The first and the second count as two if each "
            "has its own test. Half for one.",
        ),
        (
            1,
            "For each a test that tells whether it is the one: compare one batch's x and y; "
            "change a later token and see whether an earlier prediction moves; measure on "
            "stories of a fresh seed; count the targets that were graded. Half for one.",
        ),
    ),
    weak=(
        "A loss of 0.30 is below the floor of 0.47, which is impossible. Probably the model is "
        "overfitting, because it was trained for too long. My friend should use a smaller model or "
        "stop earlier, and look at the validation loss. It could also be that the learning rate is "
        "wrong."
    ),
    weak_points=0,
    lacks=(
        '"Impossible" comes without a reason. Overfitting lowers the loss on the training '
        "stories; on held-out ones it raises it, unless they are the same stories, and that would "
        "have been the answer. A wrong learning rate makes a loss worse, never better than the "
        "floor. And no test is named: the loss on held-out stories is what was measured."
    ),
    good=(
        "The floor is what the teller's own choices cost: a model that knows the grammar by heart "
        "still cannot foresee a fair choice, so on average over new stories it pays at least 0.47 "
        "nats per token. On a few stories luck can help, but over many it averages out. So the "
        "number is wrong, or the stories are not new.\n\n"
        "One mistake: the model sees the token that it is to predict. Change a later token: no "
        "earlier prediction may move. Another: the held-out stories were also in the training set, "
        "so they are known by heart. Measure the loss on stories of a fresh seed."
    ),
)
