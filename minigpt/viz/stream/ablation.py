"""Run a GPT without some of the parts that write to its residual stream.

This is ablation, not direct contribution: a part that is off writes 0 at every position, and all
that comes after it is computed again from what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from minigpt.model import evaluating


def writers_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules that write to the stream, by name, in the order of the calculation.

    "start" (tokens and positions) is what goes into the first block, and has no module of its own:
    the block stands for it. Raises ValueError for what has not GPT-2's parts under their names.
    """
    try:
        blocks = list(model.transformer.h)
        found = {"start": blocks[0]}
        for i, block in enumerate(blocks):
            found |= {f"attn {i}": block.attn, f"mlp {i}": block.mlp}
        _ = model.config.block_size, model.config.vocab_size
    except (AttributeError, IndexError, TypeError):
        raise ValueError(
            f"model is a {type(model).__name__}; give a GPT of minigpt, or one whose parts have "
            "its names: config.block_size, transformer.h[0].attn, transformer.h[0].mlp"
        ) from None
    return found


@torch.no_grad()
def run_without(model: nn.Module, idx: Tensor, off: Iterable[str] = ()) -> tuple[Tensor, Tensor]:
    """Run a model on idx (1, T) with some writers off; return writes and logits.

    Writes (parts, C) are those at the last position, 0 for a part that is off; their sum is the
    stream before ln_f. Logits (V,) are the next token's. The model is left as it was.
    """
    writers, off = writers_of(model), set(off)
    writes: dict[str, Tensor] = {}

    def written(name: str, value: Tensor) -> Tensor:
        value = torch.zeros_like(value) if name in off else value
        writes[name] = value[0, -1].float().cpu().clone()  # code like `x += y` changes it later
        return value

    def before(module, args):
        return (written("start", args[0]), *args[1:])

    def after(name: str):
        return lambda module, args, output: written(name, output)

    with ExitStack() as hooks, evaluating(model):
        for name, module in writers.items():
            hook = (
                module.register_forward_pre_hook(before)
                if name == "start"
                else module.register_forward_hook(after(name))
            )
            hooks.callback(hook.remove)
        logits = model(idx)[0, -1].float().cpu()
    return torch.stack([writes[name] for name in writers]), logits
