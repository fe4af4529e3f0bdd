"""What people get wrong when a model learns a task, and what a teacher says to it."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from minigpt.course.exercise.mistakes import changed, in_pairs
from minigpt.course.lessons.lesson_10_tasks.cases_tuning import LoRAQueryValue, merge_adapters

# --- target_loss ---


def loss_of(
    logits, idx, prompt_lengths, lengths, *, shift=1, begin=lambda prompts, T: prompts,
    end=lambda lengths, T: lengths, reduce=lambda nats, counts: nats[counts].mean(),
):  # fmt: skip
    """The loss with one thing wrong. begin, end: from which place and up to which it counts."""
    T = idx.size(1)
    places = torch.arange(shift, T)
    told = logits[:, : T - shift].transpose(1, 2)
    nats = F.cross_entropy(told, idx[:, shift:], reduction="none")
    counts = places >= begin(prompt_lengths, T)[:, None]
    return reduce(nats, counts & (places < end(lengths, T)[:, None]))


def of_each_text(nats, counts):
    return (nats * counts).sum(dim=1) / counts.sum(dim=1)


def told_twice(logits, idx, prompt_lengths, lengths):
    """The logits at a place are compared with the token before it."""
    T = idx.size(1)
    places = torch.arange(T - 1)
    nats = F.cross_entropy(logits[:, 1:].transpose(1, 2), idx[:, :-1], reduction="none")
    return nats[(places >= prompt_lengths[:, None]) & (places < lengths[:, None])].mean()


TARGET_LOSS = {
    "prompt-counted": (
        "The prompt's tokens count as well. The model then learns to write prompts, and a long "
        "prompt drowns a short target. Begin where the prompt ends.",
        partial(loss_of, begin=lambda prompts, T: torch.zeros_like(prompts)),
    ),
    "padding-counted": (
        "The padding counts as well. It is easy to predict and hides how the targets do. End where "
        "the text ends.",
        partial(loss_of, end=lambda lengths, T: torch.full_like(lengths, T)),
    ),
    "all-places": (
        "Every place counts: prompt, target and padding. Only the target's tokens should.",
        lambda logits, idx, prompt_lengths, lengths: F.cross_entropy(
            logits[:, :-1].flatten(0, 1), idx[:, 1:].flatten()
        ),
    ),
    "prompt-only": (
        "You count the prompt and leave the target out. Which of the two should the model learn?",
        lambda logits, idx, prompt_lengths, lengths: loss_of(
            logits, idx, torch.zeros_like(lengths), prompt_lengths
        ),
    ),
    "not-shifted": (
        "You compare each place's logits with the token *at* that place, which the model has just "
        "read. They predict the next one.",
        partial(loss_of, shift=0),
    ),
    "wrong-way": (
        "You shift the wrong way: your logits predict the token before them. Drop the last logits "
        "and the first token, not the other way round.",
        told_twice,
    ),
    "first-target-left-out": (
        "The target's first token does not count. It is predicted at the prompt's last place: "
        "place prompt_length is a target already.",
        partial(loss_of, begin=lambda prompts, T: prompts + 1),
    ),
    "last-of-the-prompt": (
        "The prompt's last token counts as well: off by one. If you mask the *logits*, they begin "
        "one place earlier than the targets; if you mask the targets, not.",
        partial(loss_of, begin=lambda prompts, T: prompts - 1),
    ),
    "last-target-left-out": (
        "The target's last token does not count. It is the one that says where to stop.",
        partial(loss_of, end=lambda lengths, T: lengths - 1),
    ),
    "first-padding": (
        "The first token of the padding counts as well: off by one at the end.",
        partial(loss_of, end=lambda lengths, T: lengths + 1),
    ),
    "mean-of-texts": (
        "You average each text first, and then the texts. A target of one token weighs as much as "
        "one of nine. All target tokens count the same.",
        partial(loss_of, reduce=lambda nats, counts: of_each_text(nats, counts).mean()),
    ),
    "each-text": (
        "You return one loss for each text. The loss is one number.",
        partial(loss_of, reduce=of_each_text),
    ),
    "sum": (
        "You add up the surprises. Take their mean, or the step grows with the batch.",
        partial(loss_of, reduce=lambda nats, counts: nats[counts].sum()),
    ),
    "divided-by-all-places": (
        "You set the others to 0 and average over all places. The zeros make the mean small: "
        "divide by the number of target tokens.",
        partial(loss_of, reduce=lambda nats, counts: (nats * counts).mean()),
    ),
}
# --- LoRAQueryValue ---


def started(names: str, how=torch.nn.init.normal_):
    """Return a class whose parameters of these names start otherwise."""

    def __init__(self, c_attn, rank, alpha):
        LoRAQueryValue.__init__(self, c_attn, rank, alpha)
        for name in names.split():
            how(getattr(self, name))

    return changed(LoRAQueryValue, __init__=__init__)


def scaled(scale):
    def __init__(self, c_attn, rank, alpha):
        LoRAQueryValue.__init__(self, c_attn, rank, alpha)
        self.scale = scale(alpha, rank, c_attn.in_features)

    return changed(LoRAQueryValue, __init__=__init__)


def forward_with(mix):
    """Return a class that puts the three parts and the two additions together by `mix`."""

    def forward(self, x):
        dq, dv = x @ self.A_q.T @ self.B_q.T, x @ self.A_v.T @ self.B_v.T
        parts = mix(*self.c_attn(x).chunk(3, dim=-1), self.scale * dq, self.scale * dv)
        return torch.cat(parts, dim=-1)

    return changed(LoRAQueryValue, forward=forward)


class TheOtherWayRound(LoRAQueryValue):
    """A starts at 0 and B at random numbers."""

    def __init__(self, c_attn, rank, alpha):
        super().__init__(c_attn, rank, alpha)
        for A, B in ((self.A_q, self.B_q), (self.A_v, self.B_v)):
            nn.init.zeros_(A)
            nn.init.normal_(B)


class Unfrozen(LoRAQueryValue):
    """The layer learns as well."""

    def __init__(self, c_attn, rank, alpha):
        super().__init__(c_attn, rank, alpha)
        c_attn.requires_grad_(True)


class BiasForgotten(LoRAQueryValue):
    """Freezes the weight, and not the bias."""

    def __init__(self, c_attn, rank, alpha):
        super().__init__(c_attn, rank, alpha)
        if c_attn.bias is not None:
            c_attn.bias.requires_grad_(True)


class NewLayer(LoRAQueryValue):
    """Makes a layer of its own, with new weights."""

    def __init__(self, c_attn, rank, alpha):
        fresh = nn.Linear(
            c_attn.in_features, c_attn.out_features, c_attn.bias is not None,
            dtype=c_attn.weight.dtype,
        )  # fmt: skip
        nn.init.constant_(fresh.weight, 0.01)
        super().__init__(fresh, rank, alpha)


class AllFrozen(LoRAQueryValue):
    """Freezes everything, after the pairs were made."""

    def __init__(self, c_attn, rank, alpha):
        super().__init__(c_attn, rank, alpha)
        self.requires_grad_(False)


class WithoutBias(LoRAQueryValue):
    """Multiplies by the weight alone."""

    def forward(self, x):
        bias = 0 if self.c_attn.bias is None else self.c_attn.bias
        return super().forward(x) - bias


LORA = {
    "both-random": (
        "Both matrices start at random numbers, so the model is disturbed before it has learned "
        "anything. B starts at 0: then B A is 0, and the first results are the layer's own.",
        started("B_q B_v"),
    ),
    "both-zero": (
        "Both matrices start at 0. Then the gradient of each is 0 as well, since it has the other "
        "as a factor: they never learn. A starts at random numbers.",
        started("A_q A_v", nn.init.zeros_),
    ),
    "a-zero-b-random": (
        "A starts at 0 and B at random numbers. That would learn, too, but here it is B that "
        "starts at 0.",
        TheOtherWayRound,
    ),
    "constant-start": (
        "All numbers of your A are the same at the start. The rows of A then get the same "
        "gradients for ever, and the rank is 1 whatever you ask for. Draw them at random.",
        started("A_q A_v", nn.init.ones_),
    ),
    "alpha-forgotten": (
        "The factor alpha / rank is missing. It keeps the size of the addition the same when you "
        "change the rank.",
        scaled(lambda alpha, rank, C: 1),
    ),
    "alpha-times-rank": (
        "You multiply by the rank. The factor is alpha *divided* by it.",
        scaled(lambda alpha, rank, C: alpha * rank),
    ),
    "alpha-alone": (
        "You multiply by alpha and do not divide by the rank.",
        scaled(lambda alpha, rank, C: alpha),
    ),
    "rank-over-alpha": (
        "Your factor is upside down: alpha / rank.",
        scaled(lambda alpha, rank, C: rank / alpha),
    ),
    "alpha-over-channels": (
        "You divide alpha by the number of channels. Divide it by the rank.",
        scaled(lambda alpha, rank, C: alpha / C),
    ),
    "alpha-over-root-of-rank": (
        "You divide by the square root of the rank. There is a variant of LoRA that does so; this "
        "one divides by the rank.",
        scaled(lambda alpha, rank, C: alpha / rank**0.5),
    ),
    "key-for-value": (
        "The second addition goes to the key. The joined layer gives query, key, value, in this "
        "order: the value is the last third.",
        forward_with(lambda q, k, v, dq, dv: [q + dq, k + dv, v]),
    ),
    "query-and-value-swapped": (
        "The additions change places: the one made with A_q and B_q belongs to the query.",
        forward_with(lambda q, k, v, dq, dv: [q + dv, k, v + dq]),
    ),
    "query-only": (
        "The value gets nothing: only your query changes.",
        forward_with(lambda q, k, v, dq, dv: [q + dq, k, v]),
    ),
    "additions-alone": (
        "You return the additions alone. They come on top of what the layer gives.",
        forward_with(lambda q, k, v, dq, dv: [dq, 0 * k, dv]),
    ),
    "layer-not-frozen": (
        "The layer's own weights still learn. Then nothing is saved: they are most of the "
        "parameters. Switch requires_grad off for them.",
        Unfrozen,
    ),
    "bias-not-frozen": (
        "The layer's bias still learns. Frozen means all of the layer's parameters.",
        BiasForgotten,
    ),
    "everything-frozen": (
        "Nothing learns: your small matrices are frozen as well. Freeze the layer, and only that.",
        AllFrozen,
    ),
    "new-layer": (
        "You make a new layer, and lose what the old one has learned. Keep the one you are given.",
        NewLayer,
    ),
    "bias-forgotten": (
        "You multiply by the layer's weight and leave its bias out. Call the layer itself.",
        WithoutBias,
    ),
}

# --- merge_adapters ---


def merged(tensor, adapters, *, scale=lambda A, B, alpha: alpha / A.size(0),
           product=lambda A, B: (B @ A).T, chosen=lambda adapters: adapters, sign=1):  # fmt: skip
    """The merged tensor with one thing wrong."""
    for A, B, alpha in chosen(adapters):
        tensor = tensor + sign * scale(A, B, alpha) * product(A, B)
    return tensor


def in_place(tensor, adapters):
    for A, B, alpha in adapters:
        tensor += alpha / A.size(0) * (B @ A).T
    return tensor


def turned_round(tensor, adapters):
    return merge_adapters(tensor, adapters).T


def first_scale(tensor, adapters):
    """One factor for all adapters."""
    scale = adapters[0][2] / adapters[0][0].size(0) if adapters else 0
    return merged(tensor, adapters, scale=lambda A, B, alpha: scale)


def averaged(tensor, adapters):
    return tensor + (merge_adapters(tensor, adapters) - tensor) / max(len(adapters), 1)


MERGE = {
    "not-transposed": (
        "Right for an nn.Linear, wrong for this file: its tensor is (in, out), B A is (out, in). "
        "A square matrix hides that, and gives wrong results without a word. Transpose.",
        partial(merged, product=lambda A, B: B @ A),
    ),
    "turned-round": (
        "Your result lies on its side: (out, in). It goes back into the file as (in, out).",
        turned_round,
    ),
    "alpha-forgotten": (
        "The factor alpha / rank is missing, so the merged model is not the one that was trained.",
        partial(merged, scale=lambda A, B, alpha: 1),
    ),
    "alpha-times-rank": (
        "You multiply by the rank. The factor is alpha *divided* by it.",
        partial(merged, scale=lambda A, B, alpha: alpha * A.size(0)),
    ),
    "alpha-alone": (
        "You multiply by alpha and do not divide by the rank.",
        partial(merged, scale=lambda A, B, alpha: alpha),
    ),
    "wrong-axis-for-the-rank": (
        "You divide by the number of channels that come in. The rank is the number of *rows* of A.",
        partial(merged, scale=lambda A, B, alpha: alpha / A.size(1)),
    ),
    "outputs-for-the-rank": (
        "You divide by the number of channels that go out. The rank is the number of *columns* of "
        "B.",
        partial(merged, scale=lambda A, B, alpha: alpha / B.size(0)),
    ),
    "first-adapter-only": (
        "You merge the first adapter only. Each of them is added.",
        partial(merged, chosen=lambda adapters: adapters[:1]),
    ),
    "last-adapter-only": (
        "You merge the last adapter only: each one starts from the tensor anew. Go on from the "
        "result of the one before.",
        partial(merged, chosen=lambda adapters: adapters[-1:]),
    ),
    "one-factor-for-all": (
        "You take the first adapter's factor for all. Each has an alpha and a rank of its own.",
        first_scale,
    ),
    "averaged": (
        "You average the adapters. They are added, each in full.",
        averaged,
    ),
    "subtracted": (
        "You subtract. That is how an adapter is taken *out* again.",
        partial(merged, sign=-1),
    ),
    "without-the-tensor": (
        "You return the sum of the adapters alone. It is added to the file's tensor.",
        lambda tensor, adapters: merge_adapters(torch.zeros_like(tensor), adapters),
    ),
    "in-place": (
        "The result is right, but you change the tensor that you were given. Whoever loaded it may "
        "want to merge another adapter into it: make a new one.",
        in_place,
    ),
}

# --- trained_parameters ---


def count(
    *, n_layer, n_embd, rank, classes, matrices=2, ends=2, layers=True, head=True, bias=True,
    full=False, whole=0, ranked=True,
):  # fmt: skip
    """The account with one thing wrong."""
    one = n_embd**2 if full else ends * (rank if ranked else 1) * n_embd
    total = (n_layer if layers else 1) * (matrices * one + whole * n_embd**2)
    return total + head * classes * (n_embd + bias)


COUNTS = {
    "one-matrix": (
        "You count one pair a layer. Query and value have one each.",
        partial(count, matrices=1),
    ),
    "key-too": (
        "You count three pairs a layer. The key gets none: only query and value.",
        partial(count, matrices=3),
    ),
    "a-only": (
        "You count one of the two small matrices. A pair is A *and* B.",
        partial(count, ends=1),
        "one-matrix",
    ),
    "full-matrices": (
        "You count matrices of n_embd × n_embd. Those are frozen: what learns has rows or columns "
        "of `rank`.",
        partial(count, full=True),
    ),
    "frozen-too": (
        "You count the frozen matrices as well. They have no gradient, and do not learn.",
        partial(count, whole=3),
    ),
    "one-layer": (
        "You count one layer. Each has its own pairs.",
        partial(count, layers=False),
    ),
    "rank-one": (
        "You leave the rank out. A has `rank` rows, and B as many columns.",
        partial(count, ranked=False),
    ),
    "no-head": (
        "You leave out the head that names the class. It is new, so it learns.",
        partial(count, head=False),
    ),
    "no-bias": (
        "The head has a bias as well: one number for each class.",
        partial(count, bias=False),
    ),
    "head-in-each-layer": (
        "You count the head in each layer. There is one, on top.",
        lambda *, n_layer, n_embd, rank, classes: (
            n_layer * count(n_layer=1, n_embd=n_embd, rank=rank, classes=classes)
        ),
    ),
    "rank-squared": (
        "You count a matrix of rank × rank between the two. B follows A directly.",
        lambda *, n_layer, n_embd, rank, classes: (
            count(n_layer=n_layer, n_embd=n_embd, rank=rank, classes=classes)
            + 2 * n_layer * rank**2
        ),
    ),
}

# Of two that belong together, the second is one that the first leaves no place for.
ONE_OF_TWO = {"full-matrices, rank-one": "full-matrices", "no-head, no-bias": "no-head"}
TRAINED = COUNTS | in_pairs(COUNTS, **ONE_OF_TWO)

# --- last_real ---


def at(stream, places):
    return stream[torch.arange(len(stream)), places]


def real(idx, mark):
    return idx != mark


def ends(idx, mark):
    """The last real place of each text."""
    return (torch.arange(idx.size(1)) * real(idx, mark)).amax(dim=1)


def mean_where(stream, mask):
    return (stream * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


LAST_REAL = {
    "last-column": (
        "You take the last column. Right without padding; in a shorter text that place holds a "
        "mark, behind its end.",
        lambda stream, idx, mark: stream[:, -1],
    ),
    "mark-in-front-forgotten": (
        "You count the tokens that are no marks and go to that number minus 1. But each text "
        "begins with a mark, which you did not count: you are one place too early.",
        lambda stream, idx, mark: at(stream, real(idx, mark).sum(dim=1) - 1),
    ),
    "first-padding": (
        "You take the place *behind* the last token, or the last column where there is none: one "
        "too far.",
        lambda stream, idx, mark: at(stream, (ends(idx, mark) + 1).clamp(max=idx.size(1) - 1)),
    ),
    "second-to-last-column": (
        "You take the column before the last, for all texts. Each ends at a place of its own.",
        lambda stream, idx, mark: stream[:, -2],
    ),
    "longest-for-all": (
        "You take the longest text's end for all. Each ends at a place of its own.",
        lambda stream, idx, mark: stream[:, int(ends(idx, mark).max())],
    ),
    "first-texts-end-for-all": (
        "You take the first text's end for all. Each ends at a place of its own.",
        lambda stream, idx, mark: stream[:, int(ends(idx, mark)[0])],
    ),
    "first-place": (
        "You take the first place, as BERT's classifiers do. In GPT-2 it has seen nothing but the "
        "mark: no place looks to the right.",
        lambda stream, idx, mark: stream[:, 0],
    ),
    "first-real": (
        "You take the first token behind the mark. It has not seen the rest of the text.",
        lambda stream, idx, mark: stream[:, 1],
    ),
    "mean-of-the-text": (
        "You average over the text. That is another way to read it; here the last token, which has "
        "seen all the others, is asked.",
        lambda stream, idx, mark: mean_where(stream, real(idx, mark)),
    ),
    "mean-of-all": (
        "You average over all places, padding included.",
        lambda stream, idx, mark: stream.mean(dim=1),
    ),
    "largest": (
        "You take the largest number of each channel over all places. Take the numbers of *one* "
        "place, the text's last.",
        lambda stream, idx, mark: stream.amax(dim=1),
    ),
    "places": (
        "You return the places. Asked are the numbers of the stream there: (B, C).",
        lambda stream, idx, mark: ends(idx, mark),
    ),
    "time-kept": (
        "Your result still has an axis for time: (B, 1, C). It should be (B, C).",
        lambda stream, idx, mark: at(stream, ends(idx, mark))[:, None],
    ),
}
