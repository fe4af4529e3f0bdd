"""`minigpt download`: where the file is, or the way to get it by hand."""

import pytest

from minigpt import cli
from minigpt.commands import download as download_command
from tests.commands.running import refused


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gtp2", "there is no 'gtp2' to download; there are gpt2, "),
        ("storyteller", "came with the installation"),
        ("python-docs", "came with the installation"),
    ],
)
def test_what_cannot_be_downloaded_is_said(name, line, capsys):
    assert line in refused(capsys, "download", name)


@pytest.mark.parametrize("name", ["gpt2", "shakespeare"])
def test_a_download_without_network_names_the_way_by_hand(name, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    line = refused(capsys, "download", name)
    assert "could not be downloaded" in line and "By hand: " in line


def test_download_says_where_the_file_is_and_how_large(capsys, tmp_path, monkeypatch):
    file = tmp_path / "model.safetensors"
    file.write_bytes(bytes(1_200_000))
    monkeypatch.setattr(download_command, "download", lambda name: file)
    assert cli.main(["download", "gpt2-xl"]) == 0
    assert capsys.readouterr().out == f"gpt2-xl is here, 1.2 MB: {file}\n"
