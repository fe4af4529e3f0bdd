"""A file that is something else is called what it is, and never run."""

import os
import pickle
import struct

import pytest
import torch
from safetensors.torch import save_file

from minigpt.pretrained import from_pretrained


def test_a_training_checkpoint_is_told_apart(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_file({"model.x": torch.ones(2)}, path, {"format": "minigpt-checkpoint-1", "notes": "{}"})
    with pytest.raises(ValueError, match=r"training run.*save_pretrained"):
        from_pretrained(path, verbose=False)


def header(text, data=b""):
    return struct.pack("<Q", len(text)) + text + data


WHOLE = b'{"a":{"dtype":"F32","shape":[10],"data_offsets":[0,40]}'
FILES = {
    "empty": (b"", "empty"),
    "too short": (b"abc", "not a safetensors file"),
    "noise": (bytes(range(7, 256)) * 4, "not a safetensors file"),
    "web page": (b"\n<!DOCTYPE html><html><title>429 Too Many Requests</title>", "web page"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs"),
    "zip": (b"PK\x03\x04" + bytes(100), "pickle"),
    "cut short": (header(WHOLE + b"}", bytes(20)), "download cut short"),
    "cut in the header": (header(WHOLE + b"}", b"")[:30], "download cut short"),
    "too long": (header(WHOLE + b"}", bytes(60)), "damaged"),
    "no JSON": (header(b"{nope"), "damaged"),
    "huge header": (struct.pack("<Q", 2**62) + b"{}", "damaged"),
    "large header": (struct.pack("<Q", 100_000_001) + b"{}", "damaged"),
    "overlap": (
        header(
            WHOLE + b',"b":{"dtype":"F32","shape":[10],"data_offsets":[20,60]}}',
            bytes(60),
        ),
        "damaged",
    ),
    "negative shape": (
        header(b'{"a":{"dtype":"F32","shape":[-10],"data_offsets":[0,40]}}', bytes(40)),
        "damaged",
    ),
    "overflow": (
        header(
            b'{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}}',
            bytes(16),
        ),
        "damaged",
    ),
    "nonsense type": (
        header(b'{"a":{"dtype":"PKL","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
        "damaged",
    ),
    "many braces": (header(b"{" * 50_000), "damaged"),
    "a giant": (
        header(b'{"wte.weight":{"dtype":"F32","shape":[0,9999999999],"data_offsets":[0,0]}}'),
        "no GPT-2",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_something_else_is_called_what_it_is(tmp_path, name):
    content, words = FILES[name]
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        from_pretrained(tmp_path, verbose=False)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_is_never_opened(tmp_path, protocol):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    for name in ("pytorch_model.bin", "model.safetensors"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps({"wte.weight": Trap()}, protocol))
        with pytest.raises(ValueError, match="pickle .*can run any program"):
            from_pretrained(path, verbose=False)
    torch.save({"wte.weight": Trap()}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="pickle .*can run any program"):
        from_pretrained(tmp_path / "model.pt", verbose=False)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("fraction", [0.0001, 0.01, 0.5, 0.999])
def test_a_truncated_download_is_recognised(small, fraction):
    path, *_ = small
    content = path.read_bytes()
    path.write_bytes(content[: max(9, int(fraction * len(content)))])
    with pytest.raises(ValueError, match="cut short"):
        from_pretrained(path, verbose=False)
