"""A checkpoint continues its own run; any other is refused by name, and nothing has changed."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from minigpt.training import checkpoints, loop, lr_schedule, train
from minigpt.training.checkpoints import save_checkpoint
from tests.training.runs import (
    QUICK,
    assert_same_bits,
    fresh_model,
    saved_run,
    toy_data,
    weights_of,
)


def test_checkpoints_are_written_at_the_interval_and_at_the_end(data, tmp_path, monkeypatch):
    saved = []

    def spy(path, *arguments, **more):
        saved.append(len(arguments[-1]))
        save_checkpoint(path, *arguments)

    monkeypatch.setattr(loop, "save_checkpoint", spy)
    saved_run(tmp_path / "run.safetensors", data, max_steps=10)
    assert saved == [4, 8, 10]


def test_an_existing_run_is_not_overwritten(data, tmp_path):
    path = tmp_path / "run.safetensors"
    saved_run(path, data)
    content = path.read_bytes()
    model = fresh_model()
    before = weights_of(model)
    with pytest.raises(ValueError, match=r"holds a run already; resume=True continues it"):
        train(model, data, QUICK, checkpoint=path, progress=False)
    assert path.read_bytes() == content
    assert_same_bits(weights_of(model), before)


def test_resume_without_a_path_is_refused(data):
    with pytest.raises(ValueError, match="the path to resume from"):
        train(fresh_model(), data, QUICK, resume=True, progress=False)


def test_resume_of_a_run_that_was_never_saved_starts_it(data, tmp_path):
    path = tmp_path / "new folder" / "run.safetensors"
    history = train(fresh_model(), data, QUICK, checkpoint=path, resume=True, progress=False)
    assert len(history) == 12
    assert path.exists()


def test_a_folder_is_no_checkpoint(data, tmp_path):
    for resume in (True, False):
        with pytest.raises(ValueError, match="a file, not a folder"):
            train(fresh_model(), data, QUICK, checkpoint=tmp_path, resume=resume, progress=False)


def test_a_finished_run_returns_its_history_and_weights_at_once(data, tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    model = fresh_model()
    history = train(model, data, QUICK, checkpoint=path, progress=False)
    content = path.read_bytes()
    monkeypatch.setattr(loop, "train_step", None)
    monkeypatch.setattr(loop, "evaluate", None)
    other = fresh_model(seed=5)
    again = train(other, data, QUICK, checkpoint=path, resume=True, progress=False)
    assert again == history
    assert_same_bits(weights_of(other), weights_of(model))
    assert path.read_bytes() == content


def test_a_finished_run_goes_on_when_max_steps_is_raised(data, tmp_path):
    path = tmp_path / "run.safetensors"
    saved_run(path, data)
    steps = []
    longer = replace(QUICK, max_steps=20)
    history = train(fresh_model(), data, longer, checkpoint=path, resume=True, progress=False,
                    on_step=lambda record: steps.append(record.step))  # fmt: skip
    assert steps == list(range(12, 20))
    assert [record.step for record in history] == list(range(20))
    assert history[-1].lr == lr_schedule(19, max_lr=1e-2, min_lr=1e-3, warmup_steps=3, max_steps=20)


@pytest.mark.parametrize(
    "changes", [{"eval_interval": 2}, {"eval_batches": 3}, {"checkpoint_interval": 1},
                {"device": "auto"}, {"max_steps": 6}]
)  # fmt: skip
def test_how_we_look_and_where_may_change_on_resume(data, tmp_path, no_gpu, changes):
    path = tmp_path / "run.safetensors"
    saved_run(path, data)
    history = train(
        fresh_model(), data, QUICK, checkpoint=path, resume=True, progress=False, **changes
    )
    assert len(history) == 12


OTHER_SETTINGS = [
    {"batch_size": 5}, {"block_size": 8}, {"accumulation_steps": 2}, {"optimizer": "muon"},
    {"max_lr": 2e-2}, {"min_lr": 0.0}, {"warmup_steps": 4}, {"weight_decay": 0.0},
    {"betas": (0.9, 0.95)}, {"max_norm": 2.0}, {"precision": "bf16"}, {"seed": 1},
]  # fmt: skip


def refused_without_a_trace(model, data, config, path, words):
    """Resuming raises a ValueError with these words, and nothing has changed."""
    before, content = weights_of(model), path.read_bytes()
    random_state = torch.get_rng_state()
    with pytest.raises(ValueError, match=words):
        train(model, data, config, checkpoint=path, resume=True, progress=False)
    assert_same_bits(weights_of(model), before)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("changes", OTHER_SETTINGS)
def test_other_settings_are_refused_by_name(data, a_run, changes):
    ((name, value),) = changes.items()
    value = list(value) if isinstance(value, tuple) else value
    words = rf"made with training {name}=.*, not {value!r}; resume with the same".replace(
        "[", r"\["
    )
    refused_without_a_trace(fresh_model(), data, replace(QUICK, **changes), a_run, words)


@pytest.mark.parametrize("changes", [{"n_layer": 1}, {"n_embd": 32}, {"dropout": 0.1},
                                     {"vocab_size": 9}, {"bias": False}])  # fmt: skip
def test_another_model_is_refused_by_name(data, a_run, changes):
    ((name, value),) = changes.items()
    words = f"made with model {name}=.*, not {value!r}"
    refused_without_a_trace(fresh_model(**changes), data, QUICK, a_run, words)


def test_other_data_are_refused_by_name(a_run):
    words = "made with data name='toy', not 'other'"
    refused_without_a_trace(fresh_model(), toy_data("other"), QUICK, a_run, words)
    words = "made with data train_tokens=3600, not 2700"
    refused_without_a_trace(fresh_model(), toy_data(length=3000), QUICK, a_run, words)


@pytest.mark.parametrize(
    "notes",
    [
        "", "{", "3", "null", '"text"', "[1]", "{}",
        '{"history": 3, "model": {}, "data": {}, "training": {}}',
        '{"history": [3], "model": {}, "data": {}, "training": {}}',
        '{"history": [{}], "model": {}, "data": {}, "training": {}}',
        '{"history": [{"step": 1, "nonsense": 2}], "model": {}, "data": {}, "training": {}}',
        '{"history": [], "model": 3, "data": {}, "training": {}}',
        '{"history": [], "data": {}, "training": {}}',
    ],
)  # fmt: skip
def test_malformed_notes_are_refused(data, a_run, tmp_path, notes):
    path = tmp_path / "malformed.safetensors"
    tensors = load_file(a_run)
    del tensors["history"]  # as in older files, which have it in their notes
    save_file(tensors, path, {"format": checkpoints.FORMAT, "notes": notes})
    refused_without_a_trace(fresh_model(), data, QUICK, path, "is damaged: its (notes|history)")


def test_missing_settings_in_the_notes_are_refused(data, a_run, tmp_path):
    path = tmp_path / "malformed.safetensors"
    notes = '{"history": [], "model": {}, "data": {}, "training": {}}'
    save_file(load_file(a_run), path, {"format": checkpoints.FORMAT, "notes": notes})
    words = "made with model vocab_size=None, not 8"
    refused_without_a_trace(fresh_model(), data, QUICK, path, words)


def test_training_on_data_with_more_ids_than_the_model_is_refused():
    data = toy_data(tokenizer=SimpleNamespace(vocab_size=9))
    with pytest.raises(ValueError, match=r"9 token ids and the model 8; .*vocab_size=9"):
        train(fresh_model(), data, QUICK, progress=False)


def test_a_window_longer_than_the_model_sees_is_refused(data):
    with pytest.raises(ValueError, match="block_size is 17; this model sees at most 16"):
        train(fresh_model(), data, QUICK, block_size=17, progress=False)


def test_held_out_text_that_is_too_short_is_refused_at_once_and_not_at_the_first_look():
    model = fresh_model()
    before = weights_of(model)
    with pytest.raises(ValueError, match="16"):
        train(model, toy_data(length=160), QUICK, progress=False)  # 16 tokens are held out
    assert_same_bits(weights_of(model), before)
    assert model.training


def test_a_failing_save_stops_the_run_and_leaves_the_last_checkpoint(data, tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    calls = []

    def disk_full(tensors, file, notes):
        calls.append(1)
        if len(calls) == 1:
            return save_file(tensors, file, notes)
        with open(file, "wb") as half:
            half.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints, "save_file", disk_full)
    with pytest.raises(OSError, match="disk full"):
        train(fresh_model(), data, QUICK, checkpoint=path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]
    monkeypatch.undo()
    resumed, whole = fresh_model(), fresh_model()
    train(resumed, data, QUICK, checkpoint=path, resume=True, progress=False)
    train(whole, data, QUICK, progress=False)
    assert_same_bits(weights_of(resumed), weights_of(whole))


def test_a_run_on_an_absent_device_is_refused_before_anything_changes(no_gpu, data):
    model = fresh_model()
    with pytest.raises(ValueError, match="device is 'cuda'"):
        train(model, data, QUICK, device="cuda", progress=False)
    assert model.training
