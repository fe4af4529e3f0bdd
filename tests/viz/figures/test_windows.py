"""The picture of windows: each box stands where its token stands in the stream."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.patches import Rectangle

from minigpt.viz.figures.windows import plot_windows

WORDS = ["a", "fox", "saw", "a", "red", "kite", "."]


def boxes(ax):
    """Return (place, word) of every box, row by row, from the top."""
    centres = [
        (round(p.get_x() + 0.46), p.get_y() + 0.38) for p in ax.patches if isinstance(p, Rectangle)
    ]
    written = {(round(t.get_position()[0]), t.get_position()[1]): t.get_text() for t in ax.texts}
    rows = {}
    for place, height in centres:
        rows.setdefault(height, []).append((place, written[place, height]))
    return [rows[height] for height in sorted(rows)]


def test_the_targets_stand_one_to_the_right_of_the_inputs():
    ax = plot_windows(WORDS, [2], block_size=3)
    stream, x, y = boxes(ax)
    assert stream == list(enumerate(WORDS))
    assert x == [(2, "saw"), (3, "a"), (4, "red")]
    assert y == [(3, "a"), (4, "red"), (5, "kite")]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["stream", "x", "y"]
    plt.close(ax.figure)


def test_each_window_has_its_own_rows():
    ax = plot_windows(WORDS, [3, 0], block_size=2)
    assert [row[0][0] for row in boxes(ax)] == [0, 3, 4, 0, 1]
    plt.close(ax.figure)


def test_the_last_start_leaves_room_for_the_last_target():
    ax = plot_windows(WORDS, [4], block_size=2)
    assert boxes(ax)[2][-1] == (6, ".")
    plt.close(ax.figure)
    for start in (5, -1):
        with pytest.raises(ValueError, match=f"start at {start} in 7 tokens; .* from 0 to 4"):
            plot_windows(WORDS, [start], block_size=2)
