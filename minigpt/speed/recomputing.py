"""Less memory for more time: blocks that forget what they computed, and compute it again.

The backward pass needs what the forward pass found on its way. A block can keep its input alone,
and find the rest anew when it is asked for. Source: Chen et al. 2016, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from minigpt.kv_cache import LayerCache
from minigpt.speed.compiling import unwrapped


@contextmanager
def attending(block: nn.Module, attend) -> Iterator[None]:
    """Have a block attend as it did in its forward pass, whatever it was told in between."""
    now, block.attn.attend = block.attn.attend, attend
    try:
        yield
    finally:
        block.attn.attend = now


def forgetful(block: nn.Module):
    """Return the block's forward pass in the way that keeps nothing but what came in."""
    forward = block.forward

    def run(x: Tensor, cache: LayerCache | None = None) -> Tensor:
        if cache is not None or not torch.is_grad_enabled():  # nothing will be asked for again
            return forward(x, cache)
        attend = block.attn.attend
        return checkpoint(
            forward,
            x,
            use_reentrant=False,
            # Before the second pass it puts random numbers back to where they were: the same dropout.
            preserve_rng_state=True,
            context_fn=lambda: (nullcontext(), attending(block, attend)),
        )

    return run


@contextmanager
def recompute_blocks(model: nn.Module) -> Iterator[None]:
    """Have a GPT's blocks keep only their input for the backward pass, and compute the rest again.

    Loss and gradients stay what they are, dropout included; a step takes about a forward pass
    longer. Both passes have to be inside the `with`. Known as gradient (or activation)
    checkpointing. Raises ValueError for a model without blocks.
    """
    inside = unwrapped(model)
    blocks = getattr(getattr(inside, "transformer", None), "h", None)
    if blocks is None:
        raise ValueError(
            f"a {type(inside).__name__} has no blocks at transformer.h; give a GPT to recompute"
        )
    before = [vars(block).get("forward") for block in blocks]
    try:
        for block in blocks:
            block.forward = forgetful(block)
        yield
    finally:
        for block, forward in zip(blocks, before):
            del block.forward
            if forward is not None:
                block.forward = forward
