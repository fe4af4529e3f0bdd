"""How the answer in words of lesson 08 is marked."""

from minigpt.course.exercise import Marking

WHY_NO_PROOF = Marking(
    checklist=(
        (
            1,
            "Two mistakes after which a model still writes fluently (no final LayerNorm, c_proj "
            "of a late block on its side, exact GELU, no mask, another epsilon, a wrong number "
            "of heads, a head untied after loading). Half for one. Nothing for one that makes word "
            "salad, such as all matrices on their side.",
        ),
        (
            1,
            "Why: fluency needs only that a good token stays the likeliest, and the stream that "
            "reaches the head is mostly right. Half for one of the mistakes explained.",
        ),
        (
            1,
            "The comparison: logits, number by number, with an independent program on the same "
            "file and the same ids, in evaluation mode; equal up to rounding, about 1e-4 of the "
            "largest. Half if the digits or the independence are missing, and for comparing texts, "
            "which can agree where the logits do not.",
        ),
        (
            1,
            "The place: compare each layer's output in the order in which they run; the first "
            "that differs is it. The loss is one number for the whole model. Half for one of "
            "the two.",
        ),
    ),
    weak=(
        "The model could have been lucky, or the text could be memorised. One mistake might be a "
        "wrong temperature. I would compare the output with the original GPT-2, if both write the "
        "same text it works. If not, I would print the loss of both and look at the layers."
    ),
    weak_points=0.5,
    lacks=(
        "Nothing for the mistakes: a temperature is a choice of the one who samples, no mistake "
        "of the model, and nobody is lucky for a whole text. Half for the comparison: with the "
        "original is right, but texts can agree where the logits do not; no ids, mode or digits. "
        '"Look at the layers" has no order, and the loss cannot say where.'
    ),
    good=(
        "To write fluently, a model only has to keep a good token the likeliest. Without its final "
        "LayerNorm the storyteller still tells a story: the likeliest token is mostly the same, "
        "though the logits are several times too far apart. With the last "
        "block's attn.c_proj on its side it does so as well, since the blocks before it have "
        "written most of what the head reads; in the first block the same mistake makes word "
        "salad. And exact GELU instead of the tanh form changes the logits in the fourth digit "
        "only.\n\n"
        "I compare the logits, number by number, with a program that others wrote and that reads "
        "the same file, in evaluation mode and on the same ids. Sums in another order are rounded "
        "differently, so up to about 1e-4 of the largest value is fine, and more is a mistake. "
        "The number of parameters and the published greedy continuation are further "
        "witnesses.\n\n"
        "If they differ, I compare the output of every layer, in the order in which they run. "
        "Everything behind a mistake differs as well, so the first layer that differs is where it "
        "happened. The loss is one number for the whole model: it says that something is wrong, "
        "not where."
    ),
)
