"""What a model is good for, measured. Lesson 10 is about it.

Begin with `perplexity.py`, then `choice.py`. `intervals.py` says how far a figure can be trusted.
"""

from minigpt.evaluation.intervals import bootstrap, paired_bootstrap, wilson

__all__ = ["bootstrap", "paired_bootstrap", "wilson"]
