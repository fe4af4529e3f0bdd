"""What a model is good for, measured. Lesson 10 is about it.

Begin with `perplexity.py` and `choice.py`, both made of `scoring.py`; `quiz.py` asks what the
stories know. `few_shot.py` and `prompts.py` put tasks into the context, `intervals.py` says how far
a figure can be trusted. `data_sets.py`, `published.py`, `detokenizers.py` and `paper.py` have the
paper's own, and `tasks.py` all that `minigpt evaluate` asks.
"""

from minigpt.evaluation.choice import Choice, LastWord, candidate_scores, choose, last_word
from minigpt.evaluation.intervals import bootstrap, paired_bootstrap, wilson
from minigpt.evaluation.perplexity import Perplexity, measure, token_nats, windows
from minigpt.evaluation.quiz import last_words, quiz, recall_choice

__all__ = [
    "Choice",
    "LastWord",
    "Perplexity",
    "bootstrap",
    "candidate_scores",
    "choose",
    "last_word",
    "last_words",
    "measure",
    "paired_bootstrap",
    "quiz",
    "recall_choice",
    "token_nats",
    "wilson",
    "windows",
]
