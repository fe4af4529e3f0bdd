"""The sampling explorer. Begin with `continuations.py`: texts that grow token by token."""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(__name__, {"SamplingExplorer": "explorer"})
