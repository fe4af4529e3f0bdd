"""Sampling the slow, obvious way."""

import math

import torch
from hypothesis import assume, currently_in_test_context

from minigpt.config import GPTConfig
from minigpt.sampling import sample_next_token
from tests.models import some_ids

TINY = GPTConfig(vocab_size=19, block_size=8, n_layer=2, n_head=2, n_embd=16, dropout=0.3)


def some_prompts(batch: int, time: int, seed: int = 0) -> torch.Tensor:
    return some_ids(TINY, batch, time, seed)


def kept(logits: torch.Tensor) -> list:
    return [i for i, logit in enumerate(logits.tolist()) if logit > -math.inf]


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(logit - max(row)) for logit in row]
    return [power / math.fsum(powers) for power in powers]


def best_first(row: list[float]) -> list[int]:
    """Sort by logit; of equal ones, the lower id first."""
    return sorted(range(len(row)), key=lambda i: (-row[i], i))


def slow_top_k(row: list[float], k: int) -> list[float]:
    keep = best_first(row)[:k]
    return [logit if i in keep else -math.inf for i, logit in enumerate(row)]


def slow_top_p(row: list[float], p: float) -> list[float]:
    probabilities, keep, mass = softmax(row), [], 0.0
    for i in best_first(row):
        if mass >= p:
            break
        keep.append(i)
        mass = math.fsum(probabilities[j] for j in keep)
        if currently_in_test_context():  # a cut that rounding decides is nobody's mistake
            assume(abs(mass - p) > 1e-5)
    return [logit if i in keep else -math.inf for i, logit in enumerate(row)]


def slow_distribution(row, temperature, top_k, top_p):
    if temperature == 0:
        return [float(i == best_first(row)[0]) for i in range(len(row))]
    row = [logit / temperature for logit in row]
    if top_k is not None:
        row = slow_top_k(row, top_k)
    if top_p is not None:
        row = slow_top_p(row, top_p)
    return softmax(row)


def slow_generate(model, idx, max_new_tokens, **settings):
    """Run the whole cropped window through the model for every token."""
    for _ in range(max_new_tokens):
        window = idx[:, -model.config.block_size :]
        token = sample_next_token(model(window)[:, -1], **settings)
        idx = torch.cat([idx, token[:, None]], dim=1)
    return idx
