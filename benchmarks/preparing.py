"""What memory and time it takes to prepare a large text: tokenizer, encoding, the file of ids."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import Result, publish
from benchmarks.texts import library_source

MIB = 2**20
MEASURE = """
import os, sys, time
from minigpt.data import load_data
from benchmarks.peak import begin_anew, held
os.environ["MINIGPT_CACHE"] = sys.argv[2]
load_data(sys.argv[1] + ".small", vocab_size=1024)  # what the libraries take for themselves
before, started = held("VmRSS"), time.perf_counter()
begin_anew()
data = load_data(sys.argv[1], vocab_size=1024)
print(held("VmHWM") - before, time.perf_counter() - started, len(data.train) + len(data.val))
"""


def measure(text: str, size: int) -> list[float]:
    """Return the bytes of memory, the seconds and the tokens of a file of `size` megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "text")
        Path(folder, "text.small").write_text(text[:100_000], encoding="utf-8")
        with file.open("w", encoding="utf-8") as out:
            while out.tell() < size * 1_000_000:
                out.write(text)
        command = [sys.executable, "-c", MEASURE, str(file), str(Path(folder, "cache"))]
        root = Path(__file__).parents[1]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root)
    return [json.loads(number) for number in done.stdout.split()]


def run(peers: dict, quick: bool) -> None:
    """Prepare files of growing size, the library's source over and over."""
    text, seconds, notes = library_source(), {}, {}
    for size in (10, 20) if quick else (10, 50, 200):
        memory, took, tokens = measure(text, size)
        seconds[f"{size} MB"] = [took]
        notes[f"{size} MB"] = (
            f"{memory / MIB:.0f} MiB above what was held before, {tokens:,} tokens"
        )
        print(f"{size:>4} MB: {notes[f'{size} MB']}, {took:.1f} s", flush=True)
    title = "Preparing a text file: memory that does not grow with it"
    publish(Result("preparing", title, next(iter(seconds)), seconds, notes=notes))
