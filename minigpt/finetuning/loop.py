"""Fine-tuning: the loop of lesson 06, with settings for a model that knows much already."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from torch import nn

from minigpt.finetuning.examples import TaskData, check_length, context_needed
from minigpt.training import Record, TrainConfig, train

RECIPE = TrainConfig(
    max_steps=100,
    batch_size=16,
    optimizer="muon",  # questions: 100 steps teach what 80 of AdamW at 1e-3 do not begin to
    max_lr=5e-3,
    min_lr=0.0,
    warmup_steps=10,
    weight_decay=0.0,  # it would pull at what was learned before, too
    eval_interval=50,
    eval_batches=4,
    precision="fp32",
)


def longest_example(data: TaskData) -> int:
    """Return how many tokens of context the longest example of a task needs."""
    return max(context_needed(example, data.tokenizer) for example in (*data.train, *data.val))


def check_room(data: TaskData, block_size: int) -> None:
    """Raise ValueError, naming the first, if any example does not fit into the context."""
    for example in (*data.train, *data.val):
        check_length(context_needed(example, data.tokenizer), block_size, example.text)


def finetune(
    model: nn.Module,
    data: TaskData,
    config: TrainConfig = RECIPE,
    *,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    on_step: Callable[[Record], None] | None = None,
    progress: bool = True,
    **changes,
) -> list[Record]:
    """Train a GPT or a Classifier in place on a task's examples; return one Record a step.

    Only weights with requires_grad change. `changes` replace fields of the configuration; all
    else is as in `minigpt.training.train`. Raises ValueError before the first step if an example
    does not fit into the model's context, or if `train` refuses.
    """
    config = replace(config, **changes)
    check_room(data, model.config.block_size)
    return train(
        model,
        data,
        config,
        checkpoint=checkpoint,
        resume=resume,
        on_step=on_step,
        progress=progress,
    )
