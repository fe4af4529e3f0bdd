"""Right answers to the exercises of lesson 03, written in other ways: all of them must pass."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# --- causal_average ---


def average_by_loop(x):
    out = torch.zeros_like(x)
    for t in range(x.shape[-2]):
        out[..., t, :] = x[..., : t + 1, :].mean(dim=-2)
    return out


def average_by_matrix(x):
    W = torch.tril(torch.ones(x.size(-2), x.size(-2), dtype=x.dtype))
    return (W / W.sum(1, keepdim=True)) @ x


def average_by_softmax(x):
    T = x.size(-2)
    scores = torch.zeros(T, T, dtype=torch.float64)
    scores = scores.masked_fill(torch.triu(torch.ones(T, T), 1).bool(), float("-inf"))
    return torch.einsum("ts,...sc->...tc", scores.softmax(-1), x.double()).to(x.dtype)


def average_of_stack(x):
    rows = [torch.mean(x[..., :end, :], -2) for end in range(1, x.shape[-2] + 1)]
    return torch.stack(rows, dim=-2)


def average_running(x):
    rows = [x[..., 0, :]]
    for t in range(1, x.size(-2)):
        rows.append(rows[-1] + (x[..., t, :] - rows[-1]) / (t + 1))
    return torch.stack(rows, -2)


# --- causal_mask ---


def mask_by_comparison(T):
    places = torch.arange(T)
    return places[:, None] >= places[None, :]


def mask_by_loop(T):
    mask = torch.zeros((T, T), dtype=torch.bool)
    for t in range(T):
        for s in range(t + 1):
            mask[t, s] = True
    return mask


def mask_from_lists(T):
    return torch.tensor([[s <= t for s in range(T)] for t in range(T)])


def mask_inverted(T):
    return ~torch.ones(T, T).triu(diagonal=1).bool()


def mask_from_numpy(T):
    return torch.from_numpy(np.tri(T, dtype=bool))


def mask_transposed(T):
    return torch.triu(torch.ones(T, T)).T == 1  # not contiguous before the comparison


def mask_expanded(T):
    return (torch.arange(T).expand(T, T) <= torch.arange(T).view(T, 1)).t().t()


# --- attention_weights ---


def weights_added_mask(q, k):
    T = q.size(-2)
    mask = torch.full((T, T), float("-inf")).triu(1)
    return F.softmax(q.matmul(k.mT) * q.size(-1) ** -0.5 + mask, dim=-1)


def weights_by_einsum(q, k):
    scores = torch.einsum("...td,...sd->...ts", q / math.sqrt(q.size(-1)), k)
    hidden = torch.triu(torch.ones(scores.shape[-2:]), diagonal=1) == 1
    return torch.softmax(torch.where(hidden, -torch.inf, scores), -1)


def weights_in_float64(q, k):
    T, hs = q.shape[-2:]
    scores = (q.double() @ k.double().transpose(-1, -2)) / hs**0.5
    scores = scores.masked_fill(torch.tril(torch.ones(T, T)) == 0, -1e9)
    return torch.softmax(scores, dim=-1).type_as(q)


def weights_by_loop(q, k):
    T, hs = q.size(-2), q.size(-1)
    rows = []
    for t in range(T):
        scores = (k[..., : t + 1, :] * q[..., t : t + 1, :]).sum(-1) / math.sqrt(hs)
        rows.append(F.pad(torch.softmax(scores, -1), (0, T - t - 1)))
    return torch.stack(rows, dim=-2)


def weights_by_hand(q, k):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    allowed = torch.ones_like(scores).tril()
    scores = scores.masked_fill(allowed == 0, torch.finfo(q.dtype).min)
    powers = (scores - scores.max(dim=-1, keepdim=True).values).exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def weights_in_place(q, k):
    scores = torch.matmul(q, torch.swapaxes(k, -1, -2)).div_(math.sqrt(q.size(-1)))
    T = scores.size(-1)
    index = torch.triu_indices(T, T, 1)
    scores[..., index[0], index[1]] = -math.inf
    return scores.softmax(-1)


def weights_from_log(q, k):
    scores = (k @ q.transpose(-2, -1)).transpose(-2, -1) / math.sqrt(k.size(-1))
    T = scores.size(-1)
    scores = scores.masked_fill(~torch.ones(T, T, dtype=torch.bool).tril(), -torch.inf)
    return (scores - scores.logsumexp(dim=-1, keepdim=True)).exp()


def weights_on_flattened_heads(q, k):
    T, hs = q.shape[-2:]
    scores = torch.bmm(q.reshape(-1, T, hs), k.reshape(-1, T, hs).transpose(1, 2)) / hs**0.5
    scores = scores.masked_fill(torch.triu(torch.ones(1, T, T), 1).bool(), -math.inf)
    return scores.softmax(dim=2).view(*q.shape[:-1], T)


# --- attention ---


def attention_fused(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def attention_fused_with_mask(q, k, v):
    T = q.size(-2)
    mask = torch.ones(T, T, dtype=torch.bool).tril()
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def attention_by_einsum(q, k, v):
    return torch.einsum("...ts,...sd->...td", weights_by_einsum(q, k), v)


def attention_by_loop(q, k, v):
    rows = []
    for t in range(q.size(-2)):
        scores = (q[..., t : t + 1, :] * k[..., : t + 1, :]).sum(-1) / math.sqrt(q.size(-1))
        weights = scores.softmax(-1).unsqueeze(-1)
        rows.append((weights * v[..., : t + 1, :]).sum(-2))
    return torch.stack(rows, -2)


def attention_divided_late(q, k, v):
    scores = (q @ k.mT) / q.size(-1) ** 0.5
    T = scores.size(-1)
    scores = scores.masked_fill(torch.ones(T, T).triu(1) > 0, -math.inf)
    powers = (scores - scores.amax(-1, keepdim=True)).exp()
    return (powers @ v) / powers.sum(-1, keepdim=True)


def attention_in_float64(q, k, v):
    weights = weights_by_hand(q.double(), k.double())
    return torch.matmul(weights, v.double()).to(v.dtype)


# --- split_heads, merge_heads ---


def split_by_view(x, n_head):
    B, T, C = x.size()
    return x.view(B, T, n_head, C // n_head).permute(0, 2, 1, 3).contiguous()


def split_by_chunks(x, n_head):
    return torch.stack(x.chunk(n_head, dim=-1), dim=1)


def split_by_slices(x, n_head):
    B, T, C = x.shape
    size = C // n_head
    out = torch.zeros(B, n_head, T, size, dtype=x.dtype)
    for h in range(n_head):
        out[:, h] = x[:, :, h * size : (h + 1) * size]
    return out


def split_by_unflatten(x, n_head):
    return torch.movedim(x.unflatten(2, (n_head, -1)), 2, 1)


def merge_by_view(x):
    B, nh, T, hs = x.size()
    return x.permute(0, 2, 1, 3).contiguous().view(B, T, nh * hs)


def merge_by_concatenation(x):
    return torch.cat(list(x.unbind(dim=1)), dim=-1)


def merge_by_flatten(x):
    return x.swapaxes(1, 2).flatten(2)


def merge_by_loop(x):
    B, nh, T, hs = x.shape
    out = torch.empty(B, T, nh * hs, dtype=x.dtype)
    for h in range(nh):
        out[..., h * hs : (h + 1) * hs] = x[:, h]
    return out


# --- CausalSelfAttention ---


class WithBuffer(nn.Module):
    """With the mask as a buffer, under the name that the hub's checkpoints use for it."""

    def __init__(self, config):
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.attn_dropout = nn.Dropout(config.dropout)
        self.resid_dropout = nn.Dropout(config.dropout)
        self.n_head, self.n_embd = config.n_head, config.n_embd
        mask = torch.tril(torch.ones(config.block_size, config.block_size))
        self.register_buffer("bias", mask.view(1, 1, config.block_size, config.block_size))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
        k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
        att = self.attn_dropout(F.softmax(att, dim=-1))
        y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
        return self.resid_dropout(self.c_proj(y))


