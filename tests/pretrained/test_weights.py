"""What a file's tensors and notes say is taken at its word, or refused by name."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained, load_weights
from tests.models import some_ids
from tests.pretrained.files import SMALL, hub_tensors, write

# --- What is loaded ---------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_names_may_have_the_prefix_and_masks_are_ignored(tmp_path, prefix):
    tensors, model = hub_tensors(prefix=prefix)
    for i in range(SMALL.n_layer):
        tensors[f"{prefix}h.{i}.attn.bias"] = torch.ones(1, 1, 16, 16)
        tensors[f"{prefix}h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    loaded, _ = from_pretrained(write(tmp_path, tensors), verbose=False)
    assert torch.equal(loaded(some_ids(SMALL)), model(some_ids(SMALL)))


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


# --- Where the sizes come from ----------------------------------------------------------------


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


# --- Wrong tensors ----------------------------------------------------------------------------


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
