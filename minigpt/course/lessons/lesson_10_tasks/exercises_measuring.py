"""The exercises on measuring: how good is a model at text, and at a task?"""

from __future__ import annotations

from minigpt.course.exercise.calls.training import call_evaluation
from minigpt.course.exercise.kinds import EXACT, Worth, bug, function
from minigpt.course.lessons.lesson_10_tasks import cases
from minigpt.course.lessons.lesson_10_tasks import misconceptions_measuring as wrong

MEASURING = (
    function(
        "per_token_word_byte",
        "Per token, per word, per byte",
        Worth(points=4, difficulty=2, importance=5, minutes=10),
        (
            "What adds up over tokens: the perplexity, or the surprise? What is the whole text's?",
            "[1, 2] and Good night: 3 nats in all. 3/2 for each token, 3/2 for each word. In bits "
            "3 / 0.693 = 4.33, for ten bytes 0.433 each.",
            "nats = the sum over all windows\n"
            "the exponential of nats / tokens, and of nats / words\n"
            "nats / ln 2 / bytes of the UTF-8",
        ),
        draw=cases.draw_measures,
        reference=cases.per_token_word_byte,
        wrong=wrong.MEASURES,
        keep=False,
    ),
    bug(
        "strided_perplexity",
        "Mend: windows that overlap",
        Worth(points=5, difficulty=4, importance=4, minutes=15),
        (
            "Take ten tokens, windows of 6 and a stride of 4. Write down which places each window "
            "scores. Is any there twice, or never?",
            "Windows at 0, 4 and 8 hold places 0 to 5, 4 to 9, and 8 and 9. The first scores 1 to "
            "5. The second has surprises for 5 to 9: its first is done already. The third has "
            "nothing new.",
            "begin a window at each multiple of the stride that has a token to predict\n"
            "of its surprises keep those of places that no window before it held\n"
            "divide the sum by the tokens that can be predicted",
        ),
        draw=cases.draw_strided,
        call=call_evaluation,
        reference=cases.strided_perplexity,
        wrong=wrong.STRIDED,
    ),
    function(
        "last_words_right",
        "The whole last word",
        Worth(points=3, difficulty=3, importance=4, minutes=12),
        (
            "Which logits predict the first token of the word? And when is a word right?",
            "T = 4, a word of 2: its places are 2 and 3, predicted by the logits at 1 and 2. "
            "Logits (B, T, V) give a likeliest token (B, T); a comparison (B, T - 1); a mask of "
            "the same shape; one truth value for each row.",
            "right = likeliest token at places 0 to T - 2, compared with places 1 to T - 1\n"
            "inside = is the place T - n_tokens or later?\n"
            "a text is right if each of its places is right, or not inside",
        ),
        draw=cases.draw_last_words,
        reference=cases.last_words_right,
        wrong=wrong.LAST_WORDS,
        keep=False,
        **EXACT,
    ),
    function(
        "fill_the_gap",
        "A gap in the middle",
        Worth(points=4, difficulty=3, importance=4, minutes=15),
        (
            "Which tokens differ between the candidates, and which depend on the one that stands "
            "there?",
            "before 2 tokens, candidate 1, after 2: the model sees 5. Scored are places 2, 3 and "
            "4, by the logits at 1, 2 and 3: three log-probabilities.",
            "for each candidate:\n"
            "    the model reads before, candidate, after, as one text\n"
            "    log-probability of each token from the gap on, by the place before it\n"
            "    their sum, or their mean\n"
            "stack them",
        ),
        draw=cases.draw_gap,
        call=call_evaluation,
        reference=cases.fill_the_gap,
        wrong=wrong.GAP,
        keep=False,
    ),
)
