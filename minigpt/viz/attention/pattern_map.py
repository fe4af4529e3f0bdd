"""A map of attention patterns: choose a head and a token in a notebook, and see where it looks.

For patterns of one's own making, without a model; AttentionExplorer looks into a model. The drawing
is in pattern_map.js, made of the parts of the head explorer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import traitlets
from torch import Tensor

from minigpt.interpret.patterns import pack_patterns
from minigpt.viz.attention.parts import PARTS
from minigpt.viz.figures.plots import attention_picture
from minigpt.viz.kit.explorer import Explorer, script, style
from minigpt.viz.kit.labels import visible

HERE = Path(__file__).parent
MOST_TOKENS = 256  # all patterns go to the browser at once, one byte a weight


def check_patterns(patterns: Tensor, tokens: Sequence[str]) -> Tensor:
    """Return the patterns as (layers, heads, T, T), or raise ValueError for what is none."""
    patterns = torch.as_tensor(patterns).detach().float().cpu()
    if not 2 <= patterns.dim() <= 4 or patterns.size(-1) != patterns.size(-2):
        raise ValueError(
            f"patterns have the shape {tuple(patterns.shape)}; they must be (T, T), (heads, T, T) "
            "or (layers, heads, T, T). For a batch, choose one row of it"
        )
    T = patterns.size(-1)
    if len(tokens) != T:
        raise ValueError(f"{len(tokens)} tokens for patterns of {T} positions; they must agree")
    if not 1 <= T <= MOST_TOKENS:
        raise ValueError(f"{T} tokens; the map shows from 1 to {MOST_TOKENS}. Use a shorter text")
    if not ((patterns >= 0) & (patterns <= 1 + 1e-4)).all():  # also finds NaN
        raise ValueError("patterns hold weights that are not from 0 to 1; was a softmax left out?")
    return (
        patterns.reshape(-1, *patterns.shape[-3:]) if patterns.dim() > 2 else patterns[None, None]
    )


class PatternMap(Explorer):
    """A playable map of given attention patterns, (T, T), (heads, T, T) or (layers, heads, T, T).

    tokens: a label for each of the T positions. `layer`, `head` and `row` (a token that looks;
    negative counts from the end) are where it starts, and follow what you choose.
    Raises ValueError for weights outside 0 to 1, more than 256 tokens, or shapes that disagree.
    """

    _esm = script(*PARTS, HERE / "pattern_map.js")
    _css = style(HERE / "parts.css")

    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    shape = traitlets.List(traitlets.Int()).tag(sync=True)  # layers, heads, T
    weights = traitlets.Bytes().tag(sync=True)  # one byte a weight, in the order of the patterns
    description = traitlets.Unicode().tag(sync=True)  # for those who cannot see the map
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    locked = traitlets.Bool(False).tag(sync=True)  # the row stays, wherever the pointer goes

    def __init__(
        self,
        patterns: Tensor,
        tokens: Sequence[str],
        *,
        layer: int = 0,
        head: int = 0,
        row: int = -1,
    ) -> None:
        self._patterns = check_patterns(patterns, tokens)
        layers, heads, T, _ = self._patterns.shape
        for name, value, size in (("layer", layer, layers), ("head", head, heads), ("row", row, T)):
            if not -size <= value < size:
                raise ValueError(f"{name} is {value}; this map has {name}s 0 to {size - 1}")
        super().__init__(
            tokens=[visible(token) for token in tokens],
            shape=[layers, heads, T],
            weights=pack_patterns(self._patterns).numpy().tobytes(),
            description=f"Attention map: {layers} x {heads} heads over {T} tokens",
            layer=layer % layers,
            head=head % heads,
            row=row % T,
        )

    def sentence(self) -> str:
        """Say in words what is shown, and where the chosen token looks."""
        weights = self._patterns[self.layer, self.head, self.row]
        best = int(weights.argmax())
        return (
            f"{self.description}. "
            f"In layer {self.layer}, head {self.head}, token {self.row} ({self.tokens[self.row]}) "
            f"looks most at token {best} ({self.tokens[best]}): {weights[best]:.0%}."
        )

    def picture(self) -> bytes:
        """Return a PNG of the chosen head's pattern, and of where the chosen token looks."""
        return attention_picture(
            self._patterns[self.layer, self.head],
            self.tokens,
            row=self.row,
            title=f"layer {self.layer}, head {self.head}",
        )
