"""Weights start as GPT-2's do, and the head stays the token table."""

import copy
import io
import math

import pytest
import torch
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.model import GPT
from tests.models import TINY, lively, some_ids

# --- Initialisation ---------------------------------------------------------------------------


def test_weights_start_as_gpt2s_do():
    torch.manual_seed(0)
    config = GPTConfig(vocab_size=500, block_size=256, n_layer=8, n_head=4, n_embd=128)
    for name, weight in GPT(config).named_parameters():
        if name.endswith("bias"):
            assert (weight == 0).all(), name
        elif ".ln_" in name:
            assert (weight == 1).all(), name
        else:
            residual = name.endswith("c_proj.weight")
            std = 0.02 / math.sqrt(2 * 8) if residual else 0.02
            # The spread of n draws is known to about std / sqrt(2n): six of those.
            tolerance = 6 * std / math.sqrt(2 * weight.numel())
            assert abs(weight.std().item() - std) < tolerance, name
            assert abs(weight.mean().item()) < 6 * std / math.sqrt(weight.numel()), name
            kurtosis = ((weight / weight.std()) ** 4).mean().item()
            assert abs(kurtosis - 3) < 0.3, f"{name} is not normal (uniform would give 1.8)"


def test_the_first_loss_is_that_of_guessing():
    torch.manual_seed(0)
    config = GPTConfig(vocab_size=500, block_size=64, n_layer=4, n_head=4, n_embd=64)
    idx, targets = some_ids(config, 8, 64), some_ids(config, 8, 64, seed=1)
    loss = F.cross_entropy(GPT(config)(idx).flatten(0, 1), targets.flatten()).item()
    assert abs(loss - math.log(500)) < 0.05


def test_a_seed_fixes_the_weights():
    def weights(seed):
        torch.manual_seed(seed)
        return torch.cat([weight.flatten() for weight in GPT(TINY).parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


# --- Weight tying -----------------------------------------------------------------------------


def is_tied(model: GPT) -> bool:
    return model.lm_head.weight is model.transformer.wte.weight


def test_the_head_is_the_token_embedding():
    model = GPT(TINY)
    assert is_tied(model)
    with torch.no_grad():
        model.transformer.wte.weight.zero_()
    assert (model(some_ids(TINY, 1, 3)) == 0).all()


@pytest.mark.parametrize(
    "move",
    [
        copy.deepcopy,
        lambda model: model.to(torch.float64),
        lambda model: model.to(torch.bfloat16).float(),
        lambda model: model.to("cpu"),
        lambda model: model.half().float(),
    ],
)
def test_tying_survives_copies_and_moves(move):
    assert is_tied(move(GPT(TINY)))


def test_tying_survives_a_state_dict_on_disk():
    source, target = lively(GPT(TINY)), GPT(TINY).eval()
    file = io.BytesIO()
    torch.save(source.state_dict(), file)
    file.seek(0)
    target.load_state_dict(torch.load(file, weights_only=True))
    assert is_tied(target)
    idx = some_ids(TINY, 2, 5)
    torch.testing.assert_close(target(idx), source(idx), atol=0, rtol=0)


def test_tying_survives_training_and_both_uses_give_gradient():
    model = lively(GPT(TINY))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert sum(1 for w in model.parameters() if w.shape == model.lm_head.weight.shape) == 1
    before = model.lm_head.weight.clone()
    idx = torch.zeros(1, 4, dtype=torch.int64)
    F.cross_entropy(model(idx)[:, -1], torch.tensor([5])).backward()
    gradient = model.transformer.wte.weight.grad
    assert (gradient[0] != 0).any(), "as an embedding: only id 0 was read"
    assert (gradient[7] != 0).any(), "as a head: every id was scored"
    optimizer.step()
    assert is_tied(model)
    assert not torch.equal(model.lm_head.weight, before)
