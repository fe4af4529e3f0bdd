"""Troubles that people report with files of weights: as reported, and another of each kind."""

import errno
import json
import os
import threading

import pytest
import torch
from safetensors.torch import load_file, save_file, save_model
from torch import nn

from minigpt import GPT, GPTConfig, Tokenizer, from_pretrained
from minigpt.files import CHECKPOINT, atomic_write, read_text
from minigpt.pretrained import hub, save_pretrained, weights
from minigpt.training import Record, TrainConfig, make_optimizer
from minigpt.training.checkpoints import load_checkpoint, read_history, save_checkpoint

SIZES = GPTConfig(vocab_size=300, block_size=16, n_layer=2, n_head=2, n_embd=16)


@pytest.fixture
def model() -> GPT:
    torch.manual_seed(0)
    return GPT(SIZES).eval()


@pytest.fixture
def folder(model, tmp_path):
    """A folder with a model, its config.json and its tokenizer."""
    save_pretrained(model, tmp_path / "model", Tokenizer.train("the fox, " * 30, 270))
    return tmp_path / "model"


def rewrite(folder, change) -> None:
    """Write the weights anew under what `change` makes of their names."""
    file = folder / "model.safetensors"
    tensors = change(load_file(file))
    file.unlink()
    save_file(tensors, file)


def same(folder, model) -> bool:
    loaded, _ = from_pretrained(folder, verbose=False)
    return all(torch.equal(*pair) for pair in zip(loaded.parameters(), model.parameters()))


# --- Names ---


@pytest.mark.parametrize("wrapper", ["_orig_mod.", "module.", "module._orig_mod.", "net.model."])
@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_a_wrappers_prefix_that_all_names_share_is_taken_off(folder, model, wrapper, prefix):
    rewrite(folder, lambda t: {
        f"{wrapper}{prefix}{name.removeprefix('transformer.')}": x for name, x in t.items()
    })  # fmt: skip
    assert same(folder, model)


def test_a_prefix_that_only_some_names_have_is_no_wrappers(folder):
    rewrite(folder, lambda t: {
        (f"module.{name}" if "ln_f" in name else name): x for name, x in t.items()
    })  # fmt: skip
    with pytest.raises(ValueError, match=r"ln_f\.\w+"):
        from_pretrained(folder, verbose=False)


