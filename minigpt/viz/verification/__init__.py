"""What `verify` found, as a strip of layers to click. Begin with `verify_strip.py`."""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(__name__, {"VerifyStrip": "verify_strip"})
