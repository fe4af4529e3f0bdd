"""What people get wrong in a training step, a run and its account."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from minigpt.course.exercise.mistakes import half_mended
from minigpt.training import cross_entropy

# --- train_step ---


def clip(model: nn.Module, max_norm: float) -> None:
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)


def step(
    model, optimizer, batches, max_norm, *, clear="first", divide=1, report=1, clipper=clip,
    when="before", each=False, last=False, pair=lambda logits, x, y: (logits, y),
    size=lambda y: 1, steps=True,
) -> float:  # fmt: skip
    """One training step with one thing wrong."""
    if clear == "first":
        optimizer.zero_grad()
    losses = []
    for x, y in batches:
        if clear == "each":
            optimizer.zero_grad()
        loss = cross_entropy(*pair(model(x), x, y)) * size(y) / len(batches) ** divide
        loss.backward()
        losses.append(loss.item())
        if when == "each":
            clipper(model, max_norm)
        if each:
            optimizer.step()
            optimizer.zero_grad()
    if when == "before":
        clipper(model, max_norm)
    if clear == "late":
        optimizer.zero_grad()
    if steps and not each:
        optimizer.step()
    if when == "after":
        clipper(model, max_norm)
    total = losses[-1] * len(batches) if last else sum(losses)
    return total / len(batches) ** (report - 1)


def clip_each_tensor(model: nn.Module, max_norm: float) -> None:
    for weight in model.parameters():
        nn.utils.clip_grad_norm_([weight], max_norm)


def clip_values(model: nn.Module, max_norm: float) -> None:
    nn.utils.clip_grad_value_(model.parameters(), max_norm)


def clip_by_square(model: nn.Module, max_norm: float) -> None:
    square = sum(weight.grad.square().sum() for weight in model.parameters())
    for weight in model.parameters():
        weight.grad *= min(1.0, max_norm / square.item())


def always_that_long(model: nn.Module, max_norm: float) -> None:
    norm = torch.stack([weight.grad.norm() for weight in model.parameters()]).norm()
    for weight in model.parameters():
        weight.grad *= max_norm / norm


def loss_afterwards(model, optimizer, batches, max_norm) -> float:
    step(model, optimizer, batches, max_norm)
    return sum(cross_entropy(model(x), y).item() for x, y in batches) / len(batches)


def evaluation_mode(model, optimizer, batches, max_norm) -> float:
    model.eval()
    return step(model, optimizer, batches, max_norm)


TRAIN_STEP = {
    "not-cleared": (
        "The gradients of the step before are still there, and backward() adds to them. Your step "
        "follows the sum of old and new. What has to happen before the first backward()?",
        partial(step, clear="never"),
    ),
    "cleared-too-early": (
        "You clear the gradients after they are computed and before the optimizer uses them. "
        "Nothing is left to follow, and no weight moves.",
        partial(step, clear="late"),
    ),
    "cleared-each-time": (
        "You clear inside the loop, so only the last micro-batch counts. The others are computed "
        "and thrown away. Clear once, before the loop.",
        partial(step, clear="each"),
    ),
    "not-averaged": (
        "You add up the losses of the micro-batches. Then gradient and loss grow with their "
        "number. By what must each be divided, so that four times 2 equals once 8?",
        partial(step, divide=0),
    ),
    "gradient-not-averaged": (
        "The loss you report is the mean, but the gradient is the sum: you divide after "
        "backward(). Divide before.",
        partial(step, divide=0, report=2),
    ),
    "reports-the-sum": (
        "The weights are right, but you return the sum of the losses. It should be their mean.",
        partial(step, report=0),
    ),
    "averaged-twice": (
        "The loss is averaged twice: each cross-entropy is a mean already, and its share is one "
        "over the number of micro-batches, once. Loss and gradient come out too small.",
        partial(step, divide=2),
    ),
    "reported-too-small": (
        "The weights are right, but the loss you return was divided once too often.",
        partial(step, report=2),
    ),
    "last-loss": (
        "You return the loss of the last micro-batch. It should be the mean over all of them.",
        partial(step, last=True),
    ),
    "loss-afterwards": (
        "You measure the loss again after the update. Return the mean of the losses that the "
        "gradients came from: they cost nothing more.",
        loss_afterwards,
    ),
    "a-step-for-each": (
        "You step after every micro-batch. That is several small updates. Accumulation makes one "
        "update of all of them.",
        partial(step, divide=0, report=2, each=True, when="each"),
    ),
    "clipped-after-the-step": (
        "You clip after the step, when the long gradient has done its harm. This is the same as no "
        "clipping. Clear, add up, clip, step.",
        partial(step, when="after"),
    ),
    "not-clipped": (
        "Nothing is clipped: a gradient longer than max_norm goes into the step at full length.",
        partial(step, when="never"),
        "clipped-after-the-step",
    ),
    "clipped-each-time": (
        "You clip after every micro-batch. What has been added up so far is cut again and again, "
        "and the first ones count less. Clip once, when all are added up.",
        partial(step, when="each"),
    ),
    "clipped-one-by-one": (
        "You clip each tensor by itself. That changes the direction of the whole gradient. All "
        "gradients together are one long arrow with one length.",
        partial(step, clipper=clip_each_tensor),
    ),
    "clipped-by-value": (
        "You limit each single number. max_norm is about the length of the whole gradient, and its "
        "direction has to stay.",
        partial(step, clipper=clip_values),
    ),
    "always-that-long": (
        "You give every gradient the length max_norm, short ones as well. Only those that are too "
        "long are shortened.",
        partial(step, clipper=always_that_long),
    ),
    "evaluation-mode": (
        "You put the model in evaluation mode, so it learns without dropout. That is for "
        "measuring; a training step leaves the mode as it is.",
        evaluation_mode,
    ),
    "shifted-twice": (
        "You compare each row of logits with the target after its own. y is shifted already: row t "
        "of the logits belongs to entry t of y.",
        partial(step, pair=lambda logits, x, y: (logits[:, :-1], y[:, 1:])),
    ),
    "the-inputs-as-targets": (
        "You compare the logits with x, the tokens that the model has just read. It should say "
        "what comes *next*: that is y.",
        partial(step, pair=lambda logits, x, y: (logits, x)),
    ),
    "summed-loss": (
        "Your loss is the sum over a micro-batch's targets (reduction='sum'). Loss and gradient "
        "then grow with the size of the batch. Take the mean.",
        partial(step, size=Tensor.numel),
    ),
    "no-step": (
        "The gradients are there, and nobody follows them: no weight moves. What does an optimizer "
        "do, and when?",
        partial(step, steps=False),
    ),
    "cleared-at-the-end": (
        "You clear the gradients after the step. That is in time for the next one, but those that "
        "were there when this one began are counted in. Clear first.",
        partial(step, clear="never"),
        "not-cleared",
    ),
    "backward-after-the-loop": (
        "You call backward() once, after the loop, on the loss of the last micro-batch. The others "
        "are computed and thrown away. Each needs a backward() of its own.",
        partial(step, clear="each"),
        "cleared-each-time",
    ),
    "clipped-by-the-square": (
        "You compare the sum of the squares with max_norm. The length of an arrow is the *root* of "
        "that sum.",
        partial(step, clipper=clip_by_square),
    ),
}

# --- evaluate ---


def evaluation(
    model, batches, *, mode="restore", recording=False, size=Tensor.numel,
    report=lambda total, n: total / n,
) -> float:  # fmt: skip
    """An evaluation with one thing wrong."""
    was_training = model.training
    if mode != "leave":
        model.eval()
    total, count = 0.0, 0
    with torch.set_grad_enabled(recording):
        for x, y in batches:
            total += cross_entropy(model(x), y).item() * size(y)
            count += size(y)
    if mode == "restore":
        model.train(was_training)
    elif mode == "train":
        model.train()
    return report(total, count)


def gradients_off_for_good(model, batches) -> float:
    torch.set_grad_enabled(False)
    return evaluation(model, batches)


def returned_early(model, batches) -> float:
    return evaluation(model, batches[:1], mode="eval")


def clears_gradients(model, batches) -> float:
    model.zero_grad()
    return evaluation(model, batches)


EVALUATE = {
    "dropout-on": (
        "Dropout is on while you measure, if the model was being trained: the loss is too high, "
        "and another one each time. Which mode has to be set first?",
        partial(evaluation, mode="leave"),
    ),
    "mode-not-restored": (
        "The model is left in evaluation mode. Training would go on without dropout, and nothing "
        "would tell. Put back the mode that you found.",
        partial(evaluation, mode="eval"),
    ),
    "always-training-afterwards": (
        "You leave the model in training mode, even if it came in evaluation mode. Look at the "
        "mode before you change it, and put that one back.",
        partial(evaluation, mode="train"),
    ),
    "mean-of-means": (
        "You average the means of the batches. A small batch then counts as much as a large one. "
        "Every *token* should count once.",
        partial(evaluation, size=lambda y: 1),
    ),
    "records-gradients": (
        "The loss is right, but PyTorch records every operation for a backward() that never comes. "
        "That costs memory for each layer. Switch the record off while you measure.",
        partial(evaluation, recording=True),
    ),
    "gradients-off-for-good": (
        "You switch the record for gradients off and never on again: the next training step would "
        "fail. Use a `with` block or a decorator, which puts it back.",
        gradients_off_for_good,
    ),
    "sum": (
        "You return the sum of the surprises. It should be their mean, in nats per token.",
        partial(evaluation, report=lambda total, n: total),
    ),
    "perplexity": (
        "You return the perplexity, the exponential of the mean. The mean itself is asked for.",
        partial(evaluation, report=lambda total, n: math.exp(total / n)),
    ),
    "weighted-by-texts": (
        "You weight each batch by its number of texts. Windows may be of different lengths, and "
        "every *token* should count once.",
        partial(evaluation, size=len),
    ),
    "clears-gradients": (
        "The loss is right, but you clear the model's gradients. Measuring should leave no trace: "
        "somebody may be about to step with them.",
        clears_gradients,
    ),
    "sum-over-batches": (
        "You add up the surprises and divide by the number of batches. Divide by the number of "
        "*tokens*.",
        lambda model, batches: evaluation(model, batches, report=lambda s, n: s / len(batches)),
    ),
    "last-batch": (
        "You return the loss of the last batch. All of them count.",
        lambda model, batches: evaluation(model, batches[-1:]),
    ),
    "returned-inside-the-loop": (
        "You return inside the loop: only the first batch is measured, and the model's mode is not "
        "put back. One step to the left.",
        returned_early,
    ),
}

# --- resume_training: a broken loop ---

BUGS = {
    "gradients": "Each step follows the sum of all gradients so far.",
    "clipping": "The clipping has no effect on any step.",
    "schedule": "The learning rates are those of the first steps, again.",
}


def resume_training(
    model, optimizer, batches, rates, first_step, max_norm, *, bugs=(), groups=None, ahead=0,
    clear="first",
):  # fmt: skip
    """The loop, with some of its three bugs, or the rates in the first `groups` groups only."""
    clear = "never" if "gradients" in bugs else clear
    when = "after" if "clipping" in bugs else "before"
    losses = []
    for n, batch in enumerate(batches):
        for group in optimizer.param_groups[:groups]:
            group["lr"] = rates[n if "schedule" in bugs else first_step + n + ahead]
        losses.append(step(model, optimizer, [batch], max_norm, clear=clear, when=when))
    return losses


def rate_too_late(model, optimizer, batches, rates, first_step, max_norm):
    """Sets the learning rate after the step."""
    losses = []
    for n, batch in enumerate(batches):
        losses.append(step(model, optimizer, [batch], max_norm))
        for group in optimizer.param_groups:
            group["lr"] = rates[first_step + n]
    return losses


RESUME_TRAINING = {
    **half_mended(resume_training, BUGS, "Which line sees to that, and when?"),
    "rate-too-late": (
        "You set the learning rate after the step, so each step goes with the rate of the one "
        "before. It belongs first.",
        rate_too_late,
    ),
    "first-group-only": (
        "You set the learning rate of the optimizer's first group only. The others go on with an "
        "old one: walk through all param_groups.",
        partial(resume_training, groups=1),
    ),
    "rate-of-the-next-step": (
        "Each update has the learning rate of the step after it. The first one is step first_step "
        "itself.",
        partial(resume_training, ahead=1),
    ),
    "cleared-too-early": (
        "You clear the gradients between backward() and the step. Nothing is left to follow, and "
        "no weight moves.",
        partial(resume_training, clear="late"),
    ),
}


# --- plan_run ---


def run_plan(
    *, corpus_tokens, epochs, batch_size, block_size, accumulation_steps, window=0, up=True,
    micro=True, tokens=True, passes=True, seen="steps", more=0, each=False,
):  # fmt: skip
    """The account of a run with one thing wrong."""
    per_step = batch_size * ((block_size + window) if tokens else 1)
    per_step *= accumulation_steps if micro else 1
    wanted = corpus_tokens * (epochs if passes else 1)
    steps = -(-wanted // per_step) if up else wanted // per_step + more
    steps = -(-corpus_tokens // per_step) * epochs if each else steps
    return per_step, steps, steps * per_step if seen == "steps" else wanted


def not_rounded(**plan):
    per_step, _, wanted = run_plan(**plan, seen="wanted")
    return per_step, wanted / per_step, wanted


def in_float32(**plan):
    per_step, _, wanted = run_plan(**plan, seen="wanted")
    steps = int((torch.tensor(float(wanted)) / per_step).ceil())
    return per_step, steps, steps * per_step


PLAN_RUN = {
    "rounded-down": (
        "You round the number of steps down, so the last part of the text is not read. A last step "
        "that is only partly needed is still a step.",
        partial(run_plan, up=False),
    ),
    "no-accumulation": (
        "You count one micro-batch to a step. One update reads accumulation_steps of them.",
        partial(run_plan, micro=False),
    ),
    "windows-not-tokens": (
        "You count windows. Each window holds block_size tokens, and all of them are predicted.",
        partial(run_plan, tokens=False),
    ),
    "one-token-more": (
        "You count block_size + 1 tokens to a window. x and y together touch that many, but only "
        "block_size of them are read and answered.",
        partial(run_plan, window=1),
    ),
    "one-epoch": (
        "You go through the text once. It is to be read `epochs` times.",
        partial(run_plan, passes=False),
    ),
    "seen-as-planned": (
        "You return the tokens that were wanted. Steps are whole, so a few more are read: what "
        "does the run see in all of its steps?",
        partial(run_plan, seen="wanted"),
    ),
    "always-one-more": (
        "You round down and add a step. Where the tokens fill their steps exactly, that is one "
        "step too many.",
        partial(run_plan, up=False, more=1),
    ),
    "rounded-in-each-epoch": (
        "You round up in each epoch. The run goes on from the end of the text to its beginning "
        "within a step, so round up once, at the end.",
        partial(run_plan, each=True),
    ),
    "not-rounded": (
        "Your number of updates has something after the point. There is no third of an update: a "
        "last one that is only partly needed is still one.",
        not_rounded,
    ),
    "short-numbers": (
        "Right for short texts. But you divide in float32, which keeps seven digits. Whole numbers "
        "of Python have no limit: stay with them.",
        in_float32,
    ),
}
