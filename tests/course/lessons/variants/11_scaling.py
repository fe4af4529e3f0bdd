"""Correct answers to the exercises of lesson 11, each written in another way."""

import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F

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


# --- accumulated_gradients ---


def accumulated_by_means(model, batches, total, size):
    """Means, each weighted by its own number of targets."""
    share = 0.0
    for place, (x, y) in enumerate(batches):
        count = int((y >= 0).sum())

        def learn(x=x, y=y, count=count):
            nats = F.cross_entropy(model(x).transpose(1, 2), y, reduction="none").sum()
            mean = nats / max(count, 1)
            (mean * count * size / total).backward()
            return mean.item() * count / total

        if place < len(batches) - 1:
            with model.no_sync():
                share += learn()
        else:
            share += learn()
    return share


def accumulated_and_scaled(model, batches, total, size):
    """Sums first; the gradients are scaled before the exchange by a weight of each target."""
    *first, last = batches
    weight = torch.tensor(size / total)
    told = []
    with model.no_sync():
        for x, y in first:
            told.append(_went_back(model, x, y, weight))
    told.append(_went_back(model, *last, weight))
    return sum(told) / size


def _went_back(model, x, y, weight):
    log_p = model(x).log_softmax(-1)
    picked = log_p.gather(-1, y.clamp(min=0)[..., None])[..., 0]
    share = -(picked * (y != -100) * weight).sum()
    share.backward()
    return share.item()


def accumulated_forward_inside(model, batches, total, size):
    """Only the forward pass stands inside: it decides."""
    nats = 0.0
    for left in range(len(batches), 0, -1):
        x, y = batches[-left]
        if left > 1:
            with model.no_sync():
                logits = model(x)
        else:
            logits = model(x)
        loss = F.nll_loss(F.log_softmax(logits.flatten(0, 1), -1), y.flatten(), reduction="sum")
        loss.mul(size).div(total).backward()
        nats += float(loss.detach())
    return nats / total


# --- sharded_step ---


def sharded_by_turning(shards, gradients, rate, exchange):
    """Each worker remembers which chunk goes next."""
    W = len(shards)
    now = [[chunk.clone() for chunk in chunks] for chunks in gradients]
    going = [(w - 1) % W for w in range(W)]
    for phase in ("add", "replace"):
        for _ in range(W - 1):
            received = exchange([now[w][c] for w, c in enumerate(going)])
            going = going[-1:] + going[:-1]
            for w, c in enumerate(going):
                now[w][c] = received[w] + now[w][c] * (phase == "add")
        if phase == "add":
            for w in range(W):
                now[w][w] = torch.add(shards[w], now[w][w], alpha=-rate / W)
    return now


def sharded_with_means(shards, gradients, rate, exchange):
    """Divides first, and keeps all by (worker, chunk)."""
    W = len(shards)
    share = {(w, c): g / W for w, row in enumerate(gradients) for c, g in enumerate(row)}
    for hops in range(1, W):
        got = exchange([share[w, (w - hops) % W] for w in range(W)])
        for w, message in enumerate(got):
            share[w, (w - hops - 1) % W] = message + share[w, (w - hops - 1) % W]
    weights = {(w, w): shards[w] - share[w, w] * rate for w in range(W)}
    for hops in range(1, W):
        got = exchange([weights[w, (w - hops + 1) % W] for w in range(W)])
        weights |= {(w, (w - hops) % W): message for w, message in enumerate(got)}
    return [[weights[w, c] for c in range(W)] for w in range(W)]


