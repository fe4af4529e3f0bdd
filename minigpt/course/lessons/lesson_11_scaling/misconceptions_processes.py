"""What people get wrong with several processes, and what a teacher says."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import torch
from torch.nn import functional as F

from minigpt.course.lessons.lesson_11_scaling.cases_processes import reshard, sharded_step

# --- accumulated_gradients ---


def surprise(model, x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum")


def targets(y):
    return int((y != -100).sum())


def own(batches):
    """This process's targets."""
    return sum(targets(y) for _, y in batches)


def accumulated(
    model, batches, total, size, *, weight=lambda y, batches, total, size: size / total,
    quiet=lambda place, count: place < count, report=lambda nats, weights, total: sum(nats) / total,
    clear=False, skip=False,
):  # fmt: skip
    """One accumulated step with one thing wrong."""
    nats, weights = [], []
    for place, (x, y) in enumerate(batches, start=1):
        if skip and not targets(y):
            continue
        if clear:
            model.zero_grad()
        with model.no_sync() if quiet(place, len(batches)) else nullcontext():
            loss = surprise(model, x, y)
            factor = weight(y, batches, total, size)
            (loss * factor).backward()
        nats.append(loss.item())
        weights.append(factor)
    return report(nats, weights, total)


def all_at_once(model, batches, total, size):
    """Adds the losses up, and goes back once."""
    losses = []
    for place, (x, y) in enumerate(batches, start=1):
        with model.no_sync() if place < len(batches) else nullcontext():
            losses.append(surprise(model, x, y))
    (sum(losses) * size / total).backward()
    return sum(losses).item() / total


def backward_within(model, batches, total, size):
    """Only the backward passes stand within no_sync()."""
    nats = 0.0
    for place, (x, y) in enumerate(batches, start=1):
        loss = surprise(model, x, y)
        with model.no_sync() if place < len(batches) else nullcontext():
            (loss * size / total).backward()
        nats += loss.item()
    return nats / total


ACCUMULATED = {
    "mean-of-means": (
        "You take the mean of each micro-batch, and divide by their number. A target in a short "
        "micro-batch then weighs more than one in a long one. Each surprise has the weight "
        "1 / total in the mean over all.",
        partial(
            accumulated,
            weight=lambda y, batches, total, size: 1 / max(targets(y), 1) / len(batches),
        ),
    ),
    "own-targets": (
        "You divide by the targets of this process. The exchange then takes the mean of the "
        "processes' means, whatever their numbers of targets. Divide by those of all processes.",
        partial(accumulated, weight=lambda y, batches, total, size: 1 / own(batches)),
    ),
    "size-forgotten": (
        "The exchange takes the *mean* of the processes' gradients, so it divides by their number "
        "once more. What has to be multiplied beforehand, so that the sum is left?",
        partial(accumulated, weight=lambda y, batches, total, size: 1 / total),
    ),
    "size-divided": (
        "You divide by the number of processes. The exchange does so already: multiply, so that "
        "the two cancel.",
        partial(accumulated, weight=lambda y, batches, total, size: 1 / total / size),
    ),
    "mean-shared-out-again": (
        "You take a mean over a micro-batch and divide by all targets as well: twice averaged. "
        "Add up the surprises instead.",
        partial(
            accumulated, weight=lambda y, batches, total, size: size / total / max(targets(y), 1)
        ),
    ),
    "summed": (
        "Your gradient is that of the sum of the surprises. It grows with the batch: divide by all "
        "targets.",
        partial(accumulated, weight=lambda y, batches, total, size: size),
    ),
    "micro-batches-divided-again": (
        "You divide by the number of micro-batches, too. With `total` all are shared out already: "
        "gradients of micro-batches add up.",
        partial(
            accumulated, weight=lambda y, batches, total, size: size / total / len(batches)
        ),
    ),
    "exchanged-each-time": (
        "Gradients are exchanged after every micro-batch. The result is right, and the traffic is "
        "that of so many steps: what was exchanged is exchanged again. Once, at the last, will do.",
        partial(accumulated, quiet=lambda place, count: False),
    ),
    "backward-within": (
        "Only your backward pass stands within no_sync(). The forward pass decides whether "
        "gradients are exchanged, so it must be called there, too.",
        backward_within,
        "exchanged-each-time",
    ),
    "never-exchanged": (
        "Gradients are never exchanged: every process follows its own, and the copies drift apart. "
        "The last micro-batch belongs outside no_sync().",
        partial(accumulated, quiet=lambda place, count: True),
    ),
    "exchanged-at-the-first": (
        "You exchange at the first micro-batch. What is added up after that stays here. Exchange "
        "at the last.",
        partial(accumulated, quiet=lambda place, count: place > 1),
    ),
    "exchanged-too-early": (
        "You exchange at the last micro-batch but one. The last one's gradient stays here.",
        partial(accumulated, quiet=lambda place, count: place != max(count - 1, 1)),
    ),
    "empty-micro-batch-skipped": (
        "You pass over a micro-batch without a target. If it is the last one, nothing is "
        "exchanged, and the other processes wait for this one for ever. Let it go forward and back "
        "like the others: it adds 0.",
        partial(accumulated, skip=True),
    ),
    "cleared-each-time": (
        "You clear the gradients before each micro-batch: only the last one is left. They are "
        "clear when you are called.",
        partial(accumulated, clear=True),
    ),
    "one-backward-pass": (
        "You add up the losses and go back once. The gradients are right, but the activations of "
        "all micro-batches are held until then: as much memory as one big batch. Go back after "
        "each.",
        all_at_once,
    ),
    "reports-what-went-back": (
        "You return what went backward, with `size` in it. Return this process's surprises divided "
        "by `total`: added up over the processes, that is the mean.",
        partial(
            accumulated,
            report=lambda nats, weights, total: sum(n * w for n, w in zip(nats, weights)),
        ),
    ),
    "last-micro-batch-reported": (
        "You return the share of the last micro-batch alone. Add up all of them.",
        partial(accumulated, report=lambda nats, weights, total: nats[-1] / total),
    ),
    "reports-the-mean-of-means": (
        "The gradients are right. But you return the surprises divided by the micro-batches. "
        "Divide by `total`.",
        partial(accumulated, report=lambda nats, weights, total: sum(nats) / len(nats)),
    ),
}  # fmt: skip

