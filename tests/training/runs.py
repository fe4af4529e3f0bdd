"""A tiny model, data whose best loss is known, and quick runs on them."""

import math
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from minigpt.config import GPTConfig
from minigpt.data import Data
from minigpt.model import GPT
from minigpt.training import Record, TrainConfig, train

TINY = GPTConfig(vocab_size=8, block_size=16, n_layer=2, n_head=2, n_embd=16)
QUICK = TrainConfig(
    max_steps=12,
    batch_size=4,
    max_lr=1e-2,
    min_lr=1e-3,
    warmup_steps=3,
    eval_interval=5,
    eval_batches=2,
    checkpoint_interval=4,
    precision="fp32",
    device="cpu",
)
# Each token is the one before plus one (three times in four) or plus two, modulo 8.
ENTROPY = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)


def toy_data(name: str = "toy", length: int = 4000, tokenizer=None, **more) -> Data:
    draws = np.random.default_rng(0).choice([1, 2], size=length, p=[0.75, 0.25])
    ids = (draws.cumsum() % 8).astype(np.uint16)
    cut = length * 9 // 10
    tokenizer = tokenizer or SimpleNamespace(vocab_size=8)
    return Data(name, tokenizer, ids[:cut], ids[cut:], floor=ENTROPY, **more)


def fresh_model(seed: int = 0, **changes) -> GPT:
    torch.manual_seed(seed)
    return GPT(replace(TINY, **changes))


def weights_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def assert_same_bits(first: dict, second: dict) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def without_speed(history: list[Record]) -> list[Record]:
    return [replace(record, tokens_per_second=0.0) for record in history]


def some_batch(rows: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(8, (2, rows, 16), generator=generator))


def interrupt_at(step: int):
    return lambda record: signal.raise_signal(signal.SIGINT) if record.step == step else None


def interrupt_twice_at(step: int):
    def interrupt(record):
        if record.step == step:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    return interrupt


def saved_run(path, data, **changes) -> GPT:
    model = fresh_model()
    train(model, data, QUICK, checkpoint=path, progress=False, **changes)
    return model