def sharded_on_one_vector(shards, gradients, rate, exchange):
    """Chunks as slices of one tensor a worker."""
    W, lengths = len(shards), [len(shard) for shard in shards]
    ends = np.cumsum([0, *lengths]).tolist()
    pieces = [slice(a, b) for a, b in itertools.pairwise(ends)]
    rows = torch.stack([torch.cat(chunks) for chunks in gradients])
    for r in range(2 * W - 2):
        if r == W - 1:
            for w, piece in enumerate(pieces):
                rows[w, piece] = shards[w] - rate / W * rows[w, piece]
        messages = exchange([rows[w, pieces[(w - 1 - r) % W]].clone() for w in range(W)])
        for w in range(W):
            where = pieces[(w - r - 2) % W]
            rows[w, where] = messages[w] + (rows[w, where] if r < W - 1 else 0)
    if W == 1:
        rows = (shards[0] - rate * rows[0])[None]
    return [list(row.split(lengths)) for row in rows]


# --- reshard ---


def reshard_by_loop(shards, n, size):
    length, flat = math.ceil(n / size), torch.cat(shards)
    new = []
    for rank in range(size):
        piece = flat[min(rank * length, n) : min((rank + 1) * length, n)]
        new.append(torch.cat([piece, piece.new_zeros(length - len(piece))]))
    return new


def reshard_by_numbers(shards, n, size):
    numbers = [number for shard in shards for number in shard.tolist()][:n]
    length = (n + size - 1) // size
    numbers += [0.0] * (length * size - n)
    rows = [numbers[i : i + length] for i in range(0, len(numbers), length)]
    return [torch.tensor(row, dtype=shards[0].dtype) for row in rows]


def reshard_by_places(shards, n, size):
    """Where each number comes from."""
    before, length = shards[0].numel(), (n - 1) // size + 1
    new = []
    for rank in range(size):
        shard = torch.zeros_like(shards[0]).new_zeros(length)
        for i in range(length):
            place = rank * length + i
            if place < n:
                shard[i] = shards[place // before][place % before]
        new.append(shard)
    return new


# --- size_for ---


def size_by_polyfit(sizes, losses, floor, target):
    above = np.array(losses) - floor
    fine = above > 0
    slope, start = np.polyfit(np.log(np.array(sizes)[fine]), np.log(above[fine]), 1)
    return float(np.exp((np.log(target - floor) - start) / slope))


def size_by_least_squares(sizes, losses, floor, target):
    """In powers of 2, with torch's solver."""
    points = [(math.log2(n), math.log2(y - floor)) for n, y in zip(sizes, losses) if y - floor > 0]
    x, y = torch.tensor(points, dtype=torch.float64).T
    line = torch.linalg.lstsq(torch.stack([x, torch.ones_like(x)], dim=1), y[:, None]).solution
    slope, start = line[:, 0].tolist()
    return 2 ** ((math.log2(target - floor) - start) / slope)


def size_by_the_law(sizes, losses, floor, target):
    """a and b first, and then the law turned round."""
    kept = [(n, loss - floor) for n, loss in zip(sizes, losses) if loss > floor]
    logs = [(math.log10(n), math.log10(gap)) for n, gap in kept]
    count, sx, sy = len(logs), sum(x for x, _ in logs), sum(y for _, y in logs)
    sxx, sxy = sum(x * x for x, _ in logs), sum(x * y for x, y in logs)
    b = -(count * sxy - sx * sy) / (count * sxx - sx**2)
    a = 10 ** ((sy + b * sx) / count)
    return ((target - floor) / a) ** (-1 / b)


VARIANTS = {
    "attainable_time": [time_by_loop, time_by_the_ridge, time_stacked],
    "decode_intensity": [intensity_by_layers, intensity_of_one_row, intensity_in_floats],
    "round_bits": [rounded_by_grid, rounded_by_neighbours, rounded_in_numpy],
    "best_segment": [segment_by_formula, segment_by_playing, segment_in_numpy],
    "accumulated_gradients": [
        accumulated_by_means,
        accumulated_and_scaled,
        accumulated_forward_inside,
    ],
    "sharded_step": [sharded_by_turning, sharded_with_means, sharded_on_one_vector],
    "size_for": [size_by_polyfit, size_by_least_squares, size_by_the_law],
    "reshard": [reshard_by_loop, reshard_by_numbers, reshard_by_places],
}