# --- sharded_step ---


def stepped(
    shards, gradients, rate, exchange, *, rounds=(0, 0), begin=-1, up=False, off=0, adds=True,
    second_adds=False, spread=0, step=lambda shard, total, rate, size: shard - rate * total / size,
    early=False,
):  # fmt: skip
    """The sharded step with one thing wrong. rounds: how many more than size - 1 each phase has."""
    size = len(shards)
    now = [list(chunks) for chunks in gradients]

    def phase(count: int, first: int, way: int, adding: bool, shift: int = 0) -> None:
        for turn in range(max(count, 0) if size > 1 else 0):
            places = [(worker + first + way * turn) % size for worker in range(size)]
            received = exchange([now[worker][place] for worker, place in enumerate(places)])
            for worker, message in enumerate(received):
                place = (places[worker - 1] + shift) % size
                now[worker][place] = now[worker][place] + message if adding else message

    phase(size - 1 + rounds[0], begin, 1 if up else -1, adds, off)
    for worker, shard in enumerate(shards):
        total = gradients[worker][worker] if early else now[worker][worker]
        now[worker][worker] = step(shard, total, rate, size)
    phase(size - 1 + rounds[1], spread, -1, second_adds)
    return now


def whole_gradients(shards, gradients, rate, exchange):
    """Each worker's whole gradient goes all the way round; then the shards do."""
    lengths = [len(shard) for shard in shards]
    moving = [torch.cat(chunks) for chunks in gradients]
    sums = list(moving)
    for _ in range(len(shards) - 1):
        moving = exchange(moving)
        sums = [total + message for total, message in zip(sums, moving)]
    size = len(shards)
    held = [list(shards) for _ in shards]
    for worker, shard in enumerate(shards):
        own = sums[worker].split(lengths)[worker]
        held[worker][worker] = shard - rate * own / size
    for turn in range(size - 1):
        sent = [(worker - turn) % size for worker in range(size)]
        for worker, message in enumerate(exchange([held[w][c] for w, c in enumerate(sent)])):
            held[worker][sent[worker - 1]] = message
    return held


def no_ring(shards, gradients, rate, exchange):
    means = [sum(chunks) / len(chunks) for chunks in zip(*gradients)]
    new = [shard - rate * mean for shard, mean in zip(shards, means)]
    return [list(new) for _ in shards]


def in_place(shards, gradients, rate, exchange):
    """Steps in the shards themselves."""
    held = sharded_step(shards, gradients, rate, exchange)
    for worker, shard in enumerate(shards):
        shard.copy_(held[worker][worker])
    return held


