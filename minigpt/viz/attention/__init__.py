"""The head explorer, and the map of one pattern.

Begin with `reading.py`: what a model shows of itself while it reads.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__, {"AttentionExplorer": "explorer", "PatternMap": "pattern_map"}
)
