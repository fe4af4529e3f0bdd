"""Training steps, small and large: forward, backward, clip, update."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch

from benchmarks.harness import Result, interleave, publish
from benchmarks.peers import load_file
from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.training import TrainConfig, compiled_loss, make_optimizer, model_loss, train_step


@dataclass(frozen=True)
class Task:
    """A model's sizes, the batch, and how many steps are timed at once."""

    name: str
    T: int  # tokens in a window
    B: int  # windows in a batch
    vocab_size: int = 1024
    steps: int = 5
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128

    @property
    def sizes(self) -> dict[str, int]:
        return {key: getattr(self, key) for key in ("n_layer", "n_head", "n_embd", "vocab_size")}

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return random ids and their shifted targets, (B, T) each."""
        generator = torch.Generator().manual_seed(0)
        ids = torch.randint(self.vocab_size, (self.B, self.T + 1), generator=generator)
        return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


SMALL = (Task("0.8 M parameters", 64, 12), Task("0.8 M parameters", 128, 16))
LARGE = Task("124 M parameters", 256, 2, 50257, steps=1, n_layer=12, n_head=12, n_embd=768)


def ours(task: Task, precision: str, compile: bool = False):
    """Return a function that makes the steps with this package's own train_step."""
    model = GPT(GPTConfig(block_size=task.T, **task.sizes)).train()
    optimizer = make_optimizer(model, TrainConfig())
    loss_of = compiled_loss() if compile else model_loss
    batch = task.batch()

    def steps() -> None:
        for _ in range(task.steps):
            train_step(model, optimizer, [batch], 1.0, precision, loss_of)

    return steps


def peer_steps(model, optimizer, task: Task, precision: str):
    """Return a function that makes the steps as the peers' own training scripts make them."""
    x, y = task.batch()
    bf16 = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else None

    def steps() -> None:
        for _ in range(task.steps):
            with bf16 or contextlib.nullcontext():
                _, loss = model(x, y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return steps


def nano_gpt(folder: Path, task: Task, precision: str):
    """Build nanoGPT's model and optimizer from its checkout."""
    peer = load_file(folder, "model.py", "model")
    with contextlib.redirect_stdout(None):
        model = peer.GPT(peer.GPTConfig(block_size=task.T, bias=True, **task.sizes))
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")
    return peer_steps(model, optimizer, task, precision)


def min_gpt(folder: Path, task: Task, precision: str):
    """Build minGPT's model and optimizer from its checkout."""
    peer = load_file(folder, "mingpt/model.py", "mingpt.model")
    config = peer.GPT.get_default_config()
    config.model_type, config.block_size = None, task.T
    config.merge_from_dict({**task.sizes, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "attn_pdrop": 0.0})
    with contextlib.redirect_stdout(None):
        model = peer.GPT(config)
    settings = SimpleNamespace(weight_decay=0.1, learning_rate=1e-3, betas=(0.9, 0.99))
    return peer_steps(model, model.configure_optimizers(settings), task, precision)


def contenders(peers: dict[str, Path], task: Task, compile: bool) -> dict:
    """Build everyone who takes part, each with a model of its own."""
    built = {}
    for precision in ("fp32", "bf16"):
        for name, build in (("nanoGPT", nano_gpt), ("minGPT", min_gpt)):
            if name in peers:
                built[f"{name} {precision}"] = build(peers[name], task, precision)
        built[f"minigpt {precision}"] = ours(task, precision)
    if compile:
        built["minigpt bf16 compiled"] = ours(task, "bf16", compile=True)
    return built


def run(peers: dict[str, Path], quick: bool) -> None:
    """Time the small models, and GPT-2's smallest, in both precisions, beside the given peers."""
    tasks = SMALL[:1] if quick else (*SMALL, LARGE)
    for task in tasks:
        small = task is not LARGE
        nano = "nanoGPT" in peers
        goals = (
            {"minigpt bf16": 2.0, "minigpt bf16 compiled": 2.5} if small else {"minigpt bf16": 3}
        )
        publish(
            Result(
                f"training_step_{task.n_embd}_{task.T}x{task.B}",
                f"{task.steps} training steps, {task.name}, context {task.T}, batch {task.B}",
                "nanoGPT fp32" if nano else "minigpt fp32",
                interleave(contenders(peers, task, compile=small), 9 if small else 3, warmup=2),
                goals=goals if nano else {},
            )
        )
