"""Correct answers to the exercises of lesson 09, each written in another way."""

import copy

import numpy as np
import torch
from torch.nn import functional as F

from minigpt.interpret import ablated, logit_lens, residual_stream, token_surprisal
from minigpt.interpret.heads import induction_targets

# --- repeat_pieces ---


def pieces_token_by_token(pieces, T):
    x = torch.zeros(len(pieces), T, dtype=torch.long)
    y = torch.full((len(pieces), T), -100)
    for row, piece in enumerate(pieces):
        for t in range(T):
            x[row, t] = piece[t % len(piece)]
            if t >= len(piece):
                y[row, t] = piece[(t + 1) % len(piece)]
    return x, y


def pieces_by_repeat(pieces, T):
    texts = [piece.repeat(T // len(piece) + 2)[: T + 1] for piece in pieces]
    ids = torch.stack(texts)
    sizes = torch.tensor([len(piece) for piece in pieces])[:, None]
    return ids[:, :T], torch.where(torch.arange(T) >= sizes, ids[:, 1:], -100)


def pieces_as_lists(pieces, T):
    xs, ys = [], []
    for piece in pieces:
        ids = piece.tolist() * (T + 2)
        n = min(len(piece), T)
        xs.append(ids[:T])
        ys.append([-100] * n + ids[n + 1 : T + 1])
    return torch.tensor(xs), torch.tensor(ys)


# --- offset_score ---


def offset_by_rows(patterns, offset):
    rows = torch.arange(offset + 1, patterns.size(-1))
    return patterns[..., rows, rows - offset].mean(-1)


def offset_by_mask(patterns, offset):
    T = patterns.size(-1)
    mask = torch.ones(T, T).tril(-offset).triu(-offset).bool()
    mask[:, 0] = False
    return patterns.masked_fill(~mask, 0).sum(dim=(-2, -1)) / mask.sum()


def offset_one_by_one(patterns, offset):
    T = patterns.size(-1)
    return sum(patterns[..., t, t - offset] for t in range(offset + 1, T)) / (T - offset - 1)


# --- induction_score ---


def induction_one_by_one(patterns, idx):
    weights, chances = [], []
    for pattern, ids in zip(patterns, idx.tolist()):
        for t, token in enumerate(ids):
            places = [s for s in range(1, t) if ids[s - 1] == token]
            if places:
                weights.append(pattern[:, t, places].sum(dim=-1))
                chances.append(len(places) / (t + 1))
    chance = sum(chances) / len(chances)
    return (torch.stack(weights).mean(dim=0) - chance) / (1 - chance)


def induction_with_the_packages_targets(patterns, idx):
    targets = torch.stack([induction_targets(ids) for ids in idx])
    count = targets.any(dim=-1).sum()
    weight = torch.einsum("bhts,bts->h", patterns, targets.to(patterns.dtype)) / count
    chance = (targets.double().mean(dim=-1) * idx.size(1)).div(torch.arange(1, idx.size(1) + 1))
    chance = chance.sum() / count
    return ((weight - chance) / (1 - chance)).to(patterns.dtype)


def induction_by_padding(patterns, idx):
    T = idx.size(1)
    before = F.pad(idx, (1, 0), value=-1)[:, :T]  # the token before each
    targets = (before[:, None, :] == idx[:, :, None]) & torch.ones(T, T).tril(-1).bool()
    b, t = targets.any(dim=-1).nonzero(as_tuple=True)
    weight = (patterns[b, :, t] * targets[b, t][:, None]).sum(dim=-1).mean(dim=0)
    chance = (targets[b, t].sum(dim=-1) / (t + 1)).mean()
    return 1 - (1 - weight) / (1 - chance)


# --- fold_means ---


def fold_by_a_mask(weight, bias, heads, means):
    """The means laid where the heads are, zeros elsewhere."""
    C, hs = len(bias), means.size(1)
    cut = torch.zeros(C // hs, hs, dtype=torch.bool)
    cut[heads] = True
    gathered = torch.zeros(C // hs, hs, dtype=bias.dtype)
    gathered[heads] = means
    return torch.where(cut.flatten(), 0.0, weight), F.linear(gathered.flatten(), weight, bias)


def fold_by_heads(weight, bias, heads, means):
    by_head = weight.reshape(len(bias), -1, means.shape[1]).clone()  # (C, nh, hs)
    bias = bias + torch.einsum("cnh,nh->c", by_head[:, heads], means)
    by_head[:, heads] = 0
    return by_head.reshape(weight.shape), bias


def fold_channel_by_channel(weight, bias, heads, means):
    columns = list(weight.unbind(dim=1))
    for head, mean in zip(heads, means.tolist()):
        for i, value in enumerate(mean):
            c = head * len(mean) + i
            bias = bias + value * weight[:, c]
            columns[c] = torch.zeros_like(bias)
    return torch.stack(columns, dim=1), bias


# --- mean_ablation ---


def mean_by_where(z, others, head):
    chosen = torch.arange(z.size(1)).eq(head)[:, None, None]
    return torch.where(chosen, others.sum(dim=0) / len(others), z)


def mean_by_parts(z, others, head):
    mean = others.mean(dim=0, keepdim=True).expand_as(z)
    return torch.cat([z[:, :head], mean[:, head : head + 1], z[:, head + 1 :]], dim=1)


def mean_by_heads(z, others, head):
    heads = list(z.unbind(dim=1))
    heads[head] = torch.stack([sum(o[head] for o in others) / len(others)] * len(z))
    return torch.stack(heads, dim=1)


# --- cost_of_head ---


def cost_by_the_package(model, idx, layer, head):
    def loss():
        with torch.no_grad():
            return token_surprisal(model(idx), idx).mean()

    before = loss()
    with ablated(model, [(layer, head)]):
        return loss() - before


def cost_by_a_copy(model, idx, layer, head):
    other, hs = copy.deepcopy(model), model.config.head_size
    other.transformer.h[layer].attn.c_proj.weight.data[:, head * hs : (head + 1) * hs] = 0
    losses = []
    for each in (model, other):
        chances = each(idx).detach().log_softmax(dim=-1)
        told = [
            chances[b, t, idx[b, t + 1]] for b in range(len(idx)) for t in range(idx.size(1) - 1)
        ]
        losses.append(-torch.stack(told).mean())
    return losses[1] - losses[0]


@torch.no_grad()
def cost_by_attend(model, idx, layer, head):
    attn = model.transformer.h[layer].attn
    before, attend = F.cross_entropy(model(idx).mT[..., :-1], idx[:, 1:]), attn.attend

    def silent(q, k, v, dropout=0.0):
        y = attend(q, k, v).clone()
        y[:, head] = 0
        return y

    attn.attend = silent
    try:
        return F.cross_entropy(model(idx).mT[..., :-1], idx[:, 1:]) - before
    finally:
        attn.attend = attend


# --- paired_interval ---


def interval_by_numpy(before, after):
    rise = after.numpy() - before.numpy()
    error = rise.std(axis=-1, ddof=1) / rise.shape[-1] ** 0.5
    ends = rise.mean(axis=-1) - 1.96 * error, rise.mean(axis=-1) + 1.96 * error
    return torch.from_numpy(np.stack(ends, axis=-1))


def interval_by_sums(before, after):
    n, rise = before.size(-1), after - before
    mean = rise.sum(dim=-1, keepdim=True) / n
    error = ((rise - mean).square().sum(dim=-1, keepdim=True) / (n - 1) / n).sqrt()
    return torch.cat([mean - 1.96 * error, mean + 1.96 * error], dim=-1)


def interval_by_both_losses(before, after):
    """The spread of a difference, from both spreads and what they have in common."""
    n, both = before.size(-1), torch.stack([before, after]).double()
    means = both.mean(dim=-1, keepdim=True)
    one, other = both - means
    variance = (one.square() + other.square() - 2 * one * other).sum(dim=-1) / (n - 1)
    half = 1.96 * (variance / n).sqrt()
    middle = (means[1] - means[0]).squeeze(-1)
    return torch.stack([middle - half, middle + half], dim=-1).to(before.dtype)


# --- patch_residual ---


def patch_by_hooks(model, idx, other, layer, position):
    """The package's stream, put over by a hook on what the next module is given."""
    stream = residual_stream(model, other)[layer]
    blocks = model.transformer.h
    following = blocks[layer] if layer < len(blocks) else model.transformer.ln_f

    def put(module, given):
        x = given[0].clone()
        x[:, position] = stream[:, position]
        return (x, *given[1:])

    hook = following.register_forward_pre_hook(put)
    try:
        return model(idx)[:, -1].detach()
    finally:
        hook.remove()


def patch_by_a_mask(model, idx, other, layer, position):
    """From the recorded streams on, so that no block runs that need not."""
    here = (torch.arange(idx.size(1)) == position)[:, None]
    streams = (residual_stream(model, ids)[layer] for ids in (other, idx))
    x = torch.where(here, *streams)
    with torch.no_grad():
        for block in list(model.transformer.h)[layer:]:
            x = block(x)
        return model.lm_head(model.transformer.ln_f(x[:, -1]))


@torch.no_grad()
def patch_text_by_text(model, idx, other, layer, position):
    def through(x, blocks):
        for block in blocks:
            x = block(x)
        return x

    parts, rows = model.transformer, []
    for ids, partner in zip(idx, other):
        places = torch.arange(len(ids))
        both = torch.stack([parts.wte(each) + parts.wpe(places) for each in (ids, partner)])
        both = through(both, parts.h[:layer])
        mixed = torch.cat([both[0, :position], both[1, [position]], both[0, position + 1 :]])
        rows.append(parts.ln_f(through(mixed[None], parts.h[layer:])[0, -1]))
    return torch.stack(rows) @ model.lm_head.weight.T


# --- share_restored: 0.75 ---

SHARES = [0.75, 3 / 4, np.float64(0.75), torch.tensor(0.75), 1 - 2 / 8]

# --- direct_attribution ---


def attribution_by_norm(parts, weight, bias, direction, eps=1e-5):
    """What the frozen LayerNorm does as one matrix: centre, divide, multiply."""
    C = parts.size(-1)
    centre = torch.eye(C, dtype=parts.dtype) - 1 / C
    x = parts.sum(dim=0) @ centre
    read = centre @ (weight * direction) / torch.sqrt(x @ x / C + eps)
    return torch.cat([parts @ read, (bias * direction).sum().reshape(1)])


def attribution_by_gradient(parts, weight, bias, direction, eps=1e-5):
    x = parts.sum(dim=0)
    spread = torch.sqrt(x.var(unbiased=False) + eps)
    parts = parts.clone().requires_grad_()
    stream = parts.sum(dim=0)
    logit = (((stream - stream.mean()) / spread) * weight + bias) @ direction
    (slope,) = torch.autograd.grad(logit, parts)
    told = (slope * parts.detach()).sum(dim=-1)
    return torch.cat([told, (logit.detach() - told.sum()).reshape(1)])


def attribution_one_by_one(parts, weight, bias, direction, eps=1e-5):
    x = sum(parts)
    spread = ((x - x.mean()).pow(2).mean() + eps) ** 0.5
    told = [((part - part.mean()) * weight * direction).sum() / spread for part in parts]
    return torch.stack([*told, torch.dot(bias, direction)])


# --- lens_rank ---


def rank_by_the_package(model, stream, answers):
    order = logit_lens(model, stream).argsort(dim=-1, descending=True)
    return (order == answers[:, None]).int().argmax(dim=-1)


def rank_by_sorting_twice(model, stream, answers):
    with torch.no_grad():
        logits = model.lm_head(model.transformer.ln_f(stream))
    ranks = (-logits).argsort(dim=-1).argsort(dim=-1)
    return torch.stack([ranks[:, t, answer] for t, answer in enumerate(answers.tolist())], dim=1)


@torch.no_grad()
def rank_one_by_one(model, stream, answers):
    ranks = torch.zeros(stream.shape[:2], dtype=torch.long)
    for depth, row in enumerate(stream):
        for t, vector in enumerate(row):
            chances = (model.transformer.ln_f(vector) @ model.transformer.wte.weight.T).tolist()
            ranks[depth, t] = sorted(chances, reverse=True).index(chances[answers[t]])
    return ranks


VARIANTS = {
    "repeat_pieces": [pieces_token_by_token, pieces_by_repeat, pieces_as_lists],
    "offset_score": [offset_by_rows, offset_by_mask, offset_one_by_one],
    "induction_score": [
        induction_one_by_one,
        induction_with_the_packages_targets,
        induction_by_padding,
    ],
    "fold_means": [fold_by_a_mask, fold_by_heads, fold_channel_by_channel],
    "mean_ablation": [mean_by_where, mean_by_parts, mean_by_heads],
    "cost_of_head": [cost_by_the_package, cost_by_a_copy, cost_by_attend],
    "paired_interval": [interval_by_numpy, interval_by_sums, interval_by_both_losses],
    "patch_residual": [patch_by_hooks, patch_by_a_mask, patch_text_by_text],
    "share_restored": SHARES,
    "direct_attribution": [attribution_by_norm, attribution_by_gradient, attribution_one_by_one],
    "lens_rank": [rank_by_the_package, rank_by_sorting_twice, rank_one_by_one],
}
