"""Released weights against transformers; files that are wrong in every way; a hub of our own."""

import errno
import hashlib
import http.server
import json
import os
import pickle
import struct
import threading
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from minigpt import devices
from minigpt.config import PRESETS, GPTConfig
from minigpt.devices import memory_available, room_in_groups
from minigpt.model import GPT
from minigpt.pretrained import (
    from_pretrained,
    load_weights,
    loading,
    memory_needed,
    save_pretrained,
)
from minigpt.sampling import generate
from minigpt.tokenizer import Tokenizer
from minigpt.verification import verify

SMALL = GPTConfig(vocab_size=300, block_size=16, n_layer=2, n_head=2, n_embd=128)


def randomise(model, std, seed=0):
    """Give every weight a value that matters: fresh models have near-uniform logits."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.normal_(0, 0.2, generator=generator)
                if ".ln_" in name and name.endswith("weight"):
                    weight.add_(1)
            else:
                weight.normal_(0, std, generator=generator)
    return model.eval()


def hub_tensors(config=SMALL, prefix="", std=0.1):
    """Tensors as the hub stores them."""
    model = randomise(GPT(config), std)
    return {
        name.replace("transformer.", prefix, 1): (
            weight.detach().t().contiguous()
            if name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
            else weight.detach()
        )
        for name, weight in model.named_parameters()
    }, model


def write(folder, tensors, config=None, metadata=None):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


def some_ids(config, B=2, T=8):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(config.vocab_size, (B, T), generator=generator)


@pytest.fixture
def small(tmp_path):
    tensors, model = hub_tensors()
    return write(tmp_path / "small", tensors, metadata={"format": "pt"}), tensors, model


# Against transformers


def compare_with_transformers(tmp_path, config, std):
    """Save a random transformers model, load it here; logits and greedy tokens must be equal."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.block_size,
            n_layer=config.n_layer,
            n_head=config.n_head,
            n_embd=config.n_embd,
            initializer_range=std,
        )
    )
    with torch.no_grad():  # matrices are random already, but not LayerNorms and biases
        for name, weight in theirs.named_parameters():
            if weight.dim() == 1:
                weight.normal_(1 if ".ln_" in name and "weight" in name else 0, 0.2)
    theirs.eval().save_pretrained(tmp_path / "theirs", max_shard_size="20GB")
    ours, _ = from_pretrained(tmp_path / "theirs", verbose=False)
    assert ours.config == config
    assert ours.num_parameters() == theirs.num_parameters()
    ids = some_ids(config, 2, 24)
    with torch.no_grad():
        expected, got = theirs(ids).logits, ours(ids)
    assert expected.std() > 0.5  # far from uniform
    difference = (got - expected).abs().max().item()
    assert difference < 1e-4
    greedy = theirs.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=16,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    assert torch.equal(generate(ours, ids, 16, temperature=0), greedy)
    report = verify(ours, theirs)
    assert report.ok, str(report)
    assert all(row.difference is not None for row in report.table)
    del ours  # Windows removes no file that is mapped; pytest would keep up to 6 GB of it
    (tmp_path / "theirs" / "model.safetensors").unlink()
    return difference


def test_full_size_gpt2_gives_the_logits_and_tokens_of_transformers(tmp_path):
    compare_with_transformers(tmp_path, GPTConfig.preset("gpt2"), 0.06)


@pytest.mark.parametrize("name", ["gpt2-medium", "gpt2-large", "gpt2-xl"])
def test_full_width_gives_the_logits_and_tokens_of_transformers(tmp_path, name):
    sizes = PRESETS[name] | {"n_layer": 2, "vocab_size": 1000, "block_size": 64}
    compare_with_transformers(tmp_path, GPTConfig(**sizes), 0.05)


@pytest.mark.elsewhere
@pytest.mark.parametrize(
    "name", ["gpt2-medium", "gpt2-large", pytest.param("gpt2-xl", marks=pytest.mark.slow)]
)
def test_full_size_gives_the_logits_and_tokens_of_transformers(tmp_path, name):
    config = GPTConfig.preset(name)
    room = 3 * memory_needed(config)  # ours, theirs, and the file that ours is mapped from
    if memory_available() < room:
        pytest.skip(f"{name} twice needs {room / 1e9:.0f} GB of free memory: close other programs")
    difference = compare_with_transformers(tmp_path, config, 0.03)
    print(f"{name}: logits differ by {difference:.1e} at most")


