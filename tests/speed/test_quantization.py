"""Int8 weights: as near as 8 bits allow, a quarter of the memory, and no trace on the original."""

import copy

import pytest
import torch
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.model import GPT, Linear
from minigpt.pretrained import from_pretrained, save_pretrained
from minigpt.sampling import generate
from minigpt.speed import quantize
from minigpt.speed.quantization import FEW_ROWS, Int8Linear, quantize_rows
from minigpt.stories import Stories

SMALL = GPTConfig(vocab_size=50, block_size=16, n_layer=2, n_head=2, n_embd=32)


def random_model(dtype=torch.float32):
    torch.manual_seed(0)
    return GPT(SMALL).to(dtype).eval()


def test_every_weight_is_at_most_half_a_scale_away():
    weight = torch.randn(30, 20, generator=torch.Generator().manual_seed(0)) * torch.logspace(
        -6, 6, 30
    ).view(30, 1)
    whole, scale = quantize_rows(weight)
    assert whole.dtype == torch.int8 and whole.abs().amax(dim=1).eq(127).all()
    assert ((whole * scale[:, None] - weight).abs() <= 0.5001 * scale[:, None]).all()


def test_a_row_of_zeros_stays_zeros():
    whole, scale = quantize_rows(torch.zeros(2, 4))
    assert whole.eq(0).all() and scale.isfinite().all()


@pytest.mark.parametrize("dtype, near", [(torch.float32, 2e-2), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("shape", [(32,), (1, 1, 32), (2, 3, 32), (FEW_ROWS + 1, 32)])
def test_the_quick_product_equals_the_readable_one(dtype, near, shape):
    torch.manual_seed(0)
    weight, x = torch.randn(20, 32), torch.randn(shape).to(dtype)
    layer = Int8Linear(*quantize_rows(weight), torch.randn(20).to(dtype))
    exact = F.linear(x.double(), layer.weight.double() * layer.scale.double()[:, None])
    y = layer(x)
    assert y.dtype == dtype and y.shape == (*shape[:-1], 20)
    bound = near * exact.abs().max().item()
    assert (y.double() - layer.bias.double() - exact).abs().max() < bound
    exact_x = layer.readable(x.double())
    torch.testing.assert_close(exact_x, exact, atol=1e-4, rtol=1e-4)


def test_the_original_stays_as_it_was():
    model = random_model()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    quantize(model)
    assert model.lm_head.weight is model.transformer.wte.weight
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(weight.requires_grad for weight in model.parameters())


def test_the_matrices_take_a_quarter_of_the_memory():
    model = quantize(GPT(GPTConfig(vocab_size=1000, block_size=16, n_layer=2, n_head=2, n_embd=64)))
    tensors = [*model.parameters(), *model.buffers()]
    whole = sum(t.numel() for t in tensors if t.dtype == torch.int8)
    assert whole == 2 * 12 * 64 * 64 + 1000 * 64  # the token table counts once
    assert sum(t.nbytes for t in tensors if t.dtype != torch.int8) < 0.3 * whole


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_quantized_model_generates_with_its_cache_and_in_its_precision(dtype):
    model, idx = quantize(random_model(dtype)), torch.tensor([[1, 2, 3], [4, 5, 6]])
    assert model(idx).dtype == dtype
    new = generate(model, idx, 20, temperature=0)
    assert new.shape == (2, 23) and new[:, :3].equal(idx)


def test_the_quantized_model_is_the_readable_one_with_rounded_weights():
    model = random_model()
    smaller, rounded = quantize(model), copy.deepcopy(model)
    with torch.no_grad():
        for layer in (m for m in rounded.modules() if isinstance(m, Linear)):
            whole, scale = quantize_rows(layer.weight)
            layer.weight.copy_(whole * scale[:, None])
        idx = torch.arange(12).view(1, 12)
        torch.testing.assert_close(smaller(idx), rounded(idx), atol=0.02, rtol=0.02)


def loss(model, windows):
    with torch.no_grad():
        return F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())


def test_the_storyteller_loses_less_than_half_a_percent():
    model, tokenizer = from_pretrained("storyteller", verbose=False)
    smaller, _ = from_pretrained("storyteller", quantize="int8", verbose=False)
    T, text = (
        model.config.block_size,
        "<|endoftext|>".join(s for s, _ in zip(Stories(9), range(99))),
    )
    ids = torch.tensor(tokenizer.encode(text, allowed_special={"<|endoftext|>"}))
    windows = ids[: len(ids) // (T + 1) * (T + 1)].view(-1, T + 1)
    before, after = loss(model, windows).item(), loss(smaller, windows).item()
    assert before != after and abs(after / before - 1) < 0.005


def test_what_cannot_be_done_is_refused(tmp_path):
    smaller = quantize(random_model())
    with pytest.raises(ValueError, match="already"):
        quantize(smaller)
    with pytest.raises(ValueError, match="rounded to int8"):
        save_pretrained(smaller, tmp_path)
    with pytest.raises(ValueError, match="'int4'.*must be 'int8'"):
        from_pretrained("storyteller", quantize="int4")
