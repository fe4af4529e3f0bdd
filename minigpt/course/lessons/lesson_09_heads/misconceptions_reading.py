"""What people get wrong when they share a logit out, or read the residual stream by the lens."""

from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional as F

# --- direct_attribution ---


def own_norms(parts, weight, bias, direction, eps=1e-5):
    told = F.layer_norm(parts, weight.shape, weight, None, eps) @ direction
    return torch.cat([told, (bias @ direction)[None]])


def a_whole_norm_each(parts, weight, bias, direction, eps=1e-5):
    return F.layer_norm(parts, weight.shape, weight, bias, eps) @ direction


def left_out(parts, weight, bias, direction, eps=1e-5):
    """What the logit loses when the part is missing, the LayerNorm made anew."""

    def logit(x):
        return F.layer_norm(x, weight.shape, weight, bias, eps) @ direction

    x = parts.sum(dim=0)
    told = torch.stack([logit(x) - logit(x - part) for part in parts])
    return torch.cat([told, (bias @ direction)[None]])


def each_mean(parts):
    return parts.mean(dim=-1, keepdim=True)


def root_of_variance(x, eps):
    return (x.var(correction=0) + eps).sqrt()


def with_the_bias(told, bias):
    return torch.cat([told, bias[None]])


def attributed(
    parts, weight, bias, direction, eps=1e-5, *, mean=each_mean, spread=root_of_variance,
    weighted=True, finish=with_the_bias, divide=True,
):  # fmt: skip
    """The contributions, with one thing wrong."""
    centred = parts - mean(parts)
    if divide:
        centred = centred / spread(parts.sum(dim=0), eps)
    told = (centred * weight if weighted else centred) @ direction
    return finish(told, bias @ direction)


DIRECT_ATTRIBUTION = {
    "each-normalised-alone": (
        "You normalise each part by itself. Then a tiny part counts as much as a large one, and "
        "the sum is not the logit. Freeze the LayerNorm: the spread is that of the *sum*.",
        own_norms,
    ),
    "a-whole-norm-each": (
        "You send each part through a LayerNorm of its own, bias included. A tiny part then counts "
        "as much as a large one, the bias counts n times, and the sum is not the logit. Freeze the "
        "LayerNorm: the spread is that of the *sum*, and the bias has an entry of its own.",
        a_whole_norm_each,
    ),
    "left-out-one-by-one": (
        "You take each part out and look what the logit loses. That is an ablation: the LayerNorm "
        "changes along, and the sum is not the logit. Here its spread stays as it is.",
        left_out,
    ),
    "not-centred": (
        "You leave each part's mean in. The LayerNorm takes the mean over the channels off, and of "
        "a sum that is the sum of the means: take each part's own off.",
        partial(attributed, mean=lambda parts: 0.0),
    ),
    "mean-shared-out": (
        "Your sum is right, its parts are not: you share the stream's mean out equally. Each part "
        "brought its own share of it.",
        partial(attributed, mean=lambda parts: parts.sum(0).mean() / len(parts)),
    ),
    "mean-of-the-stream": (
        "You take the mean of the whole stream off every part: so many times too much. Each part "
        "has its own.",
        partial(attributed, mean=lambda parts: parts.sum(0).mean()),
    ),
    "mean-over-the-parts": (
        "You take the mean over the *parts* off. A LayerNorm's mean runs over the channels.",
        partial(attributed, mean=lambda parts: parts.mean(dim=0)),
    ),
    "not-divided": (
        "You do not divide by the spread of the stream. The LayerNorm does.",
        partial(attributed, divide=False),
    ),
    "variance-not-root": (
        "You divide by the variance. It is its root.",
        partial(attributed, spread=lambda x, eps: x.var(correction=0) + eps),
    ),
    "unbiased-variance": (
        "Your variance divides by C - 1. LayerNorm divides by C: correction=0.",
        partial(attributed, spread=lambda x, eps: (x.var() + eps).sqrt()),
    ),
    "without-epsilon": (
        "You forget epsilon. It shows where the stream is small.",
        partial(attributed, spread=lambda x, eps: x.std(correction=0)),
    ),
    "epsilon-outside": (
        "You add epsilon to the standard deviation. It belongs under the root.",
        partial(attributed, spread=lambda x, eps: x.std(correction=0) + eps),
    ),
    "root-mean-square": (
        "You divide by the root of the mean square. LayerNorm takes the mean off first: it is the "
        "spread around the mean.",
        partial(attributed, spread=lambda x, eps: (x.square().mean() + eps).sqrt()),
    ),
    "weight-forgotten": (
        "You forget the LayerNorm's weight. Each channel is multiplied by its own before the head "
        "reads it.",
        partial(attributed, weighted=False),
    ),
    "bias-forgotten": (
        "Your parts lack the LayerNorm's bias, so their sum is not the logit. It is nobody's part: "
        "give it an entry of its own, the last.",
        partial(attributed, finish=lambda told, bias: told),
    ),
    "bias-zero": (
        "Your last entry is 0. What does the bias say along the direction?",
        partial(attributed, finish=lambda told, bias: with_the_bias(told, 0 * bias)),
    ),
    "bias-with-every-part": (
        "You add the bias to every part. It is there once.",
        partial(attributed, finish=lambda told, bias: told + bias),
    ),
    "bias-shared-out": (
        "The sum is right, but you share the bias out among the parts. It is nobody's part: give "
        "it an entry of its own, the last.",
        partial(attributed, finish=lambda told, bias: told + bias / len(told)),
    ),
    "bias-first": (
        "Your bias comes first. Its entry is the last.",
        partial(attributed, finish=lambda told, bias: torch.cat([bias[None], told])),
    ),
    "shares": (
        "You divide by the sum. Parts may be negative, and the sum near 0: leave them in the "
        "logit's own unit.",
        partial(
            attributed,
            finish=lambda told, bias: with_the_bias(told, bias) / (told.sum() + bias),
        ),
    ),
    "sizes": (
        "You return absolute values. A part that speaks *against* the answer is negative.",
        partial(attributed, finish=lambda told, bias: with_the_bias(told, bias).abs()),
    ),
    "only-the-sum": (
        "You return the logit. Asked for is what each part brings to it.",
        partial(attributed, finish=lambda told, bias: told.sum() + bias),
    ),
}

