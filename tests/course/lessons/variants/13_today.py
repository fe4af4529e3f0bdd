"""Right answers to the exercises of lesson 13, written in other ways; all of them must pass."""

import math

import torch
from torch.nn import functional as F

# --- rms_norm ---


def norm_by_pytorch(x, weight, eps):
    if x.dtype == torch.float16:
        return F.rms_norm(x.float(), weight.shape, weight.float(), eps).half()
    return F.rms_norm(x, weight.shape, weight, eps)


def norm_by_length(x, weight, eps):
    """In float64; the length of a vector is the root of its sum of squares."""
    wide = x.double()
    square = torch.linalg.vector_norm(wide, dim=-1, keepdim=True) ** 2 / x.shape[-1]
    return (wide / (square + eps).sqrt()).to(x.dtype) * weight


def norm_one_by_one(x, weight, eps):
    rows = []
    for row in x.reshape(-1, x.size(-1)).tolist():
        spread = math.sqrt(math.fsum(value * value for value in row) / len(row) + eps)
        rows.append([value / spread * w for value, w in zip(row, weight.tolist())])
    return torch.tensor(rows, dtype=torch.float64).to(x.dtype).view(x.shape)


# --- rotate_packed ---


def rotate_by_matrices(x, positions):
    """Each position's whole rotation as one (hs, hs) matrix."""
    B, _, T, hs = x.shape
    result = torch.empty_like(x)
    for b in range(B):
        for t in range(T):
            turn = torch.zeros(hs, hs, dtype=torch.float64)
            for i in range(hs // 2):
                angle = positions[b, t].item() * 10_000 ** (-2 * i / hs)
                cos, sin = math.cos(angle), math.sin(angle)
                turn[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = torch.tensor([[cos, -sin], [sin, cos]])
            result[b, :, t] = (x[b, :, t].double() @ turn.T).to(x.dtype)
    return result


def rotate_by_swapping(x, positions):
    """x cos + (swapped, signed x) sin, each angle written twice."""
    hs = x.size(-1)
    speeds = torch.exp(-math.log(10_000) * torch.arange(hs // 2, dtype=x.dtype) * 2 / hs)
    angles = torch.einsum("bt,i->bti", positions.to(x.dtype), speeds).repeat_interleave(2, -1)
    swapped = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).reshape(x.shape)
    return x * angles.cos().unsqueeze(1) + swapped * angles.sin().unsqueeze(1)


def rotate_by_complex_numbers(x, positions):
    pairs = torch.complex(x[..., ::2], x[..., 1::2])
    speeds = 1 / 10_000 ** (torch.arange(0, x.shape[-1], 2).double() / x.shape[-1])
    angles = positions.double()[..., None] * speeds
    turned = pairs * torch.exp(1j * angles)[:, None]
    return torch.view_as_real(turned).flatten(3).to(x.dtype)


# --- pool_heads ---


def pool_by_a_matrix(weight, n_head, n_kv_head):
    """One matrix that averages rows, for keys and values alike."""
    C = len(weight) // 3
    hs, group = C // n_head, n_head // n_kv_head
    mean = torch.eye(n_kv_head).repeat_interleave(group, dim=1) / group  # (nkv, nh)
    mean = torch.kron(mean, torch.eye(hs)).to(weight.dtype)
    return torch.cat([weight[:C], mean @ weight[C : 2 * C], mean @ weight[2 * C :]])


def pool_head_by_head(weight, n_head, n_kv_head):
    hs = len(weight) // (3 * n_head)
    heads = [*weight.split(hs)]
    group, kept = n_head // n_kv_head, heads[:n_head]
    for start in range(n_head, 3 * n_head, group):
        kept.append(sum(heads[start : start + group]) / group)
    return torch.cat(kept)


def pool_with_unflatten(weight, n_head, n_kv_head):
    parts = weight.unflatten(0, (3, n_kv_head, -1, weight.shape[0] // 3 // n_head))
    both = parts[1:].sum(dim=2) * n_kv_head / n_head  # (2, nkv, hs, ...)
    return torch.cat([parts[0].flatten(0, 2), both.flatten(0, 2)])


# --- windowed_cache_bytes ---


def bytes_layer_by_layer(T, full, windowed, window, n_head, n_kv_head, head_size):
    kept = [T] * full + [min(T, window)] * windowed
    return sum(4 * n_kv_head * head_size * positions for positions in kept)


def bytes_position_by_position(T, full, windowed, window, n_head, n_kv_head, head_size):
    count = 0
    for t in range(T):
        count += full + (windowed if T - t <= window else 0)
    return count * 2 * (n_kv_head * head_size + n_kv_head * head_size)


def bytes_of_tensors(T, full, windowed, window, n_head, n_kv_head, head_size):
    def layer(positions):
        both = torch.empty(2, n_kv_head, positions, head_size, dtype=torch.bfloat16)
        return both.nbytes

    return full * layer(T) + windowed * layer(window if window < T else T)


VARIANTS = {
    "rms_norm": [norm_by_pytorch, norm_by_length, norm_one_by_one],
    "rotate_packed": [rotate_by_matrices, rotate_by_swapping, rotate_by_complex_numbers],
    "pool_heads": [pool_by_a_matrix, pool_head_by_head, pool_with_unflatten],
    "windowed_cache_bytes": [bytes_layer_by_layer, bytes_position_by_position, bytes_of_tensors],
}
