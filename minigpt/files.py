"""Writing files so that a crash, a full disk or a second process never leaves half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
