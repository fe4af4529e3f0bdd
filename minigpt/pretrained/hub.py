"""The hub: fetching a released model's weights once, and saying what to do where that fails."""

from __future__ import annotations

import os
from pathlib import Path

from minigpt.files import raise_for_the_disk
from minigpt.pretrained.weights import WEIGHTS, read_weights

HUB = "https://huggingface.co"


def is_whole(file: Path) -> bool:
    """Say whether a file can be opened as safetensors, which knows how long it must be."""
    try:
        read_weights(file)
    except (OSError, ValueError):
        return False
    return True


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
        raise_for_the_disk(error, "HF_HOME")
        raise ConnectionError(
            f"{name} could not be downloaded from {hub} ({type(error).__name__}: {error}).\n"
            "Through a mirror: set the environment variable HF_ENDPOINT to its address, try again."
            f"\nBy hand: get {HUB}/{repository}/resolve/main/{WEIGHTS} in any way, on any machine, "
            f"and give its path: from_pretrained('folder/{WEIGHTS}')."
        ) from error
