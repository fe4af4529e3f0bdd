"""Blocks that compute again give the same numbers, keep less, and leave the model as it was."""

import copy

import pytest
import torch
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.kv_cache import KVCache
from minigpt.model import GPT, explicit_attention, fused_attention
from minigpt.speed import autocast, recompute_blocks
from tests.models import lively

CONFIG = GPTConfig(vocab_size=37, block_size=16, n_layer=3, n_head=4, n_embd=32, dropout=0.3)
CPU = torch.device("cpu")
IDX = torch.randint(37, (4, 16), generator=torch.Generator().manual_seed(1))


def loss_of(model, precision="fp32"):
    with autocast(model, CPU, precision):
        return F.cross_entropy(model(IDX).flatten(0, 1).float(), IDX.roll(-1, 1).flatten())


def gradients(model, precision="fp32"):
    """Return the loss and all gradients, with dropout drawn from one seed."""
    torch.manual_seed(5)
    model.zero_grad()
    loss = loss_of(model, precision)
    loss.backward()
    return [loss.detach(), *(p.grad.clone() for p in model.parameters())]


def dropping():
    return lively(GPT(CONFIG)).train()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("attend", [fused_attention, explicit_attention])
def test_loss_and_gradients_are_the_same_bit_for_bit_dropout_too(precision, attend):
    model = dropping()
    model.use_attention(attend)
    plain = gradients(model, precision)
    with recompute_blocks(model):
        again = gradients(model, precision)
    assert all(torch.equal(a, b) for a, b in zip(plain, again))


def test_the_gradients_are_those_of_pytorchs_own_functional_form():
    model = dropping().eval()
    with recompute_blocks(model):
        ours = gradients(model)
    twin = copy.deepcopy(model)
    weights = dict(twin.named_parameters())

    def loss(weights):
        logits = torch.func.functional_call(twin, weights, (IDX,))
        return F.cross_entropy(logits.flatten(0, 1), IDX.roll(-1, 1).flatten())

    theirs = torch.func.grad(loss)(weights)
    for (name, _), grad in zip(model.named_parameters(), ours[1:]):
        torch.testing.assert_close(grad, theirs[name], atol=1e-6, rtol=1e-4)


def kept(model):
    """Return how many bytes the forward pass keeps for the backward pass, weights left out."""
    own, storages = {p.data_ptr() for p in model.parameters()}, {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.is_floating_point():
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = loss_of(model)
    assert loss.requires_grad
    return sum(storages.values())


def test_a_block_keeps_its_input_and_no_more():
    model = GPT(CONFIG)
    for block in model.transformer.h:  # dropout's masks would count as well
        block.attn.dropout = 0.0
    model.eval()
    plain = kept(model)
    with recompute_blocks(model):
        less = kept(model)
    rows, C, V, nh = IDX.numel(), CONFIG.n_embd, CONFIG.vocab_size, CONFIG.n_head
    ends = (2 * C + 2) + V  # ln_f and the head, the loss
    assert plain == pytest.approx(4 * rows * (3 * (16 * C + nh + 4) + ends), rel=0.1)
    assert less == pytest.approx(4 * rows * (3 * C + ends), rel=0.1)


def test_one_forward_pass_more_is_computed():
    calls = {"plain": 0, "again": 0}
    model, now = GPT(CONFIG), "plain"
    for block in model.transformer.h:

        def count(*_):
            calls[now] += 1

        block.mlp.c_fc.register_forward_hook(count)
    gradients(model)
    now = "again"
    with recompute_blocks(model):
        gradients(model)
    assert calls == {"plain": 3, "again": 6}


def test_nothing_is_computed_again_where_no_gradient_is_wanted():
    model = lively(GPT(CONFIG))
    with torch.no_grad():
        plain = model(IDX)
        with recompute_blocks(model):
            assert torch.equal(model(IDX), plain)
            cache = KVCache(CONFIG, batch_size=4)
            parts = [model(IDX[:, :9], cache), model(IDX[:, 9:], cache)]
    torch.testing.assert_close(torch.cat(parts, dim=1), plain)


def test_afterwards_the_model_is_as_it_was_after_an_error_too():
    model = GPT(CONFIG)
    with recompute_blocks(model), recompute_blocks(model):
        assert all("forward" in vars(block) for block in model.transformer.h)
    assert all("forward" not in vars(block) for block in model.transformer.h)
    with pytest.raises(ZeroDivisionError), recompute_blocks(model):
        raise ZeroDivisionError
    assert all("forward" not in vars(block) for block in model.transformer.h)
    assert {block.attn.attend for block in model.transformer.h} == {fused_attention}


def test_a_wrapped_model_is_one_too():
    model = dropping()
    with recompute_blocks(torch.nn.DataParallel(model)):
        assert all("forward" in vars(block) for block in model.transformer.h)


def test_a_model_without_blocks_is_refused_in_words():
    refused = pytest.raises(ValueError, match="a Linear has no blocks")
    with refused, recompute_blocks(torch.nn.Linear(2, 2)):
        pass
