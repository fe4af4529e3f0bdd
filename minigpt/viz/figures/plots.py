"""The figures of the lessons: attention patterns and probabilities.

No paper and grey ink, legible in a light and a dark notebook; colours that colour-blind people can
tell apart, and never colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Polygon, Rectangle
from torch import Tensor

from minigpt.viz.kit.labels import token_labels, visible

# Okabe and Ito's palette (2008) without its black and yellow.
OKABE_ITO = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]
# The grey that stands out equally from white and from JupyterLab's dark #111: 4.3 to 1.
INK = "#797979"
# Brightness is the square root of the weight, so that 1 % can still be told from nothing.
MARK = OKABE_ITO[-1]  # of what was chosen
LOOKED_AT = 6  # tokens in the bars of where one looks
NORM = PowerNorm(0.5, vmin=0, vmax=1)
STYLE = {
    "figure.figsize": (6.4, 3.6),
    "axes.facecolor": "none",
    **dict.fromkeys(["text.color", "axes.labelcolor", "axes.edgecolor"], INK),
    **dict.fromkeys(["xtick.color", "ytick.color", "legend.edgecolor"], INK),
    "axes.prop_cycle": plt.cycler(color=OKABE_ITO),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "font.size": 10,
}
MOST_NUMBERS = 16  # tokens up to which each cell has room for its number
LONGEST_LABEL = 24  # characters


def use_style() -> None:
    """Give matplotlib the course's look, and sharp pictures in a notebook."""
    plt.rcParams.update(STYLE)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        # Here, and not in the style: Jupyter lays white paper under a figure that has none itself.
        set_matplotlib_formats("retina", facecolor="none")
    except (ImportError, AttributeError):  # no notebook: nothing to sharpen
        pass


@cache
def default_font() -> FT2Font:
    """The font that ships with matplotlib, the same on every machine."""
    return get_font(findfont("DejaVu Sans"))


def drawable(label: str) -> str:
    """Return a label as matplotlib can draw it: no formulas, no empty boxes, not too long.

    >>> print(drawable("$5"), drawable("狐"))
    \\$5 \\u72d0
    """
    label = label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
    known = default_font().get_char_index
    shown = "".join(c if known(ord(c)) else c.encode("unicode_escape").decode() for c in label)
    return shown.replace("$", r"\$")


def plot_attention(
    weights: Tensor, tokens: Sequence[str], title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw an attention pattern (T, T): a row for each token that looks, in percent.

    A weight of exactly 0 in the future is hatched: it is hidden there.
    """
    weights = torch.as_tensor(weights).detach().cpu().float().numpy()
    T = len(tokens)
    if ax is None:
        size = min(1.6 + 0.5 * T, 6.4)
        _, ax = plt.subplots(figsize=(size, size))
    ax.imshow(weights, cmap="cividis", norm=NORM, interpolation="nearest")
    if T <= MOST_NUMBERS:
        for i in range(T):
            for j in range(T):
                draw_cell(ax, i, j, float(weights[i, j]))
        labels = [drawable(visible(token)) for token in tokens]
        ax.set_xticks(range(T), labels, rotation=45 if T > 7 else 0)
        ax.set_yticks(range(T), labels)
        ax.tick_params(length=0)
    else:
        hatch(ax, [(-0.5, -0.5), (T - 0.5, -0.5), (T - 0.5, T - 0.5)])
    ax.set(title=title, xlabel="looks at (weight in %)", ylabel="token that looks")
    ax.spines[:].set_visible(False)
    return ax


def draw_cell(ax: Axes, row: int, column: int, weight: float) -> None:
    """Write a cell's weight into it, or hatch it where the future is hidden."""
    if column > row and weight == 0:
        x, y = column - 0.5, row - 0.5
        hatch(ax, [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)])
    else:
        ink = "black" if weight > 0.22 else "white"
        ax.text(column, row, f"{100 * weight:.0f}", ha="center", va="center", color=ink, size=9)


def hatch(ax: Axes, corners: list[tuple[float, float]]) -> None:
    """Mark an area as hidden."""
    ax.add_patch(Polygon(corners, facecolor="none", edgecolor=INK, hatch="////", linewidth=0))


def plot_bars(
    labels: Sequence[str], shares: Sequence[float], title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw shares of one (0.25 is 25 %) as horizontal bars, the first on top."""
    if ax is None:
        _, ax = plt.subplots(figsize=(5.6, 0.6 + 0.32 * len(labels)))
    # By position: two tokens may carry the same label.
    bars = ax.barh(range(len(labels)), [100 * share for share in shares])
    ax.set_yticks(range(len(labels)), [drawable(label) for label in labels])
    ax.bar_label(bars, fmt="%.1f", padding=3)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.set(title=title, xlabel="%", xlim=(0, 112), xticks=range(0, 101, 25))
    return ax


def plot_next_token(
    probabilities: Tensor, tokenizer, top: int = 8, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw the most likely next tokens and their probabilities, from a row (V,) of them."""
    best = probabilities.topk(top)
    ax = plot_bars(token_labels(tokenizer, best.indices), best.values.tolist(), title, ax)
    ax.set(xlabel="probability (%)", ylabel="next token")
    return ax


def plot_surprise(labels: Sequence[str], nats: Tensor, ax: Axes | None = None) -> Axes:
    """Draw the surprise at each token of a text, in nats; from 1 nat on it is named."""
    if ax is None:
        _, ax = plt.subplots(figsize=(8.4, 3.4))
    nats, free = nats.tolist(), -1.0
    ax.bar(range(len(labels)), nats, width=0.9)
    for i, (label, height) in enumerate(zip(labels, nats)):
        if height >= 1:
            x, free = max(i, free), max(i, free) + 0.014 * len(labels)  # names must not overlap
            name = drawable(label)
            ax.text(x, height + 0.08, name, rotation=90, ha="center", va="bottom", size=8)
    top = 1.45 * max([*nats, 1])  # room for the names
    ax.set(xlabel="token", ylabel="surprise (nats)", xlim=(-1, len(labels)), ylim=(0, top))
    return ax


def as_png(draw: Callable[[Figure], None], width: float, height: float, dpi: int = 100) -> bytes:
    """Let `draw` fill a figure of so many inches, in the lessons' style, and return it as a PNG.

    Nothing is left open in pyplot, and the style of the notebook around it stays as it is.
    """
    png = BytesIO()
    with plt.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        figure.savefig(png, format="png", dpi=dpi, facecolor="none")
    return png.getvalue()


def mark(ax: Axes, x: float, y: float, width: float, height: float) -> None:
    """Draw a frame around what was chosen."""
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, edgecolor=MARK, lw=2))


def plot_look(weights: Tensor, tokens: Sequence[str], row: int, ax: Axes) -> None:
    """Draw bars of where one token looks: weights (T, T), the row of the token that looks."""
    best = weights[row, : row + 1].topk(min(LOOKED_AT, row + 1))
    labels = [f"{tokens[i][:12]}  (token {i})" for i in best.indices.tolist()]
    plot_bars(labels, best.values.tolist(), f"{drawable(tokens[row])}  (token {row}) looks at", ax)
    ax.set_xlabel("weight (%)")


def attention_picture(weights: Tensor, tokens: Sequence[str], row: int, title: str) -> bytes:
    """Return a PNG of one head's pattern, and of where one token looks."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        plot_attention(weights, tokens, title, left)
        mark(left, 0, row, row + 1, 1)
        plot_look(weights, tokens, row, right)

    return as_png(draw, 8.2, 3.6)
