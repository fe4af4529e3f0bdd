"""Atomic writing: the old file or the new one, never half of one."""

import os
import stat
import sys

import pytest

from minigpt.files import atomic_write


def test_the_new_content_takes_the_name(tmp_path):
    path = tmp_path / "file.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("whole", encoding="utf-8")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "whole"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_the_temporary_file_is_on_the_same_disk_as_the_target(tmp_path):
    with atomic_write(tmp_path / "file.txt") as temporary:
        assert temporary.parent == tmp_path  # elsewhere the last step would be a copy, not a rename


def test_missing_folders_are_made(tmp_path):
    with atomic_write(str(tmp_path / "a" / "b" / "file.txt")) as temporary:
        temporary.write_bytes(b"x")
    assert (tmp_path / "a" / "b" / "file.txt").read_bytes() == b"x"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), SystemExit()])
def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(type(error)), atomic_write(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise error
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_failure_at_the_last_step_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    path.write_text("old", encoding="utf-8")

    def refuse(source, target):
        raise PermissionError("in use")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError), atomic_write(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_writer_that_removes_its_temporary_file_is_an_error_not_an_empty_file(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "file.txt") as temporary:
        temporary.unlink()
    assert os.listdir(tmp_path) == []


@pytest.mark.elsewhere
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_others_may_read_the_file_as_the_umask_says(tmp_path):
    previous = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "file.txt") as temporary:
            temporary.write_bytes(b"x")
        assert os.umask(0o027) == 0o027, "the umask is as it was"
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == 0o640


def test_two_writers_at_once_do_not_mix(tmp_path):
    path = tmp_path / "file.txt"
    with atomic_write(path) as first, atomic_write(path) as second:
        first.write_text("first", encoding="utf-8")
        second.write_text("second", encoding="utf-8")
        assert first != second
    assert path.read_text(encoding="utf-8") == "first"  # the one that ended last
    assert os.listdir(tmp_path) == ["file.txt"]
