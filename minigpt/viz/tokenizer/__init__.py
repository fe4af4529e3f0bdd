"""The token explorer. Begin with `replay.py`: which merges made a token, and in which order."""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(__name__, {"TokenizerExplorer": "explorer"})
