"""The same on an NVIDIA GPU: `python -m benchmarks gpu --peer nanoGPT=FOLDER`, one command.

GPT-2 124 M trained in bf16 with compile, tokens a second and the fraction of the peak; generating
at batch 1 and 64 beside transformers with its static cache; training on several GPUs, data-parallel
and sharded; the story model's time to the floor.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from pathlib import Path

import torch

from benchmarks import processes, storyteller
from benchmarks.decoding import PROMPT, ours, random_gpt2
from benchmarks.harness import Result, interleave, publish
from benchmarks.peers import load_file
from benchmarks.training_step import Task
from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained
from minigpt.training import TrainConfig, compiled_loss, make_optimizer, train_step

TASK = Task("124 M parameters", 1024, 16, 50304, steps=10, n_layer=12, n_head=12, n_embd=768)
# Dense bf16 products a second, from NVIDIA's data sheets; others are left out of the fraction.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}


def on_gpu(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the task's batch on the GPU."""
    x, y = task.batch()
    return x.cuda(), y.cuda()


def our_steps():
    """Return a function that makes the steps with this package's train_step, compiled."""
    model = GPT(GPTConfig(block_size=TASK.T, **TASK.sizes)).cuda().train()
    optimizer, loss_of, batch = make_optimizer(model, TrainConfig()), compiled_loss(), on_gpu(TASK)

    def steps() -> None:
        for _ in range(TASK.steps):
            train_step(model, optimizer, [batch], 1.0, "bf16", loss_of)
        torch.cuda.synchronize()

    return steps


def nano_steps(folder: Path):
    """Return a function that makes them with nanoGPT, compiled, as its own script does."""
    peer = load_file(folder, "model.py", "model")
    with contextlib.redirect_stdout(None):
        model = peer.GPT(peer.GPTConfig(block_size=TASK.T, bias=True, **TASK.sizes)).cuda()
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.95), "cuda")
    compiled, (x, y) = torch.compile(model), on_gpu(TASK)

    def steps() -> None:
        for _ in range(TASK.steps):
            with torch.autocast("cuda", torch.bfloat16):
                _, loss = compiled(x, y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()

    return steps


def train_bench(peers: dict[str, Path]) -> None:
    """Time training steps; say how many tokens that is, and how near the GPU's limit."""
    contenders = {"minigpt": our_steps()}
    if "nanoGPT" in peers:
        contenders["nanoGPT"] = nano_steps(peers["nanoGPT"])
    seconds = interleave(contenders, rounds=7, warmup=2)
    tokens = TASK.steps * TASK.B * TASK.T
    speed = {name: tokens / statistics.median(times) for name, times in seconds.items()}
    # Palm's count (Chowdhery et al. 2022, appendix B): 6 for each weight, 12 for each layer's
    # attention, per token.
    flops = 6 * 124_439_808 + 12 * TASK.n_layer * TASK.n_embd * TASK.T
    peak = next((p for name, p in PEAKS.items() if name in torch.cuda.get_device_name()), None)
    notes = {"tokens a second": {name: round(value) for name, value in speed.items()}}
    if peak:
        notes["of the peak"] = {n: round(v * flops / peak, 3) for n, v in speed.items()}
    baseline = "nanoGPT" if "nanoGPT" in peers else "minigpt"
    title = f"{TASK.steps} training steps, 124 M, bf16, compiled, context 1,024, batch {TASK.B}"
    goals = {"minigpt": 1.1} if "nanoGPT" in peers else {}
    publish(Result("gpu_training", title, baseline, seconds, goals, notes))


def hugging_face(folder: Path):
    """Return a function that generates greedily with transformers and its static cache."""
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.bfloat16).cuda().eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    model.generation_config.cache_implementation = "static"  # it compiles by itself then
    return lambda idx, new: model.generate(idx, max_new_tokens=new, do_sample=False)


def decode_bench() -> None:
    """Time 128 new tokens, bf16, for 1 and 64 sequences."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = random_gpt2(Path(temporary))
        model, _ = from_pretrained(folder, dtype=torch.bfloat16, device="cuda", verbose=False)
        contenders = {
            "transformers, static cache": hugging_face(folder),
            "minigpt": ours(model),
            "minigpt compiled": ours(model, compile=True),
        }
        for batch in (1, 64):
            idx = torch.randint(50257, (batch, PROMPT), device="cuda")
            calls = {name: lambda f=f, i=idx: f(i, 128).cpu() for name, f in contenders.items()}
            seconds = interleave(calls, rounds=5, warmup=2)
            title = f"Decoding, 124 M, bf16, prompt {PROMPT}, 128 new tokens, batch {batch}"
            baseline = "transformers, static cache"
            publish(Result(f"gpu_decoding_batch{batch}", title, baseline, seconds))


def processes_bench(quick: bool) -> None:
    """Time steps on one GPU and on all there are, data-parallel and sharded, with NCCL.

    Each process has as many windows as the one alone, so a step of n is n times the work.
    """
    count = torch.cuda.device_count()
    if count == 1:
        print("gpu: there is one GPU, so several processes were not measured")
        return
    sizes = {"n_layer": 12, "n_head": 12, "n_embd": 768}
    for size, sharded in ((1, False), (count, False), (count, True)):
        kind = {f"minigpt, {size} GPUs{', sharded' if sharded else ''}": (size, 1, sharded)}
        name = f"gpu_processes_{size}{'_sharded' if sharded else ''}"
        processes.compare(name, kind, "cuda", 1 if quick else 5, 30, 32 * size, sizes)


def run(peers: dict[str, Path], quick: bool) -> None:
    """Run all of them, if there is a GPU."""
    if not torch.cuda.is_available():
        print("gpu: there is no NVIDIA GPU here, so nothing was measured")
        return
    train_bench(peers)
    decode_bench()
    processes_bench(quick)
    storyteller.run(peers, quick)
