"""Files: read in one way; written so that no crash, full disk or neighbour leaves half of one."""

from __future__ import annotations

import codecs
import errno
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

PACKAGE = Path(__file__).parent
ASSETS = PACKAGE / "assets"
STORYTELLER = ASSETS / "storyteller"  # the model that ships with the course
CHECKPOINT = "minigpt-checkpoint-1"  # what a file of ours says it is
CANNOT_TELL = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.EACCES)
TIMEOUT = 30  # seconds without a byte before a download gives up


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path; when the block ends well, the file written there becomes `path`.

    If the block raises, `path` stays as it was and the temporary file is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}.{uuid4().hex}.tmp")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        put_on_disk(temporary)  # before it takes the name: a power cut finds it whole
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def put_on_disk(path: Path) -> None:
    """Wait until a file is on the disk, where the drive can tell: some network drives cannot."""
    with open(path, "rb+") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in CANNOT_TELL:
                raise


def raise_for_the_disk(error: BaseException | None, variable: str) -> None:
    """Raise OSError if a download failed for this machine's disk: no mirror would help then.

    `variable` names the environment variable that says where downloads are kept.
    """
    elsewhere = f"set {variable} to a folder"
    why = {
        errno.ENOSPC: f"the disk is full; free some room, or {elsewhere} on another",
        errno.EDQUOT: f"your share of the disk is full; free room, or {elsewhere} elsewhere",
        errno.EACCES: f"what is downloaded may not be kept here; {elsewhere} that you may write to",
        errno.EROFS: f"what is downloaded cannot be kept here; {elsewhere} that can be written",
    }
    while error is not None:
        if isinstance(error, OSError) and error.errno in why:
            raise OSError(error.errno, f"{why[error.errno]} ({error})", error.filename) from error
        error = error.__cause__ or error.__context__


def fetch(url: str, path: Path, sha256: str | None) -> str:
    """Save what is at an address, with progress; nothing is left at `path` unless it is right.

    Returns its hash, which is compared with `sha256` unless that is None, as nobody knows it.
    Raises OSError if it cannot be had or kept, ValueError if its hash is another.
    """
    import requests  # brings certificates along, which some Pythons lack
    from tqdm.auto import tqdm

    digest = hashlib.sha256()
    with requests.get(url, stream=True, timeout=TIMEOUT) as response:
        response.raise_for_status()
        size = int(response.headers.get("Content-Length", 0)) or None
        bar = tqdm(total=size, unit="B", unit_scale=True, desc=path.name)
        with bar, atomic_write(path) as temporary:
            with open(temporary, "wb") as file:
                for chunk in response.iter_content(2**16):  # raises if it breaks off
                    digest.update(chunk)
                    bar.update(file.write(chunk))
            if sha256 is not None and digest.hexdigest() != sha256:
                raise ValueError(f"its sha256 is {digest.hexdigest()}, expected {sha256}")
    return digest.hexdigest()


def read_blocks(path: str | os.PathLike, size: int = 2**20) -> Iterator[str]:
    r"""Yield the text of a UTF-8 file block by block, as `read_text` would return it whole.

    A block is what `size` bytes hold. Raises ValueError for a file that is not UTF-8.
    """
    utf8 = codecs.getincrementaldecoder("utf-8-sig")()  # Windows' editors put a mark first
    decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
    with open(path, "rb") as file:
        while True:
            chunk = file.read(size)
            try:
                yield decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                at = file.tell() - len(error.object) + error.start
                raise ValueError(
                    f"{path} is not UTF-8 ({error.reason} at byte {at}); "
                    "open it in an editor and save it as UTF-8"
                ) from None
            if not chunk:
                return


def read_text(path: str | os.PathLike) -> str:
    r"""Return the text of a UTF-8 file, with \n for its line ends, without a byte order mark.

    Raises ValueError for a file that is not UTF-8.
    """
    return "".join(read_blocks(path))


def parse_json(text: str, source: str) -> dict:
    """Return the dictionary that a JSON text describes."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{source} must be a JSON object, {{...}}, not {values!r:.40}")
    return values
