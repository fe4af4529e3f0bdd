"""A map whose patterns are made before your eyes: words ask and are found, scores become weights.

PatternMap shows patterns as they are; here the words, the loudness of the queries, the scale and
the mask can be changed. The script computes by itself (scores.js, held equal to PyTorch by tests).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from minigpt.viz.attention.parts import PARTS
from minigpt.viz.figures.plots import as_png, drawable, mark, plot_attention, plot_bars
from minigpt.viz.kit.explorer import Explorer, script, style

HERE = Path(__file__).parent
MOST_WORDS = 24


def word_vectors(x: Tensor, words: Sequence[str], others: Mapping[str, Tensor]) -> dict[str, list]:
    """Return each word's vector as plain numbers; raise ValueError where a word has two."""
    x = torch.as_tensor(x).detach().float()
    if x.dim() != 2 or len(x) != len(words):
        raise ValueError(f"x is {tuple(x.shape)} for {len(words)} words; it must be (words, C)")
    vectors: dict[str, list] = {}
    for word, vector in [*zip(words, x), *others.items()]:
        vector = torch.as_tensor(vector).tolist()
        if word != "".join(word.split()) or not word:
            raise ValueError(f"word is {word!r}; a word has no spaces in it")
        if vectors.setdefault(word, vector) != vector:
            raise ValueError(f"the word {word!r} has two vectors; it can have only one")
    return vectors


def check_matrices(W_q: Tensor, W_k: Tensor, C: int, n_head: int) -> list[list]:
    """Return the matrices as plain numbers, or raise ValueError for shapes that do not fit."""
    for name, W in (("W_q", W_q), ("W_k", W_k)):
        if W.dim() != 2 or len(W) != C or W.shape != W_q.shape or W.size(1) % n_head:
            raise ValueError(
                f"{name} is {tuple(W.shape)}; for vectors of {C} numbers and {n_head} heads it "
                f"must be ({C}, {n_head} x head size), as large as the other"
            )
    return [W.detach().float().tolist() for W in (W_q, W_k)]


class ScoreMap(Explorer):
    """A playable head made by hand: softmax((loudness x) W_q (x W_k)^T / sqrt(hs) + mask).

    x (T, C) holds a vector for each of the T words, W_q and W_k (C, n_head * hs) make queries and
    keys of them; `others` are more words that can be typed in. `loudness` is the largest number of
    W_q, and scales all queries when it is changed; `scaled` and `masked` switch the division by
    sqrt(hs) and the causal mask. Raises ValueError for shapes that do not fit, and for a word that
    has no vector.
    """

    _esm = script(*PARTS, *(HERE / f"{name}.js" for name in ("scores", "score_map")))
    _css = style(HERE / "parts.css")

    words = traitlets.List(traitlets.Unicode()).tag(sync=True)
    vectors = traitlets.Dict().tag(sync=True)  # of all words that can be typed
    W_q = traitlets.List().tag(sync=True)  # as given
    W_k = traitlets.List().tag(sync=True)
    heads = traitlets.Int(1).tag(sync=True)
    given = traitlets.Float(1.0).tag(sync=True)  # the loudness that W_q has
    loudness = traitlets.Float(1.0).tag(sync=True)
    scaled = traitlets.Bool(True).tag(sync=True)
    masked = traitlets.Bool(True).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    locked = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        x: Tensor,
        words: Sequence[str],
        W_q: Tensor,
        W_k: Tensor,
        *,
        n_head: int = 1,
        others: Mapping[str, Tensor] | None = None,
        head: int = 0,
        row: int = -1,
    ) -> None:
        vectors = word_vectors(x, words, others or {})
        query, key = check_matrices(W_q, W_k, len(x[0]), n_head)
        for name, value, size in (("head", head, n_head), ("row", row, len(words))):
            if not -size <= value < size:
                raise ValueError(f"{name} is {value}; this map has {name}s 0 to {size - 1}")
        loudness = float(W_q.abs().max()) or 1.0
        super().__init__(vectors=vectors, W_q=query, W_k=key, heads=n_head, given=loudness)
        self.words, self.loudness = list(words), loudness
        self.head, self.row = head % n_head, row % len(words)

    @traitlets.validate("words")
    def _check_words(self, proposal) -> list[str]:
        for word in proposal.value:
            if word not in self.vectors:
                raise ValueError(f"{word!r} has no vector; known are {', '.join(self.vectors)}")
        if not 1 <= len(proposal.value) <= MOST_WORDS:
            raise ValueError(f"{len(proposal.value)} words; give from 1 to {MOST_WORDS}")
        return proposal.value

    def scores(self) -> Tensor:
        """Return the scores as softmax gets them, (heads, T, T); -inf where the mask is."""
        x = torch.tensor([self.vectors[word] for word in self.words])
        q, k = (x @ torch.tensor(W) for W in (self.W_q, self.W_k))
        q, k = (each.view(len(x), self.heads, -1).transpose(0, 1) for each in (q, k))
        scores = self.loudness / self.given * (q @ k.transpose(1, 2))
        scores = scores / math.sqrt(q.size(-1)) if self.scaled else scores
        future = torch.ones_like(scores, dtype=torch.bool).triu(1)
        return scores.masked_fill(future, -math.inf) if self.masked else scores

    def _look(self) -> tuple[int, Tensor]:
        """Return the chosen row, and the pattern (T, T) that it is in."""
        return min(self.row, len(self.words) - 1), self.scores()[self.head].softmax(dim=-1)

    def _settings(self) -> str:
        hs = len(self.W_q[0]) // self.heads
        scale = f"divided by √{hs}" if self.scaled else "not divided"
        mask = "causal mask" if self.masked else "no mask"
        return f"loudness {self.loudness:g}, scores {scale}, {mask}"

    def sentence(self) -> str:
        """Say in words how the pattern was made, and where the chosen word looks."""
        row, pattern = self._look()
        best = int(pattern[row].argmax())
        return (
            f"Attention of {len(self.words)} words: {self._settings()}. In head {self.head}, word "
            f"{row} ({self.words[row]}) looks most at word {best} ({self.words[best]}): "
            f"{pattern[row, best]:.0%}."
        )

    def picture(self) -> bytes:
        """Return a PNG of the chosen head's pattern, and of where the chosen word looks."""
        row, pattern = self._look()
        seen = row + 1 if self.masked else len(self.words)

        def draw(figure: Figure) -> None:
            left, right = figure.subplots(1, 2)
            plot_attention(pattern, self.words, f"head {self.head}", left)
            mark(left, 0, row, seen, 1)
            labels = [f"{word} (word {i})" for i, word in enumerate(self.words[:seen])]
            title = f"{drawable(self.words[row])} (word {row}) looks at"
            plot_bars(labels, pattern[row, :seen].tolist(), title, right)
            figure.suptitle(self._settings(), fontsize=10)

        return as_png(draw, 8.2, 3.8)
