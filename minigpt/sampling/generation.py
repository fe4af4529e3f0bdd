"""From logits to text: temperature, top-k, top-p, and the loop that generates."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from minigpt.config import check_whole, is_number
from minigpt.decoding import compiled_step
from minigpt.model import GPT, KVCache, check_ids, evaluating


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
    check_whole("top_k", k)
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


def new_cache(model: GPT, idx: Tensor, max_new_tokens: int) -> KVCache:
    """Make a cache just large enough for this generation."""
    weight = model.transformer.wpe.weight  # the token table's may be whole numbers
    room = min(model.config.block_size, idx.size(1) + max_new_tokens)
    return KVCache(model.config, idx.size(0), room, device=weight.device, dtype=weight.dtype)


def check_generator(generator, device: torch.device) -> None:
    """Raise ValueError unless generator is a torch.Generator for that kind of device."""
    if not isinstance(generator, torch.Generator):
        raise ValueError(
            f"generator is {generator!r}; it must be a torch.Generator, "
            "as torch.Generator().manual_seed(1) makes it"
        )
    if generator.device.type != device.type:
        raise ValueError(
            f"generator is on {generator.device} and the model on {device}; "
            f"make one with torch.Generator({device.type!r})"
        )


def check_generate_arguments(
    model: GPT, idx, max_new_tokens, temperature, top_k, top_p, generator, stop_token
) -> None:
    """Raise ValueError for the first argument that is out of range, before any work is done."""
    check_ids(idx, model.config)
    device = model.device
    if idx.device != device:
        raise ValueError(f"idx is on {idx.device} and the model on {device}; move one with .to()")
    check_whole("max_new_tokens", max_new_tokens, least=0)
    if not (is_number(temperature) and 0 <= temperature < math.inf):
        raise ValueError(f"temperature is {temperature!r}; it must be finite and at least 0")
    next_token_distribution(torch.zeros(1), 1.0, top_k, top_p)  # raises as the loop would
    if generator is not None:
        check_generator(generator, device)
    if stop_token is not None:
        check_whole("stop_token", stop_token, least=0)
        if stop_token >= model.config.vocab_size:
            last = model.config.vocab_size - 1
            raise ValueError(f"stop_token is {stop_token}; the ids of this model end at {last}")


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
    compile: bool = False,
) -> Iterator[Tensor]:
    """Yield the next token of every sequence, (B,) int64, as soon as it is drawn.

    Takes what `generate` takes. A row that has drawn stop_token repeats it; the stream ends when
    every row has. The model is in evaluation mode while the stream is open.
    """
    check_generate_arguments(
        model, idx, max_new_tokens, temperature, top_k, top_p, generator, stop_token
    )
    block_size = model.config.block_size
    if compile and not use_cache:
        raise ValueError("compile is True and use_cache False; only a step with the cache compiles")
    # Compiled code wants the same room every time, so it gets all there is.
    room = block_size if compile else max_new_tokens
    cache = new_cache(model, idx, room) if use_cache else None
    context = new = idx[:, -block_size:]  # all the model may see; the part it has not seen yet
    stopped = torch.zeros(idx.size(0), dtype=torch.bool, device=idx.device)
    compiled = compiled_step(model, idx.size(0)) if compile else None
    with evaluating(model):
        for _ in range(max_new_tokens):
            if cache is None:
                new = context
            elif cache.length + new.size(1) > cache.room:
                # Every token has moved one position to the left, so nothing cached is valid.
                cache.clear()
                new = context
            if compiled is not None and cache.length > 0:  # the prompt is read as always
                logits = compiled(new, cache)  # (B, V)
            else:
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
    compile: bool = False,
) -> Tensor:
    """Continue each sequence: (B, T) int64 -> (B, T + new), the prompt included.

    Temperature 0 is greedy. A row that has drawn stop_token repeats it; when every row has, the
    text ends, perhaps before max_new_tokens.
    The model sees the last block_size tokens; a longer prompt is fine. Up to block_size the
    cache makes each token cost one position; beyond it each costs a whole window again.
    `compile` has the step turned into machine code first: seconds once per model and batch size,
    then about twice the speed. It needs a C++ compiler, and raises OSError if there is none.
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
        compile=compile,
    )
    return torch.cat([idx, *(token[:, None] for token in tokens)], dim=1)