def test_the_same_model_is_saved_as_the_same_bytes(tmp_path):
    model = randomise(GPT(SMALL), 0.2)
    saved = set()
    for i in range(8):  # the library's own order differs from save to save
        save_pretrained(model, tmp_path / str(i))
        saved.add((tmp_path / str(i) / "model.safetensors").read_bytes())
    assert len(saved) == 1


@pytest.mark.parametrize("bias", [True, False])
def test_transformers_loads_what_we_save(tmp_path, bias):
    from transformers import GPT2LMHeadModel

    config = GPTConfig(300, 16, n_layer=2, n_head=4, n_embd=32, bias=bias)
    ours = randomise(GPT(config), 0.2)
    save_pretrained(ours, tmp_path)
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path).eval()  # biases it misses start at zero
    ids = some_ids(config)
    with torch.no_grad():
        assert (theirs(ids).logits - ours(ids)).abs().max() < 1e-5


# What is loaded


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_names_may_have_the_prefix_and_masks_are_ignored(tmp_path, prefix):
    tensors, model = hub_tensors(prefix=prefix)
    for i in range(SMALL.n_layer):
        tensors[f"{prefix}h.{i}.attn.bias"] = torch.ones(1, 1, 16, 16)
        tensors[f"{prefix}h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    loaded, _ = from_pretrained(write(tmp_path, tensors), verbose=False)
    assert torch.equal(loaded(some_ids(SMALL)), model(some_ids(SMALL)))


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


def test_a_head_in_the_file_must_be_the_token_table(tmp_path):
    tensors, _ = hub_tensors()
    tensors["lm_head.weight"] = tensors["wte.weight"].clone()
    loaded, _ = from_pretrained(write(tmp_path / "same", tensors), verbose=False)
    assert loaded.lm_head.weight is loaded.transformer.wte.weight
    tensors["lm_head.weight"][3, 4] += 1
    with pytest.raises(ValueError, match=r"lm_head\.weight differs.*tied"):
        from_pretrained(write(tmp_path / "other", tensors), verbose=False)


def test_load_weights_fills_a_model_that_has_weights_already():
    tensors, original = hub_tensors()
    model = GPT(SMALL)
    load_weights(model, tensors)
    assert torch.equal(model(some_ids(SMALL)), original(some_ids(SMALL)))
    assert model.lm_head.weight is model.transformer.wte.weight
    before = model.transformer.wte.weight
    with pytest.raises(ValueError, match=r"h\.0\.ln_1\.bias.*missing.*saved without biases"):
        load_weights(model, hub_tensors(replace(SMALL, bias=False))[0])
    del tensors["h.1.ln_2.bias"]
    with pytest.raises(ValueError, match=r"h\.1\.ln_2\.bias"):
        load_weights(model, tensors)
    assert model.transformer.wte.weight is before  # nothing was changed


# Where the sizes come from


def test_the_sizes_come_from_the_notes_then_config_json_then_the_shapes(tmp_path, capsys):
    tensors, _ = hub_tensors()
    sizes = {"vocab_size": 300, "n_positions": 16, "n_layer": 2, "n_head": 4, "n_embd": 128}
    notes = {"config": json.dumps(asdict(SMALL) | {"n_head": 8, "dropout": 0.25})}
    path = write(tmp_path / "notes", tensors, sizes, notes)
    model, _ = from_pretrained(path)
    assert model.config.n_head == 8 and model.config.dropout == 0.25
    path = write(tmp_path / "json", tensors, sizes)
    assert from_pretrained(path)[0].config.n_head == 4
    path = write(tmp_path / "shapes", tensors)
    assert from_pretrained(path)[0].config.n_head == 2
    lines = capsys.readouterr().out.splitlines()
    assert "notes): 2 layers, 8 heads" in lines[0]
    assert "config.json): 2 layers, 4 heads" in lines[1]
    assert "its shapes, taking heads to be 64 wide): 2 layers, 2 heads" in lines[2]


@pytest.mark.parametrize("described", [True, False])
def test_a_file_without_biases_makes_a_model_without(tmp_path, described):
    config = replace(SMALL, bias=False)
    tensors, model = hub_tensors(config)
    sizes = {"vocab_size": 300, "n_positions": 16, "n_layer": 2, "n_head": 2, "n_embd": 128}
    path = write(tmp_path, tensors, sizes if described else None)
    loaded, _ = from_pretrained(path, verbose=False)
    assert loaded.config == config
    assert torch.equal(loaded(some_ids(config)), model(some_ids(config)))


def test_heads_that_cannot_be_known_are_asked_for(tmp_path):
    config = GPTConfig(300, 16, n_layer=1, n_head=3, n_embd=48)
    path = write(tmp_path, hub_tensors(config)[0])
    with pytest.raises(ValueError, match=r"width of 48.*config\.json"):
        from_pretrained(path, verbose=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "llama"),
        ("activation_function", "gelu"),
        ("activation_function", "relu"),
        ("layer_norm_epsilon", 1e-6),
        ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True),
        ("reorder_and_upcast_attn", True),
        ("add_cross_attention", True),
        ("tie_word_embeddings", False),
        ("n_inner", 100),
        ("n_head", "2"),
        ("n_head", 3),
        ("n_layer", None),
        ("n_embd", [128]),
        ("n_positions", -1),
        ("vocab_size", 1e99),
    ],
)
def test_what_is_not_computed_as_gpt2_is_refused(tmp_path, key, value):
    sizes = {"vocab_size": 300, "n_positions": 16, "n_layer": 2, "n_head": 2, "n_embd": 128}
    tensors, _ = hub_tensors()
    path = write(tmp_path, tensors, sizes | {key: value})
    word = {"n_positions": "block_size"}.get(key, key)
    with pytest.raises(ValueError, match=word):
        from_pretrained(path, verbose=False)


