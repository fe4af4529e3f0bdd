"""Files: read in one way; written so that no crash, full disk or neighbour leaves half of one."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).parent
ASSETS = PACKAGE / "assets"
STORYTELLER = ASSETS / "storyteller"  # the model that ships with the course
CHECKPOINT = "minigpt-checkpoint-1"  # what a file of ours says it is
TIMEOUT = 30  # seconds without a byte before a download gives up


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path; when the block ends well, the file written there becomes `path`.

    If the block raises, `path` stays as it was and the temporary file is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())  # on disk before it takes the name: a power cut finds it whole
        temporary.chmod(0o666 & ~current_umask())  # mkstemp makes files that only we can read
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def current_umask() -> int:
    """Return the permissions that new files go without; reading it means setting it twice."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def fetch(url: str, path: Path, sha256: str) -> None:
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


def read_text(path: str | os.PathLike) -> str:
    r"""Return the text of a UTF-8 file, with \n for its line ends, without a byte order mark.

    Editors on Windows put that mark first. Raises ValueError for a file that is not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start}); "
            "open it in an editor and save it as UTF-8"
        ) from None


def parse_json(text: str, source: str) -> dict:
    """Return the dictionary that a JSON text describes."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{source} must be a JSON object, {{...}}, not {values!r:.40}")
    return values
