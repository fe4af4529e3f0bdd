"""The training monitor. Begin with `monitoring.py`: a long run in a short history."""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(__name__, {"TrainingMonitor": "monitor"})
