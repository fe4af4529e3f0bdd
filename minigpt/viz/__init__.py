"""Figures and widgets of the lessons. Nothing that the model is made of imports from here."""

from minigpt.viz.attention_map import AttentionMap, PatternMap
from minigpt.viz.figures import plot_attention, plot_next_token, plot_surprise, use_style
from minigpt.viz.labels import token_labels
from minigpt.viz.tables import coloured_tokens, table

__all__ = [
    "AttentionMap",
    "PatternMap",
    "coloured_tokens",
    "plot_attention",
    "plot_next_token",
    "plot_surprise",
    "table",
    "token_labels",
    "use_style",
]
