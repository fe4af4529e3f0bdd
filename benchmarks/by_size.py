"""How the cost grows with size: a tokenizer's vocabulary, a model's width."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bpe_training import hugging_face
from benchmarks.harness import Result, interleave, publish
from benchmarks.texts import python_docs
from benchmarks.training_step import Task, nano_gpt, ours
from minigpt.tokenizer import Tokenizer


def measure(builders: dict, sizes: list[int], scale: float, rounds: int) -> dict[str, list]:
    """Return a curve for each builder: [size, least seconds * scale]; a builder takes the size."""
    curves = {name: [] for name in builders}
    for size in sizes:
        seconds = interleave({name: build(size) for name, build in builders.items()}, rounds)
        for name, times in seconds.items():
            curves[name].append([size, round(min(times) * scale, 3)])
    return curves


def run(peers: dict[str, Path], quick: bool) -> None:
    """Train tokenizers of growing vocabulary, then make steps of growing width."""
    text = python_docs()
    vocabularies = {
        "minigpt": lambda v: lambda: Tokenizer.train(text, v),
        "tokenizers (Rust)": lambda v: lambda: hugging_face(text, v),
    }
    publish(
        Result(
            "bpe_by_vocabulary",
            "BPE training on the Python docs against the size of the vocabulary",
            "",
            {},
            curves=measure(vocabularies, [512, 1024] if quick else [512, 1024, 4096, 16384], 1, 3),
            axes=("tokens in the vocabulary", "seconds"),
        )
    )

    def task(width: int) -> Task:
        return Task(f"width {width}", 128, 8, steps=1, n_head=width // 32, n_embd=width)

    widths = {
        "minigpt bf16": lambda C: ours(task(C), "bf16"),
        "minigpt fp32": lambda C: ours(task(C), "fp32"),
    }
    if "nanoGPT" in peers:
        widths["nanoGPT fp32"] = lambda C: nano_gpt(peers["nanoGPT"], task(C), "fp32")
        widths["nanoGPT bf16"] = lambda C: nano_gpt(peers["nanoGPT"], task(C), "bf16")
    publish(
        Result(
            "step_by_width",
            "A training step against the model's width: 4 layers, context 128, batch 8",
            "",
            {},
            curves=measure(widths, [64, 128] if quick else [64, 128, 256, 512], 1000, 7),
            axes=("width (n_embd)", "ms"),
        )
    )
