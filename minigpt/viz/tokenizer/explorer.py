"""The tokenizer explorer: a text's tokens with ids and bytes, and the merges that made them.

One tokenizer, or two side by side. What each token was made of comes from `replay.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import traitlets
from matplotlib.figure import Figure

from minigpt.tokenizer import Tokenizer, checked_text
from minigpt.viz.figures.plots import as_png, drawable
from minigpt.viz.kit.explorer import Explorer, script, style
from minigpt.viz.kit.inputs import check_tokenizer
from minigpt.viz.kit.labels import token_labels
from minigpt.viz.tokenizer.figure import draw_tokens
from minigpt.viz.tokenizer.replay import family, halves, ids_after, replay, word_sizes

HERE = Path(__file__).parent
SCRIPTS = ("history", "controls", "tokens", "merges", "compare", "explorer")
MOST_BYTES = 4096  # of a text are shown: every one of them can be a box on the page
LONGEST_LABEL = 200  # characters of a token
LONGEST_HEX = 64  # bytes of a token


def named(tokenizer: Tokenizer | Mapping[str, Tokenizer]) -> dict[str, Tokenizer]:
    """Return one or two tokenizers with their names, or raise ValueError for anything else."""
    if isinstance(tokenizer, Tokenizer):
        return {"this tokenizer": tokenizer}
    if not isinstance(tokenizer, (Mapping, list, tuple)):
        check_tokenizer(tokenizer)
    several = dict(tokenizer) if isinstance(tokenizer, Mapping) else {}
    for each in several.values():
        check_tokenizer(each)
    if not all(isinstance(name, str) for name in several) or len(several) not in (1, 2):
        raise ValueError(
            f"tokenizer is {tokenizer!r:.60}; give a Tokenizer, or one or two with their names: "
            '{"GPT-2": Tokenizer.gpt2(), "mine": tokenizer}'
        )
    return several


def first_tokens(tokenizer: Tokenizer, ids: list[int]) -> list[int]:
    """Return the tokens that begin a text, as many as MOST_BYTES have room for."""
    size = 0
    for i, token in enumerate(ids):
        size += len(tokenizer.token_bytes(token))
        if size > MOST_BYTES and i:
            return ids[:i]
    return ids


def describe(tokenizer: Tokenizer, token: int) -> list:
    """Return what the script has to know of a token: label, bytes, their number, its two halves."""
    spelled = tokenizer.token_bytes(token)
    dots = " …" if len(spelled) > LONGEST_HEX else ""
    (label,) = token_labels(tokenizer, [token])
    label = label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
    return [label, spelled[:LONGEST_HEX].hex(" ") + dots, len(spelled), *halves(tokenizer, token)]


def side(name: str, tokenizer: Tokenizer, text: str) -> dict:
    """Return one column of the explorer: the text's tokens, and all they were made from."""
    ids = tokenizer.encode(text, allowed_special=frozenset(tokenizer.special_tokens))
    shown = first_tokens(tokenizer, ids)
    return {
        "name": name,
        "vocab_size": tokenizer.vocab_size,
        "n_merges": len(tokenizer.merges),
        "ids": shown,
        "n_tokens": len(ids),  # of the whole text
        "tokens": {str(i): describe(tokenizer, i) for i in sorted(family(tokenizer, shown))},
        "words": word_sizes(tokenizer, shown),
        "merges": [[merge.number, merge.count] for merge in replay(tokenizer, shown)],
    }


