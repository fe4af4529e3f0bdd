"""A GPT's sizes against what they cost. Begin with `accounts.py`: the formulas of lesson 05."""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(__name__, {"SizeExplorer": "size_explorer"})