class Fused(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)

    def forward(self, x, cache=None):
        nh, p = self.config.n_head, self.config.dropout
        qkv = self.c_attn(x).unflatten(-1, (3, nh, -1)).permute(2, 0, 3, 1, 4)
        p = p if self.training else 0.0
        y = F.scaled_dot_product_attention(*qkv, dropout_p=p, is_causal=True)
        y = self.c_proj(y.transpose(1, 2).flatten(-2))
        return F.dropout(y, p)


class HeadByHead(nn.Module):
    """A loop over the heads, and the projection in pieces: no merging at all."""

    def __init__(self, config):
        super().__init__()
        C = config.n_embd
        self.c_attn, self.c_proj = (nn.Linear(C, n * C, bias=config.bias) for n in (3, 1))
        self.heads, self.p = config.n_head, config.dropout
        self.register_buffer("lower", torch.ones(1, 1).bool(), persistent=False)

    def forward(self, x):
        T, C, hs = x.size(1), x.size(2), x.size(2) // self.heads
        qkv, y = self.c_attn(x), 0.0
        hidden = torch.triu(torch.full((T, T), float("-inf"), dtype=x.dtype), 1)
        for h in range(self.heads):
            q, k, v = (qkv[..., i * C + h * hs : i * C + (h + 1) * hs] for i in range(3))
            weights = torch.softmax(torch.einsum("btd,bsd->bts", q, k) / hs**0.5 + hidden, 2)
            weights = F.dropout(weights, self.p, training=self.training)
            y = y + weights @ v @ self.c_proj.weight[:, h * hs : (h + 1) * hs].T
        y = y if self.c_proj.bias is None else y + self.c_proj.bias
        return F.dropout(y, self.p, self.training)


