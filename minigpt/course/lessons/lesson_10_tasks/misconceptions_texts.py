"""What people get wrong in prompts, counts and facts: each wrong answer, and what is said to it."""

from __future__ import annotations

import re
from functools import partial

import torch

from minigpt.course.lessons.lesson_10_tasks.cases_texts import few_shot_prompt, unsupported

# --- few_shot_prompt ---


def line(asked, answer, arrow, newline):
    return asked + arrow + answer + newline


def prompt_of(
    examples, question, arrow, newline, block_size, new_tokens, *, line=line,
    last=lambda question, arrow, newline: question + arrow, spare=0, skip=False,
    stay="last", order=lambda kept: kept, room=True,
):  # fmt: skip
    """The prompt with one thing wrong."""
    end, kept = last(question, arrow, newline), []
    left = block_size - len(end) - (new_tokens if room else 0) - spare
    for pair in reversed(examples) if stay == "last" else examples:
        told = line(*pair, arrow, newline)
        if len(told) > left:
            if skip:
                continue
            break
        left -= len(told)
        kept.append(told)
    kept = order(kept[::-1] if stay == "last" else kept)
    return [token for told in kept for token in told] + end


def all_of_it(examples, question, arrow, newline, block_size, new_tokens):
    return prompt_of(examples, question, arrow, newline, 10**6, 0)


def cropped(examples, question, arrow, newline, block_size, new_tokens):
    return all_of_it(examples, question, arrow, newline, 0, 0)[-(block_size - new_tokens) :]


def all_or_nothing(examples, question, arrow, newline, block_size, new_tokens):
    whole = all_of_it(examples, question, arrow, newline, 0, 0)
    return whole if len(whole) + new_tokens <= block_size else question + arrow


def joined(examples, question, arrow, newline, block_size, new_tokens):
    """Newlines only between the examples."""
    prompt = few_shot_prompt(examples, question, arrow, newline, block_size, new_tokens)
    end = question + arrow
    if len(prompt) == len(end):
        return prompt
    return prompt[: len(prompt) - len(end) - len(newline)] + end


def used_up(examples, question, arrow, newline, block_size, new_tokens):
    """Takes examples out of the list that it was given."""
    prompt = all_of_it(examples, question, arrow, newline, 0, 0)
    while len(prompt) + new_tokens > block_size:
        examples.pop(0)
        prompt = all_of_it(examples, question, arrow, newline, 0, 0)
    return prompt


