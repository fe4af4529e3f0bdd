"""Figures and explorers of the lessons. Nothing that the model is made of imports from here.

`figures/` draws pictures that stand still; every other folder holds an explorer or two, made of
what is in `kit/`. Names are looked up on first use.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "AttentionExplorer": "attention",
        "CoinFloor": "floor",
        "PatchMap": "patching",
        "PatternMap": "attention",
        "ScoreMap": "attention",
        "SizeExplorer": "sizes",
        "StepProfile": "profile",
        "StreamParts": "stream",
        "StreamWindow": "windows",
        "SamplingExplorer": "sampling",
        "TokenizerExplorer": "tokenizer",
        "TrainingMonitor": "training",
        "VerifyStrip": "verification",
        "coloured_tokens": "kit",
        "plot_attention": "figures",
        "plot_next_token": "figures",
        "plot_surprise": "figures",
        "table": "kit",
        "token_labels": "kit",
        "use_style": "figures",
    },
)
