"""Checkpoints: everything comes back, or nothing is touched."""

import copy
import json
import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.training import TrainConfig, checkpoints, make_optimizer, train_step
from minigpt.training.checkpoints import FORMAT, load_checkpoint, read_notes, save_checkpoint
from tests.training.runs import assert_same_bits

TINY = GPTConfig(vocab_size=8, block_size=6, n_layer=1, n_head=2, n_embd=8, dropout=0.2)
NOTES = {"history": [1, 2.5, None], "text": "snow ❄", "nested": {"a": [True]}}


class Run:
    """A model, its optimizer and its generator, a few steps into a training."""

    def __init__(self, kind: str = "adamw", seed: int = 0, steps: int = 0, **changes) -> None:
        torch.manual_seed(seed)
        self.model = GPT(GPTConfig(**{**TINY.__dict__, **changes}))
        self.optimizer = make_optimizer(self.model, TrainConfig(optimizer=kind))
        self.generator = torch.Generator().manual_seed(seed)
        for group in self.optimizer.param_groups:
            group["lr"] = 1e-2
        self.steps(steps)

    def steps(self, count: int) -> None:
        for _ in range(count):
            x, y = torch.randint(8, (2, 3, 6), generator=self.generator)
            train_step(self.model, self.optimizer, [(x, y)], 1.0)

    @property
    def parts(self) -> tuple:
        return self.model, self.optimizer, self.generator

    def everything(self) -> dict:
        """A copy of all that a checkpoint may change."""
        held = {f"weight.{name}": w.detach() for name, w in self.model.named_parameters()}
        names = {w: name for name, w in self.model.named_parameters()}
        for part in getattr(self.optimizer, "optimizers", [self.optimizer]):
            for weight, state in part.state.items():
                held |= {f"{names[weight]}.{key}": value for key, value in state.items()}
        held["generator"] = self.generator.get_state()
        held["global"] = torch.get_rng_state()
        return copy.deepcopy(held)


@pytest.fixture(params=["adamw", "muon"])
def kind(request) -> str:
    return request.param


@pytest.fixture
def saved(kind, tmp_path):
    run = Run(kind, steps=3)
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, *run.parts, NOTES)
    return path, run


def rewrite(path, change) -> None:
    """Change the tensors or the metadata of a checkpoint, and write it as a valid file."""
    tensors = load_file(path)
    metadata = {"format": FORMAT, "notes": json.dumps(NOTES)}
    change(tensors, metadata)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)


def test_everything_comes_back(saved, kind):
    path, run = saved
    before = run.everything()
    other = Run(kind, seed=7, steps=5)
    assert load_checkpoint(path, *other.parts) == NOTES
    assert_same_bits(other.everything(), before)


def test_a_fresh_run_goes_on_exactly_as_the_saved_one(saved, kind):
    path, run = saved
    torch.manual_seed(1)
    save_checkpoint(path, *run.parts, NOTES)
    run.steps(4)
    other = Run(kind, seed=7)
    load_checkpoint(path, *other.parts)
    other.steps(4)
    assert_same_bits(other.everything(), run.everything())


def test_saving_changes_nothing(saved, kind):
    path, run = saved
    before = run.everything()
    save_checkpoint(path, *run.parts, NOTES)
    assert_same_bits(run.everything(), before)


def test_notes_are_read_without_a_model(saved):
    assert read_notes(saved[0]) == NOTES


def test_what_was_loaded_does_not_hang_on_the_file(saved, kind):
    path, _ = saved
    other = Run(kind)
    load_checkpoint(path, *other.parts)
    expected = other.everything()
    path.write_bytes(b"\0" * path.stat().st_size)  # in place: mapped tensors would show it
    assert_same_bits(other.everything(), expected)


def test_optimizer_states_take_their_weights_memory_layout(saved, kind):
    """Fused AdamW walks through both in memory order: another layout would mix up the elements."""
    path, _ = saved
    other = Run(kind)
    for block in other.model.transformer.h:
        for linear in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj):
            linear.weight.data = linear.weight.data.t().contiguous().t()
    load_checkpoint(path, *other.parts)
    for part in getattr(other.optimizer, "optimizers", [other.optimizer]):
        for weight, state in part.state.items():
            for key, value in state.items():
                assert key == "step" or value.stride() == weight.stride(), key


def test_the_tied_weight_is_stored_once_and_stays_tied(saved, kind):
    path, _ = saved
    names = [name for name in load_file(path) if name.startswith("model.")]
    assert "model.transformer.wte.weight" in names
    assert "model.lm_head.weight" not in names
    other = Run(kind)
    load_checkpoint(path, *other.parts)
    assert other.model.lm_head.weight is other.model.transformer.wte.weight


