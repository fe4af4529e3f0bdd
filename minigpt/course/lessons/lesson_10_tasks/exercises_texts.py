"""The exercises on prompts, counts of right answers, and what scores of texts are worth."""

from __future__ import annotations

from minigpt.course.exercise.kinds import EXACT, Worth, function, number, written
from minigpt.course.lessons.lesson_10_tasks import cases_texts as cases
from minigpt.course.lessons.lesson_10_tasks import misconceptions_texts as wrong
from minigpt.course.lessons.lesson_10_tasks.written import WHICH_SUMMARY

TEXTS = (
    function(
        "few_shot_prompt",
        "Examples that fit",
        Worth(points=3, difficulty=2, importance=4, minutes=12),
        (
            "From which end do you add examples? What has to have room besides the prompt?",
            "Two examples of 2 + 1 tokens with one arrow and one newline: 5 tokens each. The "
            "question of 2 with its arrow: 3. With one new token, 14 in all: in a window of 13 "
            "only the last example has room.",
            "prompt = question, arrow\n"
            "for each example, from the last one on:\n"
            "    longer = question, arrow, answer, newline of the example; then the prompt\n"
            "    stop if longer and the new tokens do not fit\n"
            "    prompt = longer",
        ),
        draw=cases.draw_prompts,
        reference=cases.few_shot_prompt,
        wrong=wrong.FEW_SHOT,
        keep=False,
        **EXACT,
    ),
    function(
        "accuracy_by_examples",
        "More examples, more right?",
        Worth(points=3, difficulty=3, importance=4, minutes=12),
        (
            "What is one row of the result about, and over which axis of `right` do you average?",
            "right (n, K): its mean is p (K,). Low and high are (K,) as well. Stacked along a new "
            "last axis: (K, 3). With p = 1/2, n = 4 and z = 2: centre 1/2 + 1/2, half-width "
            "2 × root of (1/16 + 1/16), both over 1 + 1.",
            "n = number of questions; p = mean over the questions\n"
            "centre = p + z² / 2n\n"
            "half = z × root of (p (1 - p) / n + z² / 4n²)\n"
            "stack p, (centre - half) / (1 + z² / n), (centre + half) / (1 + z² / n)",
        ),
        draw=cases.draw_accuracies,
        reference=cases.accuracy_by_examples,
        wrong=wrong.ACCURACIES,
        keep=False,
    ),
    number(
        "rouge_of_two",
        "The false summary wins",
        Worth(points=2, difficulty=2, importance=3, minutes=8),
        (
            "How many words has each text? How many of the reference's words does each summary "
            "say? Mind the word *the*.",
            "The reference has 10 words, the summaries 15 and 12. Matches: 9 and 5.",
            "F1 = 2 × matches / (words of the summary + words of the reference)",
        ),
        answer=[0.72, 5 / 11],
        within=0.002,
        wrong=wrong.ROUGE,
        case="ROUGE-1 F1 of the false and of the true summary",
    ),
    function(
        "unsupported",
        "What the summary makes up",
        Worth(points=3, difficulty=2, importance=4, minutes=12),
        (
            "*red* is in *tired* for Python. How do you compare words instead of letters?",
            '"Under the\\nstairs." becomes the words under, the, stairs. Joined by single spaces, '
            'with one at each end: " under the stairs ". Now `in` asks for whole words.',
            "even(text) = its words, in small letters, joined by spaces, a space at each end\n"
            "for each fact: keep it if even(fact) is in even(summary) and not in even(story)",
        ),
        draw=cases.draw_facts,
        reference=cases.unsupported,
        wrong=wrong.UNSUPPORTED,
        keep=False,
        **EXACT,
    ),
)

WORDS = (
    written(
        "which_summary",
        "Which would you rather read?",
        Worth(points=3, difficulty=2, importance=4, minutes=10),
        WHICH_SUMMARY,
    ),
)
