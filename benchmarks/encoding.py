"""Encoding with GPT-2's vocabulary: a text seen for the first time, and one seen before."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.harness import Result, interleave, publish
from benchmarks.texts import library_source, python_docs
from minigpt.tokenizer import Tokenizer
from minigpt.tokenizer.gpt2_files import read_gpt2_file


def tiktoken_gpt2():
    """Build tiktoken's GPT-2 encoding from the installed vocabulary, without a download."""
    import tiktoken

    from minigpt.tokenizer.bpe import PATTERN

    ours = Tokenizer.gpt2()
    ranks = {ours.token_bytes(i): i for i in range(50256)}
    return tiktoken.Encoding(
        "gpt2",
        pat_str=PATTERN,
        mergeable_ranks=ranks,
        special_tokens={"<|endoftext|>": 50256},
    )


def hugging_face_gpt2():
    """Build the tokenizers library's GPT-2 encoding from the same merges."""
    from tokenizers import Tokenizer as Theirs
    from tokenizers import models, pre_tokenizers

    lines = read_gpt2_file("vocab.bpe").decode("utf-8").split("\n")[1:-1]
    vocabulary = json.loads(read_gpt2_file("encoder.json"))
    tokenizer = Theirs(models.BPE(vocabulary, [tuple(line.split(" ")) for line in lines]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def run(peers: dict[str, Path], quick: bool) -> None:
    """Time first sight (a new tokenizer each round) and repeated text (a warm cache)."""
    theirs, rust, warm = tiktoken_gpt2(), hugging_face_gpt2(), Tokenizer.gpt2()
    merges = warm.merges
    texts = {"docs": python_docs()}
    if not quick:
        texts["library"] = library_source(5_000_000)
    for stem, text in texts.items():
        warm.encode_ordinary(text)
        fresh = [Tokenizer(merges) for _ in range(7)]  # built beforehand: only encoding is timed
        seconds = interleave(
            {
                "tiktoken (Rust)": lambda t=text: theirs.encode_ordinary(t),
                "tokenizers (Rust)": lambda t=text: rust.encode(t).ids,
                "minigpt, first sight": lambda t=text, f=fresh: f.pop().encode_ordinary(t),
                "minigpt, repeated": lambda t=text: warm.encode_ordinary(t),
            },
            rounds=5,
        )
        size = len(text.encode()) / 1e6
        fastest = {name: f"{size / min(times):.1f} MB/s" for name, times in seconds.items()}
        same = warm.encode_ordinary(text) == theirs.encode_ordinary(text)
        publish(
            Result(
                f"encoding_{stem}",
                f"Encoding {size:.2f} MB of {stem} with GPT-2's vocabulary",
                "tiktoken (Rust)",
                seconds,
                goals={"minigpt, first sight": 0.25, "minigpt, repeated": 0.8},
                notes={"fastest": fastest, "ids identical to tiktoken's": same},
            )
        )
