"""A map of what patches do: choose a layer and a position, and read what the model says then.

What a patch does is worked out in effects.py; the drawing is in patch_map.js.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import traitlets
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from minigpt.interpret.recording import PARTS
from minigpt.model import GPT
from minigpt.tokenizer import Tokenizer
from minigpt.viz.figures.plots import OKABE_ITO, as_png, drawable, mark, plot_bars
from minigpt.viz.kit.explorer import Explorer, script, style
from minigpt.viz.kit.inputs import check_pair
from minigpt.viz.kit.labels import model_labels, token_labels
from minigpt.viz.patching.effects import all_effects, find_answers, next_logits, read_both

HERE = Path(__file__).parent
# From away, over nothing (no colour at all), to the clean answer.
STOPS = [(0, (OKABE_ITO[5], 1)), (0.5, (OKABE_ITO[5], 0)), (0.5, (OKABE_ITO[0], 0))]
COLOURS = LinearSegmentedColormap.from_list("moved", [*STOPS, (1, (OKABE_ITO[0], 1))])
MOST_LABELS = 40  # positions up to which the picture names each


class PatchMap(Explorer):
    """See what activation patching does to the answer, for every layer and position.

    `clean` and `corrupt` are two prompts of equally many tokens that differ in a word. Each cell of
    the map is a run of the corrupt prompt with one activation of the clean run put in: how far the
    answer moved, from the corrupt run's (0 %) to the clean run's (100 %), measured by the
    difference of the two answers' logits. `answers` are those two tokens; not given, what the model
    says after each prompt. `part`, `layer` and `position` are what was chosen, and can be set.
    Raises ValueError for prompts of unequal length or with one answer, and for what is not there.
    """

    _esm = script(HERE / "patch_map.js")
    _css = style(HERE / "patch_map.css")

    clean = traitlets.List(traitlets.Unicode()).tag(sync=True)  # tokens, readable
    corrupt = traitlets.List(traitlets.Unicode()).tag(sync=True)
    first = traitlets.Int().tag(sync=True)  # the first position at which they differ
    layers = traitlets.Int().tag(sync=True)
    # Of each cell from position `first` on, stream, attn and mlp one after the other, layer by
    # layer: float32; and of the two answers and the likeliest tokens: float32, uint16.
    moved = traitlets.Bytes().tag(sync=True)
    shares = traitlets.Bytes().tag(sync=True)
    said = traitlets.Bytes().tag(sync=True)  # which of the labels
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)  # the two answers come first
    plain = traitlets.List().tag(sync=True)  # each label's probability after clean and corrupt
    # What was chosen.
    part = traitlets.Enum(PARTS, "stream").tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    position = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        model: GPT,
        tokenizer: Tokenizer,
        clean: str,
        corrupt: str,
        *,
        answers: Sequence[str] | None = None,
    ) -> None:
        check_pair(model, tokenizer)
        idx = read_both(model, tokenizer, clean, corrupt)
        logits = next_logits(model, *idx)
        self._answers = find_answers(tokenizer, logits, answers)
        self._effects = all_effects(model, *idx, logits, self._answers)
        first = int((idx[0] != idx[1])[0].nonzero()[0])
        super().__init__(
            clean=token_labels(tokenizer, idx[0][0]),
            corrupt=token_labels(tokenizer, idx[1][0]),
            first=first,
            layers=model.config.n_layer,
            position=first,
            **self._packed(tokenizer, logits.softmax(dim=-1).cpu(), first),
        )

    def _packed(self, tokenizer: Tokenizer, shares: Tensor, first: int) -> dict:
        """Return all cells as the script reads them; shares (2, V) are those without a patch."""
        moved, said_shares, ids = (
            torch.cat([each[i][:, first:].flatten(0, 1) for each in self._effects.values()])
            for i in range(3)
        )
        others = sorted(set(ids.unique().tolist()) - set(self._answers))
        known = torch.tensor([*self._answers, *others])
        place = torch.zeros(shares.size(-1), dtype=torch.int64)
        place[known] = torch.arange(len(known))
        labels = model_labels(tokenizer, known.tolist())
        self._label = dict(zip(known.tolist(), labels))
        return {
            "moved": moved.float().numpy().tobytes(),
            "shares": said_shares.float().numpy().tobytes(),
            "said": place[ids].numpy().astype("uint16").tobytes(),
            "labels": labels,
            "plain": shares[:, known].tolist(),
        }

    @traitlets.validate("layer", "position")
    def _check_place(self, proposal) -> int:
        name, value = proposal.trait.name, proposal.value
        sizes = {"layer": self.layers + (self.part == "stream"), "position": len(self.clean)}
        if not -sizes[name] <= value < sizes[name]:
            of = f" of {self.part}" if name == "layer" else ""
            raise ValueError(f"{name} is {value}; here are {name}s 0 to {sizes[name] - 1}{of}")
        return value % sizes[name]

    @traitlets.observe("part")
    def _keep_within(self, _change) -> None:
        self.layer = min(self.layer, self.layers - (self.part != "stream"))

    def effects(self) -> Tensor:
        """Return how far the answer moved in every cell of the chosen part: (layers, T).

        Layers are those of `minigpt.interpret.patch_effects`: n_layer + 1 for the stream.
        """
        return self._effects[self.part][0].float()

    def _where(self) -> str:
        """Name the chosen place in a run."""
        if self.part == "stream":
            return f"stream after block {self.layer - 1}" if self.layer else "embedding"
        return f"{'attention' if self.part == 'attn' else 'MLP'} output of block {self.layer}"

    def _next(self) -> list[tuple[str, float]]:
        """Return the likeliest tokens with the chosen patch, and their probabilities."""
        _, shares, ids = (each[self.layer, self.position] for each in self._effects[self.part])
        labels = [self._label[i] for i in ids.tolist()]
        return list(zip(labels, shares.tolist()))[2:]  # the answers stand before them

    def sentence(self) -> str:
        """Say in words what was put where, and what the model says then."""
        (word, share), moved = self._next()[0], float(self.effects()[self.layer, self.position])
        return (
            f"The corrupt run says {self.labels[1]} {self.plain[1][1]:.0%}; with the clean run's "
            f"{self._where()} at token {self.position} ({self.clean[self.position]}) it says "
            f"{word} {share:.0%}. The answer moved {moved:.0%} of the way to {self.labels[0]}."
        )

    def picture(self) -> bytes:
        """Return a PNG of the chosen part's map, and of what comes next with the chosen patch."""
        effects, first, T = self.effects()[:, self.first :], self.first, len(self.corrupt)

        def draw(figure: Figure) -> None:
            left, right = figure.subplots(1, 2, width_ratios=(3, 1))
            edges = first - 0.5, T - 0.5, len(effects) - 0.5, -0.5
            left.imshow(effects.numpy(), cmap=COLOURS, vmin=-1, vmax=1, aspect="auto", extent=edges)
            mark(left, self.position, self.layer, 1, 1)
            if T - first <= MOST_LABELS:
                names = [drawable(label) for label in self.corrupt[first:]]
                left.set_xticks(range(first, T), names, rotation=90, size=8)
            left.set_yticks(range(len(effects)))
            answer = drawable(self.labels[0])
            title = f"{self.part}: blue moves the answer to {answer}, orange away from it"
            left.set(title=title, xlabel="position", ylabel="layer")
            labels, shares = zip(*self._next())
            plot_bars(labels, shares, "next token", right)

        return as_png(draw, 9.6, 3.4)
