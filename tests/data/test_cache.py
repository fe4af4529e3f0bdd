"""Ids are made once and then mapped; what is damaged is made anew."""

import os
import subprocess
import sys

import numpy as np
import pytest

from minigpt.data import cache, corpora, load_data
from minigpt.data.cache import cache_folder, cached_ids, cached_tokenizer, open_ids, write_ids
from minigpt.stories import Stories
from tests.data.draws import TEXT


def test_ids_are_made_once_then_mapped_from_disk(own_cache):
    made = []
    for _ in range(2):
        ids = cached_ids("key", lambda: made.append(1) or [[1, 2], [3]], 300)
        assert isinstance(ids, np.memmap)
        assert not ids.flags.writeable
        assert (ids.tolist(), ids.dtype) == ([1, 2, 3], np.uint16)
    assert len(made) == 1
    assert [path.name for path in own_cache.iterdir()] == ["tokens-key.npy"]
    assert np.load(own_cache / "tokens-key.npy").tolist() == [1, 2, 3]  # an ordinary .npy file


def test_ids_above_65535_are_kept_whole():
    assert cached_ids("big", lambda: [[70_000, 1]], 70_001).tolist() == [70_000, 1]


@pytest.mark.parametrize("damage", ["shorter", "longer", "changed", "empty", "pickle", "text"])
def test_a_damaged_file_is_noticed_and_made_anew(own_cache, damage):
    path = own_cache / "tokens-key.npy"
    write_ids(path, [range(60), range(60, 100)], np.uint16)
    content = path.read_bytes()
    path.write_bytes(
        {
            "shorter": content[:-50],
            "longer": content + b"more",
            "changed": content[:150] + bytes([content[150] ^ 1]) + content[151:],
            "empty": b"",
            "pickle": b"\x80\x04K\x01.",
            "text": b"not numbers at all",
        }[damage]
    )
    assert open_ids(path) is None
    assert cached_ids("key", lambda: [[4, 5]], 300).tolist() == [4, 5]
    assert open_ids(path).tolist() == [4, 5]


def test_another_text_tokenizer_or_vocabulary_is_another_entry(text_file, own_cache):
    sizes = [len(load_data(text_file, vocab_size=size).train) for size in (257, 300)]
    assert sizes[0] > sizes[1]
    before = len(list(own_cache.iterdir()))
    text_file.write_text(TEXT.replace("Fuchs", "Dachs"), encoding="utf-8")
    assert "Dachs" in (d := load_data(text_file, vocab_size=300)).tokenizer.decode(d.val)
    assert len(list(own_cache.iterdir())) > before


def test_a_change_of_the_grammar_is_another_entry(monkeypatch, few_stories, story_tokenizer):
    class Others(Stories):
        def __next__(self):
            return "Another " + super().__next__()

    monkeypatch.setattr(corpora, "Stories", Others)
    changed = load_data("stories", story_tokenizer, stories=60)
    assert changed.tokenizer.decode(changed.train[1:20]).startswith("Another ")


def test_a_trained_tokenizer_is_kept_and_a_damaged_one_trained_anew(own_cache):
    trained = []

    def texts():
        trained.append(1)
        return ["low lower lowest"]

    first = cached_tokenizer("key", texts, 260)
    assert cached_tokenizer("key", texts, 260) == first
    assert len(trained) == 1
    (own_cache / "tokenizer-key.json").write_text("{", encoding="utf-8")
    assert cached_tokenizer("key", texts, 260) == first
    assert len(trained) == 2


def test_a_cache_that_cannot_be_written_costs_a_warning_only(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="MINIGPT_CACHE"):
        assert cached_ids("key", lambda: [[1], [2]], 300).tolist() == [1, 2]
    with pytest.warns(UserWarning, match="MINIGPT_CACHE"):
        assert cached_tokenizer("key", lambda: ["aaaa"], 258).vocab_size == 258


@pytest.mark.thorough
def test_several_processes_at_once_are_in_nobodys_way(own_cache):
    code = (
        "import sys, numpy; from minigpt.data.cache import cached_ids\n"
        "ids = cached_ids('key', lambda: [range(int(sys.argv[1]))], 70_000)\n"
        "assert ids.tolist() == list(range(50_000))"
    )
    # The first finds a damaged file, and all make it anew together.
    own_cache.mkdir()
    (own_cache / "tokens-key.npy").write_bytes(b"damaged")
    runs = [subprocess.Popen([sys.executable, "-c", code, "50000"]) for _ in range(4)]
    assert [run.wait() for run in runs] == [0] * 4
    assert [path.name for path in own_cache.iterdir()] == ["tokens-key.npy"]


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"MINIGPT_CACHE": "/somewhere"}, "/somewhere"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/minigpt"),
        ("linux", {}, "~/.cache/minigpt"),
        ("darwin", {}, "~/Library/Caches/minigpt"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/minigpt"),
        ("win32", {}, "~/AppData/Local/minigpt"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(monkeypatch, platform, variables, expected):
    for name in ("MINIGPT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cache.sys, "platform", platform)
    assert cache_folder().as_posix() == os.path.expanduser(expected).replace("\\", "/")
