"""The sampling explorer: what may come next, what the filters leave of it, and what was chosen.

The script filters by itself (sampler.js, held equal to minigpt.sampling by tests), so that a
setting shows its effect at once. Whatever needs the model is asked for here.
"""

from __future__ import annotations

from pathlib import Path

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from minigpt.config import check_whole
from minigpt.model import GPT
from minigpt.sampling import next_token_distribution
from minigpt.tokenizer import Tokenizer
from minigpt.viz.figures.plots import as_png
from minigpt.viz.kit.explorer import SVG, Explorer, script, style
from minigpt.viz.kit.labels import visible
from minigpt.viz.sampling.continuations import Continuations, kept_tokens
from minigpt.viz.sampling.figure import axis_end, plot_cuts, plot_kept

HERE = Path(__file__).parent
SCRIPTS = ("sampler", "next", "prompt", "controls", "bars", "cuts", "actions", "seeds", "tree")
SHOWN = 100  # tokens listed; the filters and sums know all of them
SEEDS = 5  # compared side by side
DRAWN = 12  # tokens in the picture
LARGEST_SEED = 2**53  # from here on a script leaves numbers out


def kept_in_words(kept: Tensor, before: Tensor) -> str:
    """Say how many tokens are kept, (V,) bool, and what probability, (V,), they had before."""
    share = float(before[kept].sum())
    return f"{int(kept.sum()):,} of {len(kept):,} tokens with {share:.1%} of the probability"


