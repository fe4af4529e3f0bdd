"""What the head explorer shows, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from minigpt.viz.figures.plots import NORM, as_png, mark, plot_attention, plot_look


def plot_heads(ax: Axes, small: Tensor, layer: int, head: int) -> None:
    """Draw small pictures of all heads, (L, nh, s, s) uint8, as one image: a layer a row."""
    layers, heads, side, _ = small.shape
    step = side + 2
    framed = F.pad(small.float() / 255, (1, 1, 1, 1), value=torch.nan)  # NaN stays white
    image = framed.transpose(1, 2).reshape(layers * step, heads * step)
    ax.imshow(image.numpy(), cmap="cividis", norm=NORM, interpolation="nearest")
    mark(ax, head * step, layer * step, step, step)
    for axis, count in ((ax.xaxis, heads), (ax.yaxis, layers)):
        axis.set_ticks([(i + 0.5) * step for i in range(count)], range(count))
    ax.tick_params(length=0, labelsize=7)
    ax.set(title="all heads", xlabel="head", ylabel="layer")
    ax.spines[:].set_visible(False)


def heads_picture(
    small: Tensor, pattern: Tensor, tokens: Sequence[str], layer: int, head: int, row: int
) -> bytes:
    """Return a PNG of all heads, of one head's pattern (T, T), and of where one token looks."""

    def draw(figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3)
        plot_heads(left, small, layer, head)
        plot_attention(pattern, tokens, f"layer {layer}, head {head}", middle)
        mark(middle, 0, row, row + 1, 1)
        plot_look(pattern, tokens, row, right)

    return as_png(draw, 11, 3.8, dpi=90)
