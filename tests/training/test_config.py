"""A setting is within its range, or refused with its value and what is accepted."""

import math
from dataclasses import asdict

import pytest
import torch

from minigpt.training import TrainConfig, train
from tests.training.runs import QUICK, fresh_model


def test_changes_replace_fields_of_the_configuration(data):
    assert len(train(fresh_model(), data, QUICK, max_steps=4, progress=False)) == 4
    with pytest.raises(ValueError, match="max_steps is 0"):
        train(fresh_model(), data, QUICK, max_steps=0)
    with pytest.raises(TypeError, match="max_step"):
        train(fresh_model(), data, QUICK, max_step=4)


BAD_CONFIGS = [
    *(({name: value}, "a whole number of at least 1")
      for name in ("max_steps", "batch_size", "block_size", "accumulation_steps", "eval_interval",
                   "eval_batches", "checkpoint_interval")
      for value in (0, -1, 1.5, "8", True, math.nan)),
    *(({name: value}, "a whole number of at least 0")
      for name in ("warmup_steps", "seed") for value in (-1, 1.5, "8", True, None)),
    *(({name: value}, "finite, at least 0")
      for name in ("max_lr", "min_lr", "weight_decay")
      for value in (-1e-3, math.nan, math.inf, "1e-3", True, None)
      if (name, value) != ("max_lr", None)),  # then it is what suits the optimizer
    *(({"max_norm": value}, "above 0") for value in (0, -1, math.nan, "1", None, True)),
    *(({"betas": value}, "two numbers, each at least 0 and below 1")
      for value in (0.9, (0.9,), (0.9, 1.0), (-0.1, 0.9), (0.9, math.nan), ("a", "b"), None,
                    (0.9, 0.9, 0.9))),
    *(({"optimizer": value}, "adamw or muon") for value in ("sgd", "AdamW", None)),
    *(({"precision": value}, "auto, fp32 or bf16") for value in ("fp16", None, 32)),
    *(({"device": value}, "a name") for value in (None, 0, torch.device("cpu"))),
    ({"max_steps": None}, "a whole number"),
    ({"warmup_steps": 1000}, "below max_steps=1000"),
    ({"min_lr": 1e-2}, "at most max_lr=0.001"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "accepted"), BAD_CONFIGS)
def test_a_bad_setting_is_refused_with_its_value_and_what_is_accepted(bad, accepted):
    ((name, value),) = bad.items()
    with pytest.raises(ValueError) as error:
        TrainConfig(**bad)
    assert f"{name} is {value!r}; it must be" in str(error.value)
    assert accepted in str(error.value)


@pytest.mark.parametrize(
    "good",
    [{"warmup_steps": 0}, {"weight_decay": 0}, {"min_lr": 0}, {"max_norm": math.inf},
     {"max_lr": 1, "min_lr": 1}, {"betas": [0.9, 0.95]}, {"block_size": None}, {"seed": 0}],
)  # fmt: skip
def test_the_edges_of_what_is_accepted(good):
    assert asdict(TrainConfig(**good)).items() >= good.items()
