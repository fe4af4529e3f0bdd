"""Switch off parts that write to the residual stream, and see what the model says then.

What a part does is worked out in ablation.py; the drawing is in stream_parts.js.
"""

from __future__ import annotations

from pathlib import Path

import torch
import traitlets
from matplotlib.figure import Figure
from torch import nn

from minigpt.tokenizer import Tokenizer, encode_prompt
from minigpt.viz.figures.plots import as_png, drawable, plot_bars
from minigpt.viz.kit.explorer import Explorer, script, style
from minigpt.viz.kit.inputs import check_pair
from minigpt.viz.kit.labels import model_labels, visible
from minigpt.viz.stream.ablation import run_without, writers_of

HERE = Path(__file__).parent
SHOWN = 6  # next tokens
MOST_READY = 25  # parts up to which the model is run at once without each


def key_of(off: list[int]) -> str:
    """Return the name under which a result is kept.

    >>> key_of([3, 1])
    '1,3'
    """
    return ",".join(map(str, sorted(off)))


class StreamParts(Explorer):
    """Switch off what writes to the residual stream: the start, each attention, each MLP.

    Shows at the prompt's last position the length of each write and of the stream after it, and
    the next token. This is ablation: a part that is off writes 0 at every position, and the parts
    after it are computed again from what is left. `off` holds the numbers of the parts that are
    off, 0 being the start. Special tokens in the prompt count as one.
    Raises ValueError for an empty or too long prompt, and for another library's model or tokenizer.
    """

    _esm = script(HERE / "stream_parts.js")
    _css = style(HERE / "stream_parts.css")

    parts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    prompt = traitlets.Unicode().tag(sync=True)
    off = traitlets.List(traitlets.Int()).tag(sync=True)
    results = traitlets.Dict().tag(sync=True)  # by key_of(off): writes, lengths, next tokens

    def __init__(self, model: nn.Module, tokenizer: Tokenizer, prompt: str) -> None:
        check_pair(model, tokenizer)
        self._model, self._tokenizer = model, tokenizer
        parts = list(writers_of(model))
        super().__init__(parts=parts, **self._read(prompt, parts))

    def _read(self, prompt: str, parts: list[str]) -> dict:
        """Return the traits for a prompt: nothing off, and the results that it begins with."""
        if not isinstance(prompt, str):
            raise ValueError(f"prompt is a {type(prompt).__name__}; give a text")
        config = self._model.config
        ids = encode_prompt(prompt, self._tokenizer)
        if len(ids) > config.block_size:
            raise ValueError(
                f"the prompt has {len(ids)} tokens; this model reads at most {config.block_size}"
            )
        if max(ids) >= config.vocab_size:
            raise ValueError("the tokenizer has tokens that the model does not know")
        device = next(self._model.parameters()).device
        idx = torch.tensor([ids], device=device)
        places = range(len(parts))
        ready = [[], *([i] for i in places)] if len(parts) <= MOST_READY else [[]]
        ready += [[i for i in places if parts[i].startswith(kind)] for kind in ("attn", "mlp")]
        results = {key_of(off): self._result(idx, parts, off) for off in ready}
        self._idx = idx
        return dict(prompt=prompt, off=[], results=results)

    def _result(self, idx: torch.Tensor, parts: list[str], off: list[int]) -> dict:
        """Run the model without some parts, and return what the script shows of it."""
        writes, logits = run_without(self._model, idx, [parts[i] for i in off])
        if not logits.isfinite().all():
            raise ValueError("the model's logits are not all finite numbers; did training diverge?")
        best = logits.softmax(-1).topk(min(SHOWN, len(logits)))
        return {
            "writes": writes.norm(dim=-1).tolist(),
            "lengths": writes.cumsum(dim=0).norm(dim=-1).tolist(),
            "labels": model_labels(self._tokenizer, best.indices.tolist()),
            "shares": best.values.tolist(),
        }

    @traitlets.validate("off")
    def _check_off(self, proposal) -> list[int]:
        off = sorted(set(proposal.value))
        if off and not 0 <= off[0] <= off[-1] < len(self.parts):
            raise ValueError(f"off is {proposal.value}; parts are 0 to {len(self.parts) - 1}")
        return off

    def result(self) -> dict:
        """Return what is shown of the parts that are on; it is worked out when it is asked for."""
        if (key := key_of(self.off)) not in self.results:
            result = self._result(self._idx, self.parts, self.off)
            self.results = {**self.results, key: result}
        return self.results[key]

    def answer_run(self) -> dict:
        """Work out what is shown of the parts that are on."""
        self.result()
        return {}

    def answer_prompt(self, prompt: str) -> dict:
        """Read another prompt, with all parts on."""
        read = self._read(prompt, self.parts)
        with self.hold_sync():
            for name in ("off", "prompt", "results"):
                setattr(self, name, read[name])
        return {}

    def sentence(self) -> str:
        result = self.result()
        without = ", ".join(self.parts[i] for i in self.off)
        said = ", ".join(
            f"{label} ({share:.1%})"
            for label, share in list(zip(result["labels"], result["shares"]))[:3]
        )
        return (
            f"“{visible(self.prompt[-40:])}”, with {f'{without} off' if without else 'all parts'}: "
            f"the stream ends {result['lengths'][-1]:.1f} long, next comes {said}."
        )

    def picture(self) -> bytes:
        result, places = self.result(), range(len(self.parts))

        def draw(figure: Figure) -> None:
            left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
            left.bar(places, result["writes"], hatch="//", edgecolor="white", label="its write")
            left.plot(places, result["lengths"], "o-", color="#D55E00", label="stream after it")
            names = [f"{n}\noff" if i in self.off else n for i, n in enumerate(self.parts)]
            left.set_xticks(places, names, rotation=90, size=8)
            left.set(ylabel="length", title=drawable(f"…{visible(self.prompt[-22:])}"))
            left.legend()
            plot_bars(result["labels"], result["shares"], "next token", right)

        return as_png(draw, 8.6, 3.6)
