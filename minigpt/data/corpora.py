"""Where texts come from: the Python documentation, Shakespeare, or a file of your own."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from http.client import HTTPException
from pathlib import Path

from minigpt.cache import cache_folder
from minigpt.files import atomic_write

SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
TIMEOUT = 30  # seconds without a byte before a download gives up
SHORTEST = 10  # characters: nine to train on, one to hold out


def python_docs() -> str:
    """Return the language reference that every Python carries: half a megabyte of real English.

    It differs a little from one version of Python to the next, and so do losses on it.
    Raises FileNotFoundError for a Python that was stripped of it.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise FileNotFoundError(
            "this Python came without its documentation (the module pydoc_data); "
            "install its full standard library, or train on the stories"
        ) from None
    return "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"


def read_text(path: str | os.PathLike) -> str:
    r"""Return the text of a UTF-8 file, with \n for its line ends wherever it comes from.

    Raises FileNotFoundError if there is none, ValueError for what is no text to train on.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the path of one text file")
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {path}; give the path of a text file, "
            "or one of the names stories, python-docs, shakespeare"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")  # sig: drop the mark that Notepad puts first
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start}); "
            "open it in an editor and save it as UTF-8"
        ) from None
    if len(text) < SHORTEST:
        raise ValueError(f"{path} holds {len(text)} characters; it must be at least {SHORTEST}")
    return text


def shakespeare() -> str:
    """Return a megabyte of Shakespeare's plays, downloaded on first use and then kept.

    The environment variable MINIGPT_MIRROR may name the address of a folder with shakespeare.txt.
    Raises ConnectionError, with the way to do it by hand, or ValueError if the file was changed.
    """
    path = cache_folder() / "shakespeare.txt"
    if not path.is_file():
        mirror = os.environ.get("MINIGPT_MIRROR", "").rstrip("/")
        url = f"{mirror}/{path.name}" if mirror else SHAKESPEARE_URL
        try:
            download(url, path, SHAKESPEARE_SHA256)
        except (OSError, HTTPException, ValueError) as error:
            raise ConnectionError(
                f"Shakespeare could not be downloaded from {url}: {error}.\n"
                "From elsewhere: set MINIGPT_MIRROR to the address of a folder with "
                f"{path.name}, and try again.\n"
                f"By hand: get {SHAKESPEARE_URL} in any way, on any machine, and save it as {path}"
            ) from error
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHAKESPEARE_SHA256:
        raise ValueError(
            f"{path} is not the expected text: its sha256 is not {SHAKESPEARE_SHA256}. "
            "Delete it and try again, or read it as it is by giving its path"
        )
    return content.decode("utf-8")


def download(url: str, path: Path, sha256: str) -> None:
    """Save what is at an address, with progress; nothing is left at `path` unless it is right.

    Raises OSError or HTTPException if it cannot be had, ValueError if its hash is another.
    """
    from tqdm.auto import tqdm

    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response, atomic_write(path) as temporary:
        size = int(response.headers.get("Content-Length", 0)) or None
        bar = tqdm(total=size, unit="B", unit_scale=True, desc=path.name)
        with bar, open(temporary, "wb") as file:
            while chunk := response.read(2**16):
                digest.update(chunk)
                bar.update(file.write(chunk))
        if size and bar.n < size:
            raise ValueError(f"it broke off after {bar.n:,} of {size:,} bytes")
        if digest.hexdigest() != sha256:
            raise ValueError(f"its sha256 is {digest.hexdigest()}, expected {sha256}")
