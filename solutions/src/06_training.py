# %% [markdown]
# # Exercises 06: training
#
# You write a training step from its parts, mend a run that was resumed wrongly, and plan one of
# your own. Not quite two hours, after lesson 06.
#
# Write in the cells that say so, then run the check below each. It runs your code on several
# inputs and says what is wrong, if anything is. Stuck? Each exercise has three hints. What passes
# becomes a part of your own GPT.

# %%
import math

import torch
from torch import nn
from torch.nn import functional as F

from minigpt.course import check

# %% [markdown] exercise="cross_entropy"
# ## How wrong? Cross-entropy
#
# Write `cross_entropy(logits, targets)`: the mean surprise at the targets, in nats.
#
# $$L = -\frac{1}{B\,T} \sum_{b,\,t} \ln p_{b,t,y_{b,t}}, \qquad
# p_{b,t,k} = \frac{e^{l_{b,t,k}}}{\sum_j e^{l_{b,t,j}}}$$
#
# | | shape | |
# | --- | --- | --- |
# | `logits` | `(B, T, V)` | float32 or float64; the result has the same dtype |
# | `targets` | `(B, T)` | int64, each from 0 to V - 1 (none is left out here) |
# | result | `()` | a tensor with one number; gradients flow back to `logits` |
#
# - `targets[b, t]` is the right answer for `logits[b, t]`: they are shifted already.
# - Logits may be as large as 10,000, or as small as -10,000: the result is still right.
# - Both tensors may be transposed or cut, and both stay as they are.
#
# Write it by hand, without `F.cross_entropy` or `F.nll_loss`.
#
# For example, logits `[[[2, 1, 0], [0, 0, 3]]]` and targets `[[0, 1]]` give surprises of 0.4076
# and 3.0949, so the result is 1.7513.


# %% solution="cross_entropy"
def cross_entropy(logits, targets):
    """Mean surprise in nats: (B, T, V), (B, T) -> ()."""
    ### BEGIN SOLUTION
    m = logits.amax(dim=-1, keepdim=True)  # (B, T, 1)
    log_sum = m + (logits - m).exp().sum(dim=-1, keepdim=True).log()
    right = logits.gather(-1, targets.unsqueeze(-1))
    return (log_sum - right).mean()
    ### END SOLUTION


# %% check="cross_entropy"
check("cross_entropy", cross_entropy)

# %% [markdown] exercise="guessing_loss"
# ## What guessing costs
#
# A model reads a story of 50 tokens. At 45 of them it is certain of the right one: it gives it the
# probability 1. The other 5 are colours. There it guesses: each of 12 colours gets the probability
# 1/12, and the right one is among them.
#
# What is its loss on this story, in nats per token? Set `guessing_loss` to a number; three digits
# after the point will do. (With 1 sure token and 1 guess among 2 it would be 0.347.)

# %% solution="guessing_loss"
guessing_loss = None
### BEGIN SOLUTION
# 45 surprises of 0, and 5 of ln 12, shared out over 50 tokens: 0.248. Guessing seldom is cheap,
# which is why a model may rest on a plateau before it learns to recall.
guessing_loss = 5 * math.log(12) / 50
### END SOLUTION

# %% check="guessing_loss"
check("guessing_loss", guessing_loss)

# %% [markdown] exercise="adamw_step"
# ## One step of AdamW
#
# Write `adamw_step(w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8)`. It returns the
# new weights and the new averages, `(w, m, v)`. In the lesson this was `adamw`.
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2$$
#
# $$w \leftarrow (1 - \text{lr} \cdot \text{decay})\, w
# - \text{lr} \cdot \frac{\hat m}{\sqrt{\hat v} + \varepsilon}, \qquad
# \hat m = \frac{m}{1 - \beta_1^n}, \quad \hat v = \frac{v}{1 - \beta_2^n}$$
#
# - `w`, its gradient `g`, and the averages `m` and `v` are tensors of one shape, whatever it is.
# - `n` counts steps from 1. `lr`, `weight_decay`, the two `betas` and `eps` are numbers.
# - Use the *new* averages for the step. Return them as they are, not divided by anything.
# - Return new tensors of the same dtype: `w`, `g`, `m` and `v` stay as they are.
#
# For example, w = 1, g = 0.001, m = v = 0, n = 1, lr = 0.1 and no decay give w = 0.9, m = 0.0001,
# v = 0.00000001.


# %% solution="adamw_step"
def adamw_step(w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8):
    """Return the weights after step n, and the two averages."""
    ### BEGIN SOLUTION
    m = betas[0] * m + (1 - betas[0]) * g
    v = betas[1] * v + (1 - betas[1]) * g**2
    m_hat = m / (1 - betas[0] ** n)
    v_hat = v / (1 - betas[1] ** n)
    w = (1 - lr * weight_decay) * w - lr * m_hat / (v_hat.sqrt() + eps)
    return w, m, v
    ### END SOLUTION


