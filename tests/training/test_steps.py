"""The loss, the learning rate and a step, against formulas worked by hand and big batches."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigpt.training import cross_entropy, lr_schedule, make_optimizer, train_step
from minigpt.training.steps import shares
from tests.training.runs import QUICK, assert_same_bits, fresh_model, some_batch, weights_of

# --- The loss and the schedule ----------------------------------------------------------------


def test_cross_entropy_is_the_mean_of_minus_log_p_of_the_target():
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 3, 5), torch.randint(5, (2, 3))
    slow = [
        math.log(sum(math.exp(v) for v in logits[b, t].tolist())) - logits[b, t, targets[b, t]]
        for b in range(2)
        for t in range(3)
    ]
    assert cross_entropy(logits, targets).item() == pytest.approx(sum(slow).item() / 6, abs=1e-6)


def test_cross_entropy_leaves_out_targets_of_minus_100():
    logits, targets = torch.randn(1, 3, 5), torch.tensor([[2, -100, 4]])
    kept = cross_entropy(logits[:, [0, 2]], targets[:, [0, 2]])
    torch.testing.assert_close(cross_entropy(logits, targets), kept)


def test_cross_entropy_is_float32_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        logits = nn.Linear(4, 8)(torch.randn(1, 3, 4))
        assert logits.dtype == torch.bfloat16
        assert cross_entropy(logits, torch.zeros(1, 3, dtype=torch.int64)).dtype == torch.float32


@pytest.mark.parametrize(
    ("step", "lr"),
    [
        (0, 0.25),
        (1, 0.5),
        (2, 0.75),
        (3, 1.0),
        (4, 1.0),  # the cosine starts at the top
        (6, 0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2),
        (8, 0.55),  # half-way
        (10, 0.1 + 0.9 * (1 - math.sqrt(0.5)) / 2),
        (12, 0.1),
        (13, 0.1),
        (1000, 0.1),
    ],
)
def test_the_learning_rate_is_that_of_a_table_worked_by_hand(step, lr):
    actual = lr_schedule(step, max_lr=1.0, min_lr=0.1, warmup_steps=4, max_steps=12)
    assert actual == pytest.approx(lr, abs=1e-12)


def test_the_learning_rate_equals_pytorchs_own_schedulers():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 7))
    lrs = []
    for _ in range(7):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        warm.step()
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=23, eta_min=0.02)
    for _ in range(24):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        cosine.step()
    ours = [
        lr_schedule(step, max_lr=0.3, min_lr=0.02, warmup_steps=7, max_steps=30)
        for step in range(31)
    ]
    assert ours == pytest.approx(lrs, abs=1e-9)


def test_without_warm_up_the_first_step_has_the_full_learning_rate():
    assert lr_schedule(0, max_lr=1.0, min_lr=0.1, warmup_steps=0, max_steps=10) == 1.0


# --- One step ---------------------------------------------------------------------------------


def adamw_by_hand(model, batches, lr, config):
    """The formulas of Loshchilov and Hutter 2019, algorithm 2, in float64 and without PyTorch's."""
    names = [name for name, _ in model.named_parameters()]
    model = copy.deepcopy(model).double()
    weights = list(model.parameters())
    m = [torch.zeros_like(weight) for weight in weights]
    v = [torch.zeros_like(weight) for weight in weights]
    beta1, beta2 = config.betas
    for t, (x, y) in enumerate(batches, start=1):
        loss = F.cross_entropy(model(x).reshape(-1, 8), y.reshape(-1))
        gradients = torch.autograd.grad(loss, weights)
        norm = math.sqrt(sum((g**2).sum().item() for g in gradients))
        for i, (weight, g) in enumerate(zip(weights, gradients)):
            g = g * min(1.0, config.max_norm / norm)
            m[i] = beta1 * m[i] + (1 - beta1) * g
            v[i] = beta2 * v[i] + (1 - beta2) * g**2
            step = (m[i] / (1 - beta1**t)) / ((v[i] / (1 - beta2**t)).sqrt() + 1e-8)
            decay = config.weight_decay if weight.dim() == 2 else 0.0
            weight.data -= lr * (step + decay * weight.data)
    return loss.item(), norm, dict(zip(names, weights))


@pytest.mark.parametrize("max_norm", [1e9, 0.1])
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.5, 0.7)])
def test_steps_are_adamw_on_clipped_gradients_by_the_formula(max_norm, betas):
    model = fresh_model()
    config = replace(QUICK, max_norm=max_norm, betas=betas)
    batches = [some_batch(seed=seed) for seed in range(3)]
    loss, norm, after = adamw_by_hand(model, batches, 1e-3, config)
    optimizer = make_optimizer(model, config)
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    for batch in batches:
        result = train_step(model, optimizer, [batch], max_norm)
    assert result == pytest.approx((loss, norm), rel=1e-4)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.double(), after[name].data, atol=2e-5, rtol=0, msg=name)


def test_clipping_shortens_long_gradients_to_max_norm_and_leaves_short_ones():
    for max_norm, shortened in ((0.05, True), (50.0, False)):
        model = fresh_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        before = weights_of(model)
        _, norm = train_step(model, optimizer, [some_batch()], max_norm)
        moved = sum(((before[n] - w) ** 2).sum().item() for n, w in model.named_parameters())
        assert norm > 0.05
        assert math.sqrt(moved) == pytest.approx(0.05 if shortened else norm, rel=1e-3)


def test_stale_gradients_are_cleared_first():
    steps = []
    for stale in (False, True):
        model = fresh_model()
        if stale:
            cross_entropy(model(some_batch(seed=5)[0]), some_batch(seed=6)[0]).backward()
        train_step(model, torch.optim.SGD(model.parameters(), lr=1.0), [some_batch()], 1e9)
        steps.append(weights_of(model))
    assert_same_bits(*steps)


@pytest.mark.parametrize("ragged", [False, True])
def test_accumulated_micro_batches_equal_one_big_batch(ragged):
    x, y = some_batch(rows=8)
    if ragged:  # rows of documents end early: micro-batches then hold different numbers of targets
        for row, length in enumerate((16, 15, 16, 14, 2, 1, 3, 2)):
            y[row, length:] = -100
    whole, parts = fresh_model(), fresh_model()
    sgd = torch.optim.SGD
    big = train_step(whole, sgd(whole.parameters(), lr=1.0), [(x, y)], 0.5)
    pieces = list(zip(x.split(2), y.split(2)))
    small = train_step(parts, sgd(parts.parameters(), lr=1.0), pieces, 0.5)
    assert small == pytest.approx(big, rel=1e-5)
    for (name, first), second in zip(whole.named_parameters(), parts.parameters()):
        torch.testing.assert_close(first, second, atol=1e-6, rtol=0, msg=name)


def test_shares_add_up_to_one_and_count_only_targets():
    targets = [[[1, 2, 3, -100]], [[0, -100, -100, -100]], [[-100, 7, -100, -100]]]
    assert shares([(None, torch.tensor(y)) for y in targets]) == [3 / 5, 1 / 5, 1 / 5]
