"""Training: from random weights to a model that writes. Lesson 06 builds it.

Begin with `steps.py`, the mathematics of a step; `loop.py` repeats it. `config.py` says how to
train, `optimizers.py` moves the weights, `checkpoints.py` and `resuming.py` let a run stop and
go on. Under torchrun, `processes.py` is who we are among several, `meeting.py` how they find each
other, and `parallel.py` what each of them holds.
"""

from minigpt.training.config import Record, TrainConfig
from minigpt.training.loop import evaluate, train
from minigpt.training.optimizers import make_optimizer, parameter_groups
from minigpt.training.steps import compiled_loss, cross_entropy, lr_schedule, model_loss, train_step

__all__ = [
    "Record",
    "TrainConfig",
    "compiled_loss",
    "cross_entropy",
    "evaluate",
    "lr_schedule",
    "make_optimizer",
    "model_loss",
    "parameter_groups",
    "train",
    "train_step",
]
