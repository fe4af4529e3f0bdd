"""How the answer in words of lesson 12 is marked."""

from minigpt.course.exercise import Marking

CLAIMS_OF_A_PARAGRAPH = Marking(
    checklist=(
        (
            1,
            "The claims: it is said where the paragraph stands, and at least three sentences are "
            "made of it that each say one thing, and can be true or false. Half if two things "
            "stand in one of them, or if it is not said where the paragraph was found.",
        ),
        (
            1,
            "What would show each claim false: something that could be seen, named for each one "
            "(an output that changes, a count, a sentence in the paper). Half if it is missing for "
            'one, or is only "check it".',
        ),
        (
            1,
            "At least one claim was tested: what was run, on which model, and what came out; or "
            "which section of which source was read. Half for a test that is described and not "
            "made.",
        ),
        (
            0.5,
            "A verdict for each claim, no stronger than its test: also half true, of which model "
            "it is true, or not decided.",
        ),
        (
            0.5,
            "What in the paragraph claims nothing: praise or a comparison without a measure, which "
            "no observation could show false. If there is none, that this was looked for.",
        ),
    ),
    weak=(
        "The article says that GPT-2 is a powerful language model with 1.5 billion parameters "
        "which understands context in both directions. I think the number is right, because I have "
        "seen it elsewhere, too. It does not really understand anything, so the second claim is "
        "wrong. Overall the article is rather superficial, and one should not trust it."
    ),
    weak_points=0.5,
    lacks=(
        "Half a point for the claims: two are named, but not where the article stands. Nothing for "
        'what would show them false: "elsewhere" may have copied, and what *understands* means '
        "is not said. Nothing was tested. The verdicts are stronger than any test, and that "
        "*powerful* claims nothing is not noticed."
    ),
    good=(
        "The paragraph is from a course's page, here is its address: GPT-2 has 1.5 billion "
        "parameters, looks at a word's context on both sides, and is one of the most powerful "
        "models.\n\n"
        "Claim 1, the number, is false if a count of a released model gives another. I counted all "
        "four presets: 124, 355, 774 and 1,558 million, so it is true of the largest one only. "
        "Claim 2, both sides, is false if changing a later word leaves all earlier outputs as they "
        "were. I changed the last token of a story in the storyteller: no earlier logit moved, so "
        "it is false of this model, and I expect it of any with a causal mask. Claim 3, that both "
        "sides are why it writes well, is false if a model which sees one side writes as well; I "
        "have not trained the other one, so it is not decided here. *One of the most powerful* "
        "claims nothing: no measure is named, and nothing that I could see would show it false."
    ),
)
