"""`minigpt verify`: each check passes on a right model and fails on a wrong one."""

from pathlib import Path

import pytest
import torch

from minigpt import cli, generate
from minigpt.commands import verify
from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import find_file, from_pretrained
from minigpt.tokenizer import Tokenizer
from tests.commands.running import refused


def test_verify_compares_a_model_of_ones_own_with_transformers(run_folder, capsys):
    pytest.importorskip("transformers", reason="pip install transformers")
    assert cli.main(["verify", run_folder]) == 0
    out = capsys.readouterr().out
    assert "pass  transformers  The same at " in out
    assert "----  continuation  published for gpt2 only" in out


def test_verify_says_what_is_not_checked_without_transformers(run_folder, capsys, monkeypatch):
    monkeypatch.setattr(verify, "find_spec", lambda name: None)
    assert cli.main(["verify", run_folder]) == 0
    assert "----  transformers  not installed" in capsys.readouterr().out


def test_verify_finds_a_model_that_computes_otherwise(run_folder):
    pytest.importorskip("transformers", reason="pip install transformers")
    model, _ = from_pretrained(run_folder, verbose=False)
    file = Path(run_folder, "model.safetensors")
    assert verify.check_against_transformers(model, file).verdict == "pass"
    with torch.no_grad():
        weight = model.transformer.h[0].attn.c_proj.weight
        weight.copy_(weight.t().clone())
    line = verify.check_against_transformers(model, file)
    assert line.verdict == "FAIL" and "transformer.h.0.attn.c_proj differs first" in line.words


def test_verify_fails_on_a_damaged_file(run_folder, tmp_path, capsys):
    file = tmp_path / "model.safetensors"
    file.write_bytes(Path(run_folder, "model.safetensors").read_bytes()[:-100])
    assert cli.main(["verify", str(file)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("FAIL  file") and "0 passed, 1 failed, 0 not checked." in out


def test_verify_says_how_to_get_a_model_that_is_not_there(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    line = refused(capsys, "verify")
    assert "gpt2 is not on this machine. Get it with: minigpt download gpt2" in line
    assert list(tmp_path.iterdir()) == []


def test_verify_finds_a_downloaded_model_in_the_hubs_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--openai-community--gpt2"
    file = home / "snapshots" / ("a" * 40) / "model.safetensors"
    for path, content in ((file, b"weights"), (home / "refs" / "main", b"a" * 40)):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    assert find_file("gpt2") == file


@pytest.fixture(scope="module")
def narrow_gpt2() -> GPT:
    """GPT-2's vocabulary and context, hardly any width: what it writes is its own."""
    return GPT(GPTConfig(n_layer=1, n_head=1, n_embd=4)).eval()


def test_the_published_continuation_must_be_met(narrow_gpt2, monkeypatch):
    tokenizer = Tokenizer.gpt2()
    monkeypatch.setattr(verify, "size_name", lambda config: "gpt2")
    line = verify.check_continuation(narrow_gpt2, tokenizer)
    assert line.verdict == "FAIL" and verify.PUBLISHED["gpt2"] in line.words
    idx = torch.tensor([tokenizer.encode(verify.PROMPT)])
    ids = generate(narrow_gpt2, idx, 8, temperature=0, use_cache=False)[0, idx.size(1) :]
    text = tokenizer.decode(ids)
    assert len(tokenizer.encode(text)) == 8
    monkeypatch.setitem(verify.PUBLISHED, "gpt2", text)
    assert verify.check_continuation(narrow_gpt2, tokenizer).verdict == "pass"


def test_a_wrong_number_of_parameters_fails(narrow_gpt2, monkeypatch):
    assert verify.check_parameters(narrow_gpt2).verdict == "----"
    monkeypatch.setattr(verify, "size_name", lambda config: "gpt2")
    assert verify.check_parameters(narrow_gpt2).verdict == "FAIL"
    monkeypatch.setitem(verify.PARAMETERS, "gpt2", narrow_gpt2.num_parameters())
    assert verify.check_parameters(narrow_gpt2).verdict == "pass"


@pytest.mark.parametrize("name", list(verify.PARAMETERS))
def test_each_released_size_is_recognised_and_has_the_published_count(name):
    config = GPTConfig.preset(name)
    assert verify.size_name(config) == name
    with torch.device("meta"):
        assert verify.check_parameters(GPT(config)).verdict == "pass"


def test_the_storyteller_is_within_five_percent_of_the_floor_and_an_untrained_one_is_not(capsys):
    assert cli.main(["verify", "storyteller"]) == 0
    out = capsys.readouterr().out
    assert "pass  stories" in out
    model, tokenizer = from_pretrained("storyteller", verbose=False)
    torch.manual_seed(0)
    assert verify.check_stories(GPT(model.config), tokenizer).verdict == "FAIL"
