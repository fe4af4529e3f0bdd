"""The two optimizers: AdamW, and Muon for the matrices inside the blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from minigpt.model import GPT
from minigpt.training.parallel import ShardedMuon, is_sharded

if TYPE_CHECKING:
    from minigpt.training.config import TrainConfig


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Split the trainable weights: decay on matrices, none on biases and LayerNorms.

    A tied weight appears once. Source: decoupled decay is Loshchilov and Hutter 2019's; which
    weights it leaves out is common practice.
    """
    weights = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in weights if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in weights if p.dim() < 2], "weight_decay": 0.0},
    ]


class MuonWithAdamW:
    """Muon for the matrices inside the blocks, AdamW for all else, as one optimizer.

    Muon turns each matrix's update into the nearest orthogonal matrix, so that all its directions
    learn at one speed. Source: Jordan et al. 2024; scaled as in Liu et al. 2025, section 2.2.
    """

    def __init__(self, model: GPT, config: TrainConfig) -> None:
        inside = [p for p in model.transformer.h.parameters() if p.dim() == 2 and p.requires_grad]
        taken = {id(p) for p in inside}
        groups = parameter_groups(model, config.weight_decay)
        for group in groups:
            group["params"] = [p for p in group["params"] if id(p) not in taken]
        kind = ShardedMuon if any(map(is_sharded, inside)) else torch.optim.Muon
        self.optimizers = [
            kind(
                [{"params": inside}],
                weight_decay=config.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(groups, betas=config.betas, fused=True),
        ]
        self.param_groups = [group for each in self.optimizers for group in each.param_groups]

    def zero_grad(self) -> None:
        for each in self.optimizers:
            each.zero_grad()

    def step(self) -> None:
        for each in self.optimizers:
            each.step()


def make_optimizer(model: GPT, config: TrainConfig) -> torch.optim.Optimizer | MuonWithAdamW:
    """Build the optimizer that the configuration asks for."""
    if config.optimizer == "muon":
        return MuonWithAdamW(model, config)
    groups = parameter_groups(model, config.weight_decay)
    return torch.optim.AdamW(groups, betas=config.betas, fused=True)
