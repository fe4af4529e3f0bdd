"""Draw a whole GPT-2 from ids to logits, each step with the shape that leaves it."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.config import GPTConfig
from minigpt.viz.figures.plots import INK
from minigpt.viz.figures.stream import FILL, draw_arrow

STREAM, PARTS, SHAPES = 0.0, 1.6, 4.1  # where the three columns stand


def steps(config: GPTConfig, T: int) -> list[tuple[str, str, tuple[int, ...]]]:
    """Return (kind, label, shape behind it for one text of T tokens), in order of computation.

    >>> for _, label, shape in steps(GPTConfig.preset("gpt2"), 1024)[:2]: print(label, shape)
    token ids (1, 1024)
    wte[ids] + wpe[0 … T-1] (1, 1024, 768)
    """
    V, C = config.vocab_size, config.n_embd
    stream, pattern = (1, T, C), (1, config.n_head, T, T)
    return [
        ("ids", "token ids", (1, T)),
        ("embedding", "wte[ids] + wpe[0 … T-1]", stream),
        ("LayerNorm", "ln_1", stream),
        ("attention", "attention: the patterns", pattern),
        ("attention", "c_proj", stream),
        ("plus", "+", stream),
        ("LayerNorm", "ln_2", stream),
        ("MLP", "MLP: c_fc, GELU", (1, T, 4 * C)),
        ("MLP", "c_proj", stream),
        ("plus", "+", stream),
        ("LayerNorm", "ln_f", stream),
        ("head", "lm_head (wte again)", (1, T, V)),
    ]


def draw_step(ax: Axes, x: float, y: float, kind: str, label: str) -> None:
    """Write a step into a box; a plus is a circle on the stream."""
    if kind == "plus":
        ax.plot(STREAM, y, "o", markersize=15, markerfacecolor="white", color=INK, zorder=5)
        ax.plot([PARTS, STREAM + 0.15], [y, y], color=INK, linewidth=1)
    box = dict(boxstyle="round,pad=0.35", facecolor=FILL.get(kind, "#EEEEEE"), edgecolor=INK)
    text = dict(ha="center", va="center", color="black", size=9, zorder=6)
    ax.text(x, y, label, bbox=None if kind == "plus" else box, **text)


def plot_model(config: GPTConfig, T: int, ax: Axes | None = None) -> Axes:
    """Draw the model from top to bottom: the stream, the parts beside it, the shapes, for (1, T).

    The frame is the block, of which there are `config.n_layer`.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6.8, 5.6))
    listed = steps(config, T)
    inside = range(2, len(listed) - 2)  # what belongs to the block
    for i, (kind, label, shape) in enumerate(listed):
        beside = i in inside and kind != "plus"
        draw_step(ax, PARTS if beside else STREAM, -i, kind, label)
        ax.text(SHAPES, -i, " x ".join(f"{n:,}" for n in shape), va="center", color=INK, size=9)
        if beside:  # a line goes down from each part to the next, and to the plus
            ax.plot([PARTS, PARTS], [-i, -i - 1], color=INK, linewidth=1, zorder=1)
        if kind == "LayerNorm" and beside:  # it reads a copy of the stream
            ax.plot([STREAM, PARTS], [-i, -i], color=INK, linewidth=1, zorder=1)
    draw_arrow(ax, (STREAM, 0), (STREAM, -len(listed) + 0.4), width=2)
    frame = Rectangle((-0.9, -9.5), 4.0, 8.0, fill=False, edgecolor=INK, linestyle="--")
    ax.add_patch(frame)
    ax.text(-1, -5.5, f"block,\n{config.n_layer} times", ha="right", va="center", color=INK, size=9)
    ax.set(xlim=(-2.4, 5.9), ylim=(-len(listed) - 0.1, 0.6))
    ax.set_axis_off()
    return ax