class TokenizerExplorer(Explorer):
    """A text as one tokenizer cuts it, or two side by side; its merges can be replayed.

    `tokenizer` is a Tokenizer, or a dictionary of one or two: {"GPT-2": Tokenizer.gpt2(), ...}.
    Special tokens in the text count as one token. Of a long text the first 4,096 bytes are shown.
    `step` counts the merges that have been replayed, those of both tokenizers together in the
    order they were learned; it starts with the bytes, cut into pre-tokens, or with the
    tokens for step=-1. Raises ValueError for
    what is no tokenizer or no text.
    """

    _esm = script(*(HERE / f"{name}.js" for name in SCRIPTS))
    _css = style(HERE / "explorer.css")

    text = traitlets.Unicode().tag(sync=True)
    sides = traitlets.List().tag(sync=True)
    steps = traitlets.List(traitlets.Int()).tag(sync=True)  # numbers of merges, in order
    step = traitlets.Int(0).tag(sync=True)
    chosen = traitlets.Int(0).tag(sync=True)  # a byte of the text: the token that holds it
    under = traitlets.Enum(["id", "bytes", "nothing"], "id").tag(sync=True)
    as_table = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self, tokenizer: Tokenizer | Mapping[str, Tokenizer], text: str, *, step: int = 0
    ) -> None:
        self._tokenizers, self._to_the_end = named(tokenizer), False
        super().__init__()
        for name, value in self._state_for(text).items():
            setattr(self, name, value)
        self.step = min(step, len(self.steps)) if step >= 0 else max(0, len(self.steps) + 1 + step)
        self.observe(self._read, "text")

    def _state_for(self, text: str) -> dict:
        """Return the traits for a text: its first token chosen, all merges done if they were."""
        checked_text(text)
        sides = [side(name, each, text) for name, each in self._tokenizers.items()]
        steps = sorted({number for each in sides for number, _ in each["merges"]})
        step = len(steps) if self._to_the_end else 0
        return dict(text=text, sides=sides, steps=steps, step=step, chosen=0)

    def _read(self, change) -> None:
        if self.steps:  # or else nobody has chosen
            self._to_the_end = self.step == len(self.steps)
        with self.hold_sync():
            for name, value in self._state_for(change["new"]).items():
                setattr(self, name, value)

    def answer_text(self, text: str) -> dict:
        """Take another text."""
        self.text = checked_text(text)
        return {}

    def pieces(self, number: int = 0) -> list[tuple[int, int]]:
        """Return what the column `number` shows at this step of the replay.

        For each piece its id, and the place of the token of the text that it ends up in.
        """
        tokenizer = list(self._tokenizers.values())[number]
        step = max(0, min(self.step, len(self.steps)))
        n_merges = self.steps[step - 1] + 1 if step else 0
        return [
            (piece, place)
            for place, token in enumerate(self.sides[number]["ids"])
            for piece in ids_after(tokenizer, [token], n_merges)
        ]

    def sentence(self) -> str:
        counts = [
            f"{each['n_tokens']:,} token{'s' * (each['n_tokens'] != 1)} ({each['name']})"
            for each in self.sides
        ]
        return f"{len(self.text.encode()):,} bytes are {' and '.join(counts)}."

    def title(self, number: int) -> str:
        """Say what a column shows."""
        each = self.sides[number]
        name = drawable(each["name"])
        if self.step >= len(self.steps):
            return f"{name}: {each['n_tokens']:,} tokens"
        done = f"after {self.step:,} of {len(self.steps):,} merges"
        return f"{name}: {len(self.pieces(number)):,} tokens {done}"

    def picture(self) -> bytes:
        tokenizers = self._tokenizers.values()

        def draw(figure: Figure) -> None:
            axes = figure.subplots(len(tokenizers), squeeze=False)[:, 0]
            for number, (ax, tokenizer) in enumerate(zip(axes, tokenizers)):
                draw_tokens(ax, tokenizer, self.pieces(number), self.sides[number]["words"])
                ax.set_title(self.title(number), loc="left")
            # As high as its lines need, and no higher.
            heights = [ax.get_ylim()[1] - ax.get_ylim()[0] for ax in axes]
            axes[0].get_gridspec().set_height_ratios(heights)
            figure.set_figheight(0.33 * sum(heights) + 0.35 * len(axes))

        return as_png(draw, 8.2, 2.6 * len(tokenizers))
