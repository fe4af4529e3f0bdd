"""The head explorer: every attention head of a model while it reads a text, and life without some.

The drawing is in explorer.js and the files of its parts, the numbers come from reading.py and
many.py, and state.py lists what Python and the script share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import torch
import traitlets

from minigpt.interpret import hide_first_token
from minigpt.model import GPT
from minigpt.tokenizer import Tokenizer
from minigpt.viz.attention.figure import heads_picture
from minigpt.viz.attention.many import Texts, check_comparable
from minigpt.viz.attention.parts import CAN_BE_SHOWN, PARTS, check_parts
from minigpt.viz.attention.reading import Reading
from minigpt.viz.attention.state import HeadState, place
from minigpt.viz.kit.explorer import Explorer, script, style
from minigpt.viz.kit.labels import signed

HERE = Path(__file__).parent
ALL_AT_ONCE = 256  # tokens up to which every layer goes to the browser; above, one at a time


class AttentionExplorer(HeadState, Explorer):
    """Explore the attention heads of a model on a text: choose, compare, take out, look again.

    `layer`, `head` and `row` (the token that looks; negative counts from the end) are where it
    starts; they follow what you choose, and can be set. `read` and `ablate` do what the controls
    do. Special tokens in the text, such as <|endoftext|>, count as one token.
    `parts` names what is there beside the text, all of it or less: "patterns", "lines",
    "take out", "lens", "scores", "rollout", "first token", "table".
    With `texts`, heads can be scored over all of them, and taken out by their mean over them
    (`by_mean`) in place of zero. `compare` is another text of as many tokens: beside each pattern
    stands its difference from the one in that text.
    Raises ValueError for an empty text, or a layer, head, row or part that is not there.
    """

    _esm = script(
        *PARTS, *(HERE / f"{name}.js" for name in ("list", "panel", "compare", "explorer"))
    )
    _css = style(HERE / "parts.css", HERE / "explorer.css", HERE / "compare.css")

    def __init__(
        self,
        model: GPT,
        tokenizer: Tokenizer,
        text: str,
        *,
        layer: int = 0,
        head: int = 0,
        row: int = -1,
        parts: Iterable[str] = tuple(CAN_BE_SHOWN),
        texts: Iterable[str] | None = None,
        compare: str | None = None,
    ) -> None:
        self._model, self._tokenizer, self._parts = model, tokenizer, check_parts(parts)
        self._other = None
        self._start(text, layer, head, row)
        self._texts = None if texts is None else Texts(model, tokenizer, texts)
        if compare is not None:
            self._other = Reading(model, tokenizer, compare)
            check_comparable(self._reading, self._other)
        count = len(self._texts) if self._texts else 0
        super().__init__(parts=self._parts, texts=count, **self._all_of_it())

    def _start(self, text: str, layer: int, head: int, row: int) -> None:
        """Read the text, and make sure that layer, head and row are there."""
        reading = Reading(self._model, self._tokenizer, text)
        layers, heads, T = reading.shape
        places = ("layer", layer, layers), ("head", head, heads), ("row", row, T)
        self._chosen = {name: place(name, value, size) for name, value, size in places}
        self._reading, self._text = reading, text

    def _all_of_it(self, ablated: Iterable = ()) -> dict:
        """Return all that follows from the text."""
        reading = self._reading
        layers, heads, T = reading.shape
        small, row = reading.thumbnails(), self._chosen["row"]
        return {
            **self._chosen,
            **self._layers(*((0, layers) if T <= ALL_AT_ONCE else (self._chosen["layer"], 1))),
            **self._ablation(ablated, row),
            "text": self._text,
            "notice": reading.notice,
            "tokens": reading.labels,
            "shape": [layers, heads, T],
            "surprisal": reading.surprisal(),
            "thumbnails": small.numpy().tobytes(),
            "side": small.size(-1),
            "scores": self._scores("text"),
            "scored_on": "text",
            "locked": False,
            **self._lens(row),
        }

    def _layers(self, first: int, count: int) -> dict:
        weights, weights_hidden = self._reading.packed(first, count)
        rollout, rollout_hidden = self._reading.rollout(first, count)
        other = self._other if self._is_compared() else None
        other_weights, other_hidden = other.packed(first, count) if other else (b"", b"")
        return {
            "held": [first, count],
            "weights": weights,
            "weights_hidden": weights_hidden,
            "rollout": rollout,
            "rollout_hidden": rollout_hidden,
            "other_tokens": other.labels if other else [],
            "other_weights": other_weights,
            "other_weights_hidden": other_hidden,
        }

    def _is_compared(self) -> bool:
        """Whether there is another text, and the one that is read has as many tokens."""
        return self._other is not None and len(self._other.ids) == len(self._reading.ids)

    def _scores(self, on: str) -> dict:
        if "scores" not in self._parts:
            return {}  # no list, and no badges
        if on == "texts":
            self._reading.check_unchanged()
            scores = self._many().scores
        else:
            scores = self._reading.random_scores() if on == "random" else self._reading.scores()
        return {
            name: [None if math.isnan(score) else score for score in values.flatten().tolist()]
            for name, values in scores.items()
        }

    def _many(self) -> Texts:
        if self._texts is None:
            raise ValueError("there are no texts to go over; open the explorer with texts=[...]")
        return self._texts

    def _lens(self, row: int) -> dict:
        return {"lens": {"row": row, "layers": self._reading.lens(row)}}

    def _ablation(self, heads: Iterable[tuple[int, int]], row: int) -> dict:
        """Return what becomes of loss and next token without these heads."""
        heads = sorted({(int(layer), int(head)) for layer, head in heads})
        means = self._many().means if self.by_mean else None
        self._without_stream = self._reading.stream_without(heads, means) if heads else None
        surprisal = self._reading.surprisal(self._without_stream) if heads else []
        pairs = [list(pair) for pair in heads]
        return {
            "without": {"heads": pairs, "surprisal": surprisal, "by_mean": self.by_mean},
            "expected": self._reading.expected(row, self._without_stream),
        }

    @traitlets.validate("layer", "head", "row")
    def _check_place(self, proposal) -> int:
        name, value = proposal.trait.name, proposal.value
        size = dict(zip(("layer", "head", "row"), self._reading.shape))[name]
        if name == "row":  # a script may have chosen it in a longer text, just replaced by this
            value = min(value, size - 1)
        return place(name, value, size)

    @traitlets.validate("by_mean")
    def _check_means(self, proposal) -> bool:
        if proposal.value:
            self._many()
        return proposal.value

    @traitlets.observe("by_mean")
    def _take_out_again(self, _change) -> None:
        """Take the same heads out in the other way."""
        self._set(self._ablation(self.ablated, self.row))

    @traitlets.observe("row")
    def _follow(self, _change) -> None:
        """Show the lens and the next token where the chosen token is."""
        row = min(self.row, len(self._reading.ids) - 1)
        expected = self._reading.expected(row, self._without_stream)
        self._set({**self._lens(row), "expected": expected})

    def _set(self, traits: dict) -> None:
        """Set several traits in one message: no view shows them half changed."""
        with self.hold_sync():
            for name, value in traits.items():
                setattr(self, name, value)

    # --- What can be done, from Python and from the script ---

    def read(self, text: str) -> None:
        """Read another text. Layer, head and the ablated heads stay as they are."""
        self._start(text, self.layer, self.head, -1)
        self._set(self._all_of_it(self.ablated))

    def ablate(self, heads: Iterable[tuple[int, int]]) -> None:
        """Take these heads out, all others back in: (layer, head) pairs, or none at all."""
        found = self._ablation(heads, self.row)
        self._set({"ablated": found["without"]["heads"], **found})

    def answer_read(self, text: str) -> dict:
        self.read(text)
        return {}

    def answer_ablate(self, heads: list) -> dict:
        # The script has set `ablated` and may have set it again since: that is left alone.
        self._set(self._ablation(heads, self.row))
        return {}

    def answer_layer(self, layer: int) -> dict:
        self._set(self._layers(layer, 1))
        return {}

    def answer_scores(self, on: str) -> dict:
        self._set({"scored_on": on, "scores": self._scores(on)})
        return {}

    def answer_exact(self, layer: int, head: int, row: int, hide_first: bool) -> dict:
        """Return one row of a pattern as it is, up to its own token: float32."""
        row = min(row, len(self.tokens) - 1)  # asked before a shorter text was read
        weights = self._shown(layer, head, hide_first)[row, : row + 1]
        return {"weights": weights.numpy().tobytes()}

    # --- What is seen where the script cannot run ---

    def _shown(self, layer: int, head: int, hide_first: bool) -> torch.Tensor:
        """Return a pattern (T, T), with the first token hidden if that is wanted."""
        pattern = self._reading.patterns[layer, head]
        return hide_first_token(pattern)[0] if hide_first else pattern

    def sentence(self) -> str:
        """Say in words where the chosen token looks, and what the ablated heads cost."""
        layers, heads, T = self.shape
        weights = self._shown(self.layer, self.head, self.hide_first)[self.row]
        best = int(weights.argmax())
        words = (
            f"Attention of {layers} x {heads} heads over {T} tokens. In layer {self.layer}, head "
            f"{self.head}, token {self.row} ({self.tokens[self.row]}) looks most at token {best} "
            f"({self.tokens[best]}): {weights[best]:.0%}."
        )
        if self.ablated and self.surprisal:
            change = sum(self.without["surprisal"]) - sum(self.surprisal)
            by_mean = f" (their mean over {self.texts} texts instead)" if self.by_mean else ""
            words += (
                f" Without {len(self.ablated)} of the heads{by_mean} the loss changes by "
                f"{signed(change / len(self.surprisal))} nats per token."
            )
        return words

    def picture(self) -> bytes:
        """Return a PNG: all heads, the chosen one, and where the chosen token looks."""
        layers, heads, _ = self.shape
        small = torch.frombuffer(bytearray(self.thumbnails), dtype=torch.uint8)
        small = small.view(2, layers, heads, self.side, self.side)[int(self.hide_first)]
        pattern = self._shown(self.layer, self.head, self.hide_first)
        return heads_picture(small, pattern, self.tokens, self.layer, self.head, self.row)
