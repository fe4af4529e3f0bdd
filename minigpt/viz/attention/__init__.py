"""The head explorer, the map of given patterns, and the map of heads made by hand.

Begin with `reading.py`: what a model shows of itself while it reads.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {"AttentionExplorer": "explorer", "PatternMap": "pattern_map", "ScoreMap": "score_map"},
)
