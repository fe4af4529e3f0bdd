"""Generating with a full-shape GPT-2 (124 M, random weights), token by token, with the cache."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional as F

from benchmarks.harness import Result, interleave, publish
from minigpt.data import load_data
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained
from minigpt.sampling import generate, stream
from minigpt.sampling.generation import new_cache
from minigpt.speed import compiled_step, quantize

PROMPT = 32
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
# Least ratios, each against transformers in the precision named: (1 row, 8 rows).
GOALS = {
    "minigpt fp32": ("transformers fp32", 1.25, 1.2),
    "minigpt bf16": ("transformers bf16", 1.25, 1.2),
    "minigpt bf16 compiled": ("transformers bf16", 2.2, 1.8),
    "minigpt int8 compiled": ("transformers fp32", 5.0, None),
}


def random_gpt2(folder: Path) -> Path:
    """Save a GPT-2 of full shape with random weights, as the hub has it; return its folder."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
    return folder


def hugging_face(folder: Path, dtype: torch.dtype):
    """Return a function that generates greedily with transformers and its cache."""
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder, dtype=dtype).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return lambda idx, new: model.generate(idx, max_new_tokens=new, do_sample=False, use_cache=True)


def ours(model: GPT, compile: bool = False):
    """Return a function that generates greedily with this package."""
    return lambda idx, new: generate(model, idx, new, temperature=0, compile=compile)


def read_bandwidth() -> float:
    """Return how fast memory is read here, in bytes a second: a sum over 500 MB, best of 10."""
    numbers, best = torch.ones(125_000_000), float("inf")
    for _ in range(10):
        started = time.perf_counter()
        numbers.sum()
        best = min(best, time.perf_counter() - started)
    return numbers.nbytes / best


def fractions(seconds: dict[str, list[float]], new: int) -> dict[str, float]:
    """How near each mode comes to reading every weight once a token, and doing nothing else."""
    count, bandwidth = 124_439_808, read_bandwidth()
    least = {name: count * size / bandwidth for name, size in BYTES.items()}
    shares = {
        name: round(least[name.split()[1]] * new / median(times), 2)
        for name, times in seconds.items()
    }
    return {"bandwidth, GB/s": round(bandwidth / 1e9, 1), **shares}


def cross_entropy(model: GPT, idx: torch.Tensor, truth: torch.Tensor) -> float:
    """Return the mean loss of a model's logits (B, T, V) against a distribution or targets."""
    with torch.no_grad():
        return F.cross_entropy(model(idx).float().flatten(0, 1), truth.flatten(0, 1)).item()


def loss_of_int8(whole: GPT, rounded: GPT) -> dict[str, str]:
    """What 8 bits cost: on the storyteller's text, and on what the random model itself predicts."""
    teller, tokenizer = from_pretrained("storyteller", verbose=False)
    data = load_data("stories", tokenizer)
    generator = torch.Generator().manual_seed(0)
    x, y = data.batch("val", teller.config.block_size, 500, generator)
    before, after = (cross_entropy(m, x, y) for m in (teller, quantize(teller)))
    idx = torch.randint(50257, (4, 128), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        truth = whole(idx).softmax(dim=-1)
    own, other = (cross_entropy(m, idx, truth) for m in (whole, rounded))
    return {
        "storyteller, held-out stories": f"{before:.4f} to {after:.4f} nats a token "
        f"({100 * (after / before - 1):+.3f} %)",
        "124 M of random weights, on its own distribution": f"{own:.5f} to {other:.5f} nats a token"
        f" ({100 * (other / own - 1):+.4f} %)",
    }


def cost_by_length(model: GPT, compile: bool, quick: bool) -> list[list[float]]:
    """Return [length, milliseconds for a token there], the median of each stretch of 64."""
    prompt = torch.zeros(1, PROMPT, dtype=torch.int64)
    times, started = [], time.perf_counter()
    for _ in stream(model, prompt, 160 if quick else 991, temperature=0, compile=compile):
        now = time.perf_counter()
        times.append(1000 * (now - started))
        started = now
    times = times[1:]  # the first read the prompt
    stretches = [times[i : i + 64] for i in range(0, len(times) - 31, 64)]
    return [[PROMPT + 64 * i + 32, median(part)] for i, part in enumerate(stretches)]


def compile_seconds(model: GPT, idx: torch.Tensor) -> float:
    """Compile a model's step for this batch; return how long it took."""
    started = time.perf_counter()
    with torch.no_grad():
        cache = new_cache(model, len(idx), model.config.block_size)
        model(idx, cache)
        compiled_step(model, idx.size(0))(idx[:, :1], cache)
    return round(time.perf_counter() - started, 1)


def run_batch(batch: int, contenders: dict, models: dict[str, GPT], quick: bool) -> None:
    """Time every mode with so many sequences; publish the ratios."""
    new, column = (16 if quick else 128), 1 if batch == 1 else 2
    idx = torch.randint(50257, (batch, PROMPT), generator=torch.Generator().manual_seed(0))
    compiled = {name: compile_seconds(models[name], idx) for name in ("bf16", "int8")}
    calls = {name: lambda f=f: f(idx, new) for name, f in contenders.items()}
    seconds = interleave(calls, rounds=2 if quick else 3)
    result = Result(
        f"decoding_batch{batch}",
        f"Decoding, 124 M, prompt {PROMPT}, {new} new tokens, batch {batch}",
        "transformers fp32",
        seconds,
        notes={"seconds to compile, once": compiled},
        axes=("positions in the cache", "ms per token"),
    )
    for name, (peer, *goals) in GOALS.items():
        if (goal := goals[column - 1]) is not None:
            ratio = median([a / b for a, b in zip(seconds[peer], seconds[name])])
            verdict = "met" if ratio >= goal else "NOT met"
            result.notes[f"{name} against {peer}"] = f"{ratio:.2f}, goal {goal}: {verdict}"
    if batch == 1:
        result.notes["fraction of the memory's bandwidth (goal: 0.5 in the best)"] = fractions(
            seconds, new
        )
        result.notes["loss that int8 costs"] = loss_of_int8(models["fp32"], models["int8"])
        for name, compile in (("fp32", False), ("bf16", True), ("int8", True)):
            label = f"minigpt {name}{' compiled' * compile}"
            result.curves[label] = cost_by_length(models[name], compile, quick)
            result.notes[f"last stretch to first, {label}"] = round(
                result.curves[label][-1][1] / result.curves[label][0][1], 2
            )
    publish(result)


def run(peers: dict[str, Path], quick: bool) -> None:
    """Time batch 1 and 8 in every precision, as it comes and compiled."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = random_gpt2(Path(temporary))
        models, contenders = {}, {}
        for name, dtype in PRECISIONS.items():
            models[name], _ = from_pretrained(folder, dtype=dtype, verbose=False)
            contenders[f"transformers {name}"] = hugging_face(folder, dtype)
            contenders[f"minigpt {name}"] = ours(models[name])
        models["int8"], _ = from_pretrained(folder, quantize="int8", verbose=False)
        contenders["minigpt int8"] = ours(models["int8"])
        for name in ("bf16", "int8"):
            contenders[f"minigpt {name} compiled"] = ours(models[name], compile=True)
        for batch in (1, 8):
            run_batch(batch, contenders, models, quick)
