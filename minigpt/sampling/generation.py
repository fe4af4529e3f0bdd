"""From one token to a text: the loop that generates."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from minigpt.config import check_whole, is_number
from minigpt.kv_cache import KVCache
from minigpt.model import GPT, check_ids, evaluating
from minigpt.sampling.filters import next_token_distribution, sample_next_token
from minigpt.speed.decoding import compiled_step


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
