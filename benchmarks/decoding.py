"""Generating with a full-shape GPT-2 (124 M, random weights), token by token, with the cache."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from benchmarks.harness import Result, interleave, publish
from minigpt.pretrained import from_pretrained
from minigpt.sampling import generate

PROMPT = 32


def random_gpt2(folder: Path) -> Path:
    """Save a GPT-2 of full shape with random weights, as the hub has it; return its folder."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
    return folder


def hugging_face(folder: Path, dtype: torch.dtype, idx: torch.Tensor, new: int):
    """Return a function that generates greedily with transformers and its cache."""
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder, dtype=dtype).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return lambda: model.generate(idx, max_new_tokens=new, do_sample=False, use_cache=True)


def ours(folder: Path, dtype: torch.dtype, idx: torch.Tensor, new: int):
    """Return a function that generates greedily with this package."""
    model, _ = from_pretrained(folder, dtype=dtype, verbose=False)
    return lambda: generate(model, idx, new, temperature=0)


def run(peers: dict[str, Path], quick: bool) -> None:
    """Time batch 1 and 8, in fp32 and bf16."""
    new = 16 if quick else 64
    with tempfile.TemporaryDirectory() as temporary:
        folder = random_gpt2(Path(temporary))
        for batch in (1, 8):
            idx = torch.randint(50257, (batch, PROMPT), generator=torch.Generator().manual_seed(0))
            contenders = {}
            for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
                contenders[f"transformers {name}"] = hugging_face(folder, dtype, idx, new)
                contenders[f"minigpt {name}"] = ours(folder, dtype, idx, new)
            publish(
                Result(
                    f"decoding_batch{batch}",
                    f"Decoding, 124 M, prompt {PROMPT}, {new} new tokens, batch {batch}",
                    "transformers fp32",
                    interleave(contenders, rounds=3),
                    goals={"minigpt fp32": 1.25 if batch == 1 else 1.2},
                )
            )