RING = {
    "weights-not-passed-on": (
        "You stop when each worker has stepped with its own chunk. For the next forward pass it "
        "needs the new weights of all others: another W - 1 rounds.",
        partial(stepped, rounds=(0, -99)),
    ),
    "begins-with-its-own": (
        "Your workers begin with the chunk of their own number, as the lesson's do. After W - 1 "
        "rounds worker w then has the whole sum of chunk w + 1, which another one owns. Where must "
        "a chunk begin, so that it comes to its owner last?",
        partial(stepped, begin=0),
    ),
    "added-in-both-phases": (
        "You add in the second phase, too. What goes round there are finished weights: they take "
        "the place of what lies there.",
        partial(stepped, second_adds=True),
    ),
    "replaced-in-both-phases": (
        "You put the message in place of your own gradient in the first phase. Then one worker's "
        "gradient is all that is left: add.",
        partial(stepped, adds=False),
    ),
    "own-gradient-only": (
        "Each worker steps with its own gradient of its chunk, as if the others had none. Add what "
        "has come round the ring.",
        partial(stepped, early=True),
    ),
    "whole-gradients": (
        "You send whole gradients round the ring. The weights are right, but each worker sends W "
        "times as much as it has to in the first phase. Send one chunk a round.",
        whole_gradients,
    ),
    "no-ring": (
        "You work as if all gradients lay in one place. They lie on W machines: nothing gets from "
        "one to another but by `exchange`.",
        no_ring,
    ),
    "summed": (
        "You step with the sum of the gradients. It is W times as long as the mean: divide by the "
        "number of workers.",
        partial(stepped, step=lambda shard, total, rate, size: shard - rate * total),
    ),
    "uphill": (
        "You step up the gradient. Down it the loss falls: subtract.",
        partial(stepped, step=lambda shard, total, rate, size: shard + rate * total / size),
    ),
    "rate-forgotten": (
        "You leave the rate out of the step: it goes as far as the gradient is long.",
        partial(stepped, step=lambda shard, total, rate, size: shard - total / size),
    ),
    "gradients-passed-on": (
        "What goes round in the second phase is the mean gradient. The others do not hold the "
        "weights of this chunk, and cannot step for its owner: pass the new weights on.",
        partial(stepped, step=lambda shard, total, rate, size: total / size),
    ),
    "chunks-counted-up": (
        "Your workers send chunks of rising number in the first phase. A message is then not added "
        "to before it is sent on. The chunk just received is the next to go.",
        partial(stepped, up=True),
    ),
    "first-phase-one-round-short": (
        "Your first phase is a round short: one gradient is missing in each sum. W gradients need "
        "W - 1 additions.",
        partial(stepped, rounds=(-1, 0)),
    ),
    "second-phase-one-round-short": (
        "Your second phase is a round short: one worker does not get each chunk.",
        partial(stepped, rounds=(0, -1)),
    ),
    "w-rounds": (
        "Your first phase has W rounds. In the last of them each sum goes on to where it began, "
        "and that worker's gradient is counted again.",
        partial(stepped, rounds=(1, 0)),
    ),
    "a-round-for-nothing": (
        "Your second phase has a round too many: each chunk comes back to its owner. Right, but "
        "for nothing.",
        partial(stepped, rounds=(0, 1)),
    ),
    "spread-from-elsewhere": (
        "In the second phase each worker begins with its left neighbour's chunk. New is the one "
        "that it owns.",
        partial(stepped, spread=-1),
    ),
    "wrong-chunk": (
        "You add the message to the next chunk. It belongs to the chunk of the same number as at "
        "the sender's.",
        partial(stepped, off=1),
    ),
    "in-place": (
        "The weights are right, but you change the shards that you were given. Make new tensors.",
        in_place,
    ),
    "one-copy": (
        "You return the new weights once. Every worker has its own copy: W lists of W chunks.",
        lambda *given: sharded_step(*given)[0],
    ),
}

# --- reshard ---