class ByEinsum(nn.Module):
    def __init__(self, config):
        super().__init__()
        for name, outputs in (("c_attn", 3 * config.n_embd), ("c_proj", config.n_embd)):
            layer = nn.Linear(config.n_embd, outputs, bias=config.bias)
            nn.init.normal_(layer.weight, std=0.02)
            setattr(self, name, layer)
        self.drop = nn.Dropout(p=config.dropout)
        self.n_head = config.n_head

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = torch.tensor_split(self.c_attn(x), 3, dim=-1)
        q, k, v = (part.reshape(B, T, self.n_head, -1) for part in (q, k, v))
        scores = torch.einsum("bthd,bshd->bhts", q, k) / math.sqrt(C / self.n_head)
        allowed = torch.arange(T)[:, None] >= torch.arange(T)
        weights = torch.where(allowed, scores, -1e9).softmax(-1)
        y = torch.einsum("bhts,bshd->bthd", self.drop(weights), v).reshape(B, T, C)
        return self.drop(self.c_proj(y))


LAYERS = [WithBuffer, Fused, HeadByHead, ByEinsum]

VARIANTS = {
    "causal_average": [
        average_by_loop,
        average_by_matrix,
        average_by_softmax,
        average_of_stack,
        average_running,
    ],
    "causal_mask": [
        mask_by_comparison,
        mask_by_loop,
        mask_from_lists,
        mask_inverted,
        mask_from_numpy,
        mask_transposed,
        mask_expanded,
    ],
    "first_token_weight": [0.75, 3 / 4, torch.tensor(0.75), np.float32(0.75), np.float64(0.7499)],
    "attention_weights": [
        weights_added_mask,
        weights_by_einsum,
        weights_in_float64,
        weights_by_loop,
        weights_by_hand,
        weights_in_place,
        weights_from_log,
        weights_on_flattened_heads,
    ],
    "attention": [
        attention_fused,
        attention_fused_with_mask,
        attention_by_einsum,
        attention_by_loop,
        attention_divided_late,
        attention_in_float64,
    ],
    "split_heads": [split_by_view, split_by_chunks, split_by_slices, split_by_unflatten],
    "merge_heads": [merge_by_view, merge_by_concatenation, merge_by_flatten, merge_by_loop],
    "CausalSelfAttention": LAYERS,
    "MendedAttention": LAYERS,
    "pattern_bytes": [
        603979776,
        576 * 2**20,
        603979776.0,
        torch.tensor(603979776),
        np.int64(603979776),
    ],
}