@pytest.mark.parametrize(
    "config",
    ["{", "[]", '"gpt2"', "[" * 100_000, '{"n_layer": 1000000000}', '{"n_horse": 3}', "\udce9"],
)
def test_impossible_notes_are_refused_at_once(tmp_path, config):
    tensors, _ = hub_tensors()
    text = config.encode("utf-8", "surrogateescape")
    (tmp_path / "config.json").write_bytes(text)
    path = write(tmp_path, tensors)
    with pytest.raises(ValueError, match=r"model\.safetensors cannot be used"):
        from_pretrained(path, verbose=False)
    if not config.startswith("\udce9"):
        path = write(tmp_path / "notes", tensors, metadata={"config": config})
        with pytest.raises(ValueError, match=r"model\.safetensors cannot be used"):
            from_pretrained(path, verbose=False)


# Wrong tensors


def drop_layer(tensors):
    for name in [name for name in tensors if name.startswith("h.1.")]:
        del tensors[name]


def as_linear(tensors):
    for name in tensors:
        if name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
            tensors[name] = tensors[name].t().contiguous()


def set_to(name, make):
    return lambda tensors: tensors.__setitem__(name, make(tensors.get(name)))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (as_linear, [r"h.0.attn.c_attn.weight", "(384, 128)", "expected (128, 384)", "nn.Linear"]),
        (drop_layer, ["h.1.ln_1.weight", "(128,)", "missing", "1 layers, the model has 2"]),
        (lambda t: t.pop("h.0.ln_2.weight"), ["h.0.ln_2.weight", "missing", "in part"]),
        (lambda t: t.pop("h.0.ln_1.bias"), ["h.0.ln_1.bias", "missing", "in part"]),
        (
            set_to("wte.weight", lambda t: t[:256]),
            ["wte.weight has shape (256, 128)", "256 tokens"],
        ),
        (lambda t: t.pop("wpe.weight"), ["wpe.weight", "missing"]),
        (lambda t: t.clear(), ["it has 0 tensors", "config.json asks for 2 layers"]),
        (set_to("wte.weight", lambda t: t[:, :64]), ["wte.weight has shape (300, 64)", "size"]),
        (
            set_to("wte.weight", lambda t: torch.zeros(300, 1024)),
            ["wte.weight has shape (300, 1024)", "1024 is the width of gpt2-medium"],
        ),
        (set_to("wpe.weight", lambda t: t[:8]), ["wpe.weight has shape (8, 128)", "context of 8"]),
        (set_to("ln_f.weight", lambda t: t[:, None]), ["ln_f.weight has shape (128, 1)"]),
        (set_to("h.2.ln_1.weight", lambda t: torch.ones(128)), ["h.2.ln_1.weight", "2 layers"]),
        (set_to("score.weight", lambda t: torch.ones(2, 128)), ["score.weight", "no place"]),
        (set_to("h.0.ln_1.bias", lambda t: t.half()), ["h.0.ln_1.bias", "float16", "float32"]),
        (set_to("wte.weight", lambda t: t.to(torch.int8)), ["wte.weight", "int8", "floating"]),
        (
            set_to("transformer.wte.weight", lambda t: torch.zeros(300, 128)),
            ["wte.weight", "twice"],
        ),
    ],
)
def test_the_first_wrong_tensor_is_named_with_the_likely_reason(tmp_path, spoil, words):
    tensors, _ = hub_tensors()
    spoil(tensors)
    sizes = {"vocab_size": 300, "n_positions": 16, "n_layer": 2, "n_head": 2, "n_embd": 128}
    path = write(tmp_path, tensors, sizes)
    with pytest.raises(ValueError) as caught:
        from_pretrained(path, verbose=False)
    message = str(caught.value)
    assert all(word in message for word in [*words, str(path)])
    assert "missing" not in words or message.count("missing") == 1


