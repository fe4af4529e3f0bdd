"""Correct answers to the exercises of lesson 06, each written in another way."""

import copy
import functools
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from minigpt.model import evaluating

# --- cross_entropy ---


def transposed_for_pytorch(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets)


def row_by_row(logits, targets):
    total = 0
    for text, answers in zip(logits, targets):
        for row, answer in zip(text, answers):
            total = total + torch.logsumexp(row, dim=0) - row[answer]
    return total / targets.numel()


def one_hot_in_float64(logits, targets):
    right = F.one_hot(targets, logits.size(-1)).bool()
    chosen = torch.log_softmax(logits.double(), dim=-1).masked_fill(~right, 0.0)
    return (-chosen.sum() / targets.numel()).to(logits.dtype)


def against_the_right_one(logits, targets):
    """The surprise is the log of the sum of e to the power of each logit less the right one."""
    right = logits.gather(-1, targets[:, :, None])
    return (logits - right).logsumexp(dim=-1).mean()


def by_fancy_index(logits, targets):
    flat, answers = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    return -flat.log_softmax(1)[torch.arange(len(answers)), answers].mean()


# --- guessing_loss: ln(12) / 10 ---

NUMBERS = [
    0.248,
    0.2485,
    np.float64(math.log(12) / 10),
    torch.tensor(5 * math.log(12) / 50),
    -5 / 50 * math.log(1 / 12),
]

# --- adamw_step ---


def adam_in_float64(w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8):
    first, second = betas
    new_m = torch.lerp(g.double(), m.double(), first)
    new_v = second * v.double() + (1 - second) * g.double().square()
    size = (new_v / (1 - second**n)).sqrt() + eps
    step = new_m / (1 - first**n) / size
    new_w = w.double() - lr * weight_decay * w.double() - lr * step
    return new_w.to(w.dtype), new_m.to(w.dtype), new_v.to(w.dtype)


def adam_with_folded_corrections(w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8):
    m = m + (1 - betas[0]) * (g - m)
    v = v + (1 - betas[1]) * (g * g - v)
    correction = math.sqrt(1 - betas[1] ** n)
    size = v**0.5 + eps * correction
    w = w * (1 - lr * weight_decay) - lr * correction / (1 - betas[0] ** n) * m / size
    return w, m, v


def adam_by_pytorch(w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8):
    new = [part.detach().clone() for part in (w, m, v)]
    new[0].mul_(1 - lr * weight_decay)
    new[1].mul_(betas[0]).add_(g, alpha=1 - betas[0])
    new[2].mul_(betas[1]).addcmul_(g, g, value=1 - betas[1])
    size = new[2].div(1 - betas[1] ** n).sqrt_().add_(eps)
    new[0].addcdiv_(new[1], size, value=-lr / (1 - betas[0] ** n))
    return tuple(new)


# --- parameter_groups ---


def one_group_each(model, weight_decay):
    return [
        {"params": [p], "weight_decay": weight_decay if p.ndim > 1 else 0, "lr": 1e-3}
        for p in model.parameters()
        if p.requires_grad
    ]


def by_name_and_id(model, weight_decay):
    seen, decay, rest = set(), [], []
    for _, p in model.named_parameters(remove_duplicate=False):
        if id(p) not in seen and p.requires_grad:
            (decay if len(p.shape) >= 2 else rest).append(p)
        seen.add(id(p))
    return [{"weight_decay": 0.0, "params": rest}, {"weight_decay": weight_decay, "params": decay}]


def through_modules(model, weight_decay):
    found = {p: None for part in model.modules() for p in part.parameters(recurse=False)}
    trainable = [p for p in found if p.requires_grad]
    by_decay = {weight_decay: [], 0.0: []}
    for p in trainable:
        by_decay[weight_decay if p.dim() not in (0, 1) else 0.0].append(p)
    return [dict(params=params, weight_decay=decay) for decay, params in by_decay.items()]


# --- lr_schedule ---


def by_sine(step, *, max_lr, min_lr, warmup_steps, max_steps):
    if step < warmup_steps:
        return (step + 1) * (max_lr / warmup_steps)
    left = max(0.0, (max_steps - step) / (max_steps - warmup_steps))
    return min_lr + (max_lr - min_lr) * math.sin(math.pi / 2 * left) ** 2


def by_clamping(step, *, max_lr, min_lr, warmup_steps, max_steps):
    f = min(1.0, max(0.0, (step - warmup_steps) / (max_steps - warmup_steps)))
    cosine = 0.5 * (1 + np.cos(np.pi * f))
    return min(1.0, (step + 1) / warmup_steps) * (cosine * max_lr + (1 - cosine) * min_lr)


def in_torch(step, *, max_lr, min_lr, warmup_steps, max_steps):
    if step + 1 <= warmup_steps:
        return torch.tensor(max_lr * (step + 1) / warmup_steps, dtype=torch.float64)
    f = (min(step, max_steps) - warmup_steps) / (max_steps - warmup_steps)
    half = torch.tensor(math.pi * f, dtype=torch.float64).cos() / 2
    return (max_lr + min_lr) / 2 + (max_lr - min_lr) * half


# --- train_step ---


def as_one_batch(model, optimizer, batches, max_norm):
    x, y = (torch.cat(parts) for parts in zip(*batches))
    loss = F.cross_entropy(model(x).transpose(1, 2), y)
    model.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(model.parameters()), max_norm)
    optimizer.step()
    return loss.item()


