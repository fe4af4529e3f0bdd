"""How the answer in words of lesson 05 is marked."""

from minigpt.course.exercise import Marking

WHY_TIED = Marking(
    checklist=(
        (
            1,
            "What it saves: V times C = 50,257 · 768 = 38.6 million parameters. That is 24 % of "
            "an untied model's 163 million, or 31 % of the tied one's 124 million: either will "
            "do. Half for the product without a share.",
        ),
        (
            1,
            "Why it makes sense: the head asks to which word's vector the stream points, and the "
            "table says where each word lies; words that are used alike lie close in both. Half "
            'for "both are about the same words" alone.',
        ),
        (
            1,
            "The gradient: it is the *sum* of what comes from the two places. A row learns when "
            "its word is read, and every row at every position, when it is weighed as the next. "
            "Half if one of the two is missing.",
        ),
        (
            1,
            "How to find out: by identity (`is`), by the number of parameters, or by one step of "
            "training, after which the two differ. Nothing for comparing the numbers before any "
            "step.",
        ),
    ),
    weak=(
        "Tying saves memory, because the embedding and the head have the same shape and only one "
        "has to be stored: about 38 million parameters. It makes sense because both have a row "
        "for each token. In training the matrix gets a gradient from the head. If it is not tied, "
        "you would see it by printing both matrices and comparing them."
    ),
    weak_points=1.5,
    lacks=(
        "Half for the saving: a number, but no share of the model. Half for the sense: a row "
        "for each token, but why should it be the same row? Half for the gradient: the other "
        "source, the words that are read, is missing. Nothing for the test: two equal copies look "
        "alike until they are trained."
    ),
    good=(
        "It saves V times C = 50,257 · 768 = 38,597,376 parameters. An untied GPT-2 would have "
        "163 million instead of 124, so 24 % of it would be a second table.\n\n"
        "The stream behind the last block should point to the word that comes next, and the head "
        "asks to which of all words it points. The token table says already where each word lies. "
        "Words that are used alike have similar rows: if one of them fits as the next word, the "
        "other gets a high score, too. A head of its own would have to learn that once more.\n\n"
        "The matrix is used in two places, so its gradient is the sum of both. The row of a word "
        "learns when the word is read, and every row learns at every position, when it is weighed "
        "as the next.\n\n"
        "An untied model whose two matrices are equal gives the same logits. But it has 38.6 "
        "million parameters too many, `model.lm_head.weight is model.transformer.wte.weight` is "
        "False, and after one step of training the two matrices differ."
    ),
)