# %% check="adamw_step"
check("adamw_step", adamw_step)

# %% [markdown] exercise="parameter_groups"
# ## Which weights decay
#
# Write `parameter_groups(model, weight_decay)`. It returns a list of dicts, as PyTorch's optimizers
# take them: each has `"params"`, a list of parameters, and `"weight_decay"`, a number.
#
# - A parameter of **two or more** dimensions decays by `weight_decay`; all others by 0. Only the
#   number of dimensions counts, not the name.
# - Frozen parameters, those with `requires_grad` False, are in no group.
# - A tied tensor has two names and still is *one* parameter: it appears once.
# - `model` is any `nn.Module`. Every group says its `"weight_decay"`. Their order and number are up
#   to you, and a group may be empty.
#
# For example, a model with a matrix `(2, 3)`, a gain `(3,)` and a bias `(3,)`, and
# `weight_decay=0.1`: the matrix is in a group with 0.1, gain and bias in one with 0.


# %% solution="parameter_groups"
def parameter_groups(model, weight_decay):
    """Split the trainable parameters: decay on matrices, none on the rest."""
    ### BEGIN SOLUTION
    weights = [p for p in model.parameters() if p.requires_grad]  # each once, tied or not
    return [
        {"params": [p for p in weights if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in weights if p.dim() < 2], "weight_decay": 0.0},
    ]
    ### END SOLUTION


# %% check="parameter_groups"
check("parameter_groups", parameter_groups)

# %% [markdown] exercise="lr_schedule"
# ## Warm-up, then a cosine
#
# Write `lr_schedule(step, *, max_lr, min_lr, warmup_steps, max_steps)`. It returns the learning
# rate of one step, a float. Steps are counted from 0, and `0 < warmup_steps < max_steps`.
#
# | | learning rate |
# | --- | --- |
# | while `step < warmup_steps` | `max_lr * (step + 1) / warmup_steps` |
# | then | half a cosine from `max_lr` at `warmup_steps` down to `min_lr` at `max_steps` |
# | from `max_steps` on | `min_lr` |
#
# In the middle, with $f$ the share of the way from `warmup_steps` to `max_steps`:
#
# $$\text{lr} = \text{min} + \tfrac{1}{2} (\text{max} - \text{min}) (1 + \cos \pi f)$$
#
# For example, with `max_lr=1.0, min_lr=0.1, warmup_steps=4, max_steps=12`: step 0 gives 0.25, step
# 3 and step 4 give 1.0, step 8 gives 0.55, step 12 and all later ones 0.1.


# %% solution="lr_schedule"
def lr_schedule(step, *, max_lr, min_lr, warmup_steps, max_steps):
    """Return the learning rate of a step."""
    ### BEGIN SOLUTION
    if step < warmup_steps:
        return max_lr * (step + 1) / warmup_steps
    f = min(1.0, (step - warmup_steps) / (max_steps - warmup_steps))  # 1 from max_steps on
    return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * f)) / 2
    ### END SOLUTION


# %% check="lr_schedule"
check("lr_schedule", lr_schedule)

# %% [markdown] exercise="train_step"
# ## One training step
#
# Write `train_step(model, optimizer, batches, max_norm)`: **one** update of the weights from
# several micro-batches, as from one large batch. It returns the loss, a float.
#
# - `model(x)` gives logits `(B, T, V)`. `optimizer` has `zero_grad()` and `step()`, as PyTorch's.
# - `batches` is a list of one or more `(x, y)`, each `(B, T)` int64. All have equally many targets,
#   each from 0 to V - 1.
# - Gradients of an earlier step may still be there. They must not count.
# - The gradient is that of the *mean* of the micro-batches' losses. All weights' gradients together
#   are one long arrow: if it is longer than `max_norm`, it is shortened to `max_norm`, once.
#   Otherwise it stays. `nn.utils.clip_grad_norm_` does that.
# - Return the mean of the losses that the gradients came from, measured before the update.
# - The model arrives in training mode, and learns in it. `batches` stays as it is.
#
# `F.cross_entropy(logits.flatten(0, 1), y.flatten())` is the loss of one micro-batch; your own
# `cross_entropy` will do as well.
#
# For example, two micro-batches with the losses 2 and 4: it returns 3.0, and the optimizer has
# stepped once.


# %% solution="train_step"
def train_step(model, optimizer, batches, max_norm):
    """Make one clipped update from equal micro-batches; return their mean loss."""
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    total = 0.0
    for x, y in batches:
        logits = model(x)  # (B, T, V)
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten()) / len(batches)
        loss.backward()  # adds to the gradients
        total += loss.item()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return total
    ### END SOLUTION


# %% check="train_step"
check("train_step", train_step)

