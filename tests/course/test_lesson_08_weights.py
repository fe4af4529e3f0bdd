"""Lesson 08 runs whole with the weights that people have: downloaded, saved again, their own."""

import json
import re

import pytest

from minigpt.config import GPTConfig
from minigpt.model import GPT
from tests.course.test_lessons_twice import SOURCES, code_cells, run
from tests.models import lively
from tests.pretrained.files import hub_tensors, write
from tests.pretrained.test_downloading import FILE, Hub
from tests.servers import running_server

LESSON = next(source for source in SOURCES if source.stem == "08_pretrained")
SIZES = dict(vocab_size=50257, block_size=64, n_layer=2, n_head=2, n_embd=128)
pytestmark = pytest.mark.slow


def run_with(weights, monkeypatch):
    """Run the lesson with these weights; return all that it shows, as text."""
    monkeypatch.setenv("MINIGPT_WEIGHTS", weights)
    cells = code_cells(LESSON)
    run(cells)
    outputs = [output for cell in cells for output in cell.outputs]
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


def test_downloaded_from_a_hub(tmp_path, monkeypatch):
    config = GPTConfig(**SIZES)
    content = write(tmp_path / "hub", hub_tensors(config)[0]).read_bytes()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running_server(Hub, files={FILE: content}, seen=[], cuts=0) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        shown = run_with("gpt2", monkeypatch)
        asked = [path for command, path, _ in hub.seen if command == "GET"]
        assert asked.count(FILE) == 1, asked
    assert "The large model: gpt2" in shown
    assert f"{GPT(config).num_parameters():,} parameters" in shown
    assert "not OpenAI's gpt2, or wrongly used" in shown  # as it is


@pytest.mark.parametrize("name", ["", "model.safetensors"], ids=["the folder", "the file"])
def test_saved_by_transformers_with_heads_that_only_config_json_knows(name, tmp_path, monkeypatch):
    transformers = pytest.importorskip("transformers")
    settings = dict(n_layer=2, n_head=4, n_embd=128, n_positions=64)
    transformers.GPT2LMHeadModel(transformers.GPT2Config(**settings)).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["n_head"] == 4  # not 128 / 64
    shown = run_with(str(tmp_path / name), monkeypatch)
    assert re.search(r"compared at (\d+), the same at all", shown)


def test_of_gpt2s_full_size_without_masks(tmp_path, monkeypatch):
    model = lively(GPT(GPTConfig.preset("gpt2")), 0.05, 0.1)
    from minigpt.pretrained import save_pretrained

    save_pretrained(model, tmp_path)
    del model
    shown = run_with(str(tmp_path / "model.safetensors"), monkeypatch)
    assert "124,439,808 parameters; resident memory" in shown


@pytest.mark.parametrize("weights", ["gpt2/model.safetensors", "gtp2", "nowhere"])
def test_a_mistyped_name_or_path_stops_at_the_choice_and_says_what_there_is(weights, monkeypatch):
    monkeypatch.setenv("MINIGPT_WEIGHTS", weights)
    cells = code_cells(LESSON)[:2]
    with pytest.raises(Exception, match="a folder or a .safetensors file") as caught:
        run(cells)
    assert "HFValidationError" not in str(caught.value) and cells[1].outputs