@pytest.mark.parametrize("spoil", [lambda t: t.clear(), lambda t: t.pop("wpe.weight")])
def test_without_any_sizes_the_tables_are_asked_for(tmp_path, spoil):
    tensors, _ = hub_tensors()
    spoil(tensors)
    with pytest.raises(ValueError, match=r"w[tp]e\.weight is missing.*no GPT-2"):
        from_pretrained(write(tmp_path, tensors), verbose=False)


def test_integers_alone_are_no_weights(tmp_path):
    tensors = {name: tensor.to(torch.int8) for name, tensor in hub_tensors()[0].items()}
    with pytest.raises(ValueError, match=r"wte\.weight is stored as torch\.int8.*floating-point"):
        from_pretrained(write(tmp_path, tensors), verbose=False)


def test_integers_are_refused_even_if_a_dtype_is_asked_for(tmp_path):
    tensors, _ = hub_tensors()
    tensors["h.1.mlp.c_fc.weight"] = torch.ones(128, 512, dtype=torch.int8)
    path = write(tmp_path, tensors)
    with pytest.raises(ValueError, match=r"h\.1\.mlp\.c_fc\.weight is stored as torch\.int8"):
        from_pretrained(path, dtype=torch.float32, verbose=False)


def test_mixed_floats_can_be_converted(tmp_path):
    tensors, _ = hub_tensors()
    tensors["h.0.ln_1.bias"] = tensors["h.0.ln_1.bias"].half()
    model, _ = from_pretrained(write(tmp_path, tensors), dtype=torch.float32, verbose=False)
    assert model(some_ids(SMALL)).dtype == torch.float32


