"""Keys and values that were computed already, so that a new token costs one position, not all."""

from __future__ import annotations

import torch
from torch import Tensor

from minigpt.config import GPTConfig, check_whole


class LayerCache:
    """The keys and values that one attention layer has computed so far, (B, nh, room, hs)."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys, self.values, self.length = keys, values, 0

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store the new positions, (B, nh, T, hs); return all so far, (B, nh, S, hs)."""
        start, self.length = self.length, self.length + k.size(-2)
        # Detached: a cache is for generating, no gradient flows back through it.
        self.keys[:, :, start : self.length] = k.detach()
        self.values[:, :, start : self.length] = v.detach()
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]


class KVCache:
    """Keys and values of every layer, so that each new token costs one position, not all.

    Holds `room` positions (default: block_size) of `batch_size` sequences. When it is full, clear
    it and feed the last tokens again: positions are absolute, so nothing in it can be shifted.
    """

    def __init__(
        self,
        config: GPTConfig,
        batch_size: int = 1,
        room: int | None = None,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.batch_size = batch_size
        self.room = config.block_size if room is None else room
        check_whole("batch_size", self.batch_size)
        check_whole("room", self.room)
        if self.room > config.block_size:
            raise ValueError(f"room is {room}; it must be at most block_size={config.block_size}")
        shape = (batch_size, config.kv_heads, self.room, config.head_size)

        def empty() -> Tensor:
            return torch.empty(shape, device=device, dtype=dtype)

        self.layers = [LayerCache(empty(), empty()) for _ in range(config.n_layer)]

    @property
    def length(self) -> int:
        """Number of positions held."""
        return self.layers[0].length

    def clear(self) -> None:
        """Forget every position; the memory is kept."""
        for layer in self.layers:
            layer.length = 0


def check_room(idx: Tensor, config: GPTConfig, cache: KVCache | None) -> None:
    """Raise ValueError unless idx fits in the context, behind what the cache holds."""
    start, room = (0, config.block_size) if cache is None else (cache.length, cache.room)
    if start + idx.size(1) > room:
        raise ValueError(
            f"{start + idx.size(1)} positions do not fit in {room}; keep the last {room} tokens, "
            "or let generate() crop the context"
        )
    if cache is not None and idx.size(0) != cache.batch_size:
        raise ValueError(
            f"idx holds {idx.size(0)} sequences and the cache {cache.batch_size}; "
            f"make one with KVCache(config, batch_size={idx.size(0)})"
        )