def test_a_failing_write_leaves_the_old_file_and_no_other(saved, monkeypatch):
    path, run = saved
    content = path.read_bytes()

    def disk_full(tensors, file, metadata):
        with open(file, "wb") as half:
            half.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints, "save_file", disk_full)
    run.steps(1)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, *run.parts, NOTES)
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == [path.name]


def test_notes_that_json_cannot_hold_leave_the_old_file(saved):
    path, run = saved
    content = path.read_bytes()
    with pytest.raises(TypeError):
        save_checkpoint(path, *run.parts, {"tensor": torch.zeros(1)})
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == [path.name]


# --- Files that are refused, before anything is changed ---------------------------------------


def refused(path, run: Run, error: type, words: str) -> None:
    before = run.everything()
    with pytest.raises(error, match=words):
        load_checkpoint(path, *run.parts)
    assert_same_bits(run.everything(), before)


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "nowhere.safetensors"
    refused(path, Run(steps=1), FileNotFoundError, "no checkpoint at .*nowhere.safetensors")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_notes(path)


def test_a_folder_is_no_checkpoint(tmp_path):
    refused(tmp_path, Run(steps=1), FileNotFoundError, "no checkpoint at")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved, kind, share):
    path, _ = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path, Run(kind, seed=7, steps=1), ValueError, "is damaged or no checkpoint")
    with pytest.raises(ValueError, match="is damaged"):
        read_notes(path)


class Bomb:
    """Unpickling this would leave a trace."""

    def __init__(self, trace) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("write", [pickle.dump, torch.save])
def test_a_pickle_is_refused_and_never_unpickled(tmp_path, write):
    path, trace = tmp_path / "evil.safetensors", tmp_path / "trace"
    with open(path, "wb") as file:
        write({"model": Bomb(trace)}, file)
    refused(path, Run(steps=1), ValueError, "is damaged or no checkpoint")
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"\0", b"text, not tensors " * 20, b"\xff" * 100])
def test_any_other_file_is_refused(tmp_path, content):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    refused(path, Run(steps=1), ValueError, "is damaged or no checkpoint")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"notes": "{}"}])
def test_tensors_of_another_program_are_refused(saved, kind, metadata):
    path, _ = saved
    save_file(load_file(path), path, metadata)
    refused(path, Run(kind, steps=1), ValueError, "no training checkpoint of this package")


@pytest.mark.parametrize("notes", [None, "", "{", "3", "null", '"text"', "[3]"])
def test_notes_that_are_missing_or_malformed_are_refused(saved, kind, notes):
    path, _ = saved

    def change(tensors, metadata):
        metadata.pop("notes")
        if notes is not None:
            metadata["notes"] = notes

    rewrite(path, change)
    refused(path, Run(kind, steps=1), ValueError, "is damaged: its notes")
    with pytest.raises(ValueError, match="is damaged: its notes"):
        read_notes(path)


def test_every_single_tensor_is_needed_in_its_shape_and_type(saved, kind):
    path, _ = saved
    tensors = load_file(path)
    tensors.pop("random.cuda", None)
    tensors.pop("history")  # as long as the run
    assert len(tensors) > 50
    run = Run(kind, seed=7)
    before = run.everything()
    for name, tensor in tensors.items():
        for bad, words in (
            (None, "is missing there"),
            (tensor[..., None], f"is {tensor.dtype} .* there"),
            (tensor.double(), "is torch.float64 .* there"),
        ):
            changed = {other: value for other, value in tensors.items() if other != name}
            if bad is not None:
                changed[name] = bad
            save_file(changed, path, {"format": FORMAT, "notes": "{}"})
            with pytest.raises(ValueError, match=f"another model or optimizer: {name} {words}"):
                load_checkpoint(path, *run.parts)
    assert_same_bits(run.everything(), before)


def test_a_tensor_too_many_is_refused(saved, kind):
    path, _ = saved
    rewrite(path, lambda tensors, _: tensors.update({"model.more": torch.zeros(2)}))
    refused(path, Run(kind), ValueError, r"model.more is torch.float32 \(2,\) there, missing here")


@pytest.mark.parametrize(
    "changes", [{"n_layer": 2}, {"n_layer": 3}, {"n_embd": 16}, {"vocab_size": 9}, {"bias": False}]
)
def test_a_checkpoint_of_another_model_is_refused(saved, kind, changes):
    refused(saved[0], Run(kind, steps=1, **changes), ValueError, "of another model or optimizer")


def test_a_checkpoint_of_the_other_optimizer_is_refused(saved, kind):
    other = Run("muon" if kind == "adamw" else "adamw", steps=1)
    refused(saved[0], other, ValueError, "of another model or optimizer: optimizer")


def test_a_checkpoint_of_another_precision_is_refused(saved, kind):
    path, _ = saved
    run = Run(kind, seed=7)
    run.model.to(torch.bfloat16)
    refused(path, run, ValueError, "float32 .* there, torch.bfloat16")
