"""Where a model computes, in which precision, and how much memory there is for it."""

import pytest
import torch

from minigpt import devices
from minigpt.devices import (
    choose_device,
    choose_precision,
    describe_device,
    memory_available,
    room_in_groups,
)

# --- Devices and precision --------------------------------------------------------------------


def test_auto_is_the_cpu_where_there_is_no_gpu(no_gpu):
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")


def test_auto_is_an_nvidia_gpu_where_there_is_one(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match=r"'cuda:2', but this machine has only: 1 cpu, 2 cuda"):
        choose_device("cuda:2")


def test_apples_gpu_is_used_only_when_asked_for_and_offered(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cpu")
    assert choose_device("mps") == torch.device("mps")
    assert "device='mps'" in describe_device(torch.device("cpu"), "fp32")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "meta", "xpu"])
def test_an_absent_device_is_refused(no_gpu, name):
    with pytest.raises(ValueError, match=f"device is '{name}'.*only: 1 cpu"):
        choose_device(name)


@pytest.mark.parametrize("name", ["gpu", "CPU", "", "nonsense:0", None, 1.5, True])
def test_a_device_that_does_not_exist_is_refused(no_gpu, name):
    with pytest.raises(ValueError, match=f"device is {name!r}; it must be auto, cpu, cuda or mps"):
        choose_device(name)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True}, "bf16"),
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"avx2": True, "avx512_f": True}, "fp32"),
        ({}, "fp32"),
    ],
)
def test_auto_precision_is_bf16_where_the_cpu_multiplies_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert choose_precision("auto", torch.device("cpu")) == expected


def test_auto_precision_is_fp32_where_pytorch_cannot_tell(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_precision("auto", torch.device("cpu")) == "fp32"


@pytest.mark.parametrize("supported", [True, False])
def test_auto_precision_on_a_gpu_asks_the_gpu(monkeypatch, supported):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: supported)
    expected = "bf16" if supported else "fp32"
    assert choose_precision("auto", torch.device("cuda")) == expected


def test_a_precision_that_was_asked_for_is_taken(monkeypatch):
    monkeypatch.setattr(devices, "cpu_multiplies_bf16", lambda: False)
    for name in ("fp32", "bf16"):
        assert choose_precision(name, torch.device("cpu")) == name
    assert choose_precision("auto", torch.device("mps")) == "fp32"


def test_the_device_is_described_in_words(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA T4")
    assert describe_device(torch.device("cuda"), "fp32") == "NVIDIA T4 (cuda), fp32"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert describe_device(torch.device("cpu"), "bf16") == "the CPU with 3 threads, bf16"


# --- Memory -----------------------------------------------------------------------------------


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
