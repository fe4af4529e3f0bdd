"""The parts that write to the residual stream, to be switched off. Begin with `ablation.py`."""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(__name__, {"StreamParts": "stream_parts"})