def test_a_training_checkpoint_is_told_apart(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_file({"model.x": torch.ones(2)}, path, {"format": "minigpt-checkpoint-1", "notes": "{}"})
    with pytest.raises(ValueError, match=r"training run.*save_pretrained"):
        from_pretrained(path, verbose=False)


# Wrong files


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


# Memory


def test_memory_needed_is_what_the_weights_take():
    assert memory_needed(GPTConfig.preset("gpt2")) == 4 * 124_439_808
    assert memory_needed(GPTConfig.preset("gpt2-xl"), torch.bfloat16) == 2 * 1_557_611_200


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


# Saving


def test_what_is_saved_comes_back_bit_for_bit(tmp_path):
    for bias in (True, False):
        config = GPTConfig(300, 16, n_layer=2, n_head=4, n_embd=40, dropout=0.1, bias=bias)
        model = randomise(GPT(config), 0.2)
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
    model = randomise(GPT(SMALL), 0.1)
    tokenizer = Tokenizer.train("the fox and the other fox, " * 20, 290)
    save_pretrained(model, tmp_path, tokenizer)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    class FullDisk(Tokenizer):
        def save(self, path):
            with open(path, "w", encoding="utf-8") as file:
                file.write("{half")
            raise OSError(errno.ENOSPC, "No space left on device")

    randomise(model, 0.3)
    with pytest.raises(OSError, match="No space"):
        save_pretrained(model, tmp_path, FullDisk(tokenizer.merges, tokenizer.special_tokens))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


# Which tokenizer


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
    model = randomise(GPT(SMALL), 0.1)
    tokenizer = Tokenizer.train("the fox and the other fox, " * 20, 300)
    save_pretrained(model, tmp_path, tokenizer)
    monkeypatch.setattr(loading, "STORYTELLER", tmp_path)
    loaded, read = from_pretrained("storyteller", verbose=False)
    assert read == tokenizer and torch.equal(loaded.lm_head.weight, model.lm_head.weight)


# A hub of our own, at 127.0.0.1


class Hub(http.server.BaseHTTPRequestHandler):
    """What huggingface_hub asks of a hub, and a connection that breaks when told to."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        hub = self.server
        hub.seen.append((self.command, self.path, dict(self.headers)))
        content = hub.files.get(self.path)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
        self.send_response(206 if start else 200)
        if start:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", span)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0123456789" * 4)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if not body:
            return
        if hub.cuts:
            hub.cuts -= 1
            self.wfile.write(content[start : start + len(content) // 3])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(content[start:])

    def log_message(self, *_):
        pass


TINY = {"n_layer": 2, "n_head": 2, "n_embd": 64, "vocab_size": 50257, "block_size": 64}
FILE = "/openai-community/gpt2/resolve/main/model.safetensors"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that has a small `gpt2`, and an empty cache; the variable is set after the import."""
    from huggingface_hub import constants

    content = write(tmp_path / "hub", hub_tensors(GPTConfig(**TINY))[0]).read_bytes()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files, server.seen, server.cuts = {FILE: content}, [], 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setitem(PRESETS, "gpt2", TINY)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    yield server
    server.shutdown()
    server.server_close()


def test_a_released_model_is_downloaded_once_from_the_mirror(hub, tmp_path):
    model, tokenizer = from_pretrained("gpt2", verbose=False)
    expected = randomise(GPT(GPTConfig(**TINY)), 0.1)
    assert torch.equal(model(some_ids(SMALL)), expected(some_ids(SMALL)))
    assert tokenizer.vocab_size == 50257
    assert {path for _, path, _ in hub.seen} == {FILE}
    assert [command for command, *_ in hub.seen].count("GET") == 1
    assert not any("authorization" in map(str.lower, headers) for *_, headers in hub.seen)
    hub.seen.clear()
    hub.shutdown()
    hub.server_close()  # from here on nobody answers
    again, _ = from_pretrained("gpt2", verbose=False)
    assert torch.equal(again(some_ids(SMALL)), model(some_ids(SMALL)))
    assert hub.seen == []


def test_a_download_goes_on_where_the_connection_broke(hub):
    hub.cuts = 2
    model, _ = from_pretrained("gpt2", verbose=False)
    expected = randomise(GPT(GPTConfig(**TINY)), 0.1)
    assert torch.equal(model(some_ids(SMALL)), expected(some_ids(SMALL)))
    ranges = [headers.get("Range") for command, _, headers in hub.seen if command == "GET"]
    starts = [int(text.removeprefix("bytes=").removesuffix("-")) for text in ranges[1:]]
    assert ranges[0] is None and len(starts) == 2 and 0 < starts[0] < starts[1]


def test_a_wrong_file_from_a_mirror_is_refused(hub, tmp_path):
    tensors, _ = hub_tensors(GPTConfig(**(TINY | {"n_embd": 128})))
    path = write(tmp_path / "other", tensors)
    hub.files[FILE] = path.read_bytes()
    with pytest.raises(ValueError, match=r"wte\.weight has shape \(50257, 128\), expected"):
        from_pretrained("gpt2", verbose=False)


def test_no_network_is_said_at_once_with_the_ways_around_it(hub):
    hub.shutdown()
    hub.server_close()
    words = (
        r"(?s)gpt2 could not be downloaded from http://127[0-9.:]* \(.*HF_ENDPOINT"
        r".*gpt2/resolve/main/model\.safetensors.*from_pretrained"
    )
    with pytest.raises(ConnectionError, match=words):
        from_pretrained("gpt2", verbose=False)


def test_a_mirror_without_the_file_is_said(hub):
    hub.files.clear()
    with pytest.raises(ConnectionError, match="404"):
        from_pretrained("gpt2", verbose=False)


def test_16_bit_weights_lie_as_one_row_reads_them_fastest(small):
    model, _ = from_pretrained(small[0], dtype=torch.bfloat16, verbose=False)
    assert all(weight.is_contiguous() for weight in model.parameters())
