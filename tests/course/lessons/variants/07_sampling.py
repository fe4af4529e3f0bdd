"""Correct answers to the exercises of lesson 07, each written in another way."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from minigpt import sampling
from minigpt.kv_cache import KVCache
from minigpt.model import GPT, evaluating

# --- apply_temperature ---


def times_the_inverse(logits, temperature):
    return logits * (1 / temperature)


def divided_in_float64(logits, temperature):
    return torch.div(logits.double(), float(temperature)).to(logits.dtype)


def divided_by_a_tensor(logits, temperature):
    return torch.true_divide(logits, torch.full_like(logits, temperature))


# --- top_k_filter ---


def k_by_sorting(logits, k):
    order = logits.argsort(dim=-1, descending=True)
    removed = torch.ones_like(logits, dtype=torch.bool).scatter(-1, order[..., :k], False)
    return logits.masked_fill(removed, float("-inf"))


def k_scattered(logits, k):
    best, places = torch.topk(logits, min(k, logits.shape[-1]))
    return torch.full_like(logits, -math.inf).scatter(-1, places, best)


def k_by_rank(logits, k):
    """A token stays if fewer than k of its row are better."""
    better = (logits[..., None, :] > logits[..., :, None]).sum(dim=-1)
    return torch.where(better < k, logits, -math.inf)


def k_row_by_row(logits, k):
    rows = []
    for row in logits.reshape(-1, logits.size(-1)):
        chosen = sorted(range(len(row)), key=lambda i, row=row: -row[i].item())[:k]
        mask = torch.full_like(row, -math.inf)
        mask[chosen] = 0
        rows.append(row + mask)
    return torch.stack(rows).reshape(logits.shape)


# --- top_p_filter ---


def p_until_enough(logits, p):
    """Sums that are rounded are asked last: the first of each row stays, and all do at 1."""
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    before = F.pad(ordered.softmax(dim=-1).cumsum(dim=-1)[..., :-1], (1, 0))
    kept = (before < p) | (torch.tensor(p) == 1)
    return torch.where(torch.zeros_like(kept).scatter(-1, order, kept), logits, -math.inf)


def p_shifted(logits, p):
    """The usual way: shift the mask by one, so that the crossing token stays."""
    if p >= 1:
        return logits
    ordered, order = torch.sort(logits, descending=True)
    removed = F.softmax(ordered, dim=-1).cumsum(dim=-1) >= p
    removed[..., 1:] = removed[..., :-1].clone()
    removed[..., 0] = False
    return logits.masked_fill(removed.gather(-1, order.argsort(dim=-1)), -math.inf)


def p_by_better_ones(logits, p):
    """A token stays if those that are better have less than p."""
    if p == 1:  # nothing to compare
        return logits.clone()
    probabilities = logits.double().softmax(dim=-1)
    better = probabilities[..., None, :] > probabilities[..., :, None]
    before = (better * probabilities[..., None, :]).sum(dim=-1)
    return torch.where(before < p, logits, torch.full_like(logits, -math.inf))


def p_from_the_bottom(logits, p):
    """A token goes if it and all below it have no more than 1 - p."""
    if p == 1:
        return logits.clone()
    order = logits.argsort(dim=-1)
    tail = logits.double().softmax(dim=-1).gather(-1, order).cumsum(dim=-1)
    removed = (tail <= 1 - p).scatter(-1, order, tail <= 1 - p)
    return logits.masked_fill(removed, -math.inf)


def p_row_by_row(logits, p):
    rows = []
    for row in logits.reshape(-1, logits.size(-1)):
        probabilities, total, kept = row.double().softmax(dim=-1).tolist(), 0.0, []
        for i in sorted(range(len(row)), key=lambda i, ps=probabilities: -ps[i]):
            kept.append(i)
            total += probabilities[i]
            if total >= p and p < 1:
                break
        mask = torch.full_like(row, -math.inf)
        mask[kept] = 0
        rows.append(row + mask)
    return torch.stack(rows).reshape(logits.shape)


# --- chance_after_the_cut: 0.8 ---

NUMBERS = [0.8, 4 / 5, np.float64(0.8), torch.tensor(0.8), 0.25 / 0.3125]

# --- sample_next_token ---


def darts_one_by_one(logits, generator):
    drawn = []
    for row in logits:
        dart, end, token = torch.rand(1, generator=generator).item(), 0.0, -1
        for probability in row.double().softmax(dim=-1).tolist():
            if end > dart:
                break
            end, token = end + probability, token + 1
        drawn.append(token)
    return torch.tensor(drawn)


def darts_by_search(logits, generator):
    ends = torch.cumsum(logits.double().softmax(dim=-1), dim=-1)
    darts = torch.rand((len(logits), 1), generator=generator, dtype=torch.float32).double()
    return torch.searchsorted(ends, darts, right=True)[:, 0]


def darts_by_first_true(logits, generator):
    ends = F.softmax(logits, dim=1).cumsum(1)
    darts = torch.rand(logits.shape[0], generator=generator)
    return (ends > darts[:, None]).int().argmax(dim=1)


# --- entropy ---


def entropy_of_pytorch(logits):
    p = logits.softmax(dim=-1)
    return -torch.special.xlogy(p, p).sum(dim=-1)


def entropy_by_where(logits):
    p = logits.double().softmax(dim=-1)
    safe = torch.where(p > 0, p, torch.ones_like(p))
    return -(p * safe.log()).sum(dim=-1).to(logits.dtype)


def entropy_by_the_sum(logits):
    """ln Z minus the mean logit, with the largest logit taken out."""
    shifted = logits - logits.amax(dim=-1, keepdim=True)
    weights = shifted.exp()
    total = weights.sum(dim=-1)
    mean = (weights * shifted.masked_fill(weights == 0, 0)).sum(dim=-1) / total
    return total.log() - mean


def entropy_without_nan(logits):
    surprise = -logits.log_softmax(dim=-1)
    return torch.nan_to_num(surprise * logits.softmax(dim=-1), nan=0.0).sum(dim=-1)


def entropy_as_a_difference(logits):
    """The log of the sum of e to the power of each logit, less their mean."""
    chances = logits.softmax(dim=-1)
    return logits.logsumexp(dim=-1) - (chances * logits.masked_fill(chances == 0, 0.0)).sum(dim=-1)


def entropy_of_a_distribution(logits):
    return torch.distributions.Categorical(logits=logits).entropy()


# --- generate ---


@torch.no_grad()
def with_a_cache(model: GPT, idx, max_new_tokens):
    size = model.config.block_size
    was_training, cache, new = model.training, KVCache(model.config, len(idx)), idx[:, -size:]
    model.eval()
    for _ in range(max_new_tokens):
        if cache.length + new.size(1) > size:
            cache, new = KVCache(model.config, len(idx)), idx[:, -size:]
        new = model(new, cache=cache)[:, -1:].argmax(dim=-1)
        idx = torch.cat((idx, new), dim=1)
    if was_training:
        model.train()
    return idx


def into_a_table(model, idx, max_new_tokens):
    B, T = idx.shape
    text = torch.zeros(B, T + max_new_tokens, dtype=torch.long)
    text[:, :T] = idx
    with torch.inference_mode(), evaluating(model):
        for t in range(T, T + max_new_tokens):
            logits = model(text[:, max(0, t - model.config.block_size) : t])
            text[:, t] = logits[:, -1, :].softmax(dim=-1).max(dim=-1).indices
    return text


def text_by_text(model, idx, max_new_tokens):
    mode = model.training
    model.train(False)
    previous = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    try:
        rows = idx.tolist()
        for row in rows:
            for _ in range(max_new_tokens):
                logits = model(torch.tensor([row[-model.config.block_size :]]))[0, -1]
                row.append(int(torch.topk(logits, 1).indices))
    finally:
        torch.set_grad_enabled(previous)
        model.train(mode)
    return torch.tensor(rows)


# --- write_until ---


def until_by_package(model, idx, max_new_tokens, stop_token):
    return sampling.generate(
        model, idx, max_new_tokens, temperature=0, stop_token=stop_token, use_cache=False
    )


def until_by_cutting(model, idx, max_new_tokens, stop_token):
    """Write everything, then cut each text at its mark."""
    start, text = idx.size(1), into_a_table(model, idx, max_new_tokens)
    marks = (text[:, start:] == stop_token).int().cumsum(dim=1)
    text[:, start:][marks > 0] = stop_token
    done = (marks > 0).all(dim=0).nonzero().flatten().tolist()
    return text[:, : start + done[0] + 1] if done else text


@torch.inference_mode()
def until_text_by_text(model, idx, max_new_tokens, stop_token):
    rows, block_size = [], model.config.block_size
    for row in idx.tolist():
        for _ in range(max_new_tokens):
            row.append(model(torch.tensor([row[-block_size:]]))[0, -1].argmax().item())
            if row[-1] == stop_token:
                break
        rows.append(row)
    longest = max(map(len, rows))
    return torch.tensor([row + [stop_token] * (longest - len(row)) for row in rows])


# --- cache_bytes ---


def bytes_by_heads(*, n_layer, n_head, n_embd, tokens, texts, bytes_per_number):
    head_size = n_embd // n_head
    one = texts * n_head * tokens * head_size * bytes_per_number
    return sum(one + one for _ in range(n_layer))


def bytes_by_product(**sizes):
    sizes.pop("n_head")
    return 2 * math.prod(sizes.values())


def bytes_of_tensors(*, n_layer, n_head, n_embd, tokens, texts, bytes_per_number):
    dtype = {2: torch.bfloat16, 4: torch.float32}[bytes_per_number]
    with torch.device("meta"):  # shapes without storage
        parts = [torch.empty(texts, n_head, tokens, n_embd // n_head, dtype=dtype)] * 2 * n_layer
    return sum(part.numel() * part.element_size() for part in parts)


VARIANTS = {
    "apply_temperature": [times_the_inverse, divided_in_float64, divided_by_a_tensor],
    "top_k_filter": [k_by_sorting, k_scattered, k_by_rank, k_row_by_row],
    "top_p_filter": [
        p_shifted,
        p_by_better_ones,
        p_from_the_bottom,
        p_row_by_row,
        p_until_enough,
    ],
    "chance_after_the_cut": NUMBERS,
    "sample_next_token": [darts_one_by_one, darts_by_search, darts_by_first_true],
    "entropy": [
        entropy_of_pytorch,
        entropy_by_where,
        entropy_by_the_sum,
        entropy_without_nan,
        entropy_as_a_difference,
        entropy_of_a_distribution,
    ],
    "generate": [with_a_cache, into_a_table, text_by_text],
    "write_until": [until_by_package, until_by_cutting, until_text_by_text],
    "cache_bytes": [bytes_by_heads, bytes_by_product, bytes_of_tensors],
}

# Mutants of the solutions that no case can tell from them, and why.
SURVIVORS = {
    (
        "top_p_filter",
        "removed.scatter_(-1, order, sum_before >= p)"
        " -> removed.scatter_(-1, order, sum_before > p)",
    ): "they differ only where a sum of probabilities is exactly p; the statement rules out ties",
    (
        "sample_next_token",
        "return (darts >= ends).sum(dim=-1) -> return (darts > ends).sum(dim=-1)",
    ): "they differ only where a dart hits an end exactly, which has chance 0",
    (
        "entropy",
        "terms = p * log_p.masked_fill(p == 0, 0.0) -> terms = p * log_p.masked_fill(p == 0, 1.0)",
    ): "what is filled in is multiplied by p, which is 0 there",
    (
        "entropy",
        "terms = p * log_p.masked_fill(p == 0, 0.0) -> terms = p * log_p.masked_fill(p == 0, 2)",
    ): "what is filled in is multiplied by p, which is 0 there",
    (
        "write_until",
        "token = token.masked_fill(stopped, stop_token)"
        " -> stopped = stopped | (token == stop_token)",
    ): "a row that has just stopped chose the stop token itself: filling it in changes nothing",
}
