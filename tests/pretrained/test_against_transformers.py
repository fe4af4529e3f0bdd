"""Released shapes and saved files give the logits and tokens of transformers."""

import pytest
import torch

from minigpt.config import PRESETS, GPTConfig
from minigpt.devices import memory_available
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained, memory_needed, save_pretrained
from minigpt.sampling import generate
from minigpt.verification import verify
from tests.models import lively, some_ids


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


@pytest.mark.thorough
def test_full_size_gpt2_gives_the_logits_and_tokens_of_transformers(tmp_path):
    compare_with_transformers(tmp_path, GPTConfig.preset("gpt2"), 0.06)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["gpt2-medium", "gpt2-large", "gpt2-xl"])
def test_full_width_gives_the_logits_and_tokens_of_transformers(tmp_path, name):
    sizes = PRESETS[name] | {"n_layer": 2, "vocab_size": 1000, "block_size": 64}
    compare_with_transformers(tmp_path, GPTConfig(**sizes), 0.05)


@pytest.mark.thorough
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


@pytest.mark.parametrize("bias", [True, False])
def test_transformers_loads_what_we_save(tmp_path, bias):
    from transformers import GPT2LMHeadModel

    config = GPTConfig(300, 16, n_layer=2, n_head=4, n_embd=32, bias=bias)
    ours = lively(GPT(config), 0.2, 0.2)
    save_pretrained(ours, tmp_path)
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path).eval()  # biases it misses start at zero
    ids = some_ids(config)
    with torch.no_grad():
        assert (theirs(ids).logits - ours(ids)).abs().max() < 1e-5
