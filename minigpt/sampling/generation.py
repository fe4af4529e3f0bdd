"""From one token to a text: the loop that generates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.config import check_model, check_whole, is_number
from minigpt.kv_cache import KVCache
from minigpt.model import GPT, check_ids, evaluating
from minigpt.sampling.filters import next_token_distribution, sample_next_token
from minigpt.speed.decoding import compiled_step


class _NextLogits:
    """What a model expects after a text that grows by a token a call: idx (B, T) -> (B, V).

    The model sees the last block_size tokens. With a cache it reads only what it has not read yet,
    until the text outgrows the cache: then every token has moved one position to the left, and
    nothing cached is valid.
    """

    def __init__(self, model: GPT, batch_size: int, longest: int, how: _Drawing) -> None:
        self.model, self.block_size = model, model.config.block_size
        # Compiled code wants the same room every time, so it gets all there is.
        room = self.block_size if how.compile else min(self.block_size, longest)
        self.cache = new_cache(model, batch_size, room) if how.use_cache else None
        self.compiled = compiled_step(model, batch_size) if how.compile else None

    def __call__(self, idx: Tensor) -> Tensor:
        new, cache = idx[:, -self.block_size :], self.cache
        if cache is not None:
            if idx.size(1) > cache.room:
                cache.clear()
            new = new[:, cache.length :]
            if self.compiled is not None and cache.length > 0:  # the prompt is read as always
                return self.compiled(new, cache)
        return self.model.lm_head(self.model.features(new, cache)[:, -1])


@torch.no_grad()
def stream(model: GPT, idx: Tensor, max_new_tokens: int, **how) -> Iterator[Tensor]:
    """Yield the next token of every sequence, (B,) int64, as soon as it is drawn.

    Takes what `generate` takes. A row that has drawn stop_token repeats it; the stream ends when
    every row has. The model is in evaluation mode while the stream is open.
    """
    how = _Drawing(**how)
    how.check(model, idx, max_new_tokens)
    next_logits = _NextLogits(model, len(idx), idx.size(1) + max_new_tokens, how)
    stopped = torch.zeros(len(idx), dtype=torch.bool, device=idx.device)
    with evaluating(model):
        for _ in range(max_new_tokens):
            token = how.draw(next_logits(idx)[:, : model.known_ids])
            if how.stop_token is not None:
                token = token.masked_fill(stopped, how.stop_token)
                stopped |= token == how.stop_token
            yield token
            if stopped.all():
                return
            idx = torch.cat([idx, token[:, None]], dim=1)


def generate(
    model: GPT,
    idx: Tensor | list[Tensor],
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    stop_token: int | None = None,
    use_cache: bool = True,
    compile: bool = False,
) -> Tensor | list[Tensor]:
    """Continue each sequence: (B, T) int64 -> (B, T + new), the prompt included.

    Texts of different lengths come as a list of rows, (T,) each, and so do their continuations:
    each is what it would be alone. Filled up to one length, they would read the filling as text.

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
    how = dict(temperature=temperature, top_k=top_k, top_p=top_p, generator=generator,
               stop_token=stop_token, use_cache=use_cache, compile=compile)  # fmt: skip
    if isinstance(idx, (list, tuple)):
        check_model(model)
        rows = (torch.as_tensor(row, device=model.device)[None] for row in idx)
        return [generate(model, row, max_new_tokens, **how)[0] for row in rows]
    tokens = stream(model, idx, max_new_tokens, **how)
    return torch.cat([idx, *(token[:, None] for token in tokens)], dim=1)


def new_cache(model: GPT, batch_size: int, room: int) -> KVCache:
    """Return an empty cache of `room` positions, where the model's weights are and as they are."""
    weight = model.transformer.wpe.weight  # the token table's may be whole numbers
    return KVCache(model.config, batch_size, room, device=weight.device, dtype=weight.dtype)


@dataclass(frozen=True)
class _Drawing:
    """How each next token is drawn, as `generate` explains it; checked once, before the first."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    generator: torch.Generator | None = None
    stop_token: int | None = None
    use_cache: bool = True
    compile: bool = False

    def draw(self, logits: Tensor) -> Tensor:
        """Draw a token for each row: (B, V) -> (B,) int64."""
        return sample_next_token(
            logits,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            generator=self.generator,
        )

    def check(self, model: GPT, idx: Tensor, max_new_tokens: int) -> None:
        """Raise ValueError for the first argument that is out of range, before any work is done."""
        check_model(model)
        check_ids(idx, model.config)
        if idx.device != model.device:
            places = f"idx is on {idx.device} and the model on {model.device}"
            raise ValueError(f"{places}; move one with .to()")
        check_whole("max_new_tokens", max_new_tokens, least=0)
        if not (is_number(self.temperature) and 0 <= self.temperature < math.inf):
            said = f"temperature is {self.temperature!r}"
            raise ValueError(f"{said}; it must be finite and at least 0")
        next_token_distribution(torch.zeros(1), 1.0, self.top_k, self.top_p)  # as the loop would
        if self.generator is not None:
            check_generator(self.generator, model.device)
        if self.stop_token is not None:
            check_whole("stop_token", self.stop_token, least=0)
            if self.stop_token >= (size := model.config.vocab_size):
                said = f"stop_token is {self.stop_token}"
                raise ValueError(f"{said}; the ids of this model end at {size - 1}")
        if self.compile and not self.use_cache:
            raise ValueError("compile is True and use_cache False; without a cache none compiles")


def check_generator(generator: torch.Generator, device: torch.device) -> None:
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
