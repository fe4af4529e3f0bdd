"""What people get wrong when they take a head out: by weights, by a mean, by a hook."""

from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional as F

from minigpt.course.exercise.mistakes import half_mended

# --- fold_means ---


def columns_of(head, hs, C):
    return torch.arange(head * hs, (head + 1) * hs)


def interleaved(head, hs, C):
    return torch.arange(head, C, C // hs)


def by_number_of_heads(head, hs, C):
    nh = C // hs
    return torch.arange(head * nh, head * nh + hs) % C


def folded(
    weight, bias, heads, means, *, columns=columns_of, cut=True, added=1.0, only=slice(None),
    rows=False, others=False, in_place=False, at_the_head=False, turned=False, bias_gone=False,
):  # fmt: skip
    """The edited weight and bias, with one thing wrong."""
    hs, C = means.size(-1), len(bias)
    new = weight if in_place else weight.clone()
    told = torch.zeros_like(bias) if bias_gone else (bias if in_place else bias.clone())
    for head, mean in list(zip(heads, means))[only]:
        at = columns(head, hs, C)
        if at_the_head:
            told[at] += mean
        else:
            told += added * ((weight[at].T if rows else weight[:, at]) @ mean)
        if cut and others:
            new[:, [c for c in range(C) if c not in at]] = 0
        elif cut:
            (new.T if not rows else new)[at] = 0
    return (new.T if turned else new), told


FOLD_MEANS = {
    "bias-as-it-was": (
        "The heads are cut, but the bias is as it was: that sets them to zero, not to their means. "
        "(Did you make the product after the columns had become 0?)",
        partial(folded, added=0.0),
    ),
    "columns-left": (
        "You add what the mean makes to the bias, but the head still adds its own on top: its "
        "columns of the weight must become 0.",
        partial(folded, cut=False),
    ),
    "subtracted": (
        "You take the mean's part off the bias. The layer should go on as if the heads always "
        "gave their means: add it.",
        partial(folded, added=-1.0),
    ),
    "rows-not-columns": (
        "You cut rows. PyTorch's Linear keeps its weight as (out, in): a row makes one channel of "
        "the *result*, where all heads are mixed already. What a head gives comes *in*.",
        partial(folded, rows=True),
    ),
    "rows-and-bias-as-it-was": (
        "Two things. You cut rows: PyTorch's Linear keeps its weight as (out, in), and what a head "
        "gives comes *in*, by columns. And the bias is as it was, which sets the heads to zero "
        "and not to their means.",
        partial(folded, rows=True, added=0.0),
    ),
    "interleaved": (
        "You take every nh-th column. A head's channels lie side by side: head h has hs of them, "
        "from h times hs on.",
        partial(folded, columns=interleaved),
    ),
    "as-wide-as-heads-are-many": (
        "Your head begins at h times the *number of heads*. Each is hs channels wide: head h "
        "begins at h times hs.",
        partial(folded, columns=by_number_of_heads),
    ),
    "counted-from-one": (
        "You cut the head before the one that is meant. Heads are counted from 0.",
        partial(folded, columns=lambda head, hs, C: (columns_of(head, hs, C) - hs) % C),
    ),
    "others-cut": (
        "You cut all heads but the ones named: that asks what they do alone.",
        partial(folded, others=True),
    ),
    "only-the-first": (
        "Only the first of the heads is taken out. There may be several.",
        partial(folded, only=slice(1)),
    ),
    "only-the-last": (
        "Only the last of the heads is taken out. Do you begin from the weight as given at each "
        "turn of your loop?",
        partial(folded, only=slice(-1, None)),
    ),
    "mean-into-the-bias": (
        "You add the mean to the head's own channels of the bias. The bias stands *behind* the "
        "weight, where heads are mixed: the mean must pass through the head's columns first.",
        partial(folded, at_the_head=True),
    ),
    "old-bias-gone": (
        "Your new bias is only what the means make. The layer's own bias is no head's: keep it, "
        "and add.",
        partial(folded, bias_gone=True),
    ),
    "turned": (
        "You return the weight turned on its side. PyTorch's Linear keeps (out, in), and so should "
        "you.",
        partial(folded, turned=True),
    ),
    "in-place": (
        "The numbers are right, but you changed the caller's weight and bias. Then nothing brings "
        "the head back. Work on copies.",
        partial(folded, in_place=True),
    ),
    "weight-only": (
        "You return the weight alone. The bias changes too: `return weight, bias`.",
        lambda weight, bias, heads, means: folded(weight, bias, heads, means)[0],
    ),
}

# --- mean_ablation ---


def put(z, head, value):
    result = z.clone()
    result[:, head] = value
    return result


def in_place(z, others, head):
    z[:, head] = others[:, head].mean(dim=0)
    return z


def on_top(z, others, head):
    return put(z, head, z[:, head] + others[:, head].mean(dim=0))


def at_axis_two(z, others, head):
    """Takes the third axis, time, for the heads."""
    result = z.clone()
    result[:, :, head] = others[:, :, head].mean(dim=0)
    return result


MEAN_ABLATION = {
    "mean-over-positions-too": (
        "Your mean runs over the positions as well, so every position gets one vector. A head may "
        "do something else at the start of a text than at its end: average text by text, at each "
        "position.",
        lambda z, others, head: put(z, head, others[:, head].mean(dim=(0, 1))),
    ),
    "mean-over-positions-only": (
        "You average over the positions of a text. The mean is over the *texts*, at each position.",
        lambda z, others, head: put(z, head, others[:1, head].mean(dim=1, keepdim=True)),
    ),
    "mean-over-channels": (
        "Your mean runs over the channels too, so all of them get one number. Each channel has a "
        "mean of its own.",
        lambda z, others, head: put(z, head, others[:, head].mean(dim=(0, -1))[..., None]),
    ),
    "own-mean": (
        "You put in the mean of `z` itself. What is to be wiped out would have its part in it; the "
        "mean comes from the other texts.",
        lambda z, others, head: put(z, head, z[:, head].mean(dim=0)),
    ),
    "zero": (
        "You set the head to 0. That is another ablation: the model has never met a head that "
        "gives nothing.",
        lambda z, others, head: put(z, head, 0.0),
    ),
    "all-heads": (
        "You put means in the place of all heads. Only one is taken out.",
        lambda z, others, head: others.mean(dim=0).expand_as(z).clone(),
    ),
    "mean-of-all-heads": (
        "Your mean runs over the heads too. Each head has its own.",
        lambda z, others, head: put(z, head, others.mean(dim=(0, 1))),
    ),
    "first-head": (
        "You take the mean of head 0, whichever is asked for.",
        lambda z, others, head: put(z, head, others[:, 0].mean(dim=0)),
    ),
    "wrong-head-replaced": (
        "You replace head 0, whichever is asked for.",
        lambda z, others, head: put(z, 0, others[:, head].mean(dim=0)),
    ),
    "one-other-text": (
        "You put in what the head gave in *one* other text. That is patching; the mean is over all "
        "of them.",
        lambda z, others, head: put(z, head, others[0, head]),
    ),
    "sum": (
        "You add the other texts up. Divide by how many they are.",
        lambda z, others, head: put(z, head, others[:, head].sum(dim=0)),
    ),
    "on-top": (
        "You add the mean to what the head gave. It stands in its *place*.",
        on_top,
    ),
    "subtracted": (
        "You take the mean off. Then all that is special about this text stays, the very thing "
        "that should go.",
        lambda z, others, head: put(z, head, z[:, head] - others[:, head].mean(dim=0)),
    ),
    "time-for-heads": (
        "You take the third axis for that of the heads. z is (B, nh, T, hs): heads are axis 1.",
        at_axis_two,
    ),
    "in-place": (
        "The numbers are right, but you wrote into the caller's `z`. Work on a copy.",
        in_place,
    ),
    "head-alone": (
        "You return that one head. The others go on to c_proj with it: return all of z.",
        lambda z, others, head: put(z, head, others[:, head].mean(dim=0))[:, head],
    ),
}

# --- cost_of_head: a broken ablation ---

BUGS = {
    "behind": (
        "It silences channels behind c_proj, where each holds something of every head, and of the "
        "bias."
    ),
    "unshifted": "It asks the model for the token that it sees.",
    "hook": "It never takes its hook away, so the head stays silent in all that comes after.",
}


def ahead(logits, idx):
    return logits[:, :-1], idx[:, 1:]


def at_the_same_place(logits, idx):
    return logits, idx


@torch.no_grad()
def cost_of_head(
    model, idx, layer, head, *, bugs=(), silenced=lambda head, hs: slice(head * hs, head * hs + hs),
    pairs=ahead, told=lambda before, without: without - before, too_early=False, keep=0.0,
):  # fmt: skip
    """The rise of the loss, with some of the three bugs, or another."""
    channels = silenced(head, model.config.n_embd // model.config.n_head)
    c_proj = model.transformer.h[layer].attn.c_proj

    def silence(module, given, result=None):
        x = (given[0] if result is None else result).clone()
        x[..., channels] *= keep
        return x

    def loss():
        made, targets = (at_the_same_place if "unshifted" in bugs else pairs)(model(idx), idx)
        return F.cross_entropy(made.flatten(0, 1), targets.flatten())

    before = loss()
    if "behind" in bugs:
        hook = c_proj.register_forward_hook(silence)
    else:
        hook = c_proj.register_forward_pre_hook(silence)
    if too_early:
        hook.remove()
    without = loss()
    if "hook" not in bugs:
        hook.remove()
    return told(before, without)


COST_OF_HEAD = {
    **half_mended(cost_of_head, BUGS, "Which line is to blame?"),
    "taken-away-too-early": (
        "You take the hook away before the model has run with it: nothing was silenced, and the "
        "cost is 0. First the loss, then the hook goes.",
        partial(cost_of_head, too_early=True),
    ),
    "the-wrong-way-round": (
        "Your cost has its sign turned round. The loss rises when a head is missed: without, less "
        "before.",
        partial(cost_of_head, told=lambda before, without: before - without),
    ),
    "loss-not-rise": (
        "You return the loss without the head. Its cost is by how much the loss *rises*.",
        partial(cost_of_head, told=lambda before, without: without),
    ),
    "shifted-the-other-way": (
        "You ask the model for the token *before*. Position t answers for t + 1: which end is cut "
        "off the logits, and which off the targets?",
        partial(cost_of_head, pairs=lambda logits, idx: (logits[:, 1:], idx[:, :-1])),
    ),
    "whole-layer": (
        "You silence all heads of the layer. The slice in the broken version was the head's.",
        partial(cost_of_head, silenced=lambda head, hs: slice(None)),
    ),
    "one-channel": (
        "You silence one channel. A head has hs of them; the slice was right.",
        partial(cost_of_head, silenced=lambda head, hs: slice(head * hs, head * hs + 1)),
    ),
    "first-head": (
        "You silence head 0, whichever is asked for. The slice in the broken version was right.",
        partial(cost_of_head, silenced=lambda head, hs: slice(0, hs)),
    ),
}
