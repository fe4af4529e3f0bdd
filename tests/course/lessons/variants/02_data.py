"""Right answers to the exercises of lesson 02, each written in another way."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# --- embed ---


def embed_with_one_hot(idx, wte, wpe):
    tokens = F.one_hot(idx, len(wte)).to(wte.dtype) @ wte
    places = torch.eye(idx.shape[-1], len(wpe), dtype=wpe.dtype) @ wpe
    return tokens + places


def embed_with_layers(idx, wte, wpe):
    places = torch.arange(idx.shape[-1]).expand_as(idx)
    return F.embedding(places, wpe) + F.embedding(idx, wte)


def embed_token_by_token(idx, wte, wpe):
    T, C = idx.shape[-1], wte.shape[1]
    out = torch.zeros(*idx.shape, C, dtype=wte.dtype)
    for t in range(T):
        out[..., t, :] = wte[idx[..., t]] + wpe[t]
    return out


def embed_with_index_select(idx, wte, wpe):
    x = wte.index_select(0, idx.reshape(-1)).view(*idx.shape, -1) if idx.numel() else wte[idx]
    return torch.add(x, wpe.narrow(0, 0, idx.size(-1)))


# --- sinusoidal_positions ---


def waves_by_loop(T, C):
    table = torch.zeros(T, C)
    for t in range(T):
        for column in range(C):
            angle = t / 10000 ** (2 * (column // 2) / C)
            table[t, column] = math.cos(angle) if column % 2 else math.sin(angle)
    return table


def waves_by_exponential(T, C):
    rates = torch.exp(torch.arange(0, C, 2) * (-math.log(10000.0) / C))
    table = torch.empty(T, C)
    table[:, 0::2] = torch.sin(torch.outer(torch.arange(T).float(), rates))
    table[:, 1::2] = torch.cos(torch.outer(torch.arange(T).float(), rates))
    return table


def waves_by_phase(T, C):
    column = torch.arange(C)
    angle = torch.arange(T, dtype=torch.float64)[:, None] / 10000 ** ((column - column % 2) / C)
    return torch.sin(angle + column % 2 * (math.pi / 2)).float()


def waves_by_complex(T, C):
    angle = torch.arange(T).float()[:, None] * 10000.0 ** (-torch.arange(0, C, 2) / C)
    turned = torch.view_as_real(torch.polar(torch.ones_like(angle), angle))  # cos, sin
    return turned.flip(-1).reshape(T, C)


def waves_by_numpy(T, C):
    angle = np.arange(T)[:, None] / 10000 ** (np.arange(0, C, 2) / C)
    return torch.from_numpy(np.dstack([np.sin(angle), np.cos(angle)]).reshape(T, C)).float()


# --- embedding_account ---


def account_by_layers(vocab_size, block_size, n_embd):
    wte = torch.empty(vocab_size, n_embd, device="meta")
    wpe = torch.empty(block_size, n_embd, device="meta")
    size = (wte.numel() + wpe.numel()) * wte.element_size()
    return {"bytes": size, "wpe": wpe.numel(), "wte": wte.numel()}


def account_by_hand(V, T, C):
    return dict(wte=V * C, wpe=T * C, bytes=(V + T) * C * 4)


def account_in_numpy(V, T, C):
    sizes = np.array([V, T], dtype=np.int64) * C
    return {"wte": sizes[0], "wpe": sizes[1], "bytes": sizes.sum() * 32 // 8}


def account_with_meta_layers(V, T, C):
    with torch.device("meta"):
        tables = nn.ModuleDict({"wte": nn.Embedding(V, C), "wpe": nn.Embedding(T, C)})
    account = {name: table.weight.numel() for name, table in tables.items()}
    return account | {"bytes": 4 * sum(account.values())}


# --- get_batch ---


def starts_of(data, block_size, batch_size, generator):
    return torch.randint(len(data) - block_size, (batch_size,), generator=generator)


def batch_by_index(data, block_size, batch_size, generator):
    starts = starts_of(data, block_size, batch_size, generator)
    windows = data[starts[:, None] + torch.arange(block_size + 1)].long()
    return windows[:, :-1], windows[:, 1:]


def batch_by_unfold(data, block_size, batch_size, generator):
    starts = torch.randint(0, data.numel() - block_size, (batch_size,), generator=generator)
    windows = data.to(torch.int64).unfold(0, block_size + 1, 1)[starts]
    return windows[..., :block_size], windows[..., 1:]


def batch_by_lists(data, block_size, batch_size, generator):
    ids, starts = data.tolist(), starts_of(data, block_size, batch_size, generator).tolist()
    x = torch.tensor([ids[s : s + block_size] for s in starts])
    y = torch.tensor([ids[s + 1 : s + 1 + block_size] for s in starts])
    return x, y


def batch_filled_in(data, T, B, generator):
    x = torch.zeros(B, T, dtype=torch.int64)
    y = torch.zeros_like(x)
    for b, s in enumerate(starts_of(data, T, B, generator).tolist()):
        for t in range(T):
            x[b, t], y[b, t] = data[s + t], data[s + t + 1]
    return x, y


# --- bigram_counts ---


def counts_by_put(ids, vocab_size):
    counts = torch.zeros(vocab_size, vocab_size, dtype=torch.int64)
    one = torch.ones(max(len(ids) - 1, 0), dtype=torch.int64)
    return counts.index_put_((ids[:-1], ids[1:]), one, accumulate=True)


def counts_by_one_hot(ids, vocab_size):
    one_hot = F.one_hot(ids, vocab_size).double()
    return (one_hot[:-1].T @ one_hot[1:]).long()


def counts_by_scatter(ids, vocab_size):
    flat = torch.zeros(vocab_size**2, dtype=torch.int64)
    places = ids[:-1] * vocab_size + ids[1:]
    return flat.scatter_add_(0, places, torch.ones_like(places)).reshape(vocab_size, -1)


def counts_by_counter(ids, vocab_size):
    counter = Counter(zip(ids.tolist(), ids.tolist()[1:]))
    return torch.tensor([[counter[i, j] for j in range(vocab_size)] for i in range(vocab_size)])


# --- bigram_loss ---


def loss_by_logs(counts, ids, extra):
    logs = (counts + extra).log()
    logs = logs - logs.logsumexp(dim=1, keepdim=True)
    return -logs[ids[:-1], ids[1:]].mean()


def loss_by_loop(counts, ids, extra):
    counts, ids, total = counts.tolist(), ids.tolist(), 0.0
    for now, after in pairwise(ids):
        row = [n + extra for n in counts[now]]
        total -= math.log(row[after] / sum(row))
    return total / (len(ids) - 1)


def loss_by_cross_entropy(counts, ids, extra):
    logits = torch.log(counts.double() + extra)[ids[:-1]]
    return F.cross_entropy(logits, ids[1:])


def loss_by_numpy(counts, ids, extra):
    P = counts.numpy() + extra
    P = P / P.sum(axis=1)[:, None]
    return -np.log(P[ids[:-1].numpy(), ids[1:].numpy()]).mean()


# --- batch_loss ---


def batch_loss_by_axis(table, x, y):
    return F.cross_entropy(table[x].transpose(1, 2), y)


def batch_loss_by_gather(table, x, y):
    counted = y != -100
    logs = table[x][counted].log_softmax(dim=-1)
    return -logs.gather(1, y[counted][:, None]).mean()


def batch_loss_by_sum(table, x, y):
    logits = table[x].reshape(-1, table.shape[1])
    total = F.cross_entropy(logits, y.reshape(-1), reduction="sum", ignore_index=-100)
    return total / (y >= 0).sum()


def batch_loss_column_by_column(table, x, y):
    logits = F.embedding(x, table).transpose(0, 1).flatten(0, 1)
    return F.cross_entropy(logits, y.T.flatten())


def batch_loss_by_view(table, x, y):
    return F.cross_entropy(table[x].view(-1, len(table)), y.view(-1))


UNIFORM = math.log(50257)
FLOOR = math.log(2 * 2 * 6) / 12

VARIANTS = {
    "embed": [
        embed_with_one_hot,
        embed_with_layers,
        embed_token_by_token,
        embed_with_index_select,
    ],
    "sinusoidal_positions": [
        waves_by_loop,
        waves_by_exponential,
        waves_by_phase,
        waves_by_complex,
        waves_by_numpy,
    ],
    "embedding_account": [
        account_by_layers,
        account_by_hand,
        account_in_numpy,
        account_with_meta_layers,
    ],
    "get_batch": [batch_by_index, batch_by_unfold, batch_by_lists, batch_filled_in],
    "bigram_counts": [counts_by_put, counts_by_one_hot, counts_by_scatter, counts_by_counter],
    "bigram_loss": [loss_by_logs, loss_by_loop, loss_by_cross_entropy, loss_by_numpy],
    "uniform_loss": [10.82, torch.tensor(UNIFORM), np.float32(UNIFORM), -math.log(1 / 50257)],
    "batch_loss": [
        batch_loss_by_axis,
        batch_loss_by_view,
        batch_loss_by_gather,
        batch_loss_by_sum,
        batch_loss_column_by_column,
    ],
    "story_floor": [0.265, torch.tensor(FLOOR), np.float64(FLOOR)],
}
