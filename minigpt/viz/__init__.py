"""Figures and widgets of the lessons. Nothing that the model is made of imports from here."""

from minigpt.viz.attention_explorer import AttentionExplorer
from minigpt.viz.attention_map import PatternMap
from minigpt.viz.figures import plot_attention, plot_next_token, plot_surprise, use_style
from minigpt.viz.labels import token_labels
from minigpt.viz.sampling_explorer import SamplingExplorer
from minigpt.viz.tables import coloured_tokens, table
from minigpt.viz.tokenizer_explorer import TokenizerExplorer
from minigpt.viz.training_monitor import TrainingMonitor

__all__ = [
    "AttentionExplorer",
    "PatternMap",
    "SamplingExplorer",
    "TokenizerExplorer",
    "TrainingMonitor",
    "coloured_tokens",
    "plot_attention",
    "plot_next_token",
    "plot_surprise",
    "table",
    "token_labels",
    "use_style",
]
