"""The tasks of `minigpt evaluate`: each measures a model, and returns figures by name.

A new one is a function and a line in TASKS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from torch import nn

from minigpt.evaluation.choice import Answers, choose, last_word
from minigpt.evaluation.data_sets import read_data_set
from minigpt.evaluation.intervals import bootstrap, wilson
from minigpt.evaluation.perplexity import Perplexity, measure
from minigpt.evaluation.published import book_items, lambada_items, read_text_set
from minigpt.evaluation.quiz import last_words, quiz
from minigpt.stories import Stories
from minigpt.tokenizer import Tokenizer

TEST_SEED = 30_000  # stories that nothing is trained on
STORIES = 100  # of them are plenty for the storyteller


class Figure(NamedTuple):
    """One measured number: its name, the number, and how it is written."""

    name: str
    value: float
    form: str = ".2f"
    interval: tuple[float, float] | None = None  # 95 %
    beside: tuple[str, float] | None = None  # what it is compared with, if that is not the paper


class Settings(NamedTuple):
    """How to measure: at most so many items (None: all), the stride, the normalisation."""

    limit: int | None = None
    stride: int | None = None
    normalize: str | None = None


Run = Callable[[nn.Module, Tokenizer, Settings], list[Figure]]


def stories(settings: Settings) -> list[str]:
    """Return the stories that the course's own tasks are told with."""
    return [*islice(Stories(TEST_SEED), settings.limit or STORIES)]


def accuracy(answers: Answers) -> Figure:
    """Return a share of right answers in percent, with Wilson's interval."""
    low, high = wilson(int(answers.right.sum()), len(answers.right))
    return Figure("accuracy (%)", 100 * answers.accuracy, ".2f", (100 * low, 100 * high))


def answer_perplexity(answers: Answers) -> Figure:
    """Return the perplexity of answers, each a whole word."""
    return Figure("perplexity", answers.perplexity)


def story_perplexity(model: nn.Module, tokenizer: Tokenizer, settings: Settings) -> list[Figure]:
    """Measure stories that the model never saw, beside the lowest loss that there can be."""
    told = stories(settings)
    found = measure(model, tokenizer, told, stride=settings.stride, closing=True, progress="read")
    floor = -sum(map(Stories.log_prob, told)) / found.tokens
    each = found.each[:, 0] / found.each[:, 1].mean()
    return [
        Figure("nats per token", found.loss, ".4f", bootstrap(each), ("the best possible", floor)),
        *text_figures(found),
    ]


def text_figures(found: Perplexity) -> list[Figure]:
    """Return perplexities per token and per word, and bits per byte."""
    return [
        Figure("perplexity per token", found.per_token),
        Figure("perplexity per word", found.per_word),
        Figure("bits per byte", found.bits_per_byte, ".3f"),
    ]


def story_last_words(model: nn.Module, tokenizer: Tokenizer, settings: Settings) -> list[Figure]:
    """Ask for the last word of stories' quizzes."""
    answers = last_word(model, tokenizer, last_words(stories(settings)), progress="stories")
    return [accuracy(answers), answer_perplexity(answers)]


def story_choices(model: nn.Module, tokenizer: Tokenizer, settings: Settings) -> list[Figure]:
    """Choose the last word of stories' quizzes among all colours, things or names."""
    items = quiz(stories(settings))
    answers = choose(model, tokenizer, items, normalize=settings.normalize, progress="candidates")
    return [accuracy(answers)]


def limited(items: Sequence, settings: Settings) -> Sequence:
    """Return the first items, as many as were asked for."""
    return items[: settings.limit]


def passages(model: nn.Module, tokenizer: Tokenizer, settings: Settings) -> list[Figure]:
    """Ask for the last words of LAMBADA."""
    items = limited(lambada_items(read_data_set("lambada")), settings)
    answers = last_word(model, tokenizer, items, progress="passages")
    return [answer_perplexity(answers), accuracy(answers)]


def books(name: str) -> Run:
    """Return the task of filling the gaps of one part of the Children's Book Test."""

    def run(model: nn.Module, tokenizer: Tokenizer, settings: Settings) -> list[Figure]:
        items = limited(book_items(read_data_set(name)), settings)
        normalize = settings.normalize
        return [accuracy(choose(model, tokenizer, items, normalize=normalize, progress=name))]

    return run


def text(name: str) -> Run:
    """Return the task of reading one of the paper's texts.

    A limit is in characters of the text as it was published: what it says is about that much only.
    """

    def run(model: nn.Module, tokenizer: Tokenizer, settings: Settings) -> list[Figure]:
        tidy, words = read_text_set(name, read_data_set(name), settings.limit)
        settings_of = dict(stride=settings.stride, words=[words], progress=name)
        return text_figures(measure(model, tokenizer, tidy, **settings_of))

    return run


class Task(NamedTuple):
    """What a task asks, in words, and what measures it."""

    words: str
    run: Run


TASKS = {
    "perplexity": Task("new stories, beside the best possible", story_perplexity),
    "last-word": Task("the last word of each story's quiz, as LAMBADA asks", story_last_words),
    "choice": Task("the same among candidates, as the Children's Book Test asks", story_choices),
    "lambada": Task("the last word of 5,153 passages of novels", passages),
    "cbt-cn": Task("a common noun missing in children's books, 10 candidates", books("cbt-cn")),
    "cbt-ne": Task("a name missing in children's books, 10 candidates", books("cbt-ne")),
    "wikitext-2": Task("articles of Wikipedia, WikiText-103's test too", text("wikitext-2")),
    "ptb": Task("news of the Penn Treebank", text("ptb")),
    "enwik8": Task("Wikipedia with its markup", text("enwik8")),
    "text8": Task("Wikipedia in lower-case letters alone", text("text8")),
}