# %% [markdown] exercise="evaluate"
# ## The loss on held-out text
#
# Write `evaluate(model, batches)`: the mean loss in nats per **token**, a float. In the lesson the
# package's `evaluate` did it. The mean is the nats of all tokens, divided by their number.
#
# - `batches` is a list of `(x, y)`, each `(B, T)` int64. B and T may differ from one to the next,
#   and every token counts once: a small batch counts less than a large one.
# - Dropout is off while you measure. Afterwards the model is in the mode it was in before, training
#   or evaluation.
# - PyTorch keeps no record for gradients meanwhile. Afterwards it does again. No weight and no
#   gradient changes.
#
# For example, batches of 12 and 4 tokens with mean losses of 2 and 6: (12 × 2 + 4 × 6) / 16 = 3.0.


# %% solution="evaluate"
def evaluate(model, batches):
    """Return the mean loss per token, without dropout."""
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    nats, tokens = 0.0, 0
    with torch.no_grad():
        for x, y in batches:
            loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
            nats += loss.item() * y.numel()
            tokens += y.numel()
    model.train(was_training)
    return nats / tokens
    ### END SOLUTION


# %% check="evaluate"
check("evaluate", evaluate)

# %% [markdown] exercise="resume_training"
# ## Mend: a run that goes on
#
# A run was stopped, and this function goes on with it. `rates[n]` is the learning rate of step n,
# for the whole run. The run goes on at step number `first_step`, and makes one update for each
# `(x, y)` in `batches`. It returns a list of floats: the loss of each step, before its update.
#
# It runs without an error, but **three things are wrong**. Mend them. What it should do in each
# step:
#
# - the rate of *this* step is set in every group of the optimizer;
# - the update follows the gradient of this batch alone;
# - that gradient is clipped to `max_norm`, all weights together.
#
# For example, with `first_step=3` and two batches the updates use `rates[3]` and `rates[4]`.
# `model`, `optimizer` and `max_norm` are as in `train_step`.


# %% solution="resume_training"
### BEGIN BROKEN
# def resume_training(model, optimizer, batches, rates, first_step, max_norm):
#     """Go on with a run, one update for each batch; return the losses."""
#     losses = []
#     for n, (x, y) in enumerate(batches):
#         for group in optimizer.param_groups:
#             group["lr"] = rates[n]
#         loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
#         loss.backward()
#         optimizer.step()
#         nn.utils.clip_grad_norm_(model.parameters(), max_norm)
#         losses.append(loss.item())
#     return losses
### END BROKEN
### BEGIN SOLUTION
def resume_training(model, optimizer, batches, rates, first_step, max_norm):
    """Go on with a run, one update for each batch; return the losses."""
    losses = []
    for n, (x, y) in enumerate(batches, start=first_step):  # 1. the schedule goes on
        for group in optimizer.param_groups:
            group["lr"] = rates[n]
        optimizer.zero_grad()  # 2. backward() adds to what is there
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)  # 3. before the step
        optimizer.step()
        losses.append(loss.item())
    return losses


### END SOLUTION


# %% check="resume_training"
check("resume_training", resume_training)

# %% [markdown] exercise="plan_run"
# ## How long is a run?
#
# Write `plan_run(*, corpus_tokens, epochs, batch_size, block_size, accumulation_steps)`. All five
# are whole numbers of at least 1. (The lesson planned no run; an *epoch* is one reading of the
# whole text.) It returns a tuple of three whole numbers:
#
# 1. the tokens that one update reads: `accumulation_steps` micro-batches, each of `batch_size`
#    windows, each of `block_size` tokens;
# 2. the least number of updates that reads at least `epochs` times `corpus_tokens` tokens;
# 3. the tokens that all these updates read together.
#
# For example, `plan_run(corpus_tokens=100, epochs=1, batch_size=4, block_size=5,
# accumulation_steps=2)` is `(40, 3, 120)`.


# %% solution="plan_run"
def plan_run(*, corpus_tokens, epochs, batch_size, block_size, accumulation_steps):
    """Return the tokens in a step, the number of steps, and the tokens in all of them."""
    ### BEGIN SOLUTION
    per_step = accumulation_steps * batch_size * block_size
    steps = math.ceil(corpus_tokens * epochs / per_step)
    return per_step, steps, steps * per_step
    ### END SOLUTION


# %% check="plan_run"
check("plan_run", plan_run)

# %% [markdown] exercise="why_warm_up"
# ## Why warm up?
#
# With AdamW, the learning rate usually rises from almost nothing before it comes down again.
# Explain in four to eight sentences why. A full answer says
#
# - how large AdamW's first steps are, and why they hardly depend on the gradient's size (one
#   point),
# - why such steps are risky just at the beginning (one point),
# - what warm-up changes about that, and what it costs (one point).
#
# Your teacher marks this one. If you have none, mark it yourself: the steps are below.

# %% [markdown] written="why_warm_up"
# ### BEGIN SOLUTION
# ### END SOLUTION
