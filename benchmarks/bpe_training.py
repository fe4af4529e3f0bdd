"""Training a byte-level BPE tokenizer: ours in pure Python, Hugging Face's in Rust."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.harness import Result, interleave, publish
from benchmarks.peak import MARK
from benchmarks.peers import load_file
from benchmarks.texts import library_source, python_docs
from minigpt.tokenizer import Tokenizer


def hugging_face(text: str, vocab_size: int):
    """Train the tokenizers library on a text, as GPT-2's tokenizer was."""
    from tokenizers import Tokenizer as Theirs
    from tokenizers import models, pre_tokenizers, trainers

    tokenizer = Theirs(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def same_merges(ours: Tokenizer, theirs) -> bool:
    """Say whether both have the same tokens, special ones aside."""
    pairs = json.loads(theirs.to_str())["model"]["merges"]
    vocabulary = theirs.get_vocab()
    special = len(ours.special_tokens)  # theirs come first, ours last
    return ours.merges == [tuple(vocabulary[token] - special for token in pair) for pair in pairs]


def train_minbpe(minbpe, text: str, vocab_size: int) -> None:
    """Train minbpe, which counts all pairs anew for each merge."""
    minbpe.RegexTokenizer().train(text, vocab_size)


MEASURE = """
from benchmarks.peak import begin_anew, held
from benchmarks.texts import library_source
from minigpt.tokenizer import Tokenizer
text = library_source()
Tokenizer.train(text[:10_000], 300)  # imports, and what they hold, come before the first look
before = held("VmRSS")
begin_anew()
Tokenizer.train(text, 4096)
print((held("VmHWM") - before) / 2**20)
"""


def memory_above_text() -> float:
    """Return the MiB that training takes above the text; Linux keeps the highest mark."""
    folder = Path(__file__).parents[1]
    command = [sys.executable, "-c", MEASURE]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return float(done.stdout)


def run(peers: dict[str, Path], quick: bool) -> None:
    """Time every trainer on the Python docs and on the library's source."""
    cases = [("docs-1024", "Python docs", python_docs(), 1024)]
    if not quick:
        cases += [
            ("docs-4096", "Python docs", python_docs(), 4096),
            ("library-4096", "10 MB of library source", library_source(), 4096),
        ]
    for stem, label, text, vocab_size in cases:
        contenders = {
            "tokenizers (Rust)": lambda t=text, v=vocab_size: hugging_face(t, v),
            "minigpt": lambda t=text, v=vocab_size: Tokenizer.train(t, v),
        }
        if stem == "docs-1024" and "minbpe" in peers and not quick:
            minbpe = load_file(peers["minbpe"], "minbpe/regex.py", "minbpe.regex")
            contenders["minbpe"] = partial(train_minbpe, minbpe, text, vocab_size)
        seconds = interleave(contenders, rounds=3 if "minbpe" in contenders else 5)
        same = same_merges(Tokenizer.train(text, vocab_size), hugging_face(text, vocab_size))
        notes = {"merges identical to tokenizers'": same}
        if stem == "library-4096" and MARK.exists():
            notes["memory above the text (goal 60 MB)"] = f"{memory_above_text():.0f} MiB"
        publish(
            Result(
                f"bpe_training_{stem}",
                f"BPE training, {label} ({len(text) / 1e6:.2f} MB), {vocab_size:,} tokens",
                "tokenizers (Rust)",
                seconds,
                goals={"minigpt": 1.0},
                notes=notes,
            )
        )
