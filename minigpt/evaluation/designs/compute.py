"""Training at equal compute: how many FLOPs a batch costs each design, and a loop that spends them.

How it is counted: a multiplication and an addition are two FLOPs, so a weight of a matrix costs 2
for each token that passes it. On the way back it costs 2 for what lies before it and, unless it is
frozen, 2 for itself: 6 in all, or 4 (Kaplan et al. 2020, section 2.1, count the 6). Attention's
scores and their mix cost 4 C for each pair of positions in a layer, 12 C with the way back; hidden
pairs count too, and gradients that nobody asks for. The token table counts once, as the head; a
head of its own counts instead. Looking a row up is free; so are sums, norms, turning queries and
keys, activation functions and the optimizer.
"""

from __future__ import annotations

from itertools import chain, count, islice

import torch
from torch import Tensor, nn

from minigpt.config import check_whole
from minigpt.data import Data
from minigpt.evaluation.designs.both_ways import EncoderDecoder, first_at
from minigpt.evaluation.designs.left_to_right import LSTM, Design
from minigpt.model import GPT
from minigpt.training import lr_schedule, parameter_groups, train_step
from minigpt.training.optimizers import MuonWithAdamW


def use_tables(design: Design, teacher: GPT) -> None:
    """Give a design the token table of a trained model, frozen, and its positions to start from.

    So all designs begin with the same knowledge of the words, and learn in seconds what to do with
    them. Raises ValueError if the two differ in width, or the teacher's tables are longer.
    """
    named = dict(design.named_parameters())
    for table in (teacher.transformer.wte, teacher.transformer.wpe):
        name = "wte.weight" if table is teacher.transformer.wte else "wpe.weight"
        for ours in (w for key, w in named.items() if key.endswith(name)):
            given, room = tuple(table.weight.shape), tuple(ours.shape)
            if given[1] != room[1] or given[0] > room[0]:
                raise ValueError(f"the teacher's {name} is {given}; this design takes up to {room}")
            with torch.no_grad():
                ours[: len(table.weight)] = table.weight
            ours.requires_grad_(name != "wte.weight")


def matrix_flops(module: nn.Module) -> int:
    """Return what a token costs in the matrices it passes, there and back; positions are added."""
    named = {name: w for name, w in module.named_parameters() if w.dim() == 2}
    untied = any(name.endswith("lm_head.weight") for name in named)
    looked_up = ("wpe.weight", "wte.weight") if untied else ("wpe.weight",)
    passed = [w for name, w in named.items() if not name.endswith(looked_up)]
    return sum((6 if w.requires_grad else 4) * w.numel() for w in passed)


def training_flops(design: Design, x: Tensor) -> int:
    """Return the FLOPs of one forward and backward pass over a batch x (B, T)."""
    (B, T), C, L = x.shape, design.config.n_embd, design.config.n_layer
    if isinstance(design, EncoderDecoder):
        cuts = first_at(x, design.cut)
        return _two_towers(design, B, max(cuts), T - min(cuts))
    pairs = 0 if isinstance(design, LSTM) else L * T**2
    return B * (T * matrix_flops(design) + 12 * C * pairs)


def _two_towers(design: EncoderDecoder, B: int, S: int, T: int) -> int:
    """The same for a source of S and a target of T; cross-attention's keys, values read S."""
    C, L = design.config.n_embd, design.config.n_layer
    encoder, decoder = (matrix_flops(part) for part in design.layers.children())
    crossing = 6 * 2 * C**2 * L
    head = matrix_flops(design.embed)
    matrices = S * (encoder + crossing) + T * (decoder - crossing + head)
    return B * (matrices + 12 * C * L * (S * S + T * T + S * T))


class Optimizer(MuonWithAdamW):
    """Muon for all matrices, AdamW for tables, a head of its own, biases and norms: lesson 06's."""

    def __init__(self, design: Design) -> None:
        matrices, others = parameter_groups(design, 0.1)
        outside = ("e.weight", "lm_head.weight")  # wte, wpe
        tables = {id(w) for name, w in design.named_parameters() if name.endswith(outside)}
        inside = [w for w in matrices["params"] if id(w) not in tables]
        matrices["params"] = [w for w in matrices["params"] if id(w) in tables]
        muon = torch.optim.Muon(inside, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
        self.optimizers = [muon, torch.optim.AdamW([matrices, others], betas=(0.9, 0.99))]
        self.param_groups = [group for each in self.optimizers for group in each.param_groups]


def train_at(
    design: Design,
    data: Data,
    flops: float,
    *,
    batch_size: int = 8,
    max_lr: float = 1e-2,
    seed: int = 0,
) -> list[float]:
    """Train until about this many FLOPs are spent, and return the loss of each batch.

    The number of steps comes from what the first batch costs. Every seed sees the same stories in
    the same order, whatever the design. A warm-up over a tenth of the steps, then a cosine down to
    0. Raises ValueError if the FLOPs are not enough for one step.
    """
    check_whole("batch_size", batch_size)
    dice, holes = (torch.Generator().manual_seed(seed + n) for n in (0, 1000))
    batches = (data.batch("train", design.config.block_size, batch_size, dice) for _ in count())
    first = next(batches)
    cost = training_flops(design, first[0])
    steps = round(flops / cost)
    if steps < 1:
        raise ValueError(f"flops is {flops:g}; one step costs {cost:g}, and one is the least")
    plan = dict(max_lr=max_lr, min_lr=0.0, warmup_steps=steps // 10, max_steps=steps)
    optimizer = Optimizer(design)

    def loss_of(design: Design, x: Tensor, y: Tensor) -> Tensor:
        return design.loss(x, y, holes)

    losses = []
    for step, batch in enumerate(islice(chain([first], batches), steps)):
        for group in optimizer.param_groups:
            group["lr"] = lr_schedule(step, **plan)
        losses.append(train_step(design, optimizer, [batch], 1.0, loss_of=loss_of)[0])
    return losses
