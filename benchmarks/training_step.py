"""One training step of a small model: forward, backward, clip, update."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace

import torch

from benchmarks.harness import Result, interleave, publish
from benchmarks.peers import load_file
from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.training import TrainConfig, make_optimizer, train_step

SIZES = {"n_layer": 4, "n_head": 4, "n_embd": 128}
VOCAB_SIZE, STEPS = 1024, 5  # steps in one timing


def random_batch(T: int, B: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random ids and their shifted targets, (B, T) each."""
    ids = torch.randint(VOCAB_SIZE, (B, T + 1), generator=torch.Generator().manual_seed(0))
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


def ours(T: int, B: int, precision: str):
    """Return a function that makes STEPS steps with this package's own train_step."""
    model = GPT(GPTConfig(vocab_size=VOCAB_SIZE, block_size=T, **SIZES)).train()
    optimizer = make_optimizer(model, TrainConfig())
    batch = random_batch(T, B)

    def steps() -> None:
        for _ in range(STEPS):
            train_step(model, optimizer, [batch], 1.0, precision)

    return steps


def peer_steps(model, optimizer, T: int, B: int, precision: str):
    """Return a function that makes STEPS steps as the peers' own training scripts make them."""
    x, y = random_batch(T, B)
    bf16 = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else None

    def steps() -> None:
        for _ in range(STEPS):
            with bf16 or contextlib.nullcontext():
                _, loss = model(x, y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return steps


def nano_gpt(folder: Path, T: int, B: int, precision: str):
    """Build nanoGPT's model and optimizer from its checkout."""
    peer = load_file(folder, "model.py", "model")
    with contextlib.redirect_stdout(None):
        model = peer.GPT(peer.GPTConfig(block_size=T, vocab_size=VOCAB_SIZE, bias=True, **SIZES))
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")
    return peer_steps(model, optimizer, T, B, precision)


def min_gpt(folder: Path, T: int, B: int, precision: str):
    """Build minGPT's model and optimizer from its checkout."""
    peer = load_file(folder, "mingpt/model.py", "mingpt.model")
    config = peer.GPT.get_default_config()
    config.model_type, config.vocab_size, config.block_size = None, VOCAB_SIZE, T
    config.merge_from_dict({**SIZES, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "attn_pdrop": 0.0})
    with contextlib.redirect_stdout(None):
        model = peer.GPT(config)
    settings = SimpleNamespace(weight_decay=0.1, learning_rate=1e-3, betas=(0.9, 0.99))
    return peer_steps(model, model.configure_optimizers(settings), T, B, precision)


def run(peers: dict[str, Path], quick: bool) -> None:
    """Time both sizes of the small model, in both precisions, beside the peers that are given."""
    for T, B in [(64, 12)] if quick else [(64, 12), (128, 16)]:
        contenders = {}
        for precision in ("fp32", "bf16"):
            for name, build in (("nanoGPT", nano_gpt), ("minGPT", min_gpt)):
                if name in peers:
                    contenders[f"{name} {precision}"] = build(peers[name], T, B, precision)
            contenders[f"minigpt {precision}"] = ours(T, B, precision)
        baseline = "nanoGPT fp32" if "nanoGPT" in peers else "minigpt fp32"
        publish(
            Result(
                f"training_step_{T}x{B}",
                f"{STEPS} training steps, 0.8 M parameters, context {T}, batch {B}",
                baseline,
                interleave(contenders, rounds=5, warmup=2),
                goals={"minigpt bf16": 2.0} if "nanoGPT" in peers else {},
            )
        )
