"""The configuration: sizes, presets, and what it refuses."""

import dataclasses
import json
import math

import pytest

from minigpt.config import PRESETS, GPTConfig


def test_defaults_are_the_smallest_gpt2():
    assert GPTConfig() == GPTConfig.preset("gpt2")
    assert dataclasses.astuple(GPTConfig()) == (50257, 1024, 12, 12, 768, 0.0, True)


@pytest.mark.parametrize(
    ("name", "n_layer", "n_head", "n_embd"),
    [
        ("gpt2", 12, 12, 768),
        ("gpt2-medium", 24, 16, 1024),
        ("gpt2-large", 36, 20, 1280),
        ("gpt2-xl", 48, 25, 1600),
    ],
)
def test_presets_are_the_released_shapes(name, n_layer, n_head, n_embd):
    config = GPTConfig.preset(name)
    assert (config.n_layer, config.n_head, config.n_embd) == (n_layer, n_head, n_embd)
    assert (config.vocab_size, config.block_size, config.bias) == (50257, 1024, True)
    assert config.head_size == 64


def test_there_are_four_presets():
    assert list(PRESETS) == ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"]


@pytest.mark.parametrize("name", ["gpt3", "GPT2", "", None, 2])
def test_an_unknown_preset_names_itself_and_the_known_ones(name):
    with pytest.raises(ValueError) as error:
        GPTConfig.preset(name)
    assert repr(name) in str(error.value)
    assert "gpt2-medium" in str(error.value)


@pytest.mark.parametrize("field", ["vocab_size", "block_size", "n_layer", "n_head", "n_embd"])
@pytest.mark.parametrize("value", [0, -1, 1.5, 12.0, "12", None, True, math.nan])
def test_a_size_that_no_model_can_have_is_refused_by_name(field, value):
    with pytest.raises(ValueError) as error:
        GPTConfig(**{field: value})
    assert field in str(error.value)
    assert repr(value) in str(error.value)
    assert "at least 1" in str(error.value)


def test_heads_must_share_the_width_equally():
    with pytest.raises(ValueError, match=r"n_embd is 100.*12 heads.*multiple"):
        GPTConfig(n_head=12, n_embd=100)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, 1.5, math.nan, math.inf, "0.1", None, True])
def test_dropout_outside_its_range_is_refused(dropout):
    with pytest.raises(ValueError) as error:
        GPTConfig(dropout=dropout)
    assert f"dropout is {dropout!r}" in str(error.value)


@pytest.mark.parametrize("dropout", [0, 0.0, 0.1, 0.999])
def test_dropout_inside_its_range_is_kept(dropout):
    assert GPTConfig(dropout=dropout).dropout == dropout


@pytest.mark.parametrize("bias", [1, 0, None, "True"])
def test_bias_is_true_or_false_and_nothing_else(bias):
    with pytest.raises(ValueError, match="bias is"):
        GPTConfig(bias=bias)


def test_a_configuration_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GPTConfig().n_layer = 3


def test_a_changed_copy_is_checked_too():
    with pytest.raises(ValueError, match="n_layer is 0"):
        dataclasses.replace(GPTConfig(), n_layer=0)


def test_equal_configurations_hash_alike():
    assert len({GPTConfig(), GPTConfig.preset("gpt2"), GPTConfig(n_layer=2)}) == 2


def test_from_dict_reads_what_json_wrote():
    config = GPTConfig(n_layer=2, n_head=2, n_embd=8, dropout=0.1, bias=False)
    assert GPTConfig.from_dict(json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_from_dict_names_a_field_that_does_not_exist_and_those_that_do():
    with pytest.raises(ValueError, match=r"n_layers.*vocab_size.*n_layer,"):
        GPTConfig.from_dict({"n_layers": 2})


@pytest.mark.parametrize("values", [None, [], "gpt2", 3])
def test_from_dict_takes_only_a_dictionary(values):
    with pytest.raises(ValueError, match="dictionary"):
        GPTConfig.from_dict(values)


def test_from_dict_checks_the_values():
    with pytest.raises(ValueError, match="n_head is '2'"):
        GPTConfig.from_dict({"n_head": "2"})
