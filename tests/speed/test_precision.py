"""The fast ways give the numbers of the readable ones, and leave no trace."""

import copy

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.kv_cache import KVCache
from minigpt.model import GPT, explicit_attention, fused_attention
from minigpt.speed import autocast, batched_attention
from minigpt.speed.precision import LONGEST

CPU = torch.device("cpu")
SMALL = GPTConfig(vocab_size=32, block_size=16, n_layer=2, n_head=2, n_embd=16)


def queries(T, S=None, dtype=torch.float32):
    """Return random q (2, 3, T, 8) and k, v (2, 3, S, 8) that want gradients."""
    torch.manual_seed(0)
    shapes = [(2, 3, T, 8), (2, 3, S or T, 8), (2, 3, S or T, 8)]
    return [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("T", [1, 2, 7, 64, LONGEST, LONGEST + 1])
def test_batched_attention_and_its_gradients_equal_the_readable_ones(T):
    results = []
    for attend in (batched_attention, explicit_attention):
        inputs = queries(T)
        y = attend(*inputs)
        (y * torch.arange(y.numel()).view(y.shape).sin()).sum().backward()
        results.append([y, *(x.grad for x in inputs)])
    for fast, slow in zip(*results):
        torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("T, S", [(1, 5), (3, 9)])
def test_batched_attention_after_a_cache_equals_the_readable_one(T, S):
    q, k, v = queries(T, S)
    torch.testing.assert_close(batched_attention(q, k, v), explicit_attention(q, k, v))


def test_batched_attention_in_bf16_is_as_close_to_the_truth_as_the_fused_one():
    q, k, v = (x.detach() for x in queries(64))
    truth = explicit_attention(q.double(), k.double(), v.double())
    low = [x.bfloat16() for x in (q, k, v)]
    error, theirs = ((f(*low) - truth).abs().max() for f in (batched_attention, fused_attention))
    assert error < max(0.03, 2 * theirs)


def test_attention_dropout_is_that_of_the_readable_version():
    q, k, v = queries(16)
    torch.manual_seed(1)
    fast = batched_attention(q, k, v, dropout=0.5)
    torch.manual_seed(1)
    slow = explicit_attention(q, k, v, dropout=0.5)
    torch.testing.assert_close(fast.flatten(), slow.flatten())
    assert not torch.allclose(fast, batched_attention(q, k, v))


def attends(model):
    return {block.attn.attend for block in model.transformer.h}


def test_bf16_on_a_cpu_attends_in_batches_and_everything_else_does_not():
    model = GPT(SMALL)
    with autocast(model, CPU, "bf16"):
        assert attends(model) == {batched_attention}
        assert model(torch.zeros(1, 4, dtype=torch.int64)).dtype == torch.bfloat16
    assert attends(model) == {fused_attention}
    with autocast(model, CPU, "fp32"):
        assert attends(model) == {fused_attention}
        assert model(torch.zeros(1, 4, dtype=torch.int64)).dtype == torch.float32
    model.use_attention(explicit_attention)
    with autocast(model, CPU, "bf16"):
        assert attends(model) == {explicit_attention}
    assert attends(model) == {explicit_attention}


def test_an_error_leaves_the_model_as_it_was():
    model = GPT(SMALL)
    with pytest.raises(ZeroDivisionError), autocast(model, CPU, "bf16"):
        raise ZeroDivisionError
    assert attends(model) == {fused_attention}


def test_a_model_of_another_class_is_only_cast():
    layer = torch.nn.Linear(4, 4)
    with autocast(layer, CPU, "bf16"):
        assert layer(torch.ones(1, 4)).dtype == torch.bfloat16


def test_the_whole_model_gives_the_same_loss_and_gradients_in_batches():
    model, idx = GPT(SMALL), torch.randint(32, (3, 16), generator=torch.Generator().manual_seed(0))
    twin = copy.deepcopy(model)
    twin.use_attention(batched_attention)
    for one in (model, twin):
        one(idx).logsumexp(dim=-1).sum().backward()
    for ours, theirs in zip(model.parameters(), twin.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        cache = KVCache(SMALL, 3)
        torch.testing.assert_close(twin(idx, cache), model(idx), atol=1e-5, rtol=1e-5)
