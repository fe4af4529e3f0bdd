"""What people get wrong when they put a vector of one run into another."""

from __future__ import annotations

from functools import partial

import torch

from minigpt.interpret import residual_stream

# --- patch_residual ---


def put_over(x, y, position):
    x[:, position] = y[:, position]


def put_all(x, y, position):
    x.copy_(y)


def put_from_there_on(x, y, position):
    x[:, position:] = y[:, position:]


def put_up_to_there(x, y, position):
    x[:, : position + 1] = y[:, : position + 1]


def put_the_one_before(x, y, position):
    x[:, position - 1] = y[:, position - 1]


def put_on_top(x, y, position):
    x[:, position] += y[:, position]


def put_zero(x, y, position):
    x[:, position] = 0


def put_the_first_text(x, y, position):
    x[:, position] = y[:1, position]


def put_the_last_vector(x, y, position):
    x[:, position] = y[:, -1]


@torch.no_grad()
def patched(
    model, idx, other, layer, position, *, late=0, put=put_over, every=False, swapped=False,
    norm=True, read=lambda logits, position: logits[:, -1], normed=False, added=False,
):  # fmt: skip
    """The patched run, block by block, with one thing wrong."""
    parts, layers = model.transformer, len(model.transformer.h)
    texts = (other, idx) if swapped else (idx, other)
    x, y = (parts.wte(ids) + parts.wpe(torch.arange(ids.size(1))) for ids in texts)
    for n in range(layers + 1):
        if n == layer + late or every:
            before = x.clone()
            put(x, (parts.h[n].ln_1 if n < layers else parts.ln_f)(y) if normed else y, position)
            x = (before + x) / 2 if added else x
        if n < layers:
            x, y = parts.h[n](x), parts.h[n](y)
    x = parts.ln_f(x) if norm else x
    return read(model.lm_head(x), position)


def own_run(model, idx, other, layer, position):
    return model(idx).detach()[:, -1]


@torch.no_grad()
def hook_left(model, idx, other, layer, position):
    """Right numbers, by hooks that nobody removes."""
    right = patched(model, idx, other, layer, position)
    model.transformer.ln_f.register_forward_pre_hook(lambda module, given: None)
    return right


@torch.no_grad()
def behind_the_block(model, idx, other, layer, position):
    """Takes the vector at its layer, and hangs the hook on what the next block gives."""
    vector = residual_stream(model, other)[layer][:, position]

    def put(module, given, result):
        result = result.clone()
        result[:, position] = vector
        return result

    hook = model.transformer.h[layer].register_forward_hook(put)
    logits = model(idx)[:, -1]
    hook.remove()
    return logits


PATCH_RESIDUAL = {
    "one-layer-late": (
        "Your patch comes one block too late. Layer 0 is before the first block: what the "
        "embeddings make. Layer n is what stands there when n blocks have run.",
        partial(patched, late=1),
    ),
    "one-layer-early": (
        "Your patch comes one block too early, and the block after it changes it again. Layer n "
        "is what stands there when n blocks have run.",
        partial(patched, late=-1),
    ),
    "behind-the-next-block": (
        "You take the vector at the right layer, but put it in behind the block that should have "
        "read it. What block n *gives* is layer n + 1; layer n is what it is *given*. (And behind "
        "the last layer there is no block.)",
        behind_the_block,
    ),
    "all-positions": (
        "This is what the model says of `other` alone: did you put over the stream of *all* "
        "positions? Then nothing of the first text is left. One position only.",
        partial(patched, put=put_all),
    ),
    "from-there-on": (
        "You patch the position and all after it. One position only: `position:` is a slice.",
        partial(patched, put=put_from_there_on),
    ),
    "up-to-there": (
        "You patch the position and all before it. One position only.",
        partial(patched, put=put_up_to_there),
    ),
    "the-position-before": (
        "You patch the position before. Positions are counted from 0.",
        partial(patched, put=put_the_one_before),
    ),
    "last-vector": (
        "You put in the other run's *last* position. It takes the place of the same position.",
        partial(patched, put=put_the_last_vector),
    ),
    "at-every-layer": (
        "You put the vector over at every layer. Then the question *when* is gone: one layer only.",
        partial(patched, every=True),
    ),
    "the-wrong-way-round": (
        "You run `other` and put a vector of `idx` in. The run is that of `idx`; `other` gives.",
        partial(patched, swapped=True),
    ),
    "added": (
        "You add the other run's vector. It stands in the *place* of the one that was there.",
        partial(patched, put=put_on_top),
    ),
    "half-and-half": (
        "You mix the two vectors half and half. The other run's takes the whole place.",
        partial(patched, added=True),
    ),
    "zero": (
        "You put zeros there. That is an ablation; patching puts in what another run had.",
        partial(patched, put=put_zero),
    ),
    "normalised": (
        "You put in the other run's vector after a LayerNorm. The stream itself is not normalised: "
        "each sublayer reads a normalised copy.",
        partial(patched, normed=True),
    ),
    "first-text-for-all": (
        "You put the first text's vector into all of them. Each text has its own partner in "
        "`other`.",
        partial(patched, put=put_the_first_text),
    ),
    "no-final-norm": (
        "You go from the stream straight to the head. The head knows only what the final LayerNorm "
        "makes of it.",
        partial(patched, norm=False),
    ),
    "logits-of-the-patched-position": (
        "You return the logits of the patched position. Asked for is what the *last* position says "
        "now.",
        partial(patched, read=lambda logits, position: logits[:, position]),
    ),
    "logits-of-all-positions": (
        "You return the logits of all positions. Asked for are those of the last, (B, V).",
        partial(patched, read=lambda logits, position: logits),
    ),
    "nothing-patched": (
        "Your result is that of `idx` alone: the patch never reaches the model. A hook must "
        "*return* the changed stream, or change it in place.",
        own_run,
    ),
    "hook-left": (
        "The numbers are right, but a hook is left in the model: all that it says from now on is "
        "patched. Keep what register_... returns, and remove it, also after an error.",
        hook_left,
    ),
}
