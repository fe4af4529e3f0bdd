"""What people get wrong in the parts of training: each wrong answer, and what a teacher says."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.training import cross_entropy, lr_schedule, parameter_groups

# --- cross_entropy ---


def nats(logits: Tensor, targets: Tensor) -> Tensor:
    """The surprise of each target: (B, T)."""
    return -logits.log_softmax(dim=-1).gather(-1, targets[..., None])[..., 0]


def of_probabilities(p, targets):
    return -p.gather(-1, targets[..., None]).log().mean()


def by_log_sum(summed, looked_up, targets):
    """The log of the sum of one tensor's exponentials, minus the target's entry in another."""
    log_sum = summed.exp().sum(dim=-1).log()
    return (log_sum - looked_up.gather(-1, targets[..., None])[..., 0]).mean()


def with_constant(constant: float) -> tuple[str, Callable]:
    return (
        "You add a small constant before the logarithm, or keep the probability above it. It hides "
        f"the infinity, and no surprise can be larger than about {-math.log(constant):.0f} nats "
        "any more: a model that is sure and wrong gets off lightly. Work with log-probabilities "
        "instead.",
        lambda logits, targets: of_probabilities(logits.softmax(dim=-1) + constant, targets),
    )


USUAL_CONSTANTS = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-20)

CROSS_ENTROPY = {
    "overflow": (
        "Right for small logits. But the exponential of 10,000 is larger than any floating-point "
        "number: infinite divided by infinite is not a number. Take the largest logit of each row "
        "out first, and the logarithm before you divide.",
        lambda logits, targets: of_probabilities(
            logits.exp() / logits.exp().sum(dim=-1, keepdim=True), targets
        ),
    ),
    "log-of-zero": (
        "The softmax is safe, but its result is rounded to 0 for a very unlikely target, and the "
        "logarithm of 0 is infinite. Never leave the logarithms: the surprise is the log of the "
        "sum minus the target's logit.",
        lambda logits, targets: of_probabilities(logits.softmax(dim=-1), targets),
    ),
    **{f"small-constant-{c:g}": with_constant(c) for c in USUAL_CONSTANTS},
    "one-maximum-for-all": (
        "You subtract the largest logit of the whole batch. A row that lies far below it becomes "
        "all zeros, and the logarithm of 0 is infinite. Each row needs its own maximum.",
        lambda logits, targets: by_log_sum(logits - logits.max(), logits - logits.max(), targets),
    ),
    "maximum-not-put-back": (
        "You take the largest logit out of the sum and leave it out. It has to be added to the "
        "logarithm again, or taken from the target's logit as well: only differences count.",
        lambda logits, targets: by_log_sum(
            logits - logits.amax(dim=-1, keepdim=True), logits, targets
        ),
    ),
    "sum": (
        "You add up the surprises. Then the loss grows with the batch. Take the mean over all B × "
        "T targets.",
        lambda logits, targets: nats(logits, targets).sum(),
    ),
    "summed-over-time": (
        "You add up the surprises of each text and average over texts only. A longer window would "
        "look worse. Divide by all B × T targets.",
        lambda logits, targets: nats(logits, targets).sum(dim=1).mean(),
    ),
    "summed-over-texts": (
        "You add up the surprises over the texts and average over positions only. A larger batch "
        "would look worse. Divide by all B × T targets.",
        lambda logits, targets: nats(logits, targets).sum(dim=0).mean(),
    ),
    "mean-over-the-vocabulary": (
        "Your mean goes over the vocabulary, too: B × T × V numbers, most of them 0. There are "
        "B × T targets, and so many surprises.",
        lambda logits, targets: nats(logits, targets).mean() / logits.size(-1),
    ),
    "no-mean": (
        "You return the surprise at each place, (B, T). The loss is one number: their mean.",
        nats,
    ),
    "vocabulary-in-the-middle": (
        "PyTorch's function wants the vocabulary on axis 1. With (B, T, V) it takes time for the "
        "vocabulary, and stops. Flatten both to rows, or write it by hand, as you were asked to.",
        lambda logits, targets: F.cross_entropy(logits, targets),
    ),
    "sign": (
        "Your loss is below 0: it is the mean log-probability. Training makes the loss small, so "
        "this one would push the right token down. Where has the minus gone?",
        lambda logits, targets: -nats(logits, targets).mean(),
    ),
    "bits": (
        "Your logarithm is to base 2, so the loss is in bits. Here, and in PyTorch, it is in nats: "
        "the natural logarithm.",
        lambda logits, targets: nats(logits, targets).mean() / math.log(2),
    ),
    "perplexity": (
        "You return the exponential of the loss. That is the perplexity. The loss is the mean "
        "surprise itself.",
        lambda logits, targets: nats(logits, targets).mean().exp(),
    ),
    "softmax-twice": (
        "You take the softmax, and then give it to a function that takes it again. Probabilities "
        "lie between 0 and 1, so the second softmax makes them nearly equal, and the loss hardly "
        "moves. Give that function the logits.",
        lambda logits, targets: cross_entropy(logits.softmax(dim=-1), targets),
    ),
    "shifted-twice": (
        "You compare each row of logits with the target after its own. The targets are shifted "
        "already: row t of the logits belongs to entry t of the targets.",
        lambda logits, targets: nats(logits[:, :-1], targets[:, 1:]).mean(),
    ),
    "softmax-over-time": (
        "Your probabilities sum to 1 over the positions of a text, not over the vocabulary. Which "
        "axis of (B, T, V) holds the candidates for the next token?",
        lambda logits, targets: -logits.log_softmax(dim=1).gather(-1, targets[..., None]).mean(),
    ),
    "flattened-differently": (
        "Logits and targets are flattened in different orders, so a row meets the target of "
        "another place. With one text nobody would notice. Flatten both text by text.",
        lambda logits, targets: F.cross_entropy(logits.flatten(0, 1), targets.T.flatten()),
    ),
    "view-needs-contiguous": (
        "Your numbers are right, but `view` refuses a tensor that was transposed or cut. `reshape` "
        "and `flatten` copy where they must.",
        lambda logits, targets: F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1)),
    ),
    "cut-off": (
        "The value is right, but no gradient can flow through it, so nothing would be learned. "
        "What in your code detaches it, or makes a new tensor of a number?",
        lambda logits, targets: nats(logits, targets).mean().detach(),
    ),
    "all-targets-everywhere": (
        "You look up *every* target in every row, so most of the numbers have nothing to do with "
        "each other. Row (b, t) needs one number, at targets[b, t]: gather along the vocabulary.",
        lambda logits, targets: -logits.log_softmax(dim=-1)[:, :, targets].mean(),
    ),
    "clamped": (
        "You clamp the logits, so that no exponential overflows. A surprise that is larger than "
        "that comes out too small. Take the largest logit of each row out instead: that changes no "
        "probability.",
        lambda logits, targets: cross_entropy(logits.clamp(-80, 80), targets),
    ),
}

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

# --- guessing_loss ---

GUESSING_LOSS = {
    "guesses-only": (
        "That is the surprise at one guess. The loss is the mean over all 50 tokens, and most of "
        "them cost nothing.",
        math.log(12),
    ),
    "log-of-the-mean": (
        "You averaged the probabilities and took the logarithm then. The loss is the mean of the "
        "surprises: logarithm first. A few bad guesses cost more than their share.",
        -math.log(0.9 + 0.1 / 12),
    ),
    "sum": ("That is the surprise of the whole story. The loss is per token.", 5 * math.log(12)),
    "over-the-sure-ones": (
        "You divided by the 45 sure tokens. The mean goes over all 50.",
        math.log(12) / 9,
    ),
    "bits": ("That is in bits, the logarithm to base 2. The loss is in nats.", math.log2(12) / 10),
    "base-ten": (
        "That is the logarithm to base 10. A loss is in nats: the natural logarithm.",
        math.log10(12) / 10,
    ),
    "sign": (
        "The logarithm of a probability is below 0. The loss is *minus* that.",
        -math.log(12) / 10,
    ),
    "perplexity": (
        "That is the perplexity, e to the power of the loss. The loss itself is asked for.",
        math.exp(math.log(12) / 10),
    ),
}
