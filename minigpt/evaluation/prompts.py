"""The forms in which the paper puts a task to GPT-2: no word says what to do but the form itself.

Radford et al. 2019, sections 3.5 to 3.8: nothing is trained, the text before the answer is all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+")


def conversation(document: str, turns: Sequence[tuple[str, str]], question: str) -> str:
    r"""Return a document, questions about it with their answers, and one without (section 3.5).

    The model goes on after the last `A:`, which stands there without a space: the space belongs to
    the answer's first token.

    >>> conversation("Leo had a kite.", [("Who?", "Leo")], "What?")
    'Leo had a kite.\n\nQ: Who?\nA: Leo\nQ: What?\nA:'
    """
    said = "".join(f"Q: {asked}\nA: {answer}\n" for asked, answer in turns)
    return f"{document}\n\n{said}Q: {question}\nA:"


def questions(examples: Sequence[tuple[str, str]], question: str) -> str:
    r"""Return questions with their answers as examples of the form, and one without (section 3.8).

    >>> questions([("Who wrote Hamlet?", "Shakespeare")], "Who wrote Faust?")
    'Q: Who wrote Hamlet?\nA: Shakespeare\nQ: Who wrote Faust?\nA:'
    """
    return conversation("", examples, question).lstrip("\n")


def translation(examples: Sequence[tuple[str, str]], sentence: str) -> str:
    r"""Return pairs `a sentence = its translation`, and a sentence without one (section 3.7).

    The paper takes the first sentence that is written greedily after it: see `first_sentences`.

    >>> translation([("a red ball", "une balle rouge")], "a blue kite")
    'a red ball = une balle rouge\na blue kite ='
    """
    return "".join(f"{one} = {other}\n" for one, other in examples) + f"{sentence} ="


def summary(article: str) -> str:
    r"""Return an article and the hint that made GPT-2 sum it up (section 3.6).

    The paper draws 100 tokens with top-k 2 and takes the first 3 sentences: see `first_sentences`.

    >>> summary("Leo lost a kite. It rained.")
    'Leo lost a kite. It rained.\nTL;DR:'
    """
    return f"{article}\nTL;DR:"


def first_sentences(text: str, count: int = 1) -> str:
    """Return the first sentences of what a model wrote: up to a full stop, ! or ?.

    >>> first_sentences(" It was red. It was old. So", 1)
    'It was red.'
    """
    if count < 1:
        raise ValueError(f"count is {count}; it must be at least 1")
    return " ".join(SENTENCE_END.split(text.strip())[:count])


def first_line(text: str) -> str:
    r"""Return what a model wrote before it began a new line, without spaces around it.

    >>> first_line(" Goethe\nQ: Who")
    'Goethe'
    """
    return text.strip().partition("\n")[0].strip()
