"""A cache of our own, a text, and a finished run on it."""

import pytest

from minigpt import cli
from tests.commands.running import SENTENCES, TINY


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """A cache of our own: nothing is taken from, or left in, the tester's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGPT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def text_file(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("text") / "kites.txt"
    path.write_text("\n".join(SENTENCES * 20), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, text_file) -> str:
    """A finished run of six steps, made by the command itself."""
    folder = str(tmp_path_factory.mktemp("runs") / "kites")
    assert cli.main(["train", "--data", text_file, "--out", folder, *TINY]) == 0
    return folder