FEW_SHOT = {
    "examples-used-up": (
        "The prompt is right, but you take the examples that do not fit out of the list you were "
        "given. The next question would find fewer: work on a copy, or count from where to begin.",
        used_up,
    ),
    "all-examples": (
        "You take all examples, whatever the window holds. The prompt and the answer together may "
        "have block_size tokens.",
        all_of_it,
    ),
    "cut-in-the-middle": (
        "You cut the prompt's front off, in the middle of an example. Half an example shows a "
        "wrong pattern: drop it whole.",
        cropped,
    ),
    "all-or-nothing": (
        "Where not all examples fit you take none. Take as many of the last ones as fit.",
        all_or_nothing,
    ),
    "first-examples-stay": (
        "You keep the first examples. The last ones stand nearest to the question: those stay.",
        partial(prompt_of, stay="first"),
    ),
    "backwards": (
        "Your examples stand in the opposite order. You may *choose* from the end, but they keep "
        "their order.",
        partial(prompt_of, order=lambda kept: kept[::-1]),
    ),
    "no-room-for-the-answer": (
        "Your prompt may fill the window. The answer's new_tokens need room, too.",
        partial(prompt_of, room=False),
    ),
    "one-token-too-careful": (
        "You drop an example that just fits. Exactly block_size tokens are allowed.",
        partial(prompt_of, spare=1),
    ),
    "one-token-too-many": (
        "Prompt and answer together are one token longer than block_size. Is your comparison off "
        "by one?",
        partial(prompt_of, spare=-1),
    ),
    "skips-the-long-one": (
        "You leave out an example that is too long, and go on with the one before it. The rule is "
        "simpler: the last k examples, without a gap.",
        partial(prompt_of, skip=True),
    ),
    "no-arrow-at-the-end": (
        "Your prompt ends with the question. In the examples an arrow comes before each answer: "
        "end with it, so that the answer is what comes next.",
        partial(prompt_of, last=lambda question, arrow, newline: question),
    ),
    "newline-at-the-end": (
        "You close the question's line. After a newline the model begins a new question. Leave it "
        "open, behind the arrow.",
        partial(prompt_of, last=lambda question, arrow, newline: question + arrow + newline),
    ),
    "no-newline": (
        "Nothing separates your examples. An answer runs into the next question: put the newline "
        "behind each example.",
        partial(prompt_of, line=lambda asked, answer, arrow, newline: asked + arrow + answer),
    ),
    "newline-between-examples-only": (
        "Between the last example and the question the newline is missing. It belongs behind "
        "*each* example.",
        joined,
    ),
    "no-arrow-in-the-examples": (
        "Your examples have no arrow between question and answer. They should show the form that "
        "the question will have.",
        partial(prompt_of, line=lambda asked, answer, arrow, newline: asked + answer + newline),
    ),
    "answer-first": (
        "Your examples put the answer before the question.",
        partial(
            prompt_of, line=lambda asked, answer, arrow, newline: answer + arrow + asked + newline
        ),
    ),
    "no-examples": (
        "You leave the examples out. That is a zero-shot prompt.",
        lambda examples, question, arrow, newline, block_size, new_tokens: question + arrow,
    ),
}

# --- accuracy_by_examples ---


def wilson(
    right, z, *, dim=0, share=None, n_of=None, divided=True, spread=lambda p, n: p * (1 - p) / n,
    own=lambda z, n: z**2 / (4 * n**2), shift=lambda z, n: z**2 / (2 * n),
    factor=lambda z, n: 1 + z**2 / n,
):  # fmt: skip
    """The table with one thing wrong."""
    n = n_of(right) if n_of else right.size(dim)
    p = share(right) if share else right.float().mean(dim=dim)
    half = z * (spread(p, n) + own(z, n)).sqrt()
    low, high = p + shift(z, n) - half, p + shift(z, n) + half
    whole = factor(z, n) if divided else 1
    return torch.stack([p, low / whole, high / whole], dim=-1)


def plain(right, z, clip=False, **more):
    """p plus or minus z standard errors."""
    zero = dict(own=lambda z, n: 0, shift=lambda z, n: 0, factor=lambda z, n: 1)
    table = wilson(right, z, **zero, **more)
    return table.clamp(0, 1) if clip else table


def running(right):
    """The share over all columns so far."""
    return right.float().mean(dim=0).cumsum(0) / torch.arange(1, right.size(1) + 1)


def other_columns(right, z, order):
    return wilson(right, z)[:, order]


def centre_first(right, z):
    table = wilson(right, z)
    return torch.cat([table[:, 1:].mean(dim=-1, keepdim=True), table[:, 1:]], dim=-1)