def cut(
    shards, n, size, *, join=torch.cat, keep=lambda flat, n: flat[:n],
    length=lambda n, size: -(-n // size), pad=lambda flat, more: F.pad(flat, (0, more)),
    own=torch.clone,
):  # fmt: skip
    """Shards with one thing wrong."""
    flat = keep(join(shards), n)
    each = length(len(flat), size)
    padded = pad(flat, each * size - len(flat))
    return [own(piece) for piece in padded.split(each)]


def by_turns(shards, n, size):
    """Number i goes to process i % size."""
    length = -(-n // size)
    padded = F.pad(torch.cat(shards)[:n], (0, length * size - n))
    return [padded[rank::size].clone() for rank in range(size)]


def balanced(shards, n, size):
    """The first ones get one more; then each is filled up."""
    pieces = torch.cat(shards)[:n].tensor_split(size)
    longest = max(len(piece) for piece in pieces)
    return [F.pad(piece, (0, longest - len(piece))) for piece in pieces]


def rest_to_the_last(shards, n, size):
    flat, length = torch.cat(shards)[:n], max(n // size, 1)
    pieces = [flat[rank * length : (rank + 1) * length] for rank in range(size)]
    return [*map(torch.clone, pieces[:-1]), flat[(size - 1) * length :].clone()]


def as_before(shards, n, size):
    """New shards are as long as the old ones."""
    length = len(shards[0])
    flat = F.pad(torch.cat(shards)[:n], (0, length * size))
    return [flat[rank * length : (rank + 1) * length].clone() for rank in range(size)]


def unpadded(shards, n, size):
    flat, length = torch.cat(shards)[:n], -(-n // size)
    return [flat[rank * length : (rank + 1) * length].clone() for rank in range(size)]


def old_padding(shards, n, size):
    """Only what is missing is padded: what stood behind the end stays."""
    flat, length = torch.cat(shards), -(-n // size)
    flat = F.pad(flat, (0, max(length * size - len(flat), 0)))
    return [piece.clone() for piece in flat[: length * size].split(length)]


def always_more(shards, n, size):
    """n // size + 1."""
    length = n // size + 1
    flat = F.pad(torch.cat(shards)[:n], (0, length * size - n))
    return [piece.clone() for piece in flat.split(length)]


SHARDS = {
    "padding-kept": (
        "You join the shards with their padding, and cut anew. The old padding then stands among "
        "the numbers, and the shards get longer with every change. Only the first n count.",
        partial(cut, keep=lambda flat, n: flat),
    ),
    "old-padding-kept": (
        "Behind the n numbers you leave what the old padding held. It means nothing, and is 0 no "
        "more after a few steps: pad with zeros.",
        old_padding,
    ),
    "not-padded": (
        "Your shards are not all of one length. A collective needs as many numbers of each "
        "process: pad with zeros.",
        unpadded,
    ),
    "empty-shards-missing": (
        "chunk and split give as many pieces as there are numbers for, which may be fewer than "
        "`size`. Each process has a shard, if only of padding.",
        lambda shards, n, size: [
            F.pad(piece, (0, -(-n // size) - len(piece)))
            for piece in torch.cat(shards)[:n].chunk(size)
        ],
    ),
    "balanced": (
        "You deal out evenly: the first processes get one number more, and each is padded by "
        "itself. Here padding comes at the end of all, and nowhere else.",
        balanced,
    ),
    "by-turns": (
        "You deal the numbers out in turns. A shard is a piece: numbers that stand side by side.",
        by_turns,
    ),
    "rest-to-the-last": (
        "You round down, and the last process takes what is left. Round up: all shards are of one "
        "length, and the last is padded.",
        rest_to_the_last,
    ),
    "one-too-many": (
        "Where n is a multiple of `size`, nothing has to be padded. n // size + 1 is one too many "
        "there: round up.",
        always_more,
    ),
    "length-as-before": (
        "Your shards are as long as the old ones. With another number of processes each holds "
        "another share: n / size, rounded up.",
        as_before,
    ),
    "padding-in-front": (
        "You pad in front. The padding belongs behind the last number.",
        partial(cut, pad=lambda flat, more: F.pad(flat, (more, 0))),
    ),
    "last-number-repeated": (
        "You pad with copies of the last number. Pad with zeros.",
        partial(cut, pad=lambda flat, more: torch.cat([flat, flat[-1:].expand(more)])),
    ),
    "views": (
        "The numbers are right. But your shards are views: each keeps the whole tensor in memory, "
        "so that sharding saves nothing. Copy each piece.",
        partial(cut, own=lambda piece: piece),
    ),
    "float32": (
        "You pad or copy into a tensor of float32. The shards should be of the dtype that they "
        "had.",
        partial(cut, own=lambda piece: piece.to(torch.float32, copy=True)),
    ),
    "one-tensor": (
        "You return one tensor (size, length). Asked is a list: each process holds one of them.",
        lambda *given: torch.stack(reshard(*given)),
    ),
    "joined": (
        "You return the whole without its padding, as one tensor. It has to be cut again, for the "
        "new number of processes.",
        lambda shards, n, size: torch.cat(shards)[:n],
    ),
}
