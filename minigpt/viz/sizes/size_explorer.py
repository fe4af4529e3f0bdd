"""A GPT's sizes, to be set, against its parameters, its memory and its arithmetic.

The formulas are in accounts.py; the script has them too (accounts.js), so that it needs no Python.
"""

from __future__ import annotations

from pathlib import Path

import traitlets
from matplotlib.figure import Figure

from minigpt.config import PRESETS, GPTConfig, check_whole
from minigpt.viz.figures.plots import as_png
from minigpt.viz.figures.shares import plot_shares
from minigpt.viz.kit.explorer import Explorer, script, style
from minigpt.viz.sizes.accounts import flops, memory, parameters

HERE = Path(__file__).parent
# The largest of each size; with all of them every number is one that a script knows exactly.
MOST = {"n_layer": 200, "n_embd": 20_000, "block_size": 200_000, "vocab_size": 1_000_000}


def check_size(name: str, value: int) -> None:
    """Raise ValueError for a size that the explorer does not reach."""
    check_whole(name, value)
    if value > MOST.get(name, value):
        raise ValueError(f"{name} is {value:,}; the explorer goes to {MOST[name]:,}")


def heads_for(n_embd: int) -> int:
    """Return how many heads share the width: about 64 channels each, as in all four GPT-2.

    >>> heads_for(1600), heads_for(100)
    (25, 2)
    """
    wanted = n_embd / 64
    fitting = [n for n in range(1, n_embd + 1) if n_embd % n == 0]
    return min(fitting, key=lambda n: (abs(n - wanted), n))


class SizeExplorer(Explorer):
    """Set layers, width, context and vocabulary of a GPT, and see what it costs.

    Parameters by part; bytes of the weights, of training and of the KV cache; FLOPs per token.
    Heads follow the width, 64 channels each as in GPT-2, or are chosen. `config` is a GPTConfig,
    the smallest GPT-2 by default, and gives what is set now. Its dropout plays no part.
    Raises ValueError for what is no GPTConfig, or larger than the sliders go.
    """

    _esm = script(*(HERE / f"{name}.js" for name in ("accounts", "controls", "size_explorer")))
    _css = style(HERE / "size_explorer.css")

    n_layer = traitlets.Int().tag(sync=True)
    n_embd = traitlets.Int().tag(sync=True)
    n_head = traitlets.Int().tag(sync=True)
    block_size = traitlets.Int().tag(sync=True)
    vocab_size = traitlets.Int().tag(sync=True)
    bias = traitlets.Bool().tag(sync=True)
    presets = traitlets.Dict().tag(sync=True)
    most = traitlets.Dict().tag(sync=True)

    def __init__(self, config: GPTConfig | None = None) -> None:
        config = GPTConfig() if config is None else config
        if not isinstance(config, GPTConfig):
            raise ValueError(f"config is a {type(config).__name__}; give a GPTConfig of minigpt")
        sizes = {name: getattr(config, name) for name in (*MOST, "n_head")}
        for name, value in sizes.items():
            check_size(name, value)
        released = {name: vars(GPTConfig.preset(name)) for name in PRESETS}
        presets = {name: {key: all_[key] for key in sizes} for name, all_ in released.items()}
        super().__init__(**sizes, bias=config.bias, presets=presets, most=MOST)

    @traitlets.validate(*MOST, "n_head")
    def _check_size(self, proposal) -> int:
        check_size(proposal.trait.name, proposal.value)
        return proposal.value

    @traitlets.observe("n_embd")
    def _share_the_width(self, _change) -> None:
        if self.n_embd % self.n_head:
            self.n_head = heads_for(self.n_embd)

    @property
    def config(self) -> GPTConfig:
        """What is set now. Raises ValueError if the heads cannot share the width."""
        names = (*MOST, "n_head", "bias")
        return GPTConfig(**{name: getattr(self, name) for name in names})

    def sentence(self) -> str:
        config = self.config
        N, held = sum(parameters(config).values()), memory(config)
        return (
            f"{config.n_layer} layers of width {config.n_embd:,} with {config.n_head} heads, "
            f"context {config.block_size:,}, vocabulary {config.vocab_size:,}: "
            f"{N:,} parameters; weights {4 * N / 1e9:.3g} GB in fp32, "
            f"training {sum(held['training'].values()) / 1e9:.3g} GB, "
            f"KV cache {held['KV cache']['fp32'] / 1e9:.3g} GB; "
            f"{sum(flops(config).values()) / 1e9:.3g} GFLOPs a token."
        )

    def picture(self) -> bytes:
        config = self.config
        wholes = [
            (parameters(config), 1e6, "million parameters"),
            (memory(config)["training"], 1e9, "GB to train, with one text"),
            (flops(config), 1e9, "GFLOPs a token"),
        ]

        def draw(figure: Figure) -> None:
            sizes = f"{config.n_layer} layers of width {config.n_embd:,}"
            total = sum(parameters(config).values())
            figure.suptitle(f"{sizes}: {total:,} parameters", fontsize=11)
            for ax, (parts, unit, words) in zip(figure.subplots(3), wholes):
                plot_shares({name: n / unit for name, n in parts.items()}, words, ax)

        return as_png(draw, 8.2, 5.8)
