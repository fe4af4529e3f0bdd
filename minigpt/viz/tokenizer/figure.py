"""The figure of a text's tokens: in lines, each with its id."""

from __future__ import annotations

from itertools import accumulate, takewhile

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.tokenizer import Tokenizer
from minigpt.viz.figures.plots import drawable
from minigpt.viz.kit.labels import token_labels

LONGEST_DRAWN = 24  # characters of a token in the picture
TINTS = ("#CDE8F7", "#FDE3B4", "#CDEBDD", "#F3D9E8")  # the pieces of one token share their tint
FONTS = ["DejaVu Sans Mono", "DejaVu Sans"]  # what the first lacks, the second may have
LINE, LINES = 88, 6  # characters in a line of the picture, lines
GAP = 0.8  # characters between two pre-tokens


def begins_of(sizes: list[int], words: list[int]) -> set[int]:
    """Return the places of the pieces that begin a pre-token, from the bytes of each.

    >>> sorted(begins_of([2, 1, 5, 1], [3, 5, 1]))
    [0, 2, 3]
    """
    starts = [0, *accumulate(sizes)]
    cuts = {0, *accumulate(words)}
    return {place for place, start in enumerate(starts[:-1]) if start in cuts}


def in_lines(
    labels: list[str], ids: list[int], begins: set[int]
) -> list[list[tuple[int, float, float]]]:
    """Lay tokens out in the lines of a picture: (place, left edge, width), in characters.

    A line ends where a pre-token does; `begins` are the places where one begins.
    """
    widths = [max(len(label), 0.8 * len(str(i))) + 1 for label, i in zip(labels, ids)]
    lines, x = [[]], 0.0
    for place, width in enumerate(widths):
        room = width
        if place in begins:
            x += GAP if x else 0
            ends = takewhile(lambda i: i not in begins, range(place + 1, len(widths)))
            room = min(width + sum(widths[i] for i in ends), LINE)
        if x + room > LINE:
            lines.append([])
            x = 0.0
        if len(lines) > LINES:
            break
        lines[-1].append((place, x, width))
        x += width
    return lines


def draw_tokens(
    ax: Axes, tokenizer: Tokenizer, pieces: list[tuple[int, int]], words: list[int]
) -> None:
    """Draw tokens with their ids in lines, as many as there is room for; pre-tokens underlined.

    `pieces` are pairs (id, number of its tint): what has one tint will be one token in the end.
    `words` are the bytes of each pre-token.
    """
    ids = [token for token, _ in pieces[: LINE * LINES]]
    labels = [drawable(label)[:LONGEST_DRAWN] for label in token_labels(tokenizer, ids)]
    begins = begins_of([len(tokenizer.token_bytes(i)) for i in ids], words)
    for line, places in enumerate(in_lines(labels, ids, begins)):
        for place, x, width in places:
            tint = TINTS[pieces[place][1] % len(TINTS)]
            box = dict(facecolor=tint, edgecolor="#777777", linewidth=0.6)
            ax.add_patch(Rectangle((x, -line - 0.4), width - 0.2, 0.8, **box))
            # From its word's beginning on, so that a pre-token has one line below it.
            start = x if place in begins or place == places[0][0] else x - 0.25
            ax.plot([start, x + width - 0.2], [-line - 0.44] * 2, color="#777777", linewidth=2)
            middle = dict(x=x + width / 2 - 0.1, ha="center", va="center", color="black")
            ax.text(y=-line + 0.14, s=labels[place], family=FONTS, size=9, **middle)
            ax.text(y=-line - 0.22, s=str(ids[place]), size=6.5, **middle)
        if not places:
            ax.text(0, -line, "… and more" if pieces else "(no text)", va="center", size=9)
    ax.set(xlim=(-0.2, LINE), ylim=(-line - 0.5, 0.6))
    ax.set_axis_off()