ACCURACIES = {
    "plus-minus": (
        "You take p plus or minus z standard errors. Where all answers are wrong, or all right, "
        "that interval has no width: as if three questions proved it. Use Wilson's formula.",
        plain,
    ),
    "plus-minus-clipped": (
        "You take p plus or minus z standard errors, cut at 0 and 1. Where all answers are right "
        "it has no width, as if a few questions proved it. Use Wilson's formula.",
        partial(plain, clip=True),
    ),
    "by-question": (
        "You average over the examples: a row for each question. Average over the *questions*, "
        "axis 0.",
        partial(wilson, dim=1),
    ),
    "all-answers-counted": (
        "Your n counts all answers of the table. Each column has as many as there are questions: "
        "your intervals are too narrow.",
        partial(wilson, n_of=lambda right: right.numel()),
    ),
    "running-mean": (
        "Each of your rows averages over all columns so far. A row belongs to one number of "
        "examples.",
        partial(wilson, share=running),
    ),
    "not-divided": (
        "You forget to divide by 1 + z²/n. The interval then can leave 0 to 1.",
        partial(wilson, divided=False),
    ),
    "not-shifted": (
        "Your interval is centred on p. Wilson's is drawn towards one half: z²/(2n) is missing "
        "before the ±.",
        partial(wilson, shift=lambda z, n: 0),
    ),
    "z-not-squared": (
        "In one of the terms your z is not squared. Each z under a fraction bar alone is z².",
        partial(
            wilson,
            own=lambda z, n: z / (4 * n**2),
            shift=lambda z, n: z / (2 * n),
            factor=lambda z, n: 1 + z / n,
        ),
    ),
    "n-not-squared": (
        "Under the root, the second term is z²/(4n²): n is squared as well.",
        partial(wilson, own=lambda z, n: z**2 / (4 * n)),
    ),
    "no-second-term": (
        "Under the root a term is missing: z²/(4n²). It keeps the interval open where p is 0 or 1.",
        partial(wilson, own=lambda z, n: 0 * z),
    ),
    "spread-of-one-answer": (
        "Under the root you have p(1-p), the variance of one answer. That of the mean of n answers "
        "is p(1-p)/n.",
        partial(wilson, spread=lambda p, n: p * (1 - p)),
    ),
    "always-1.96": (
        "You always take 1.96, whatever z is. That is an interval of 95 %; a larger z asks "
        "for a wider one.",
        lambda right, z: wilson(right, 1.96),
    ),
    "high-before-low": (
        "Your second and third column are swapped: accuracy, low, high.",
        partial(other_columns, order=[0, 2, 1]),
    ),
    "centre-as-accuracy": (
        "Your first column is the middle of the interval. Wilson's interval is not symmetric about "
        "the accuracy: the first column is p itself.",
        centre_first,
    ),
    "a-column-each": (
        "Your table lies on its side: (3, K). Each number of examples is a row: (K, 3).",
        lambda right, z: wilson(right, z).T,
    ),
}

# --- rouge_of_two ---

ROUGE = {
    "precision": (
        "These are precisions: the share of each *summary's* words that the reference has. F1 "
        "needs the share of the reference's words as well.",
        [9 / 15, 5 / 12],
    ),
    "recall": (
        "These are recalls: the share of the *reference's* words that each summary has. A summary "
        "could win by saying everything. F1 needs the precision as well.",
        [9 / 10, 5 / 10],
    ),
    "arithmetic-mean": (
        "You take the plain mean of precision and recall. F1 is their harmonic mean, 2PR/(P+R): "
        "closer to the smaller.",
        [0.75, (5 / 12 + 0.5) / 2],
    ),
    "each-word-once": (
        "You count each word once. *the* stands twice in the reference: it may match twice.",
        [16 / 22, 8 / 20],
    ),
    "the-matches-three-times": (
        "You let *the* match three times. The reference has it twice, so the third matches "
        "nothing.",
        [0.8, 5 / 11],
    ),
    "over-all-words": (
        "You divide the matches by all different places of both texts together. F1 is twice the "
        "matches by the sum of both lengths.",
        [9 / 16, 5 / 17],
    ),
    "pairs-of-words": (
        "These are shares of word *pairs*: ROUGE-2. Here single words are counted.",
        [14 / 23, 4 / 20],
    ),
    "swapped": (
        "The numbers are right and change places: the false summary's comes first.",
        [5 / 11, 0.72],
    ),
    "product": (
        "You multiply precision and recall. F1 is 2PR/(P+R).",
        [0.54, 5 / 24],
    ),
}

# --- unsupported ---


def tokens(text):
    return re.findall(r"[a-z]+", text.lower())


def phrase_in(fact, text, fold=str.lower, words=lambda text: re.findall(r"[A-Za-z]+", text)):
    return f" {' '.join(words(fold(fact)))} " in f" {' '.join(words(fold(text)))} "