def backward_of_the_mean(model, optimizer, batches, max_norm):
    model.train()
    for weight in model.parameters():
        weight.grad = None
    losses = [F.cross_entropy(model(x).flatten(0, 1), y.flatten()) for x, y in batches]
    mean = torch.stack(losses).mean()
    mean.backward()
    norm = math.sqrt(sum(w.grad.double().square().sum().item() for w in model.parameters()))
    if norm > max_norm:
        for weight in model.parameters():
            weight.grad.mul_(max_norm / norm)
    optimizer.step()
    optimizer.zero_grad()  # nothing is left for the next step
    return mean.item()


def divided_at_the_end(model, optimizer, batches, max_norm):
    optimizer.zero_grad(set_to_none=False)
    losses = []
    for x, y in batches:
        nats = -model(x).log_softmax(dim=-1).gather(-1, y[..., None])
        nats.mean().backward()
        losses.append(nats.detach().double().mean().item())
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad /= len(batches)
    nn.utils.clip_grad_norm_(model.parameters(), max_norm, foreach=False)
    optimizer.step()
    return sum(losses) / len(losses)


def by_autograd(model, optimizer, batches, max_norm):
    weights = list(model.parameters())
    total, sums = 0.0, [torch.zeros_like(w) for w in weights]
    for x, y in batches:
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        sums = [a + g for a, g in zip(sums, torch.autograd.grad(loss, weights))]
        total += loss.item()
    mean = [a / len(batches) for a in sums]
    norm = torch.cat([g.flatten() for g in mean]).norm()
    for weight, gradient in zip(weights, mean):
        weight.grad = gradient * min(1.0, max_norm / norm.item())
    optimizer.step()
    return total / len(batches)


# --- evaluate ---


def evaluate_by_sums(model, batches):
    with torch.no_grad(), evaluating(model):
        sums = [
            F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum")
            for x, y in batches
        ]
    return float(sum(sums) / sum(y.numel() for _, y in batches))


def evaluate_under_inference(model, batches):
    mode = model.training
    try:
        with torch.inference_mode():
            model.train(False)
            nats = [
                -model(x).log_softmax(-1).gather(-1, y[..., None]).flatten() for x, y in batches
            ]
            return torch.cat(nats).double().mean().item()
    finally:
        model.train(mode)


@torch.no_grad()
def evaluate_by_shares(model, batches):
    tokens = sum(y.numel() for _, y in batches)
    was_training, total = model.training, torch.zeros(())
    model.eval()
    for x, y in batches:
        total += F.cross_entropy(model(x).transpose(1, 2), y) * (y.numel() / tokens)
    if was_training:
        model.train()
    return total


# --- resume_training ---


def evaluate_a_copy(model, batches):
    """The model itself is never touched."""
    twin, nats = copy.deepcopy(model).eval(), []
    with torch.no_grad():
        for x, y in batches:
            chances = twin(x).log_softmax(dim=-1)
            nats += [-chances[b, t, y[b, t]] for b in range(len(y)) for t in range(y.size(1))]
    return float(sum(nats) / len(nats))


def resume_with(one_step, model, optimizer, batches, rates, first_step, max_norm):
    losses = []
    for batch, rate in zip(batches, rates[first_step:]):
        for group in optimizer.param_groups:
            group.update(lr=rate)
        losses.append(one_step(model, optimizer, [batch], max_norm))
    return losses


def resume_clearing_last(model, optimizer, batches, rates, first_step, max_norm):
    optimizer.zero_grad()
    losses, step = [], first_step
    while len(losses) < len(batches):
        x, y = batches[len(losses)]
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        step += 1
    return losses


# --- plan_run ---


def plan_by_floor(*, corpus_tokens, epochs, batch_size, block_size, accumulation_steps):
    step = batch_size * block_size * accumulation_steps
    steps = (corpus_tokens * epochs + step - 1) // step
    return step, steps, step * steps


def plan_by_remainder(*, corpus_tokens, epochs, batch_size, block_size, accumulation_steps):
    step = math.prod((batch_size, block_size, accumulation_steps))
    steps, left = divmod(corpus_tokens * epochs, step)
    steps += left > 0
    return (step, steps, steps * step)


def plan_by_negation(*, corpus_tokens, epochs, batch_size, block_size, accumulation_steps):
    step = np.int64(batch_size) * block_size * accumulation_steps
    steps = -(-corpus_tokens * epochs // int(step))
    return int(step), steps, int(step) * steps


VARIANTS = {
    "cross_entropy": [
        transposed_for_pytorch,
        row_by_row,
        one_hot_in_float64,
        against_the_right_one,
        by_fancy_index,
    ],
    "guessing_loss": NUMBERS,
    "adamw_step": [adam_in_float64, adam_with_folded_corrections, adam_by_pytorch],
    "parameter_groups": [one_group_each, by_name_and_id, through_modules],
    "lr_schedule": [by_sine, by_clamping, in_torch],
    "train_step": [as_one_batch, backward_of_the_mean, divided_at_the_end, by_autograd],
    "evaluate": [evaluate_by_sums, evaluate_under_inference, evaluate_by_shares, evaluate_a_copy],
    "resume_training": [
        functools.partial(resume_with, as_one_batch),
        functools.partial(resume_with, by_autograd),
        resume_clearing_last,
    ],
    "plan_run": [plan_by_floor, plan_by_remainder, plan_by_negation],
}

# Mutants of the solutions that no case can tell from them, and why.
SURVIVORS = {
    (
        "resume_training",
        "optimizer.step() -> losses.append(loss.item())",
    ): "the loss was computed before the step; when it is noted down changes nothing",
}
