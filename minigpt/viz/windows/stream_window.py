"""A window over a stream of tokens: drag it, and see its inputs, its targets and its questions.

The drawing is in stream_window.js. A window of T positions needs T + 1 tokens, since the last one
has a target too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import traitlets
from matplotlib.figure import Figure

from minigpt.config import as_plain, check_whole
from minigpt.tokenizer import Tokenizer
from minigpt.viz.figures.plots import as_png
from minigpt.viz.figures.windows import plot_windows
from minigpt.viz.kit.explorer import Explorer, script, style
from minigpt.viz.kit.labels import token_labels, visible

HERE = Path(__file__).parent
MOST_TOKENS = 512  # each is a box on the page
LONGEST = 64  # positions of a window
DRAWN = 8  # positions in the picture
AROUND = 2  # tokens of the stream that the picture shows on both sides
WIDEST = 9  # characters of a token have room in its box


def checked_ids(ids: Iterable[int], size: int) -> list[int]:
    """Return ids, 2 to MOST_TOKENS of them and all below `size`, or raise ValueError."""
    ids = as_plain(tuple(ids.tolist() if hasattr(ids, "tolist") else ids))
    for i in ids:
        check_whole("an id", i, least=0)
        if i >= size:
            raise ValueError(f"an id is {i}; the vocabulary ends at {size - 1}")
    if not 2 <= len(ids) <= MOST_TOKENS:
        raise ValueError(
            f"there are {len(ids)} ids; give from 2 to {MOST_TOKENS} of them, such as "
            f"ids[:{MOST_TOKENS}]"
        )
    return list(ids)


def labels_and_end(
    ids: Iterable[int], vocabulary: Tokenizer | Sequence[str]
) -> tuple[list[int], list[str], int | None]:
    """Return the ids, their labels, and the id of the mark between documents, if there is one."""
    if isinstance(vocabulary, Tokenizer):
        ids = checked_ids(ids, vocabulary.vocab_size)
        return ids, token_labels(vocabulary, ids), vocabulary.end_of_text
    words = vocabulary if isinstance(vocabulary, (list, tuple)) else [None]
    if not all(isinstance(word, str) for word in words):
        raise ValueError(
            f"tokenizer is {type(vocabulary).__name__}; give one of minigpt's, or a list of words, "
            "each at the place of its id"
        )
    ids = checked_ids(ids, len(words))
    return ids, [visible(words[i]) for i in ids], None


def check_window(N: int, T: int, start: int = 0) -> None:
    """Raise ValueError unless a window of T positions, with its last target, fits there."""
    check_whole("context_length", T)
    longest = min(LONGEST, N - 1)
    if longest < T:
        raise ValueError(
            f"context_length is {T}; over {N} tokens a window has from 1 to {longest} positions"
        )
    check_whole("start", start, least=0)
    if start > N - T - 1:
        raise ValueError(
            f"start is {start}; windows of {T} positions over {N} tokens start at 0 to {N - T - 1}"
        )


class StreamWindow(Explorer):
    """A window of `context_length` positions over a stream of ids, to be dragged along.

    Below it stand its inputs x, its targets y, one to the right, and what each position has read
    and should say. `tokenizer` is a Tokenizer, or a list of words, each at the place of its id. The
    tokenizer's mark between documents is shown. `start` and `context_length` follow what you do.
    Raises ValueError for ids that are none, more than 512, or too few for the window.
    """

    _esm = script(HERE / "stream_window.js")
    _css = style(HERE / "stream_window.css")

    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    ids = traitlets.List(traitlets.Int()).tag(sync=True)
    marks = traitlets.List(traitlets.Int()).tag(sync=True)  # places of marks between documents
    longest = traitlets.Int().tag(sync=True)  # window that fits
    context_length = traitlets.Int().tag(sync=True)
    start = traitlets.Int(0).tag(sync=True)  # 0 to N - T - 1

    def __init__(
        self,
        ids: Iterable[int],
        tokenizer: Tokenizer | Sequence[str],
        context_length: int = 8,
        *,
        start: int = 0,
    ) -> None:
        ids, labels, end = labels_and_end(ids, tokenizer)
        check_window(len(ids), context_length, start)
        super().__init__(
            ids=ids,
            tokens=labels,
            marks=[place for place, i in enumerate(ids) if i == end],
            longest=min(LONGEST, len(ids) - 1),
            context_length=context_length,
            start=start,
        )

    @traitlets.validate("context_length", "start")
    def _check_window(self, proposal) -> int:
        name, value = proposal.trait.name, proposal.value
        if name == "context_length":
            check_window(len(self.ids), value)
        else:
            check_window(len(self.ids), self.context_length, value)
        return value

    @traitlets.observe("context_length")
    def _stay_inside(self, _change) -> None:
        self.start = min(self.start, len(self.ids) - self.context_length - 1)

    def window(self) -> tuple[list[int], list[int]]:
        """Return the window's ids x, and its targets y, the same stream one to the right."""
        start, end = self.start, self.start + self.context_length
        return self.ids[start:end], self.ids[start + 1 : end + 1]

    def crossing(self) -> int | None:
        """Return the first position that reads beyond a mark between documents, or None."""
        inside = [m - self.start for m in self.marks if 0 < m - self.start < self.context_length]
        return inside[0] if inside else None

    def sentence(self) -> str:
        start, T = self.start, self.context_length
        end, last = start + T, len(self.ids) - T - 1
        first = self.crossing()
        beyond = "" if first is None else f" From position {first} on it reads across a mark."
        return (
            f"A window of {T} of {len(self.ids)} tokens, from place {start} of 0 to {last}: "
            f"x is {' '.join(self.tokens[start:end])}, "
            f"y is {' '.join(self.tokens[start + 1 : end + 1])}.{beyond}"
        )

    def picture(self) -> bytes:
        start, T = self.start, self.context_length
        shown = min(T, DRAWN)
        left, right = max(0, start - AROUND), min(len(self.ids), start + shown + 1 + AROUND)
        words = [w if len(w) <= WIDEST else f"{w[: WIDEST - 1]}…" for w in self.tokens[left:right]]
        which = f"the first {shown} of {T} positions" if shown < T else f"{T} positions"

        def draw(figure: Figure) -> None:
            ax = plot_windows(words, [start - left], shown, figure.subplots())
            ax.set_xticks(range(right - left), range(left, right))
            ax.set_title(f"a window from place {start}: {which}", loc="left")

        return as_png(draw, 9.2, 2.9)
