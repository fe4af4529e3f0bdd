"""Where a model computes, in which precision, and how much memory there is for it."""

import pytest

from minigpt import devices
from minigpt.devices import memory_available, room_in_groups


def test_memory_available_is_no_more_than_the_machine_has():
    import psutil

    assert 0 < memory_available() <= psutil.virtual_memory().total


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_of_a_container_counts(tmp_path, version, monkeypatch):
    proc = tmp_path / "cgroup"
    root = tmp_path / "sys"
    if version == 2:
        proc.write_text("0::/kubepods/pod1\n")
        names, top, prefix = ("memory.max", "memory.current"), root, ""
    else:
        proc.write_text("9:name=systemd:/\n4:cpu,memory:/kubepods/pod1\n0::/\n")
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        top, prefix = root / "memory", "total_"

    def group(path, limit, used, files):
        path.mkdir(parents=True, exist_ok=True)
        (path / names[0]).write_text(f"{limit}\n")
        (path / names[1]).write_text(f"{used}\n")
        stat = f"anon 5\n{prefix}active_file {files}\n{prefix}inactive_file 100\n"
        (path / "memory.stat").write_text(stat)

    group(top / "kubepods" / "pod1", "max" if version == 2 else 2**63, 700, 0)
    group(top / "kubepods", 1000, 800, 50)
    rooms = list(room_in_groups(str(proc), str(root)))
    assert min(rooms) == 1000 - 800 + 50 + 100 and len(rooms) == version % 2 + 1
    assert list(room_in_groups(str(tmp_path / "no such"), str(root))) == []
    monkeypatch.setattr(devices, "room_in_groups", lambda: iter(rooms))
    assert memory_available() == 350
