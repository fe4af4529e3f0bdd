"""The cache: token ids and tokenizers on disk, so that a corpus is prepared once."""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np

from minigpt.files import atomic_write
from minigpt.tokenizer import Tokenizer


def cache_folder() -> Path:
    """Return the folder for what can be made or downloaded again.

    The environment variable MINIGPT_CACHE names it; otherwise it is where the system keeps caches.
    """
    if chosen := os.environ.get("MINIGPT_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        parent = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        parent = "~/Library/Caches"
    else:
        parent = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(parent).expanduser() / "minigpt"


def digest(*parts: object) -> str:
    """Name a thing by what it is made from: 20 hexadecimal digits, others when a part changes."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def checksum_of(path: Path, size: int) -> int:
    """Return the CRC-32 of a file's first `size` bytes."""
    checksum = 0
    with open(path, "rb") as file:
        while size > 0 and (chunk := file.read(min(size, 2**20))):
            checksum = zlib.crc32(chunk, checksum)
            size -= len(chunk)
    return checksum


def write_ids(path: Path, lists: Iterable[Iterable[int]], dtype: type) -> None:
    """Write lists of ids as one array, a .npy file, list by list.

    Behind it stand four bytes more: the CRC-32 of all before.
    """

    def write_header(file: IO[bytes], length: int) -> int:
        file.seek(0)
        about = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (length,)}
        np.lib.format.write_array_header_1_0(file, about)  # leaves room for the length to grow
        return file.tell()

    with atomic_write(path) as temporary:
        with open(temporary, "wb") as file:
            begin, length = write_header(file, 0), 0
            for ids in lists:
                length += file.write(np.fromiter(ids, dtype).tobytes()) // np.dtype(dtype).itemsize
            assert write_header(file, length) == begin
        checksum = checksum_of(temporary, temporary.stat().st_size)
        with open(temporary, "ab") as file:
            file.write(checksum.to_bytes(4, "little"))


def open_ids(path: Path) -> np.ndarray | None:
    """Map a file that `write_ids` wrote into memory; None if there is none or it is damaged."""
    try:
        size = path.stat().st_size - 4
        with open(path, "rb") as file:
            file.seek(max(size, 0))
            if checksum_of(path, size) != int.from_bytes(file.read(), "little"):
                return None
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError):
        return None


@contextmanager
def tolerate_unwritable(path: Path) -> Iterator[None]:
    """Warn, and go on, if a cache file cannot be written: all it costs is to make it again."""
    try:
        yield
    except OSError as error:
        warnings.warn(
            f"{path} cannot be kept for the next time ({error}); set the environment variable "
            "MINIGPT_CACHE to a folder that you may write to",
            stacklevel=4,
        )


def cached_ids(
    key: str, make: Callable[[], Iterable[Iterable[int]]], vocab_size: int
) -> np.ndarray:
    """Return ids (N,) from the cache, uint16 or uint32; if they are not there, make and keep them.

    `make` gives them list by list, so that no more than one need be in memory.
    Two processes that make the same ids at once are in nobody's way.
    """
    path = cache_folder() / f"tokens-{key}.npy"
    dtype = np.uint16 if vocab_size <= 2**16 else np.uint32
    kept = open_ids(path)
    if kept is None:
        with tolerate_unwritable(path):
            write_ids(path, make(), dtype)
        kept = open_ids(path)
    return np.fromiter(chain.from_iterable(make()), dtype) if kept is None else kept


def cached_tokenizer(key: str, texts: Callable[[], Iterable[str]], vocab_size: int) -> Tokenizer:
    """Return a tokenizer from the cache; if it is not there, train it on the texts and keep it."""
    path = cache_folder() / f"tokenizer-{key}.json"
    try:
        return Tokenizer.load(path)
    except (OSError, ValueError):  # absent or damaged
        tokenizer = Tokenizer.train(texts(), vocab_size)
        with tolerate_unwritable(path):
            tokenizer.save(path)
        return tokenizer