class SamplingExplorer(Explorer):
    """See the next token's whole distribution under temperature, top-k and top-p together.

    Draw from it with a seed, or click a token to choose it; every branch that was tried stays and
    can be gone back to. Drawn tokens are those of `generate` with the same settings and a
    generator of that seed. Special tokens in the prompt, such as <|endoftext|>, count as one.
    Raises ValueError for an empty prompt or a setting out of range, naming it.
    """

    _esm = script(SVG, *(HERE / f"{name}.js" for name in (*SCRIPTS, "explorer")))
    _css = style(HERE / "explorer.css")

    temperature = traitlets.Float(1.0).tag(sync=True)
    top_k = traitlets.Int(None, allow_none=True).tag(sync=True)
    top_p = traitlets.Float(None, allow_none=True).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    prompt = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)  # what was chosen behind the prompt
    note = traitlets.Unicode().tag(sync=True)  # what a reader should know about this text
    nodes = traitlets.List().tag(sync=True)  # the tree: dicts of parent, label, share, how
    current = traitlets.Int(0).tag(sync=True)  # the node where the text ends
    logits = traitlets.Bytes().tag(sync=True)  # float32, of the next token
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)  # of the likeliest tokens
    compared = traitlets.Dict().tag(sync=True)  # what several seeds drew from here, and how
    undoes = traitlets.Unicode().tag(sync=True)  # what undo would take back, or nothing

    def __init__(
        self,
        model: GPT,
        tokenizer: Tokenizer,
        prompt: str,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
        self._texts = Continuations(model, tokenizer, prompt)
        self._show()

    @traitlets.validate("temperature", "top_k", "top_p", "seed")
    def _check_setting(self, proposal) -> float | int | None:
        name, value = proposal.trait.name, proposal.value
        if name == "seed":
            check_whole("seed", value, least=0)
            if value >= LARGEST_SEED:
                raise ValueError(f"seed is {value}; a script knows whole numbers below 2**53 only")
        else:  # raises as sampling would
            next_token_distribution(torch.zeros(2), **{name: value})
        return value

    def _settings(self) -> dict:
        return {"temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p}

    def _show(self) -> dict:
        """Bring the traits up to date; an answer has nothing to add to them."""
        texts, tree = self._texts, self._texts.tree
        size, seen = len(tree.tokens()), texts.model.config.block_size
        logits = texts.logits()
        best = logits.sort(descending=True, stable=True).indices[:SHOWN].tolist()
        names = ["", *texts.labels([node.token for node in tree.nodes[1:]])]
        with self.hold_sync():
            self.prompt, self.text = tree.text, texts.text()
            self.note = f"The model sees the last {seen} of {size} tokens." if size > seen else ""
            self.nodes = [
                {"parent": node.parent, "label": name, "share": node.probability, "how": node.how}
                for node, name in zip(tree.nodes, names)
            ]
            self.current = tree.current
            self.logits = logits.numpy().astype("<f4").tobytes()
            self.labels = texts.labels(best)
            self.compared = {}  # it was of another text
            self.undoes = texts.past[-1][0] if texts.past else ""
        return {}

    # --- What the script asks for ---

    def answer_prompt(self, prompt: str) -> dict:
        """Start anew from another prompt."""
        self._texts.start(prompt)
        return self._show()

    def answer_pick(self, node: int, token: int) -> dict:
        """Choose a token behind a node of the tree."""
        self._texts.pick(node, token)
        return self._show()

    def answer_write(self, text: str) -> dict:
        """Choose the tokens of a text."""
        self._texts.write(text)
        return self._show()

    def answer_sample(self, steps: int) -> dict:
        """Draw tokens, with the settings and the seed that are seen."""
        self._texts.sample(steps, self.seed, **self._settings())
        return self._show()

    def answer_seeds(self, steps: int) -> dict:
        """Draw from here with this seed and those after it; nothing is chosen yet."""
        seeds = range(self.seed, self.seed + SEEDS)
        drawn = self._texts.compare(steps, seeds, **self._settings())
        self._compared_at = steps, self._settings()
        self.compared = {"drawn": drawn, "settings": self.settings()}
        return {}

    def answer_take(self, seed: int) -> dict:
        """Choose what one of the seeds drew, whatever was set since."""
        steps, settings = self._compared_at
        self._texts.sample(steps, seed, **settings)
        return self._show()

    def answer_go(self, node: int) -> dict:
        """Go to another node of the tree."""
        self._texts.go(node)
        return self._show()

    def answer_undo(self) -> dict:
        """Take the last change back."""
        self._texts.undo()
        return self._show()

    # --- Without a script ---

    def _next(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the probabilities before and after the filters, and which tokens are kept."""
        logits, settings = self._texts.logits(), self._settings()
        before = next_token_distribution(logits, self.temperature)
        return before, next_token_distribution(logits, **settings), kept_tokens(logits, **settings)

    def settings(self) -> str:
        """Say in words what the controls are set to."""
        k = "no top-k" if self.top_k is None else f"top-k {self.top_k}"
        p = "no top-p" if self.top_p is None else f"top-p {self.top_p:g}"
        return f"temperature {self.temperature:g}, {k}, {p}"

    def sentence(self) -> str:
        before, after, kept = self._next()
        likely = after.topk(min(3, int(kept.sum())))
        names = self._texts.labels(likely.indices.tolist())
        tokens = ", ".join(f"{n} ({p:.1%})" for n, p in zip(names, likely.values.tolist()))
        text = self.prompt + self.text
        ending = visible(text if len(text) <= 40 else f"…{text[-40:]}")
        return (
            f"Sampling explorer at {self.settings()}: behind “{ending}” comes {tokens}. "
            f"Kept are {kept_in_words(kept, before)}."
        )

    def picture(self) -> bytes:
        before, after, kept = self._next()
        order = self._texts.logits().sort(descending=True, stable=True).indices
        best = order[:DRAWN]
        plain = float(next_token_distribution(self._texts.logits()).max())

        def draw(figure: Figure) -> None:
            left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
            labels = self._texts.labels(best.tolist())
            plot_kept(labels, before[best], after[best], left, axis_end(plain))
            plot_cuts(before[order], int(kept.sum()), self.top_k, self.top_p, right)
            figure.suptitle(f"{self.settings()}: {kept_in_words(kept, before)}", fontsize=11)

        return as_png(draw, 8.6, 3.9)