class Wrapper(nn.Module):
    """What DistributedDataParallel looks like from outside."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


@pytest.mark.parametrize("wrap", [Wrapper, torch.compile, lambda m: Wrapper(torch.compile(m))])
def test_the_model_inside_a_wrapper_is_what_is_saved(model, tmp_path, wrap):
    save_pretrained(wrap(model), tmp_path)
    assert not [name for name in load_file(tmp_path / "model.safetensors") if "module" in name]
    assert same(tmp_path, model)


def test_of_two_tied_names_the_head_alone_is_enough(folder, model):
    rewrite(folder, lambda t: {
        ("lm_head.weight" if name.endswith("wte.weight") else name): x for name, x in t.items()
    })  # fmt: skip
    assert same(folder, model)


def test_what_safetensors_own_save_model_keeps_of_a_tied_pair_is_read(folder, model):
    """It stores one name of two, and says in its notes which was left out."""
    turned = GPT(SIZES)
    turned.load_state_dict(model.state_dict())
    for block in turned.transformer.h:
        for layer in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj):
            layer.weight = nn.Parameter(layer.weight.detach().t().contiguous())
    save_model(turned, str(folder / "model.safetensors"))
    assert same(folder, model)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("score.weight", r"score\.weight has no place.*head of a classifier"),
        ("module.qa_outputs.bias", r"qa_outputs\.bias has no place.*question-answering"),
        ("h.0.attn.c_attn.lora_A.weight", r"lora_A\.weight.*LoRA adapter.*merge"),
        ("trf_blocks.0.att.W_query.weight", r"W_query.*LLMs-from-scratch"),
        ("model.layers.0.self_attn.q_proj.weight", r"q_proj.*Llama"),
        ("bert.encoder.layer.0.attention.self.query.weight", "BERT"),
    ],
)
def test_a_tensor_that_is_no_language_models_is_named_as_in_the_file(folder, name, words):
    wrapped = "module." if name.startswith("module.") else ""
    rewrite(folder, lambda t: {f"{wrapped}{n}": x for n, x in t.items()} | {name: torch.ones(2)})
    with pytest.raises(ValueError, match=words):
        from_pretrained(folder, verbose=False)


@pytest.fixture
def run(model):
    """A model, its optimizer and its generator, a step into a training."""
    optimizer = make_optimizer(model, TrainConfig())
    model(torch.tensor([[1, 2]])).sum().backward()
    optimizer.step()
    return model, optimizer, torch.Generator()


@pytest.mark.parametrize("wrap", [Wrapper, torch.compile])
def test_a_run_is_saved_and_resumed_through_a_wrapper(run, tmp_path, wrap):
    model, optimizer, generator = run
    save_checkpoint(tmp_path / "wrapped", wrap(model), optimizer, generator, {})
    save_checkpoint(tmp_path / "plain", model, optimizer, generator, {})
    assert load_file(tmp_path / "wrapped").keys() == load_file(tmp_path / "plain").keys()
    load_checkpoint(tmp_path / "plain", wrap(model), optimizer, generator)


# --- Several files, other folders, other names ---


def shard(folder) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    places = {}
    for i, part in enumerate((names[:5], names[5:]), 1):
        file = f"model-{i:05}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file)
        places |= dict.fromkeys(part, file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}), encoding="utf-8")


def test_a_model_in_several_files_is_read(folder, model):
    shard(folder)
    assert same(folder, model)
    assert same(folder / "model.safetensors.index.json", model)


def test_a_missing_file_of_several_is_named(folder):
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model-00002-of-00002\.safetensors"):
        from_pretrained(folder, verbose=False)


def test_a_file_of_several_that_lacks_what_the_index_promises_is_named(folder):
    shard(folder)
    save_file(
        {"transformer.wte.weight": torch.ones(2)}, folder / "model-00001-of-00002.safetensors"
    )
    with pytest.raises(ValueError, match=r"promises .*model-00001-of-00002\.safetensors lacks it"):
        from_pretrained(folder, verbose=False)


@pytest.mark.parametrize("content", ["{}", '{"weight_map": []}', "[]"])
def test_an_index_that_lists_nothing_is_told(folder, content):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="weight_map|JSON object"):
        from_pretrained(folder, verbose=False)


def test_the_hubs_cache_folder_is_followed_to_its_newest_snapshot(folder, model, tmp_path):
    cache = tmp_path / "models--someone--fox"
    (cache / "refs").mkdir(parents=True)
    (cache / "blobs").mkdir()
    (cache / "snapshots").mkdir()
    (cache / "refs" / "main").write_text("0123abc\n", encoding="utf-8")
    folder.rename(cache / "snapshots" / "0123abc")
    assert same(cache, model)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("gpt-2", "gpt2"), ("GPT2", "gpt2"), ("gpt2_medium", "gpt2-medium"), ("storyteler", "storyt")],
)
def test_a_name_that_is_nearly_right_brings_the_right_one(given, meant):
    with pytest.raises(ValueError, match=f"did you mean '{meant}"):
        from_pretrained(given, verbose=False)


def test_the_hubs_full_name_is_the_same_model(monkeypatch):
    asked = []

    def download(name):
        asked.append(name)
        raise ConnectionError("unplugged")

    monkeypatch.setattr("minigpt.pretrained.loading.download", download)
    with pytest.raises(ConnectionError):
        from_pretrained("openai-community/gpt2", verbose=False)
    assert asked == ["gpt2"]


# --- How files are read and written ---

MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_byte_order_mark_is_passed_over_in_every_text_file(folder, model, name):
    # The sizes also stand in the weights' own notes; without those config.json decides.
    rewrite(folder, lambda t: t)
    file = folder / name
    file.write_bytes(MARK + file.read_bytes())
    assert same(folder, model)
    assert from_pretrained(folder, verbose=False)[1].vocab_size == 263


def test_a_text_file_in_another_encoding_is_named(tmp_path):
    (tmp_path / "config.json").write_bytes("naïf".encode("latin-1"))
    with pytest.raises(ValueError, match=r"config\.json is not UTF-8"):
        read_text(tmp_path / "config.json")


def test_a_file_that_cannot_be_mapped_is_read_whole(folder, model, monkeypatch):
    def refuse(path, framework):
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(weights, "safe_open", refuse)
    assert same(folder, model)
    assert weights.read_weights(folder / "model.safetensors")[1]["format"] == "pt"


def test_a_file_that_cannot_be_read_at_all_is_named(folder, monkeypatch):
    def refuse(path, framework):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(weights, "safe_open", refuse)
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda path: refuse(path, ""))
    with pytest.raises(OSError, match="Input/output error") as caught:
        weights.read_weights(folder / "model.safetensors")
    assert caught.value.filename == str(folder / "model.safetensors")


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EPERM])
def test_on_a_drive_that_cannot_say_when_it_has_written_the_content_counts(
    tmp_path, monkeypatch, number
):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(os, "chmod", refuse)
    with atomic_write(tmp_path / "file") as temporary:
        temporary.write_bytes(b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_drive_that_failed_to_write_is_no_success(tmp_path, monkeypatch, number):
    def fail(_):
        raise OSError(number, os.strerror(number))

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError), atomic_write(tmp_path / "file") as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.elsewhere
@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_no_other_thread_ever_makes_a_file_that_all_may_write(tmp_path):
    """Reading the umask means setting it, for a moment, for every thread."""
    stop, modes = threading.Event(), set()

    def make_files():
        number = 0
        while not stop.is_set():
            path = tmp_path / "other" / str(number)
            path.touch()
            modes.add(path.stat().st_mode & 0o777)
            number += 1

    (tmp_path / "other").mkdir()
    before = os.umask(0o022)
    try:
        thread = threading.Thread(target=make_files)
        thread.start()
        for _ in range(200):
            with atomic_write(tmp_path / "file") as temporary:
                temporary.write_bytes(b"x")
        stop.set()
        thread.join()
    finally:
        os.umask(before)
    assert modes == {0o644}


# --- Downloads ---


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "may not be kept"),
        (errno.EROFS, "written"),
    ],
)
def test_what_this_machines_disk_refuses_is_not_blamed_on_the_network(monkeypatch, number, words):
    def full(*_, **__):
        try:
            raise OSError(number, os.strerror(number), "cache/blob")
        except OSError as error:
            raise RuntimeError("the download failed") from error

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda *_, **__: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", full)
    with pytest.raises(OSError, match=words) as caught:
        hub.download("gpt2")
    assert not isinstance(caught.value, ConnectionError) and "HF_ENDPOINT" not in str(caught.value)


def test_a_damaged_file_in_the_hubs_cache_is_fetched_anew(folder, monkeypatch, tmp_path):
    damaged, whole = tmp_path / "damaged", folder / "model.safetensors"
    damaged.write_bytes(whole.read_bytes()[:500])
    asked = []

    def fetch(*_, force_download, **__):
        asked.append(force_download)
        return str(whole)

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: str(damaged))
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda *_, **__: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    assert hub.download("gpt2") == whole
    assert asked == [True]
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: str(whole))
    assert hub.download("gpt2") == whole
    assert asked == [True], "a whole file is not fetched again"


def test_a_run_of_600_000_steps_can_be_saved_and_goes_on(run, tmp_path):
    """As notes its history would be 90 MB of JSON, about what safetensors takes at most."""
    history = [
        Record(step, 2 / (step + 1), 1e-3, 0.1, 5e4, 1.5 if step % 100 == 99 else None)
        for step in range(600_000)
    ]
    path = tmp_path / "long"
    save_checkpoint(path, *run, {"text": "notes"}, history)
    assert path.stat().st_size < 60 * len(history)
    assert read_history(path) == history
    assert load_checkpoint(path, *run) == {"text": "notes"}


def test_a_damaged_history_is_named(run, tmp_path):
    path = tmp_path / "run"
    save_checkpoint(path, *run, {})
    tensors = load_file(path)
    for damaged in (torch.zeros(3, 2), torch.zeros(3), torch.zeros(3, 9)):
        save_file(tensors | {"history": damaged}, path, {"format": CHECKPOINT, "notes": "{}"})
        with pytest.raises(ValueError, match=r"run is damaged: its history"):
            read_history(path)
