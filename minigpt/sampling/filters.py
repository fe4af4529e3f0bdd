"""From logits to one token: temperature, top-k, top-p, and the draw."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from minigpt.config import check_whole, is_number


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Divide the logits: below 1 the distribution sharpens, above 1 it flattens. Any shape.

    Raises ValueError unless temperature is a finite number above 0.
    """
    if not (is_number(temperature) and 0 < temperature < math.inf):
        raise ValueError(f"temperature is {temperature!r}; it must be a finite number above 0")
    return logits / temperature


def top_k_filter(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest logits and set the others to -inf: (..., V) -> (..., V).

    Of equal logits the one with the lower id is kept. Source: Fan et al. 2018.
    Raises ValueError unless k is a whole number of at least 1; all are kept when k >= V.

    >>> top_k_filter(torch.tensor([1.0, 3.0, 2.0]), 2)
    tensor([-inf, 3., 2.])
    """
    check_whole("top_k", k, otherwise=", or None to keep all")
    if k >= logits.size(-1):
        return logits
    smallest = logits.topk(k, dim=-1).values[..., -1:]
    above, tied = logits > smallest, logits == smallest
    places_left = k - above.sum(dim=-1, keepdim=True)
    kept = above | (tied & (tied.cumsum(dim=-1) <= places_left))
    return logits.masked_fill(~kept, -math.inf)


def top_p_filter(logits: Tensor, p: float) -> Tensor:
    """Keep the fewest tokens whose probabilities reach p; set the others to -inf.

    (..., V) -> (..., V). The token that crosses p is kept, so at least one always is.
    Source: Holtzman et al. 2020, section 3.1. Raises ValueError unless 0 < p <= 1.

    >>> top_p_filter(torch.tensor([0.5, 0.3, 0.2]).log(), 0.6).isinf()
    tensor([False, False,  True])
    """
    if not (is_number(p) and 0 < p <= 1):
        raise ValueError(f"top_p is {p!r}; it must be above 0 and at most 1, or None")
    if p == 1:
        return logits
    # Stable, so that of equal logits the lower id comes first. The sum runs over the whole
    # vocabulary: in float32 its rounding would move the cut. Apple's GPUs have nothing wider.
    wide = torch.float32 if logits.device.type == "mps" else torch.float64
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    probabilities = ordered.to(wide).softmax(dim=-1)
    sum_before = probabilities.cumsum(dim=-1) - probabilities
    removed = torch.empty_like(order, dtype=torch.bool).scatter(-1, order, sum_before >= p)
    return logits.masked_fill(removed, -math.inf)


def next_token_distribution(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Return the probabilities that a token is drawn from: (..., V) -> (..., V), rows sum to 1.

    Temperature first, then top-k, then top-p of what is left. Temperature 0 is greedy: all
    probability on the largest logit (of equal ones, the lowest id).
    Raises ValueError for logits that are no scores: NaN, infinite, or -inf for every token.
    """
    logits = logits.float()
    largest = logits.amax(dim=-1, keepdim=True)  # NaN if any is
    if not largest.isfinite().all():
        raise ValueError(
            "the model's logits are not all numbers (NaN or infinite): it has diverged, or its "
            "weights are damaged. Take an earlier checkpoint, or train with a lower max_lr"
        )
    logits = logits - largest  # the same distribution, and no temperature makes it overflow
    if is_number(temperature) and temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
    logits = apply_temperature(logits, temperature)
    if top_k is not None:
        logits = top_k_filter(logits, top_k)
    if top_p is not None:
        logits = top_p_filter(logits, top_p)
    return logits.softmax(dim=-1)


def sample_next_token(
    logits: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw one token for each row, independently: (B, V) -> (B,) int64."""
    probabilities = next_token_distribution(logits, temperature, top_k, top_p)
    if temperature == 0:
        return probabilities.argmax(dim=-1)
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)
