"""A saved tokenizer comes back whole; any other file is refused and never run."""

import os
import pickle
from pathlib import Path

import pytest

from minigpt.tokenizer import Tokenizer


def test_loaded_tokenizer_equals_the_saved_one(gpt2, small, tmp_path):
    odd = Tokenizer([(64, 65)], ["<终>", "\n", '"'])
    for tokenizer in (gpt2, small, odd, Tokenizer([], [])):
        tokenizer.save(tmp_path / "tokenizer.json")
        loaded = Tokenizer.load(tmp_path / "tokenizer.json")
        assert loaded == tokenizer
        assert loaded.merges == tokenizer.merges
        assert loaded.special_tokens == tokenizer.special_tokens
        assert loaded.encode_ordinary("a 终 kite") == tokenizer.encode_ordinary("a 终 kite")


def test_equal_tokenizers_are_saved_as_equal_bytes_in_one_file(small, tmp_path):
    small.save(tmp_path / "a.json")
    Tokenizer.load(tmp_path / "a.json").save(str(tmp_path / "b.json"))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]
    assert b"\r" not in (tmp_path / "a.json").read_bytes()


def test_save_that_fails_leaves_the_old_file_and_nothing_else(small, tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.json"
    path.write_text("old", encoding="utf-8")

    def no_room(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", no_room)
    with pytest.raises(OSError, match="disk full"):
        small.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["tokenizer.json"]
    assert path.read_text(encoding="utf-8") == "old"


def test_missing_file_says_what_to_do(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"tokenizer\.save\(path\).*Tokenizer\.gpt2"):
            Tokenizer.load(path)


def test_file_cut_short_anywhere_is_refused(small, tmp_path):
    small.save(tmp_path / "whole.json")
    whole = (tmp_path / "whole.json").read_bytes().rstrip()
    cut = tmp_path / "cut.json"
    for size in (0, 1, *range(2, len(whole), 37), len(whole) - 1):
        cut.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut\.json is not a tokenizer's file, or a damaged"):
            Tokenizer.load(cut)


HEAD = '{"format": "minigpt tokenizer 1", '


@pytest.mark.parametrize(
    "content",
    [
        "hello",
        "[]",
        "{}",
        "null",
        '{"model": {"merges": []}, "version": "1.0"}',
        '{"format": "minigpt tokenizer 99", "merges": [], "special_tokens": []}',
        HEAD + '"merges": []}',
        HEAD + '"special_tokens": []}',
        HEAD + '"merges": {"a": 1}, "special_tokens": []}',
        HEAD + '"merges": "ab", "special_tokens": []}',
        HEAD + '"merges": [[1, 2], [3]], "special_tokens": []}',
        HEAD + '"merges": [[1, 1e999]], "special_tokens": []}',
        HEAD + '"merges": [[1, 999999]], "special_tokens": []}',
        HEAD + '"merges": [[1, ' + "9" * 9999 + ']], "special_tokens": []}',
        HEAD + '"merges": [], "special_tokens": "<|endoftext|>"}',
        HEAD + '"merges": [], "special_tokens": ["\\ud800"]}',
        HEAD + '"merges": [], "special_tokens": [[]]}',
        HEAD + f'"merges": {[[0, 0]] + [[i, i] for i in range(256, 400)]}, "special_tokens": []}}',
        "[" * 200_000,
        b"\xff\xfe\x00",
        pickle.dumps({"format": "minigpt tokenizer 1"}),
    ],
    ids=range(21),
)
def test_foreign_or_malicious_file_is_refused(content, tmp_path):
    path = tmp_path / "bad.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=r"bad\.json is not a tokenizer's file"):
        Tokenizer.load(path)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_ever_unpickled(tmp_path):
    (tmp_path / "bomb.json").write_bytes(pickle.dumps(Bomb(tmp_path / "went off")))
    with pytest.raises(ValueError, match="not a tokenizer's file"):
        Tokenizer.load(tmp_path / "bomb.json")
    assert not (tmp_path / "went off").exists()