# --- lens_rank ---


def above(logits, own):
    return (logits > own).sum(dim=-1)


def place_in_the_order(logits, answers):
    """Asks the sorted list at the answer's id, where another token stands."""
    order = logits.argsort(dim=-1, descending=True)
    return order.gather(-1, answers.unsqueeze(-1)).squeeze(-1)


@torch.no_grad()
def ranked(
    model, stream, answers, *, norm=lambda model, x: model.transformer.ln_f(x), count=above,
    rank=None, shift=0, finish=lambda ranks: ranks,
):  # fmt: skip
    """The ranks, with one thing wrong."""
    logits = model.lm_head(norm(model, stream))
    told = answers.roll(shift).expand(stream.shape[:-1])
    if rank is not None:
        return finish(rank(logits, told))
    return finish(count(logits, logits.gather(-1, told.unsqueeze(-1))))


def last_layer_only(model, x):
    """Leaves all depths but the last as they are."""
    return torch.cat([x[:-1], model.transformer.ln_f(x[-1:])])


def without_weights(model, x):
    return F.layer_norm(x, x.shape[-1:])


def of_the_last_block(model, x):
    return model.transformer.h[-1].ln_1(x)


LENS_RANK = {
    "no-final-norm": (
        "You read the stream without the final LayerNorm. The head knows nothing else: without it "
        "the channels' weights are missing, and the early depths look more senseless than they "
        "are.",
        partial(ranked, norm=lambda model, x: x),
    ),
    "norm-at-the-end-only": (
        "You normalise the last depth only. The lens asks what the head would say if *no* block "
        "were left: every depth goes through the final LayerNorm.",
        partial(ranked, norm=last_layer_only),
    ),
    "norm-without-weights": (
        "You normalise, but without the final LayerNorm's own weight and bias. Use the model's: "
        "transformer.ln_f.",
        partial(ranked, norm=without_weights),
    ),
    "norm-of-a-block": (
        "You use a block's LayerNorm. The head has learned to read what the *final* one makes.",
        partial(ranked, norm=of_the_last_block),
    ),
    "normalised-twice": (
        "You normalise twice. The stream is as the blocks left it: the final LayerNorm comes once.",
        partial(ranked, norm=lambda model, x: model.transformer.ln_f(model.transformer.ln_f(x))),
    ),
    "counted-from-one": (
        "Your ranks begin at 1: the answer counts itself. Rank 0 means that no token is above it.",
        partial(ranked, count=lambda logits, own: (logits >= own).sum(dim=-1)),
    ),
    "from-the-bottom": (
        "You count the tokens *below* the answer. Rank 0 is the best.",
        partial(ranked, count=lambda logits, own: (logits < own).sum(dim=-1)),
    ),
    "token-at-that-place": (
        "You ask the sorted list at the answer's id. That gives the id of some token that is so "
        "many-th best. The rank is the *place* at which the answer's id stands.",
        partial(ranked, rank=place_in_the_order),
    ),
    "answers-one-off": (
        "You rank the answer of the position before. `answers[t]` belongs to position t already.",
        partial(ranked, shift=1),
    ),
    "floats": (
        "The ranks are right, but they are floats. A rank is a whole number: int64.",
        partial(ranked, finish=lambda ranks: ranks.float()),
    ),
    "last-depth-only": (
        "You return the ranks of the last depth. Asked for is every depth: how the answer rises.",
        partial(ranked, finish=lambda ranks: ranks[-1]),
    ),
    "turned": (
        "You return (T, depth). A depth is a row: (depth, T).",
        partial(ranked, finish=lambda ranks: ranks.T),
    ),
    "logits": (
        "You return the answer's logit. A logit says nothing alone: how many tokens stand above "
        "it?",
        partial(ranked, count=lambda logits, own: own.squeeze(-1)),
    ),
    "hits": (
        "You return whether the answer is the best. Asked for is how far down it stands.",
        partial(ranked, finish=lambda ranks: ranks == 0),
    ),
    "above-on-average": (
        "Your count is a share: you took the mean over the vocabulary. Count.",
        partial(ranked, count=lambda logits, own: (logits > own).float().mean(dim=-1)),
    ),
}
