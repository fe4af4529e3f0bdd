"""From logits to text: temperature, top-k, top-p, and the loop that generates."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from minigpt.model import GPT, KVCache, check_ids


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Divide the logits: below 1 the distribution sharpens, above 1 it flattens. Any shape.

    Raises ValueError unless temperature is a finite number above 0.
    """
    if not (is_number(temperature) and 0 < temperature < math.inf):
        raise ValueError(f"temperature is {temperature!r}; it must be a finite number above 0")
    return logits / temperature


def top_k_filter(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest logits and set the others to -inf: (..., V) -> (..., V).

    Of equal logits the one with the lower id is kept. Source: Fan et al. 2018, section 5.1.
    Raises ValueError unless k is a whole number of at least 1; all are kept when k >= V.

    >>> top_k_filter(torch.tensor([1.0, 3.0, 2.0]), 2)
    tensor([-inf, 3., 2.])
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ValueError(f"top_k is {k!r}; it must be a whole number of at least 1, or None")
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
    """
    logits = logits.float()
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


@torch.no_grad()
def stream(
    model: GPT,
    idx: Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    stop_token: int | None = None,
    use_cache: bool = True,
) -> Iterator[Tensor]:
    """Yield the next token of every sequence, (B,) int64, as soon as it is drawn.

    Takes what `generate` takes. A row that has drawn stop_token repeats it; the stream ends when
    every row has. The model is in evaluation mode while the stream is open.
    """
    check_generate_arguments(model, idx, max_new_tokens, temperature, top_k, top_p, stop_token)
    block_size, was_training = model.config.block_size, model.training
    cache = new_cache(model, idx, max_new_tokens) if use_cache else None
    context = new = idx[:, -block_size:]  # all the model may see; the part it has not seen yet
    stopped = torch.zeros(idx.size(0), dtype=torch.bool, device=idx.device)
    model.eval()
    try:
        for _ in range(max_new_tokens):
            if cache is None:
                new = context
            elif cache.length + new.size(1) > cache.room:
                # Every token has moved one position to the left, so nothing cached is valid.
                cache.clear()
                new = context
            logits = model.lm_head(model.features(new, cache)[:, -1])  # (B, V)
            token = sample_next_token(
                logits, temperature=temperature, top_k=top_k, top_p=top_p, generator=generator
            )
            if stop_token is not None:
                token = token.masked_fill(stopped, stop_token)
                stopped |= token == stop_token
            yield token
            if stop_token is not None and stopped.all():
                return
            new = token[:, None]
            context = torch.cat([context, new], dim=1)[:, -block_size:]
    finally:
        model.train(was_training)


def generate(
    model: GPT,
    idx: Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    stop_token: int | None = None,
    use_cache: bool = True,
) -> Tensor:
    """Continue each sequence: (B, T) int64 -> (B, T + new), the prompt included.

    The model sees the last block_size tokens; a longer prompt is fine. Up to block_size the
    cache makes each token cost one position; beyond it each costs a whole window again.
    Raises ValueError for a setting out of range, naming it.

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=1, n_head=2, n_embd=4))
    >>> generate(model, torch.tensor([[1, 2, 3]]), 20).shape
    torch.Size([1, 23])
    """
    tokens = stream(
        model,
        idx,
        max_new_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        generator=generator,
        stop_token=stop_token,
        use_cache=use_cache,
    )
    return torch.cat([idx, *(token[:, None] for token in tokens)], dim=1)


def new_cache(model: GPT, idx: Tensor, max_new_tokens: int) -> KVCache:
    """Make a cache just large enough for this generation."""
    weight = model.transformer.wte.weight
    room = min(model.config.block_size, idx.size(1) + max_new_tokens)
    return KVCache(model.config, idx.size(0), room, device=weight.device, dtype=weight.dtype)


def check_generate_arguments(model, idx, max_new_tokens, temperature, top_k, top_p, stop_token):
    """Raise ValueError for the first argument that is out of range, before any work is done."""
    whole_prompt = idx.size(1) if isinstance(idx, Tensor) and idx.dim() == 2 else None
    check_ids(idx, model.config, room=whole_prompt)  # the context is cropped later
    if idx.device != model.transformer.wte.weight.device:
        raise ValueError(
            f"idx is on {idx.device} and the model on {model.transformer.wte.weight.device}; "
            "move one with .to(...)"
        )
    for name, value in (("max_new_tokens", max_new_tokens), ("stop_token", stop_token)):
        if value is None and name == "stop_token":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 0")
    if stop_token is not None and stop_token >= model.config.vocab_size:
        raise ValueError(f"stop_token is {stop_token}; ids end at {model.config.vocab_size - 1}")
    if not (is_number(temperature) and 0 <= temperature < math.inf):
        raise ValueError(f"temperature is {temperature!r}; it must be finite and at least 0")
    next_token_distribution(torch.zeros(1), 1.0, top_k, top_p)  # raises as the loop would


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
