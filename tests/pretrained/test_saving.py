"""What is saved comes back bit for bit, or nothing has changed."""

import errno
import json
import os

import pytest
import torch
from safetensors.torch import load_file

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained, save_pretrained
from minigpt.tokenizer import Tokenizer
from tests.models import lively, some_ids
from tests.pretrained.files import SMALL, hub_tensors


def test_the_same_model_is_saved_as_the_same_bytes(tmp_path):
    model = lively(GPT(SMALL), 0.2, 0.2)
    saved = set()
    for i in range(8):  # the library's own order differs from save to save
        save_pretrained(model, tmp_path / str(i))
        saved.add((tmp_path / str(i) / "model.safetensors").read_bytes())
    assert len(saved) == 1


def test_what_is_saved_comes_back_bit_for_bit(tmp_path):
    for bias in (True, False):
        config = GPTConfig(300, 16, n_layer=2, n_head=4, n_embd=40, dropout=0.1, bias=bias)
        model = lively(GPT(config), 0.2, 0.2)
        tokenizer = Tokenizer.train("the fox and the other fox, " * 20, 300)
        save_pretrained(model, tmp_path / "new" / "folder", tokenizer)
        loaded, read = from_pretrained(tmp_path / "new" / "folder", verbose=False)
        assert loaded.config == config and read == tokenizer
        for (name, a), (_, b) in zip(
            model.named_parameters(), loaded.named_parameters(), strict=True
        ):
            assert torch.equal(a, b), name
        assert torch.equal(loaded(some_ids(config)), model(some_ids(config)))


def test_a_saved_file_has_the_hubs_names_and_layout(tmp_path):
    tensors, model = hub_tensors(prefix="transformer.")
    save_pretrained(model, tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    assert saved.keys() == tensors.keys()
    assert all(torch.equal(saved[name], tensors[name]) for name in saved)
    described = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert described["model_type"] == "gpt2" and described["n_positions"] == 16
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_a_loaded_model_can_be_trained_and_saved_to_another_folder(small, tmp_path):
    model, _ = from_pretrained(small[0], verbose=False)
    with torch.no_grad():
        model.transformer.wte.weight.mul_(2)
    save_pretrained(model, tmp_path / "doubled")
    again, _ = from_pretrained(tmp_path / "doubled", verbose=False)
    assert torch.equal(again.transformer.wte.weight, 2 * small[1]["wte.weight"])


@pytest.mark.elsewhere
@pytest.mark.skipif(os.name == "nt", reason="Windows does not replace a file that is mapped")
def test_a_model_can_be_saved_over_the_file_it_is_mapped_from(small):
    path, *_ = small
    model, _ = from_pretrained(path, verbose=False)
    expected = model(some_ids(SMALL)).detach()
    save_pretrained(model, path.parent)
    assert torch.equal(model(some_ids(SMALL)), expected)
    assert torch.equal(from_pretrained(path, verbose=False)[0](some_ids(SMALL)), expected)


def test_a_save_that_fails_leaves_everything_as_it_was(tmp_path):
    model = lively(GPT(SMALL), 0.1, 0.2)
    tokenizer = Tokenizer.train("the fox and the other fox, " * 20, 290)
    save_pretrained(model, tmp_path, tokenizer)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    class FullDisk(Tokenizer):
        def save(self, path):
            with open(path, "w", encoding="utf-8") as file:
                file.write("{half")
            raise OSError(errno.ENOSPC, "No space left on device")

    lively(model, 0.3, 0.2)
    with pytest.raises(OSError, match="No space"):
        save_pretrained(model, tmp_path, FullDisk(tokenizer.merges, tokenizer.special_tokens))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
