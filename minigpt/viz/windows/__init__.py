"""A window to drag over a stream of tokens. Begin with `stream_window.py`."""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(__name__, {"StreamWindow": "stream_window"})
