"""The compiled step gives the readable model's logits, at every length, in every precision."""

import copy
import gc
import weakref

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.kv_cache import KVCache
from minigpt.model import GPT, explicit_attention
from minigpt.sampling import generate
from minigpt.speed import check_compiler, compiled_step, decoding, quantize
from minigpt.speed.decoding import COMPILED, weights_times_row
from tests.models import lively
from tests.speed.compiler import needs_compiler

SMALL = GPTConfig(vocab_size=51, block_size=24, n_layer=2, n_head=2, n_embd=32)


def random_model(dtype=torch.float32):
    return lively(GPT(SMALL)).to(dtype)


@pytest.mark.parametrize("N", [1, 3, 4, 8, 51])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8])
def test_weights_times_a_row_is_the_product(N, dtype):
    torch.manual_seed(0)
    weight, x = (9 * torch.randn(N, 32)).to(dtype), torch.randn(32)
    torch.testing.assert_close(weights_times_row(weight, x), weight.float() @ x)


def test_one_query_attends_as_in_the_readable_version():
    q, k, v = torch.randn(2, 3, 1, 8), torch.randn(2, 3, 9, 8), torch.randn(2, 3, 9, 8)
    ours = decoding.single_query_attention(q, k, v)
    torch.testing.assert_close(ours, explicit_attention(q, k, v))


@needs_compiler
@pytest.mark.parametrize("kind", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("batch", [1, 3])
def test_compiled_logits_equal_the_readable_ones_at_every_length(kind, batch):
    model = random_model(torch.bfloat16 if kind == "bf16" else torch.float32)
    model = quantize(model) if kind == "int8" else model
    dtype, prompt = model.transformer.wpe.weight.dtype, torch.randint(51, (batch, 2))
    caches = [KVCache(SMALL, batch, dtype=dtype) for _ in range(2)]
    with torch.no_grad():
        for cache in caches:
            model(prompt, cache)
        fast = compiled_step(model, batch)
        for _ in range(SMALL.block_size - 2):
            new = torch.randint(51, (batch, 1))
            ours, readable = fast(new, caches[0]), model(new, caches[1])[:, -1]
            near = 1e-4 if kind == "fp32" else 0.15
            torch.testing.assert_close(ours, readable, atol=near, rtol=near)
    assert caches[0].length == caches[1].length == SMALL.block_size


@needs_compiler
def test_compiled_tokens_are_the_readable_ones_past_the_context_and_compile_once(capsys):
    model = random_model()
    for prompt in (torch.tensor([[7]]), torch.tensor([[1, 2, 3]]), torch.arange(40)[None]):
        fast = generate(model, prompt, 40, temperature=0, compile=True)
        assert fast.equal(generate(model, prompt, 40, temperature=0))
    assert capsys.readouterr().err.count("compiling the next token") == 1


@needs_compiler
def test_new_values_are_seen_and_new_weights_are_compiled_for():
    model = random_model()
    first = compiled_step(model, 1)
    with torch.no_grad():
        model.transformer.wpe.weight.mul_(2)  # in place: the compiled step reads the same memory
    prompt = torch.tensor([[1, 2, 3]])
    fast = generate(model, prompt, 10, temperature=0, compile=True)
    assert (
        fast.equal(generate(model, prompt, 10, temperature=0)) and compiled_step(model, 1) is first
    )
    model.load_state_dict(copy.deepcopy(random_model().state_dict()), assign=True)
    assert compiled_step(model, 1) is not first


@needs_compiler
def test_what_is_compiled_goes_with_its_model():
    model = random_model()
    compiled_step(model, 1)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None and not any(key is gone() for key in COMPILED)


def test_a_missing_compiler_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(OSError, match=r"'no-such-compiler' was not found.*apt install g\+\+"):
        check_compiler()
    with pytest.raises(OSError, match="C\\+\\+ compiler"):
        generate(random_model(), torch.tensor([[1]]), 3, compile=True)


def test_compiling_without_the_cache_is_refused():
    with pytest.raises(ValueError, match="use_cache"):
        generate(random_model(), torch.tensor([[1]]), 3, compile=True, use_cache=False)