def made_up(summary, story, facts, *, inside=phrase_in, here=None, there=None):
    """The list with another way to ask whether a fact stands in a text."""
    here, there = here or inside, there or inside
    return [fact for fact in facts if here(fact, summary) and not there(fact, story)]


def by_spaces(fact, text):
    return phrase_in(fact, text, words=str.split)


def bag(fact, text):
    return set(tokens(fact)) <= set(tokens(text))


def substring(fact, text):
    return " ".join(tokens(fact)) in " ".join(tokens(text))


def plain_substring(fact, text):
    return fact in text


def as_written(fact, text):
    return phrase_in(fact, text, fold=str)


def left_as_is(fact, text):
    """Whole words and capitals are seen to, but not a new line."""
    return re.search(rf"\b{re.escape(fact.lower())}\b", text.lower()) is not None


def in_order_of_the_summary(summary, story, facts):
    text = " ".join(tokens(summary))
    found = unsupported(summary, story, facts)
    return sorted(found, key=lambda fact: text.find(" ".join(tokens(fact))))


UNSUPPORTED = {
    "inside-longer-words": (
        "You find *red* in *tired*. A fact stands in a text as whole words: compare words, not "
        "letters.",
        partial(made_up, inside=substring),
    ),
    "plain-in": (
        "`fact in text` compares letters: *red* is in *tired*, and *Grey* is not *grey*. Compare "
        "whole words, without capitals.",
        partial(made_up, inside=plain_substring),
    ),
    "capitals": (
        "*Grey* at the start of a sentence is the fact *grey*. Compare without capitals, in both "
        "texts.",
        partial(made_up, inside=as_written),
    ),
    "commas-and-full-stops": (
        "You split at spaces, so *stairs.* with its full stop is not *stairs*. Take the letters "
        "only.",
        partial(made_up, inside=by_spaces),
    ),
    "one-word-facts-only": (
        "You look a fact up in a set of single words. *under the stairs* is never in it: a fact "
        "can have several words.",
        partial(made_up, inside=lambda fact, text: " ".join(tokens(fact)) in tokens(text)),
    ),
    "words-anywhere": (
        "You ask whether all words of a fact stand somewhere. *under a bed ... the stairs* is not "
        "*under the stairs*: they must follow each other.",
        partial(made_up, inside=bag),
    ),
    "new-lines": (
        "You look for the fact as it is written, with its single spaces. A line may end in the "
        "middle of it: compare the words, whatever stands between.",
        partial(made_up, inside=left_as_is),
    ),
    "left-out": (
        "You list what the summary leaves *out*. Asked is what it makes up: in the summary, and "
        "not in the story.",
        lambda summary, story, facts: unsupported(story, summary, facts),
    ),
    "both-ways": (
        "You list what differs in either direction. A summary may leave things out: only what it "
        "adds is made up.",
        lambda summary, story, facts: [
            fact for fact in facts if phrase_in(fact, summary) != phrase_in(fact, story)
        ],
    ),
    "all-that-it-names": (
        "You list every fact that the summary names. Those that the story has too are true.",
        lambda summary, story, facts: [fact for fact in facts if phrase_in(fact, summary)],
    ),
    "supported": (
        "You list what the story supports. Asked is the rest of what the summary says.",
        lambda summary, story, facts: [
            fact for fact in facts if phrase_in(fact, summary) and phrase_in(fact, story)
        ],
    ),
    "all-that-the-story-lacks": (
        "You list every fact that the story lacks. Those that the summary does not name either are "
        "not its fault.",
        lambda summary, story, facts: [fact for fact in facts if not phrase_in(fact, story)],
    ),
    "only-the-first": (
        "You stop at the first. A summary can make up several things.",
        lambda summary, story, facts: unsupported(summary, story, facts)[:1],
    ),
    "order-of-the-summary": (
        "The right facts, in the order of the summary. Keep that of `facts`.",
        in_order_of_the_summary,
    ),
    "count": (
        "You return how many there are. Asked is which.",
        lambda summary, story, facts: len(unsupported(summary, story, facts)),
    ),
}
