"""`minigpt download`: fetch what the lessons can use but do not need, while there is a network."""

from __future__ import annotations

import argparse
from pathlib import Path

from minigpt.config import PRESETS
from minigpt.data.cache import cache_folder
from minigpt.data.corpora import shakespeare
from minigpt.pretrained import download

WITHOUT_DOWNLOAD = ("storyteller", "stories", "python-docs")


def fetch(name: str) -> Path:
    """Bring a model or a text into the cache if it is not there yet; return its file.

    Raises ValueError for a name that cannot be had, ConnectionError if the network fails.
    """
    if name in PRESETS:
        return download(name)
    if name == "shakespeare":
        shakespeare()
        return cache_folder() / "shakespeare.txt"
    if name in WITHOUT_DOWNLOAD:
        raise ValueError(f"{name} needs no download: it came with the installation")
    raise ValueError(
        f"there is no {name!r} to download; there are {', '.join(PRESETS)}, shakespeare"
    )


def run(args: argparse.Namespace) -> int:
    """Fetch it, and say where it is and how large."""
    file = fetch(args.name)
    print(f"{args.name} is here, {file.stat().st_size / 1e6:,.1f} MB: {file}")
    return 0
