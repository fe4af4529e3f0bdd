"""The figure of a text's tokens: in lines, each with its id."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.tokenizer import Tokenizer
from minigpt.viz.figures.plots import drawable
from minigpt.viz.kit.labels import token_labels

LONGEST_DRAWN = 24  # characters of a token in the picture
TINTS = ("#CDE8F7", "#FDE3B4", "#CDEBDD", "#F3D9E8")  # the pieces of one token share their tint
FONTS = ["DejaVu Sans Mono", "DejaVu Sans"]  # what the first lacks, the second may have
LINE, LINES = 88, 6  # characters in a line of the picture, lines


def in_lines(labels: list[str], ids: list[int]) -> list[list[tuple[int, float, float]]]:
    """Lay tokens out in the lines of a picture: (place, left edge, width), in characters."""
    lines, x = [[]], 0.0
    for place, (label, token) in enumerate(zip(labels, ids)):
        width = max(len(label), 0.8 * len(str(token))) + 1
        if x + width > LINE:
            lines.append([])
            x = 0.0
        if len(lines) > LINES:
            break
        lines[-1].append((place, x, width))
        x += width
    return lines


def draw_tokens(ax: Axes, tokenizer: Tokenizer, pieces: list[tuple[int, int]]) -> None:
    """Draw tokens with their ids in lines, as many as there is room for.

    `pieces` are pairs (id, number of its tint): what has one tint will be one token in the end.
    """
    ids = [token for token, _ in pieces[: LINE * LINES]]
    labels = [drawable(label)[:LONGEST_DRAWN] for label in token_labels(tokenizer, ids)]
    for line, places in enumerate(in_lines(labels, ids)):
        for place, x, width in places:
            tint = TINTS[pieces[place][1] % len(TINTS)]
            box = dict(facecolor=tint, edgecolor="#777777", linewidth=0.6)
            ax.add_patch(Rectangle((x, -line - 0.4), width - 0.2, 0.8, **box))
            middle = dict(x=x + width / 2 - 0.1, ha="center", va="center", color="black")
            ax.text(y=-line + 0.14, s=labels[place], family=FONTS, size=9, **middle)
            ax.text(y=-line - 0.22, s=str(ids[place]), size=6.5, **middle)
        if not places:
            ax.text(0, -line, "… and more" if pieces else "(no text)", va="center", size=9)
    ax.set(xlim=(-0.2, LINE), ylim=(-line - 0.5, 0.6))
    ax.set_axis_off()
