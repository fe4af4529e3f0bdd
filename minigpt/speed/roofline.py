"""How fast this machine could be at best: by arithmetic, or by what has to come from memory.

A program that does many FLOPs for each byte that it reads is held up by arithmetic, one that does
few by memory. Source: Williams et al. 2009, "Roofline", pages 66 to 68.

V vocabulary, L layers, C width; T new positions after S that are in the cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from minigpt.config import GPTConfig, check_whole

SIZES = (256, 512, 1024, 2048)  # of the square matrices that are multiplied
READ = 512_000_000  # bytes that are read: more than a processor's caches hold


@dataclass(frozen=True)
class Limits:
    """What a machine can do at most: `flops` and `bandwidth` (bytes) a second."""

    flops: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """The FLOPs for each byte from which on arithmetic is the limit, and no longer memory."""
        return self.flops / self.bandwidth

    def rate(self, intensity: float) -> float:
        """Return the most FLOPs a second for a work of so many FLOPs a byte: the roof.

        >>> Limits(flops=100.0, bandwidth=10.0).rate(2.0)
        20.0
        """
        return min(self.flops, intensity * self.bandwidth)

    def seconds(self, flops: float, bytes_moved: float) -> float:
        """Return the least time for so many FLOPs and bytes, done side by side."""
        return max(flops / self.flops, bytes_moved / self.bandwidth)


def least_seconds(work: Callable[[], object], for_seconds: float, device: torch.device) -> float:
    """Run a piece of work again and again for so long; return the shortest time that it took."""
    synchronize = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    work()
    best, until = float("inf"), time.perf_counter() + for_seconds
    while best == float("inf") or time.perf_counter() < until:
        synchronize()
        started = time.perf_counter()
        work()
        synchronize()
        best = min(best, time.perf_counter() - started)
    return best


def product_rate(size: int, dtype: torch.dtype, for_seconds: float, device: torch.device) -> float:
    """Return the FLOPs a second of a product of two square matrices, the best that was seen."""
    a = torch.ones(size, size, dtype=dtype, device=device)
    out = torch.empty_like(a)
    return 2 * size**3 / least_seconds(lambda: torch.mm(a, a, out=out), for_seconds, device)


def machine_limits(
    dtype: torch.dtype = torch.float32,
    threads: int | None = None,
    device: torch.device | str = "cpu",
    seconds: float = 2.0,
) -> Limits:
    """Measure what this machine can do at most, with PyTorch, in about so many seconds.

    Arithmetic is the fastest product of square matrices of `dtype`; reading is a sum over more
    bytes than a cache holds. `threads` are those of PyTorch, by default as many as it uses now.
    The best of what was seen is a limit only as far as nobody else kept the machine busy.
    """
    check_whole("threads", threads if threads is not None else 1, otherwise=", or None")
    if not dtype.is_floating_point:
        raise ValueError(f"dtype is {dtype}; give a floating-point type such as torch.bfloat16")
    device, before, each = torch.device(device), torch.get_num_threads(), seconds / 5
    try:
        torch.set_num_threads(threads or before)
        flops = max(product_rate(size, dtype, each, device) for size in SIZES)
        numbers = torch.ones(READ // 4, device=device)
        bandwidth = READ / least_seconds(lambda: numbers.sum(), each, device)
    finally:
        torch.set_num_threads(before)
    return Limits(flops, bandwidth)


def check_positions(config: GPTConfig, T: int, S: int) -> None:
    """Raise ValueError unless T new positions fit in behind S old ones."""
    check_whole("T", T)
    check_whole("S", S, least=0)
    if T + S > config.block_size:
        raise ValueError(f"T + S is {T + S}; the model holds {config.block_size} positions")


def forward_flops(config: GPTConfig, T: int, S: int = 0, scored: int | None = None) -> int:
    """Count the FLOPs of a forward pass over T new positions, after S in the cache.

    `scored` of them get logits; by default all, as in `model(idx)`. `generate` scores the last
    alone. The masked half of attention is counted too. Lesson 05 has the formula for S = 0.

    >>> forward_flops(GPTConfig.preset("gpt2"), T=1, S=1023)
    284812800
    """
    check_positions(config, T, S)
    V, L, C = config.vocab_size, config.n_layer, config.n_embd
    scored = T if scored is None else scored
    return T * 24 * L * C**2 + scored * 2 * V * C + 4 * L * T * (T + S) * C


def forward_bytes(
    config: GPTConfig, T: int, S: int = 0, weight_bytes: float = 4, cache_bytes: float = 4
) -> int:
    """Count the bytes that a forward pass over T new positions has to move at the least.

    Each weight of the matrices comes once, in `weight_bytes`; biases, LayerNorms and T rows of the
    position table too, in `cache_bytes`, like keys and values: those of S positions are read, those
    of T written. What flows from one product to the next is taken to stay in the processor.
    """
    check_positions(config, T, S)
    V, L, C = config.vocab_size, config.n_layer, config.n_embd
    matrices = 12 * L * C**2 + V * C  # the head is the token table
    vectors = (L * 9 * C if config.bias else 0) + (2 * L + 1) * C * (1 + config.bias) + T * C
    cache = 2 * L * C * (S + T)
    return round(matrices * weight_bytes + (vectors + cache) * cache_bytes)
