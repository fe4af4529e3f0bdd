"""A model is loaded from a name or a path: which file, how large, for which tokenizer."""

import json

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained, loading, memory_needed, save_pretrained
from minigpt.tokenizer import Tokenizer
from tests.models import lively, some_ids
from tests.pretrained.files import SMALL, hub_tensors, write

# --- What is loaded ---------------------------------------------------------------------------


def test_the_weights_are_the_file_mapped_into_memory(small):
    path, tensors, _ = small
    model, _ = from_pretrained(path, verbose=False)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    places = json.loads(content[8 : 8 + length])
    starts = {
        p.data_ptr() - places[name.removeprefix("transformer.")]["data_offsets"][0]
        for name, p in model.named_parameters()
    }
    assert len(starts) == 1  # in memory as far apart as in the file: one map, no copies
    weight = model.transformer.h[0].mlp.c_fc.weight
    assert weight.stride() == (1, weight.size(0))  # a transposed view: (in, out) stays in place
    assert model.lm_head.weight is model.transformer.wte.weight
    assert model.num_parameters() == sum(tensor.numel() for tensor in tensors.values())


def test_training_a_loaded_model_leaves_the_file_as_it_was(small):
    path, *_ = small
    before = path.read_bytes()
    model, _ = from_pretrained(path, verbose=False)
    assert not model.training and all(p.requires_grad for p in model.parameters())
    ids = some_ids(SMALL)
    old = model(ids).detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(ids).square().mean().backward()
    optimizer.step()
    assert not torch.allclose(model(ids), old)
    again, _ = from_pretrained(path, verbose=False)
    assert torch.equal(again(ids), old)
    assert path.read_bytes() == before


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_weights_can_be_converted(small, dtype):
    path, _, original = small
    model, _ = from_pretrained(path, dtype=dtype, verbose=False)
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert torch.equal(model.transformer.wte.weight, original.transformer.wte.weight.to(dtype))
    assert model(some_ids(SMALL)).dtype == dtype


def test_a_file_in_bfloat16_stays_in_bfloat16(tmp_path):
    tensors, _ = hub_tensors()
    path = write(tmp_path, {name: tensor.bfloat16() for name, tensor in tensors.items()})
    model, _ = from_pretrained(path, verbose=False)
    assert model.lm_head.weight.dtype == torch.bfloat16


# --- Which file -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gpt3", "gpt-2", "GPT2", "", None, 3, ["gpt2"]])
def test_an_unknown_name_lists_what_there_is(name):
    with pytest.raises(ValueError, match=r"gpt2, gpt2-medium, gpt2-large, gpt2-xl, storyteller"):
        from_pretrained(name)


def test_a_missing_path_is_not_found(tmp_path):
    for path in (tmp_path / "no", str(tmp_path / "no.safetensors"), "./no", "no.safetensors"):
        with pytest.raises(FileNotFoundError, match="no file or folder"):
            from_pretrained(path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"no model\.safetensors; it holds: pytorch_model"):
        from_pretrained(tmp_path)


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64, "float32", 32, float])
def test_a_dtype_that_is_none_is_refused(small, dtype):
    with pytest.raises(ValueError, match=r"dtype is .*torch\.float32, torch\.bfloat16"):
        from_pretrained(small[0], dtype=dtype)


def test_a_device_that_is_not_here_is_refused(small):
    with pytest.raises(ValueError, match="device is 'gpu'"):
        from_pretrained(small[0], device="gpu")


# --- Memory -----------------------------------------------------------------------------------


def test_a_model_that_will_not_fit_is_refused_with_the_way_out(small, monkeypatch):
    monkeypatch.setattr(loading, "memory_available", lambda device: 1_000_000)
    with pytest.raises(MemoryError, match=r"1\.0 MB is free.*smaller model.*bfloat16"):
        from_pretrained(small[0])
    monkeypatch.setattr(loading, "memory_available", lambda device: 4_000_000_000)

    def no_download(name):
        raise AssertionError("it was downloaded first")

    monkeypatch.setattr(loading, "download", no_download)
    with pytest.raises(MemoryError, match=r"gpt2-xl: 48 layers.*6\.23 GB of memory as float32"):
        from_pretrained("gpt2-xl")
    with pytest.raises(AssertionError, match="downloaded"):  # half of it fits
        from_pretrained("gpt2-xl", dtype=torch.bfloat16)


def test_it_says_how_much_memory_it_needs_unless_told_not_to(small, capsys):
    from_pretrained(small[0])
    said = capsys.readouterr().out
    assert (
        said.count("\n") == 1
        and f"{memory_needed(SMALL) / 1e6:.1f} MB of memory as float32" in said
        and "is free" in said
    )
    from_pretrained(small[0], verbose=False)
    assert capsys.readouterr().out == ""


# --- Which tokenizer --------------------------------------------------------------------------


def test_gpt2s_vocabulary_brings_gpt2s_tokenizer(tmp_path):
    config = GPTConfig(block_size=8, n_layer=1, n_head=1, n_embd=64)
    path = write(tmp_path, hub_tensors(config)[0])
    tokenizer = from_pretrained(path, verbose=False)[1]
    assert tokenizer.encode("Hello, world") == [15496, 11, 995]


def test_without_a_tokenizer_there_is_none(small):
    assert from_pretrained(small[0], verbose=False)[1] is None


def test_a_tokenizer_that_does_not_belong_is_refused(small):
    folder = small[0].parent
    Tokenizer.gpt2().save(folder / "tokenizer.json")
    with pytest.raises(ValueError, match=r"50257 ids, the model 300"):
        from_pretrained(folder, verbose=False)
    (folder / "tokenizer.json").write_text('{"half', encoding="utf-8")
    with pytest.raises(ValueError, match=r"tokenizer\.json is not JSON"):
        from_pretrained(folder, verbose=False)


def test_the_storyteller_is_a_folder_that_comes_along(tmp_path, monkeypatch):
    model = lively(GPT(SMALL), 0.1, 0.2)
    tokenizer = Tokenizer.train("the fox and the other fox, " * 20, 300)
    save_pretrained(model, tmp_path, tokenizer)
    monkeypatch.setattr(loading, "STORYTELLER", tmp_path)
    loaded, read = from_pretrained("storyteller", verbose=False)
    assert read == tokenizer and torch.equal(loaded.lm_head.weight, model.lm_head.weight)


def test_16_bit_weights_lie_as_one_row_reads_them_fastest(small):
    model, _ = from_pretrained(small[0], dtype=torch.bfloat16, verbose=False)
    assert all(weight.is_contiguous() for weight in model.parameters())
