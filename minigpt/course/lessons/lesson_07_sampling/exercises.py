"""The exercises of lesson 07: temperature, filters, dice, the loop that writes, and its cache."""

from __future__ import annotations

from minigpt import sampling
from minigpt.course.exercise.calls.sampling import call_with_dice
from minigpt.course.exercise.calls.training import call_evaluation
from minigpt.course.exercise.kinds import Worth, account, bug, function, number
from minigpt.course.lessons.lesson_07_sampling import cases
from minigpt.course.lessons.lesson_07_sampling import misconceptions_draws as wrong_draws
from minigpt.course.lessons.lesson_07_sampling import misconceptions_filters as wrong
from minigpt.course.lessons.lesson_07_sampling import misconceptions_writing as wrong_writing

EXERCISES = (
    function(
        "apply_temperature",
        "Temperature",
        Worth(points=1, difficulty=1, importance=4, minutes=4),
        (
            "A cool model is surer of itself. Must its logits be farther apart, or closer?",
            "[1, 2, 3] at T = 2 becomes [0.5, 1, 1.5]: half as far apart. At T = 0.5 it becomes "
            "[2, 4, 6].",
            "the logits, each over the temperature; nothing else",
        ),
        draw=cases.draw_temperature,
        reference=sampling.apply_temperature,
        wrong=wrong.TEMPERATURE,
    ),
    function(
        "top_k_filter",
        "The k best",
        Worth(points=3, difficulty=2, importance=4, minutes=10),
        (
            "Which is the smallest logit that may stay? What if there are fewer than k?",
            "logits (2, 7), k = 3: the third largest of each row is (2, 1). Compared with it, "
            "(2, 7) gives True and False, three True in each row.",
            "k = at most the size of the vocabulary\n"
            "smallest = the k-th largest logit of each row, its axis kept\n"
            "where a logit is below smallest: minus infinity; elsewhere the logit",
        ),
        draw=cases.draw_top_k,
        reference=sampling.top_k_filter,
        wrong=wrong.TOP_K,
    ),
    function(
        "top_p_filter",
        "The fewest that reach p",
        Worth(points=5, difficulty=4, importance=4, minutes=18),
        (
            "In which order must you add up? And what do you ask of each token: the sum with it, "
            "or the sum before it?",
            "probabilities 0.1, 0.2, 0.4, 0.3 and p = 0.65: in order 0.4, 0.3, 0.2, 0.1 (ids 2, 3, "
            "1, 0). Sums before: 0, 0.4, 0.7, 0.9. Below 0.65 are the first two: ids 2 and 3 stay.",
            "if p is 1: the logits as they are\n"
            "order = the ids, likeliest first, in each row\n"
            "in that order: sum before = running sum of the probabilities, less the own one\n"
            "removed, in that order = sum before has reached p\n"
            "carry removed back to the order of ids; there minus infinity, elsewhere the logit",
        ),
        draw=cases.draw_top_p,
        reference=sampling.top_p_filter,
        wrong=wrong.TOP_P,
    ),
    number(
        "chance_after_the_cut",
        "What is left for kite",
        Worth(points=2, difficulty=2, importance=3, minutes=6),
        (
            "Two things happen, and their order matters. Which comes first?",
            "T = 0.5 squares each probability, up to a common factor: 0.25, 0.04, 0.0225, 0.01, "
            "0.0025.",
            "square all five; divide by their sum\n"
            "take the fewest that reach 0.9\n"
            "kite's share of those",
        ),
        answer=0.8,
        within=0.004,
        wrong=wrong_draws.CHANCE,
        case="temperature 0.5, then top-p 0.9",
    ),
    function(
        "sample_next_token",
        "One dart for each row",
        Worth(points=4, difficulty=3, importance=4, minutes=12),
        (
            "Lay the probabilities of a row end to end. Where does each stretch end?",
            "0.2, 0.5, 0.3 end at 0.2, 0.7 and 1. A dart at 0.6 has passed one end: token 1. "
            "For a batch: ends (B, V), darts (B, 1), the comparison (B, V), its count (B,).",
            "ends = running sum of the probabilities along the vocabulary\n"
            "darts = random numbers (B, 1) from the generator\n"
            "in each row, count the ends that are not beyond the dart",
        ),
        draw=cases.draw_sample,
        call=call_with_dice,
        reference=cases.sample_next_token,
        wrong=wrong_draws.SAMPLE,
        keep=False,
    ),
    function(
        "entropy",
        "How open is the choice?",
        Worth(points=3, difficulty=3, importance=3, minutes=10),
        (
            "How surprised are you by each token, and how often does it come? What about one that "
            "never comes?",
            "1/2, 1/4, 1/4: the surprises are ln 2, ln 4, ln 4. Weighted: "
            "1/2 ln 2 + 1/4 ln 4 + 1/4 ln 4 = 1.04. (..., V) becomes (...).",
            "p = softmax along the vocabulary\n"
            "term = -p × ln p, and 0 where p is 0\n"
            "add the terms up along the vocabulary",
        ),
        draw=cases.draw_entropy,
        reference=cases.entropy,
        wrong=wrong_draws.ENTROPY,
        keep=False,
    ),
    function(
        "generate",
        "The loop that writes",
        Worth(points=5, difficulty=3, importance=5, minutes=15),
        (
            "What does the model see at each turn, and which of its rows do you need?",
            "block_size = 5, a text of 7: the model sees the last 5, gives (B, 5, V); its last "
            "position (B, V) has a best token (B, 1); the text becomes 8 long.",
            "remember the mode; evaluation mode; no record for gradients\n"
            "repeat: logits of the last block_size tokens; best at the last position; append\n"
            "put the mode back; return the whole text",
        ),
        draw=cases.draw_generate,
        call=call_evaluation,
        reference=cases.generate,
        wrong=wrong_writing.GENERATE,
    ),
    bug(
        "write_until",
        "Mend: stop at the end mark",
        Worth(points=4, difficulty=3, importance=3, minutes=12),
        (
            "Follow one text that is longer than block_size, and one that has ended. What happens "
            "to each, line by line?",
            "block_size = 5, a text of 7: seen should be places 2 to 6, and after the turn idx has "
            "8 places. A row that has stopped should get the mark again, whatever the model says.",
            "see the *last* block_size tokens\n"
            "where a row has stopped, its token becomes the mark\n"
            "append the tokens to the *whole* text",
        ),
        draw=cases.draw_until,
        call=call_evaluation,
        reference=cases.write_until,
        wrong=wrong_writing.WRITE_UNTIL,
    ),
    account(
        "cache_bytes",
        "What the cache weighs",
        Worth(points=2, difficulty=2, importance=3, minutes=6),
        (
            "What does attention keep of a position that it has seen?",
            "1 layer, 2 channels, 3 tokens, 1 text: 3 keys and 3 values of 2 numbers are 12 "
            "numbers, in 4 bytes each 48.",
            "numbers for one position in one layer: a key and a value\n"
            "times layers, positions, texts, bytes",
        ),
        draw=cases.draw_cache_bytes,
        reference=cases.cache_bytes,
        wrong=wrong_writing.CACHE_BYTES,
    ),
)
