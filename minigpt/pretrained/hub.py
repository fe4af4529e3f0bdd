"""The hub: fetching a released model's weights once, and saying what to do where that fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from minigpt.pretrained.weights import WEIGHTS, read_weights

HUB = "https://huggingface.co"
DISK = {
    errno.ENOSPC: "the disk is full; free some room, or set HF_HOME to a folder on another",
    errno.EDQUOT: "your share of the disk is full; free room, or set HF_HOME to another folder",
    errno.EACCES: "the hub's cache may not be written; set HF_HOME to a folder that may",
    errno.EROFS: "the hub's cache cannot be written; set HF_HOME to a folder that can",
}


def is_whole(file: Path) -> bool:
    """Say whether a file can be opened as safetensors, which knows how long it must be."""
    try:
        read_weights(file)
    except (OSError, ValueError):
        return False
    return True


def raise_for_the_disk(error: BaseException | None) -> None:
    """Raise OSError if an error comes from this machine's disk: no mirror would help then."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK:
            raise OSError(error.errno, f"{DISK[error.errno]} ({error})", error.filename) from error
        error = error.__cause__ or error.__context__


def download(name: str) -> Path:
    """Return the file with a released model's weights, from the hub's cache or else the hub.

    HF_ENDPOINT names a mirror, HF_HOME where the cache lies. A second call needs no network.
    Raises ConnectionError, with the ways around it, if the file cannot be had.
    """
    # Here, because they are slow to import.
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub import try_to_load_from_cache as find_in_cache

    repository = f"openai-community/{name}"
    cached = find_in_cache(repository, WEIGHTS)
    damaged = isinstance(cached, str) and not is_whole(Path(cached))
    if isinstance(cached, str) and not damaged:  # they have not changed since 2019: no need to ask
        return Path(cached)
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUB
    try:  # without your token: everyone may read these files, and a mirror need not know you
        # Asked first, because it fails at once where the download would retry for half a minute.
        get_hf_file_metadata(hf_hub_url(repository, WEIGHTS, endpoint=hub), token=False, timeout=10)
        settings = {"endpoint": hub, "token": False, "force_download": damaged}
        return Path(hf_hub_download(repository, WEIGHTS, **settings))
    except Exception as error:  # the libraries below raise dozens of kinds
        raise_for_the_disk(error)
        raise ConnectionError(
            f"{name} could not be downloaded from {hub} ({type(error).__name__}: {error}).\n"
            "Through a mirror: set the environment variable HF_ENDPOINT to its address, try again."
            f"\nBy hand: get {HUB}/{repository}/resolve/main/{WEIGHTS} in any way, on any machine, "
            f"and give its path: from_pretrained('folder/{WEIGHTS}')."
        ) from error
