"""What people get wrong in the loss: each wrong answer, and what a teacher says."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from minigpt.training import cross_entropy

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
