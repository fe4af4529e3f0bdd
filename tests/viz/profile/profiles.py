"""Profiles whose every number is known."""

from minigpt.speed.profiling import Part


def leaf(name, ms, flops=0):
    return Part(name, ms / 1000, (), flops)


def whole(name, *parts):
    """A part that takes as long as its parts together, and calculates as much."""
    seconds = sum(part.seconds for part in parts)
    return Part(name, seconds, parts, sum(part.flops for part in parts))


def step(attention=20.0, optimizer=15.0):
    """A step of 100 ms, if nothing else is said: forward 35, backward 50, optimizer 15."""
    half = attention / 2
    block = whole(
        "block 0",
        whole("attention", leaf("c_attn", half, 10**9), leaf("scores", half)),
        leaf("MLP", 4, 4 * 10**8),
        leaf("ln_1", 0.2),
        leaf("ln_2", 0.3),
    )
    forward = whole("forward", block, leaf("lm_head", 10, 2 * 10**9), leaf("wpe", 0.5))
    return whole("step", forward, leaf("backward", 50, 6 * 10**9), leaf("optimizer", optimizer))
