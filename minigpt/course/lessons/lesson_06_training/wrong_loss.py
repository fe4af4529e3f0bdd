"""What people get wrong in the parts of training: each wrong answer, and what a teacher says."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.course.exercise.definition import Misconception
from minigpt.training import cross_entropy, lr_schedule, parameter_groups


def with_(function: Callable, **wrong) -> Callable:
    """Return the function with something wrong about it."""
    return lambda *args, **kwargs: function(*args, **kwargs, **wrong)


# --- cross_entropy ---


def nats(logits: Tensor, targets: Tensor) -> Tensor:
    """The surprise of each target: (B, T)."""
    return -logits.log_softmax(dim=-1).gather(-1, targets[..., None])[..., 0]


def overflowing(logits, targets):
    p = logits.exp() / logits.exp().sum(dim=-1, keepdim=True)
    return -p.gather(-1, targets[..., None]).log().mean()


def rounded_to_zero(logits, targets):
    return -logits.softmax(dim=-1).gather(-1, targets[..., None]).log().mean()


def small_constant(logits, targets):
    return -(logits.softmax(dim=-1).gather(-1, targets[..., None]) + 1e-9).log().mean()


def one_maximum_for_all(logits, targets):
    shifted = logits - logits.max()
    log_sum = shifted.exp().sum(dim=-1).log()
    return (log_sum - shifted.gather(-1, targets[..., None])[..., 0]).mean()


def maximum_not_put_back(logits, targets):
    log_sum = (logits - logits.amax(dim=-1, keepdim=True)).exp().sum(dim=-1).log()
    return (log_sum - logits.gather(-1, targets[..., None])[..., 0]).mean()


def softmax_over_time(logits, targets):
    return -logits.log_softmax(dim=1).gather(-1, targets[..., None]).mean()


def mixed_up(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.T.flatten())


def viewed(logits, targets):
    return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


CROSS_ENTROPY = (
    Misconception(
        "overflow",
        "Right for small logits. But the exponential of 10,000 is larger than any floating-point "
        "number: infinite divided by infinite is not a number. Take the largest logit of each row "
        "out first, and the logarithm before you divide.",
        overflowing,
    ),
    Misconception(
        "log-of-zero",
        "The softmax is safe, but its result is rounded to 0 for a very unlikely target, and the "
        "logarithm of 0 is infinite. Never leave the logarithms: the surprise is the log of the "
        "sum minus the target's logit.",
        rounded_to_zero,
    ),
    Misconception(
        "small-constant",
        "You add a small constant before the logarithm. It hides the infinity, and no surprise can "
        "be larger than about 20 nats any more: a model that is sure and wrong gets off lightly. "
        "Work with log-probabilities instead.",
        small_constant,
    ),
    Misconception(
        "one-maximum-for-all",
        "You subtract the largest logit of the whole batch. A row that lies far below it becomes "
        "all zeros, and the logarithm of 0 is infinite. Each row needs its own maximum.",
        one_maximum_for_all,
    ),
    Misconception(
        "maximum-not-put-back",
        "You take the largest logit out of the sum and leave it out. It has to be added to the "
        "logarithm again, or taken from the target's logit as well: only differences count.",
        maximum_not_put_back,
    ),
    Misconception(
        "sum",
        "You add up the surprises. Then the loss grows with the batch. Take the mean over all "
        "B × T targets.",
        lambda logits, targets: nats(logits, targets).sum(),
    ),
    Misconception(
        "summed-over-time",
        "You add up the surprises of each text and average over texts only. A longer window would "
        "look worse. Divide by all B × T targets.",
        lambda logits, targets: nats(logits, targets).sum(dim=1).mean(),
    ),
    Misconception(
        "sign",
        "Your loss is below 0: it is the mean log-probability. Training makes the loss small, so "
        "this one would push the right token down. Where has the minus gone?",
        lambda logits, targets: -nats(logits, targets).mean(),
    ),
    Misconception(
        "bits",
        "Your logarithm is to base 2, so the loss is in bits. Here, and in PyTorch, it is in nats: "
        "the natural logarithm.",
        lambda logits, targets: nats(logits, targets).mean() / math.log(2),
    ),
    Misconception(
        "perplexity",
        "You return the exponential of the loss. That is the perplexity. The loss is the mean "
        "surprise itself.",
        lambda logits, targets: nats(logits, targets).mean().exp(),
    ),
    Misconception(
        "softmax-twice",
        "You take the softmax, and then give it to a function that takes it again. Probabilities "
        "lie between 0 and 1, so the second softmax makes them nearly equal, and the loss hardly "
        "moves. Give that function the logits.",
        lambda logits, targets: cross_entropy(logits.softmax(dim=-1), targets),
    ),
    Misconception(
        "shifted-twice",
        "You compare each row of logits with the target after its own. The targets are shifted "
        "already: row t of the logits belongs to entry t of the targets.",
        lambda logits, targets: nats(logits[:, :-1], targets[:, 1:]).mean(),
    ),
    Misconception(
        "softmax-over-time",
        "Your probabilities sum to 1 over the positions of a text, not over the vocabulary. Which "
        "axis of (B, T, V) holds the candidates for the next token?",
        softmax_over_time,
    ),
    Misconception(
        "flattened-differently",
        "Logits and targets are flattened in different orders, so a row meets the target of "
        "another place. With one text nobody would notice. Flatten both text by text.",
        mixed_up,
    ),
    Misconception(
        "view-needs-contiguous",
        "Your numbers are right, but `view` refuses a tensor that was transposed or cut. "
        "`reshape` and `flatten` copy where they must.",
        viewed,
    ),
    Misconception(
        "cut-off",
        "The value is right, but no gradient can flow through it, so nothing would be learned. "
        "What in your code detaches it, or makes a new tensor of a number?",
        lambda logits, targets: nats(logits, targets).mean().detach(),
    ),
    Misconception(
        "all-targets-everywhere",
        "You look up *every* target in every row, so most of the numbers have nothing to do with "
        "each other. Row (b, t) needs one number, at targets[b, t]: gather along the vocabulary.",
        lambda logits, targets: -logits.log_softmax(dim=-1)[:, :, targets].mean(),
    ),
    Misconception(
        "clamped",
        "You clamp the logits, so that no exponential overflows. A surprise that is larger than "
        "that comes out too small. Take the largest logit of each row out instead: that changes "
        "no probability.",
        lambda logits, targets: cross_entropy(logits.clamp(-80, 80), targets),
    ),
)

# --- adamw_step ---


def adamw(
    w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8, *,
    corrected=True, inside=False, root=True, l2=False, rate=True, squares=True, late=False,
    old_m=False, old_v=False, fixed=False, late_n=0,
):  # fmt: skip
    """AdamW with one thing wrong."""
    before, n = (m, v), n + late_n
    betas = (0.9, 0.99) if fixed else betas
    g = g + weight_decay * w if l2 else g
    m = betas[0] * m + (1 - betas[0]) * g
    v = betas[1] * v + (1 - betas[1]) * (g if squares else m) ** 2
    m_hat, v_hat = (before[0] if old_m else m), (before[1] if old_v else v)
    if corrected:
        m_hat, v_hat = m_hat / (1 - betas[0] ** n), v_hat / (1 - betas[1] ** n)
    size = (v_hat + eps).sqrt() if inside else (v_hat.sqrt() if root else v_hat) + eps
    shrink = 1 - (0 if l2 else weight_decay * (lr if rate else 1))
    if late:
        return (w - lr * m_hat / size) * shrink, m, v
    return w * shrink - lr * m_hat / size, m, v


def corrected_for_good(w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8):
    new, m, v = adamw(w, g, m, v, n, lr, weight_decay, betas, eps)
    return new, m / (1 - betas[0] ** n), v / (1 - betas[1] ** n)


def uphill(w, g, m, v, n, lr, weight_decay, **kwargs):
    new, m, v = adamw(w, g, m, v, n, lr, weight_decay, **kwargs)
    return 2 * w * (1 - lr * weight_decay) - new, m, v


def swapped_betas(w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8):
    return adamw(w, g, m, v, n, lr, weight_decay, betas[::-1], eps)


def in_place(w, g, m, v, n, lr, weight_decay, **kwargs):
    for old, new in zip((w, m, v), adamw(w, g, m, v, n, lr, weight_decay, **kwargs)):
        old.copy_(new)
    return w, m, v


ADAMW = (
    Misconception(
        "not-corrected",
        "You use the running averages as they are. Both start at 0, so in the first steps they are "
        "far too small. Divide each by what it has collected after n steps.",
        with_(adamw, corrected=False),
    ),
    Misconception(
        "corrected-for-good",
        "The step is right, but you hand back the corrected averages. The next step would correct "
        "them again. Keep m and v as they are; the correction is for this step only.",
        corrected_for_good,
    ),
    Misconception(
        "epsilon-inside-the-root",
        "Your epsilon is under the root. For tiny gradients that makes the divisor 0.0001 instead "
        "of 0.00000001, and the weights hardly move. Take the root, then add it.",
        with_(adamw, inside=True),
    ),
    Misconception(
        "no-root",
        "You divide by the average square. A square of 0.001 is a millionth: the step would be "
        "huge. Take its root, and you have the usual size of the gradient.",
        with_(adamw, root=False),
    ),
    Misconception(
        "decay-in-the-gradient",
        "You add the decay to the gradient: that is Adam with L2. Then it passes through the "
        "averages and is divided away like any gradient. The W in AdamW: shrink the weight itself.",
        with_(adamw, l2=True),
    ),
    Misconception(
        "decay-without-learning-rate",
        "Your weights shrink by the whole decay in each step. It is lr times decay, so that the "
        "pull fades with the schedule.",
        with_(adamw, rate=False),
    ),
    Misconception(
        "decay-after-the-step",
        "You shrink the weight after the step, and so the step as well. The decay belongs to the "
        "old weight only.",
        with_(adamw, late=True),
    ),
    Misconception(
        "square-of-the-average",
        "Your v averages the squares of m. It should average the squares of the gradients "
        "themselves: gradients that jump to and fro are large, though their mean is small.",
        with_(adamw, squares=False),
    ),
    Misconception(
        "old-average",
        "Your step uses m from before this gradient. Update m first; then step with the new one.",
        with_(adamw, old_m=True),
    ),
    Misconception(
        "betas-swapped",
        "The two betas are exchanged. The first belongs to m, the average of the gradients; the "
        "second, slower one to v.",
        swapped_betas,
    ),
    Misconception(
        "uphill",
        "Your weight moves along the gradient, so the loss grows. Downhill is minus.",
        uphill,
    ),
    Misconception(
        "in-place",
        "The numbers are right, but you wrote them into w, m and v. Leave your inputs as they "
        "were, and return new tensors.",
        in_place,
    ),
    Misconception(
        "old-averages",
        "Your step uses m and v from before this gradient. Update both first; then step with the "
        "new ones.",
        with_(adamw, old_m=True, old_v=True),
    ),
    Misconception(
        "betas-fixed",
        "Right with the usual betas. But yours are written into the code: use the two that are "
        "given.",
        with_(adamw, fixed=True),
    ),
    Misconception(
        "steps-from-zero",
        "Your correction counts one step too many. n counts from 1 here, so the first correction "
        "divides by 1 - beta.",
        with_(adamw, late_n=1),
    ),
)

# --- parameter_groups ---


def groups_by(decays: Callable, weights: Callable, no_decay: dict | None = None) -> Callable:
    """Split the weights (name, tensor) that `weights` finds by whether `decays` says so."""

    def wrong(model: nn.Module, weight_decay: float) -> list[dict]:
        split: tuple[list, list] = ([], [])
        for name, weight in weights(model):
            split[bool(decays(name, weight))].append(weight)
        rest = {"weight_decay": 0.0} if no_decay is None else no_decay
        return [{"params": split[1], "weight_decay": weight_decay}, {"params": split[0]} | rest]

    return wrong


def trainable(model: nn.Module) -> list:
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def with_duplicates(model: nn.Module) -> list:
    named = model.named_parameters(remove_duplicate=False)
    return [(name, weight) for name, weight in named if weight.requires_grad]


def matrix(name: str, weight: Tensor) -> bool:
    return weight.dim() >= 2


PARAMETER_GROUPS = (
    Misconception(
        "all-decay",
        "Everything decays, LayerNorm gains and biases too. A gain near 0 silences the whole "
        "stream. How many dimensions do gains and biases have?",
        groups_by(lambda name, weight: True, trainable),
    ),
    Misconception(
        "gains-decay",
        "You left out the biases, but the LayerNorms' gains still decay: they are called weight, "
        "not bias. Go by the number of dimensions, not by the name.",
        groups_by(lambda name, weight: "bias" not in name, trainable),
    ),
    Misconception(
        "exchanged",
        "The two groups are exchanged: biases and gains decay, matrices do not.",
        groups_by(lambda name, weight: weight.dim() < 2, trainable),
    ),
    Misconception(
        "matrices-only",
        "You decay tensors of exactly two dimensions. A convolution, say, has three or four, and "
        "it decays as well: two or *more*.",
        groups_by(lambda name, weight: weight.dim() == 2, trainable),
    ),
    Misconception(
        "embeddings-left-out",
        "Your embedding tables do not decay. Here the rule is only about dimensions, and a table "
        "has two.",
        groups_by(
            lambda name, weight: weight.dim() >= 2 and "wte" not in name and "wpe" not in name,
            trainable,
        ),
    ),
    Misconception(
        "rest-not-trained",
        "Biases and LayerNorms are in no group. The optimizer does not know them, so they would "
        "never learn. They need a group, too, with a decay of 0.",
        lambda model, weight_decay: parameter_groups(model, weight_decay)[:1],
    ),
    Misconception(
        "default-decay",
        "Your second group does not say what its decay is. Then the optimizer's default applies, "
        "and for AdamW that is 0.01, not 0.",
        groups_by(matrix, trainable, no_decay={}),
    ),
    Misconception(
        "frozen-included",
        "Your groups hold frozen parameters. Whoever froze them set requires_grad to False; leave "
        "those out.",
        groups_by(matrix, lambda model: list(model.named_parameters())),
    ),
    Misconception(
        "tied-twice",
        "A tied tensor has two names and is in your groups twice. It would be stepped twice. Which "
        "way of walking through a model gives each tensor once?",
        groups_by(matrix, with_duplicates),
    ),
)

# --- lr_schedule ---


def schedule(
    step, *, max_lr, min_lr, warmup_steps, max_steps,
    plus=1, last=0, clamp=True, to=None, shape=lambda f: (1 + math.cos(math.pi * f)) / 2,
    offset=True, between=None, end=0, slower=0,
):  # fmt: skip
    """The schedule with one thing wrong."""
    floor = min_lr if to is None else to
    if step < warmup_steps + last:
        return max_lr * (step + plus) / (warmup_steps + slower)
    if step >= max_steps and clamp:
        return floor
    start = warmup_steps if offset else 0
    base = floor if between is None else between
    return base + (max_lr - base) * shape((step - start) / (max_steps + end - start))


def no_warmup(step, *, max_lr, min_lr, warmup_steps, max_steps):
    return lr_schedule(
        max(step, warmup_steps), max_lr=max_lr, min_lr=min_lr,
        warmup_steps=warmup_steps, max_steps=max_steps,
    )  # fmt: skip


def shape_only(step, *, max_lr, min_lr, warmup_steps, max_steps):
    """The cosine between max_lr and 0, cut off at min_lr."""
    rate = schedule(
        step, max_lr=max_lr, min_lr=min_lr, warmup_steps=warmup_steps, max_steps=max_steps, to=0.0
    )
    return rate if step < warmup_steps else max(rate, min_lr)


def warmup_from_minimum(step, *, max_lr, min_lr, warmup_steps, max_steps):
    if step < warmup_steps:
        return min_lr + (max_lr - min_lr) * (step + 1) / warmup_steps
    return schedule(
        step, max_lr=max_lr, min_lr=min_lr, warmup_steps=warmup_steps, max_steps=max_steps
    )


LR_SCHEDULE = (
    Misconception(
        "starts-at-zero",
        "Your first step has a learning rate of 0, so it does nothing, and the peak comes one step "
        "late. Steps are counted from 0: during warm-up use step + 1.",
        with_(schedule, plus=0),
    ),
    Misconception(
        "warmup-too-long",
        "Your warm-up has one step too many, and that step is above max_lr. It holds *while* "
        "step < warmup_steps.",
        with_(schedule, last=1),
    ),
    Misconception(
        "no-warmup",
        "You begin at max_lr. Adam's first steps are full steps on hardly any evidence: the rate "
        "has to rise first.",
        no_warmup,
    ),
    Misconception(
        "warmup-from-the-minimum",
        "Your warm-up rises from min_lr. The rule says max_lr * (step + 1) / warmup_steps: from "
        "almost nothing.",
        warmup_from_minimum,
    ),
    Misconception(
        "cosine-from-step-zero",
        "Your cosine counts from step 0, so there is a jump when the warm-up ends. Its share f is "
        "0 at warmup_steps and 1 at max_steps.",
        with_(schedule, offset=False),
    ),
    Misconception(
        "rises-again",
        "After max_steps your rate climbs again: a cosine comes back. From max_steps on it stays "
        "at min_lr.",
        with_(schedule, clamp=False),
    ),
    Misconception(
        "down-to-zero",
        "Your cosine ends at 0. It should run between max_lr and min_lr, so only the difference of "
        "the two is multiplied.",
        with_(schedule, to=0.0),
    ),
    Misconception(
        "cut-off-at-the-minimum",
        "Your cosine runs to 0 and is cut off at min_lr. It gets there too early, with a kink. Let "
        "it run from max_lr to min_lr instead.",
        shape_only,
    ),
    Misconception(
        "straight-line",
        "Yours comes down on a straight line. A cosine is level at both ends.",
        with_(schedule, shape=lambda f: 1 - f),
    ),
    Misconception(
        "quarter-of-a-circle",
        "Your cosine runs over a quarter of its circle only. It starts level, but ends steep. Half "
        "the circle, from 0 to pi, is level at both ends.",
        with_(schedule, shape=lambda f: math.cos(math.pi * f / 2)),
    ),
    Misconception(
        "not-halved",
        "1 + cos is 2 at its top, so your rate jumps to twice max_lr after the warm-up. Halve it.",
        with_(schedule, shape=lambda f: 1 + math.cos(math.pi * f)),
    ),
    Misconception(
        "degrees",
        "Your cosine takes its angle for radians but gets degrees. In Python half a circle is "
        "math.pi, not 180.",
        with_(schedule, shape=lambda f: (1 + math.cos(180 * f)) / 2),
    ),
    Misconception(
        "minimum-forgotten",
        "Your cosine runs from max_lr to 0, and jumps to min_lr at the end. It should run between"
        " max_lr and min_lr: multiply only their difference, and add min_lr.",
        with_(schedule, between=0.0),
    ),
    Misconception(
        "upside-down",
        "Your cosine rises: it begins at min_lr and climbs to max_lr. Which sign makes it start "
        "at the top, where f is 0?",
        with_(schedule, shape=lambda f: (1 - math.cos(math.pi * f)) / 2),
    ),
    Misconception(
        "pi-forgotten",
        "Your cosine takes f itself for its angle. Half a circle is pi, so the angle is pi times "
        "f.",
        with_(schedule, shape=lambda f: (1 + math.cos(f)) / 2),
    ),
    Misconception(
        "arrives-a-step-early",
        "Your cosine is down one step before max_steps. Its share f is 1 *at* max_steps: divide "
        "by max_steps - warmup_steps.",
        with_(schedule, end=-1),
    ),
    Misconception(
        "warmup-never-arrives",
        "Your warm-up divides by warmup_steps + 1, so its last step stays below max_lr. Some "
        "programs do that; the rule here divides by warmup_steps.",
        with_(schedule, slower=1),
    ),
)

# --- guessing_loss ---

GUESSING_LOSS = (
    Misconception(
        "guesses-only",
        "That is the surprise at one guess. The loss is the mean over all 50 tokens, and most of "
        "them cost nothing.",
        math.log(12),
    ),
    Misconception(
        "log-of-the-mean",
        "You averaged the probabilities and took the logarithm then. The loss is the mean of the "
        "surprises: logarithm first. A few bad guesses cost more than their share.",
        -math.log(0.9 + 0.1 / 12),
    ),
    Misconception(
        "sum",
        "That is the surprise of the whole story. The loss is per token.",
        5 * math.log(12),
    ),
    Misconception(
        "over-the-sure-ones",
        "You divided by the 45 sure tokens. The mean goes over all 50.",
        math.log(12) / 9,
    ),
    Misconception(
        "bits",
        "That is in bits, the logarithm to base 2. The loss is in nats.",
        math.log2(12) / 10,
    ),
    Misconception(
        "base-ten",
        "That is the logarithm to base 10. A loss is in nats: the natural logarithm.",
        math.log10(12) / 10,
    ),
    Misconception(
        "sign",
        "The logarithm of a probability is below 0. The loss is *minus* that.",
        -math.log(12) / 10,
    ),
    Misconception(
        "perplexity",
        "That is the perplexity, e to the power of the loss. The loss itself is asked for.",
        math.exp(math.log(12) / 10),
    ),
)
