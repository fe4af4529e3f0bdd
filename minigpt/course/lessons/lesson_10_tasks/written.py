"""How the answer in words of lesson 10 is marked."""

from minigpt.course.exercise import Marking

WHICH_SUMMARY = Marking(
    checklist=(
        (
            1,
            "The preference, with its reason: B, since all it says is true and it says what the "
            "story is about; A names a thing and a place that are false. Half if only the place "
            "or only the thing is named, or if the reason is style.",
        ),
        (
            1,
            "Why the scores prefer A: they count words, and runs of words, that the reference has "
            "too. A copies the reference's sentence and changes two words; B says the same in "
            'other words, for which there are no points. Half for "they only count words" '
            "without what that does to one of the two.",
        ),
        (
            0.5,
            "What would notice: a check of facts (does the story support what the summary says?), "
            "or questions asked of the summary, or several references.",
        ),
        (
            0.5,
            "What a test with people needs: they do not know which system wrote which, the order "
            "is drawn by lot, several judge the same pair, or how often they agree is told. One "
            "of these is enough.",
        ),
    ),
    weak=(
        "I prefer B because it sounds more natural. BLEU and ROUGE are not perfect, they only "
        "compare words and do not understand the meaning. A better way is to ask people, because "
        "people understand language and can say which summary is better."
    ),
    weak_points=1,
    lacks=(
        "Half for the preference: B, but for its style, not because A is false. Half for the "
        "scores: that they compare words is right, but not what this does to A and B. Nothing for "
        "what would notice, as people are asked about in the next point; and nothing there, since "
        "how to ask them is not said."
    ),
    good=(
        "I would rather read B: everything in it is true, and it tells what was lost and where it "
        "was. A is false twice, a drum for a wagon and a bridge for the stairs, and whoever looks "
        "there finds nothing.\n\n"
        "BLEU and ROUGE compare with one reference, word by word and run by run. A is the "
        "reference with two words changed, so most of its words and pairs count, and the two that "
        "carry the facts weigh no more than any others. B says the same in other words, and for "
        "*beneath the steps* there are no points.\n\n"
        "A check that looks up each thing and place of the summary in the story would notice. And "
        "I would ask several people who do not know which model wrote which, in an order drawn by "
        "lot, and tell how often they agree."
    ),
)
