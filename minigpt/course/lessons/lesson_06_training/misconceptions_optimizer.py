"""What people get wrong in AdamW, its groups and its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from minigpt.training import lr_schedule, parameter_groups

# --- adamw_step ---


def adamw(
    w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8, *, corrected=True, inside=False,
    root=True, l2=False, rate=True, squares=True, late=False, old_m=False, old_v=False, fixed=False,
    late_n=0, swapped=False, sign=1, early=False, plain=False,
):  # fmt: skip
    """AdamW with one thing wrong."""
    before, n = (m, v), n + late_n
    betas = (0.9, 0.99) if fixed else betas[::-1] if swapped else betas
    g = g + weight_decay * w if l2 else g
    m = betas[0] * m + (1 - betas[0]) * g
    v = betas[1] * v + (1 - betas[1]) * (g if plain else (g if squares else m) ** 2)
    m_hat, v_hat = (before[0] if old_m else m), (before[1] if old_v else v)
    rest = 1 - betas[1] ** n
    m_hat = m_hat / (1 - betas[0] ** n) if corrected in (True, "m") else m_hat
    v_hat = v_hat / rest if corrected in (True, "v") else v_hat
    size = (v_hat + eps).sqrt() if inside else (v_hat.sqrt() if root else v_hat) + eps
    size = (v.sqrt() + eps) / math.sqrt(rest) if early else size
    shrink = 1 - (0 if l2 else weight_decay * (lr if rate else 1))
    if late:
        return (w - lr * m_hat / size) * shrink, m, v
    return w * shrink - sign * lr * m_hat / size, m, v


def corrected_for_good(w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8):
    new, m, v = adamw(w, g, m, v, n, lr, weight_decay, betas, eps)
    return new, m / (1 - betas[0] ** n), v / (1 - betas[1] ** n)


def in_place(w, g, m, v, n, lr, weight_decay, **kwargs):
    for old, new in zip((w, m, v), adamw(w, g, m, v, n, lr, weight_decay, **kwargs)):
        old.copy_(new)
    return w, m, v


ADAMW = {
    "not-corrected": (
        "You use the running averages as they are. Both start at 0, so in the first steps they are "
        "far too small. Divide each by what it has collected after n steps.",
        partial(adamw, corrected=False),
    ),
    "corrected-for-good": (
        "The step is right, but you hand back the corrected averages. The next step would correct "
        "them again. Keep m and v as they are; the correction is for this step only.",
        corrected_for_good,
    ),
    "epsilon-inside-the-root": (
        "Your epsilon is under the root. For tiny gradients that makes the divisor 0.0001 instead "
        "of 0.00000001, and the weights hardly move. Take the root, then add it.",
        partial(adamw, inside=True),
    ),
    "epsilon-before-the-correction": (
        "You add epsilon to the root of v, and correct both together. So epsilon is divided as "
        "well, and in the first steps it weighs ten times as much. Correct v, take the root, and "
        "add it last.",
        partial(adamw, early=True),
    ),
    "no-epsilon": (
        "You divide by the root alone. A weight that has never had a gradient is then 0 / 0, which "
        "is not a number. That is what epsilon is for.",
        lambda *state, eps=1e-8, **more: adamw(*state, eps=0.0, **more),
    ),
    "only-m-corrected": (
        "You correct m and not v. In the first steps the divisor is far too small, and the step "
        "far too large. Both begin at 0; correct both.",
        partial(adamw, corrected="m"),
    ),
    "only-v-corrected": (
        "You correct v and not m. In the first steps m is far too small, and so is the step. Both "
        "begin at 0; correct both.",
        partial(adamw, corrected="v"),
    ),
    "gradient-not-squared": (
        "Your v averages the gradients themselves. Those below 0 have no root. It should average "
        "their squares.",
        partial(adamw, plain=True),
    ),
    "no-root": (
        "You divide by the average square. A square of 0.001 is a millionth: the step would be "
        "huge. Take its root, and you have the usual size of the gradient.",
        partial(adamw, root=False),
    ),
    "decay-in-the-gradient": (
        "You add the decay to the gradient: that is Adam with L2. Then it passes through the "
        "averages and is divided away like any gradient. The W in AdamW: shrink the weight itself.",
        partial(adamw, l2=True),
    ),
    "decay-without-learning-rate": (
        "Your weights shrink by the whole decay in each step. It is lr times decay, so that the "
        "pull fades with the schedule.",
        partial(adamw, rate=False),
    ),
    "decay-after-the-step": (
        "You shrink the weight after the step, and so the step as well. The decay belongs to the "
        "old weight only.",
        partial(adamw, late=True),
    ),
    "square-of-the-average": (
        "Your v averages the squares of m. It should average the squares of the gradients "
        "themselves: gradients that jump to and fro are large, though their mean is small.",
        partial(adamw, squares=False),
    ),
    "old-average": (
        "Your step uses m from before this gradient. Update m first; then step with the new one.",
        partial(adamw, old_m=True),
    ),
    "betas-swapped": (
        "The two betas are exchanged. The first belongs to m, the average of the gradients; the "
        "second, slower one to v.",
        partial(adamw, swapped=True),
    ),
    "uphill": (
        "Your weight moves along the gradient, so the loss grows. Downhill is minus.",
        partial(adamw, sign=-1),
    ),
    "in-place": (
        "The numbers are right, but you wrote them into w, m and v. Leave your inputs as they "
        "were, and return new tensors.",
        in_place,
    ),
    "old-averages": (
        "Your step uses m and v from before this gradient. Update both first; then step with the "
        "new ones.",
        partial(adamw, old_m=True, old_v=True),
    ),
    "betas-fixed": (
        "Right with the usual betas. But yours are written into the code: use the two that are "
        "given.",
        partial(adamw, fixed=True),
    ),
    "steps-from-zero": (
        "Your correction counts one step too many. n counts from 1 here, so the first correction "
        "divides by 1 - beta.",
        partial(adamw, late_n=1),
    ),
}

# --- parameter_groups ---


def trainable(model: nn.Module, **walk) -> list:
    named = model.named_parameters(**walk)
    return [(name, weight) for name, weight in named if weight.requires_grad]


def groups_by(
    decays: Callable, weights: Callable = trainable, no_decay: dict | None = None
) -> Callable:
    """Split the weights (name, tensor) that `weights` finds by whether `decays` says so."""

    def wrong(model: nn.Module, weight_decay: float) -> list[dict]:
        split: tuple[list, list] = ([], [])
        for name, weight in weights(model):
            split[bool(decays(name, weight))].append(weight)
        rest = {"weight_decay": 0.0} if no_decay is None else no_decay
        return [{"params": split[1], "weight_decay": weight_decay}, {"params": split[0]} | rest]

    return wrong


def matrix(name: str, weight: Tensor) -> bool:
    return weight.dim() >= 2


PARAMETER_GROUPS = {
    "all-decay": (
        "Everything decays, LayerNorm gains and biases too. A gain near 0 silences the whole "
        "stream. How many dimensions do gains and biases have?",
        groups_by(lambda name, weight: True),
    ),
    "gains-decay": (
        "You left out the biases, but the LayerNorms' gains still decay: they are called weight, "
        "not bias. Go by the number of dimensions, not by the name.",
        groups_by(lambda name, weight: "bias" not in name),
    ),
    "exchanged": (
        "The two groups are exchanged: biases and gains decay, matrices do not.",
        groups_by(lambda name, weight: weight.dim() < 2),
    ),
    "matrices-only": (
        "You decay tensors of exactly two dimensions. A convolution, say, has three or four, and "
        "it decays as well: two or *more*.",
        groups_by(lambda name, weight: weight.dim() == 2),
    ),
    "embeddings-left-out": (
        "Your embedding tables do not decay. Here the rule is only about dimensions, and a table "
        "has two.",
        groups_by(
            lambda name, weight: weight.dim() >= 2 and "wte" not in name and "wpe" not in name
        ),
    ),
    "rest-not-trained": (
        "Biases and LayerNorms are in no group. The optimizer does not know them, so they would "
        "never learn. They need a group, too, with a decay of 0.",
        lambda model, weight_decay: parameter_groups(model, weight_decay)[:1],
    ),
    "default-decay": (
        "Your second group does not say what its decay is. Then the optimizer's default applies, "
        "and for AdamW that is 0.01, not 0.",
        groups_by(matrix, no_decay={}),
    ),
    "frozen-included": (
        "Your groups hold frozen parameters. Whoever froze them set requires_grad to False; leave "
        "those out.",
        groups_by(matrix, lambda model: list(model.named_parameters())),
    ),
    "tied-twice": (
        "A tied tensor has two names and is in your groups twice. It would be stepped twice. Which "
        "way of walking through a model gives each tensor once?",
        groups_by(matrix, lambda model: trainable(model, remove_duplicate=False)),
    ),
    "by-name": (
        "You go by names: what is called bias, or stands in a LayerNorm called ln. Others choose "
        "other names. Go by the number of dimensions.",
        groups_by(lambda name, weight: "bias" not in name and "ln_" not in name),
    ),
    "names-not-parameters": (
        "Your groups hold names. An optimizer changes tensors: put in the parameters themselves.",
        lambda model, weight_decay: [
            {"params": [n for n, w in trainable(model) if matrix(n, w)], "weight_decay": 0.1},
            {"params": [n for n, w in trainable(model) if not matrix(n, w)], "weight_decay": 0.0},
        ],
    ),
}

# --- lr_schedule ---


def schedule(
    step, *, max_lr, min_lr, warmup_steps, max_steps, plus=1, last=0, clamp=True, to=None,
    shape=lambda f: (1 + math.cos(math.pi * f)) / 2, offset=True, between=None, end=0, slower=0,
    from_minimum=False, ahead=0,
):  # fmt: skip
    """The schedule with one thing wrong."""
    floor = min_lr if to is None else to
    if step < warmup_steps + last:
        low = min_lr if from_minimum else 0
        return low + (max_lr - low) * (step + plus) / (warmup_steps + slower)
    if step >= max_steps and clamp:
        return floor
    start = warmup_steps if offset else 0
    base = floor if between is None else between
    return base + (max_lr - base) * shape((step + ahead - start) / (max_steps + end - start))


def shape_only(step, *, min_lr, **plan):
    """The cosine between max_lr and 0, cut off at min_lr."""
    rate = schedule(step, min_lr=min_lr, **plan, to=0.0)
    return rate if step < plan["warmup_steps"] else max(rate, min_lr)


LR_SCHEDULE = {
    "starts-at-zero": (
        "Your first step has a learning rate of 0, so it does nothing, and the peak comes one step "
        "late. Steps are counted from 0: during warm-up use step + 1.",
        partial(schedule, plus=0),
    ),
    "warmup-too-long": (
        "Your warm-up has one step too many, and that step is above max_lr. It holds *while* step "
        "< warmup_steps.",
        partial(schedule, last=1),
    ),
    "no-warmup": (
        "You begin at max_lr. Adam's first steps are full steps on hardly any evidence: the rate "
        "has to rise first.",
        lambda step, **plan: lr_schedule(max(step, plan["warmup_steps"]), **plan),
    ),
    "warmup-from-the-minimum": (
        "Your warm-up rises from min_lr. The rule says max_lr * (step + 1) / warmup_steps: from "
        "almost nothing.",
        partial(schedule, from_minimum=True),
    ),
    "cosine-from-step-zero": (
        "Your cosine counts from step 0, so there is a jump when the warm-up ends. Its share f is "
        "0 at warmup_steps and 1 at max_steps.",
        partial(schedule, offset=False),
    ),
    "rises-again": (
        "After max_steps your rate climbs again: a cosine comes back. From max_steps on it stays "
        "at min_lr.",
        partial(schedule, clamp=False),
    ),
    "down-to-zero": (
        "Your cosine ends at 0. It should run between max_lr and min_lr, so only the difference of "
        "the two is multiplied.",
        partial(schedule, to=0.0),
    ),
    "cut-off-at-the-minimum": (
        "Your cosine runs to 0 and is cut off at min_lr. It gets there too early, with a kink. Let "
        "it run from max_lr to min_lr instead.",
        shape_only,
    ),
    "straight-line": (
        "Yours comes down on a straight line. A cosine is level at both ends.",
        partial(schedule, shape=lambda f: 1 - f),
    ),
    "quarter-of-a-circle": (
        "Your cosine runs over a quarter of its circle only. It starts level, but ends steep. Half "
        "the circle, from 0 to pi, is level at both ends.",
        partial(schedule, shape=lambda f: math.cos(math.pi * f / 2)),
    ),
    "not-halved": (
        "1 + cos is 2 at its top, so your rate jumps to twice max_lr after the warm-up. Halve it.",
        partial(schedule, shape=lambda f: 1 + math.cos(math.pi * f)),
    ),
    "degrees": (
        "Your cosine takes its angle for radians but gets degrees. In Python half a circle is "
        "math.pi, not 180.",
        partial(schedule, shape=lambda f: (1 + math.cos(180 * f)) / 2),
    ),
    "minimum-forgotten": (
        "Your cosine runs from max_lr to 0, and jumps to min_lr at the end. It should run between "
        "max_lr and min_lr: multiply only their difference, and add min_lr.",
        partial(schedule, between=0.0),
    ),
    "upside-down": (
        "Your cosine rises: it begins at min_lr and climbs to max_lr. Which sign makes it start at "
        "the top, where f is 0?",
        partial(schedule, shape=lambda f: (1 - math.cos(math.pi * f)) / 2),
    ),
    "pi-forgotten": (
        "Your cosine takes f itself for its angle. Half a circle is pi, so the angle is pi times "
        "f.",
        partial(schedule, shape=lambda f: (1 + math.cos(f)) / 2),
    ),
    "arrives-a-step-early": (
        "Your cosine is down one step before max_steps. Its share f is 1 *at* max_steps: divide by "
        "max_steps - warmup_steps.",
        partial(schedule, end=-1),
    ),
    "warmup-never-arrives": (
        "Your warm-up divides by warmup_steps + 1, so its last step stays below max_lr. Some "
        "programs do that; the rule here divides by warmup_steps.",
        partial(schedule, slower=1),
    ),
    "whole-division": (
        "You divide with //, which drops what comes after the point: f is 0 until the very end, "
        "and the rate never comes down. A share needs /.",
        partial(schedule, shape=lambda f: (1 + math.cos(math.pi * math.floor(f))) / 2),
    ),
    "a-step-ahead": (
        "Your cosine is one step ahead. step + 1 is for the warm-up only: f is 0 *at* warmup_steps "
        "and 1 at max_steps.",
        partial(schedule, ahead=1),
    ),
}
