"""Correct answers to the exercises of lesson 11, each written in another way."""

import math

import numpy as np
import torch

# --- attainable_time ---


def time_by_loop(flops, traffic, peak, bandwidth):
    seconds, shares = [], []
    for work, moved in zip(flops.tolist(), traffic.tolist()):
        total = waiting = 0.0
        for f, b in zip(work, moved):
            total += max(f / peak, b / bandwidth)
            if b / bandwidth > f / peak:
                waiting += b / bandwidth
        seconds.append(total)
        shares.append(waiting / total)
    return torch.tensor(seconds), torch.tensor(shares)


def time_by_the_ridge(flops, traffic, peak, bandwidth):
    """On the slope the rate is intensity times bandwidth, on the roof the peak."""
    rate = (flops / traffic * bandwidth).clamp(max=peak)
    each = flops / rate
    return each.sum(-1), each.masked_fill(rate >= peak, 0).sum(-1) / each.sum(-1)


def time_stacked(flops, traffic, peak, bandwidth):
    each, which = torch.stack([flops / peak, traffic / bandwidth]).max(dim=0)
    return each.sum(1), torch.einsum("nk,nk->n", each, which.float()) / each.sum(1)


# --- decode_intensity ---


def intensity_by_layers(
    *, n_layer, n_embd, vocab_size, batch_size, positions, weight_bytes, cache_bytes
):
    flops = n_bytes = 0
    shapes = [(n_embd, 3 * n_embd), (n_embd, n_embd), (n_embd, 4 * n_embd), (4 * n_embd, n_embd)]
    for rows, columns in [*shapes * n_layer, (n_embd, vocab_size)]:
        flops += 2 * batch_size * rows * columns
        n_bytes += weight_bytes * rows * columns
    for _ in range(n_layer):
        for _ in ("keys", "values"):
            flops += 2 * batch_size * positions * n_embd
            n_bytes += batch_size * positions * n_embd * cache_bytes
    return flops / n_bytes


def intensity_of_one_row(
    *, n_layer, n_embd, vocab_size, batch_size, positions, weight_bytes, cache_bytes
):
    """All shared out to one text."""
    weights = n_embd * (12 * n_layer * n_embd + vocab_size)
    cached = n_layer * positions * n_embd * 2
    return (2 * weights + 2 * cached) / (weights * weight_bytes / batch_size + cached * cache_bytes)


def intensity_in_floats(
    *, n_layer, n_embd, vocab_size, batch_size, positions, weight_bytes, cache_bytes
):
    blocks, head = 12.0 * n_layer * n_embd * n_embd, 1.0 * vocab_size * n_embd
    keys = values = float(batch_size * n_layer * positions * n_embd)
    work = 2 * batch_size * (blocks + head) + 2 * keys + 2 * values
    return work / (weight_bytes * (blocks + head) + cache_bytes * (keys + values))


# --- round_bits ---


def rounded_by_grid(x, kept):
    """Each number has a grid of its own; below the normal ones it gets no finer."""
    exact = x.double()
    power = torch.frexp(exact).exponent.clamp(min=-125) - 1  # x = m * 2**power, 1 <= m < 2
    grid = torch.ldexp(torch.ones_like(exact), power - kept)
    near = torch.round(exact / grid) * grid
    near = torch.copysign(near, exact).float()
    return torch.where(x.isfinite(), near, x)


def rounded_by_neighbours(x, kept):
    """The two candidates, and which is nearer."""
    size = 1 << (23 - kept)
    below = x.contiguous().view(torch.int32) & ~(size - 1)
    above = below + size
    low, high = below.view(torch.float32).double(), above.view(torch.float32).double()
    high = torch.where(high.isinf(), torch.copysign(torch.tensor(2.0).double() ** 128, high), high)
    to_low, to_high = (x.double() - low).abs(), (high - x.double()).abs()
    even = (below // size) % 2 == 0
    take_low = (to_low < to_high) | ((to_low == to_high) & even) | (to_low == 0)
    near = torch.where(take_low, low, high).float()
    return torch.where(x.isfinite(), near, x)


def rounded_in_numpy(x, kept):
    """The remainder decides."""
    bits = x.numpy().copy().view(np.uint32).astype(np.uint64)
    sign, size = bits & 0x80000000, bits & 0x7FFFFFFF
    unit = 2 ** (23 - kept)
    whole, rest = size // unit, size % unit
    up = (2 * rest > unit) | ((2 * rest == unit) & (whole % 2 == 1))
    rounded = (sign + (whole + up) * unit).astype(np.uint32).view(np.float32)
    return torch.from_numpy(np.where(np.isnan(x.numpy()), x.numpy(), rounded))


# --- best_segment ---


def segment_by_formula(*, n_layer, inside, boundary):
    """Only the last segment and the one before it can be the worst."""
    peaks = {}
    for k in range(1, n_layer + 1):
        count = math.ceil(n_layer / k)
        last = n_layer - k * (count - 1)
        ends = (count - 1 + last) * boundary + last * inside
        before = (count - 2 + k) * boundary + k * inside if count > 1 else 0
        peaks[k] = max(ends, before)
    k = min(peaks, key=peaks.get)
    return k, peaks[k]


def segment_by_playing(*, n_layer, inside, boundary):
    """Keeps and frees, as a run does."""
    best = None
    for k in range(n_layer, 0, -1):
        segments = [list(range(n_layer))[i : i + k] for i in range(0, n_layer, k)]
        now = worst = len(segments) * boundary
        while segments:
            blocks = segments.pop()
            more = len(blocks) * (inside + boundary) - boundary
            worst = max(worst, now + more)
            now -= boundary
        if best is None or worst <= best[1]:
            best = (k, worst)
    return best


def segment_in_numpy(*, n_layer, inside, boundary):
    ks = np.arange(1, n_layer + 1)
    count = -(-n_layer // ks)
    last = n_layer - ks * (count - 1)
    ends = (count + last - 1) * boundary + last * inside
    before = np.where(count > 1, (count + ks - 2) * boundary + ks * inside, 0)
    peaks = np.maximum(ends, before)
    place = int(peaks.argmin())
    return place + 1, int(peaks[place])


VARIANTS = {
    "attainable_time": [time_by_loop, time_by_the_ridge, time_stacked],
    "decode_intensity": [intensity_by_layers, intensity_of_one_row, intensity_in_floats],
    "round_bits": [rounded_by_grid, rounded_by_neighbours, rounded_in_numpy],
    "best_segment": [segment_by_formula, segment_by_playing, segment_in_numpy],
}
