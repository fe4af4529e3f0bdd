"""A model runs without some of its parts, as if its weights had been edited, and is left alone."""

import copy
import re

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.interpret import (
    Means,
    ablated,
    attention_patterns,
    measure_means,
    with_pattern,
    without,
)
from minigpt.model import split_heads

CONFIG = GPTConfig(vocab_size=50, block_size=64, n_layer=3, n_head=4, n_embd=32, dropout=0.5)


@pytest.fixture
def means(model) -> Means:
    """Means over two texts of different lengths."""
    generator = torch.Generator().manual_seed(7)
    return measure_means(model, [torch.randint(50, (T,), generator=generator) for T in (5, 20)])


# --- Heads ---


def edited(model, heads, means=None):
    """A copy whose c_proj has no weights for these heads, and their means in its bias."""
    smaller, size = copy.deepcopy(model), model.config.head_size
    for layer, head in heads:
        c_proj = smaller.transformer.h[layer].attn.c_proj
        columns = c_proj.weight.data[:, head * size : (head + 1) * size]
        if means is not None:
            c_proj.bias.data += columns @ means.heads[layer, head]
        columns[:] = 0
    return smaller


@torch.no_grad()
@pytest.mark.parametrize("heads", [[(0, 0)], [(2, 3)], [(1, 0), (1, 3), (2, 1)], []])
def test_ablation_equals_a_pass_with_that_output_zeroed(model, idx, heads):
    model.eval()
    with ablated(model, heads):
        logits = model(idx)
    torch.testing.assert_close(logits, edited(model, heads)(idx), atol=1e-5, rtol=0)
    changed = (logits - model(idx)).abs().max() > 0.01
    assert changed == bool(heads)


def test_patterns_of_an_ablated_model_are_those_without_its_heads(model, idx):
    heads = [(0, 1), (1, 2)]
    with ablated(model, heads):
        patterns = attention_patterns(model, idx)
    expected = attention_patterns(edited(model, heads), idx)
    torch.testing.assert_close(patterns, expected, atol=1e-5, rtol=0)
    plain = attention_patterns(model, idx)
    assert torch.equal(patterns[0], plain[0])  # they still attend; what follows them changes
    assert not torch.allclose(patterns[1:], plain[1:])


def test_an_ablation_inside_another_adds_to_it(model, idx):
    model.eval()
    with torch.no_grad(), ablated(model, [(0, 0)]), ablated(model, [(0, 1)]):
        logits = model(idx)
    torch.testing.assert_close(logits, edited(model, [(0, 0), (0, 1)])(idx).detach())


def test_ablation_leaves_the_model_as_it_was_also_after_an_exception(model, idx):
    model.eval()
    before = model(idx)
    with pytest.raises(RuntimeError, match="in the middle"), ablated(model, [(0, 0)]):
        raise RuntimeError("in the middle")
    assert torch.equal(model(idx), before)
    assert not any(b.attn.c_proj._forward_pre_hooks for b in model.transformer.h)


@pytest.mark.parametrize("head", [(3, 0), (0, 4), (-1, 0)])
def test_a_head_that_is_not_there_is_refused_by_name(model, head):
    wanted = re.escape(f"no head {head}; this model has layers 0 to 2, each with heads 0 to 3")
    with pytest.raises(ValueError, match=wanted), ablated(model, [(0, 0), head]):
        pass
    assert not any(b.attn.c_proj._forward_pre_hooks for b in model.transformer.h)


@torch.no_grad()
@pytest.mark.parametrize("heads", [[(0, 0)], [(1, 0), (1, 3), (2, 1)]])
def test_mean_ablation_equals_a_pass_with_the_mean_in_the_bias(model, idx, means, heads):
    model.eval()
    with ablated(model, heads, means):
        logits = model(idx)
    torch.testing.assert_close(logits, edited(model, heads, means)(idx), atol=1e-5, rtol=0)
    with ablated(model, heads):
        zero = model(idx)
    assert (logits - zero).abs().max() > 0.01


# --- Sublayers ---


def edited_sublayers(model, names, means=None):
    """A copy whose last matrix in each sublayer is 0, and whose bias is 0 or the mean."""
    smaller = copy.deepcopy(model)
    for name in names:
        kind, layer = name.split()
        c_proj = getattr(smaller.transformer.h[int(layer)], kind).c_proj
        c_proj.weight.data[:] = 0
        c_proj.bias.data[:] = 0 if means is None else getattr(means, kind)[int(layer)]
    return smaller


@torch.no_grad()
@pytest.mark.parametrize("names", [["attn 0"], ["mlp 2"], ["attn 1", "mlp 1", "mlp 0"], []])
@pytest.mark.parametrize("by_mean", [False, True])
def test_a_sublayer_taken_out_equals_edited_weights(model, idx, means, names, by_mean):
    model.eval()
    given = means if by_mean else None
    with without(model, names, given):
        logits = model(idx)
    wanted = edited_sublayers(model, names, given)(idx)
    torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=0)
    assert ((logits - model(idx)).abs().max() > 0.01) == bool(names)


@pytest.mark.parametrize("name", ["attn 3", "mlp -1", "ln_1 0", "attn", "mlp x"])
def test_a_sublayer_that_is_not_there_is_refused_by_name(model, name):
    with pytest.raises(ValueError, match=f"no sublayer '{name}'.*'mlp 2'"), without(model, [name]):
        pass


def test_the_model_is_left_as_it_was_also_after_an_exception(model, idx, means):
    model.eval()
    before = model(idx)
    with (
        pytest.raises(RuntimeError, match="in the middle"),
        without(model, ["attn 0", "mlp 1"], means),
        with_pattern(model, 1, 0, torch.eye(11)),
    ):
        raise RuntimeError("in the middle")
    assert torch.equal(model(idx), before)


# --- Means ---


@torch.no_grad()
def test_means_equal_those_by_the_definition(model):
    generator = torch.Generator().manual_seed(7)
    texts = [torch.randint(50, (T,), generator=generator) for T in (5, 20)]
    means = measure_means(model.train(), texts)
    assert model.training
    model.eval()
    block, gathered, added = model.transformer.h[0], [], []
    for ids in texts:  # the first layer by hand, token by token
        x = model.transformer.wte(ids) + model.transformer.wpe(torch.arange(len(ids)))
        q, k, v = (split_heads(p, 4) for p in block.attn.c_attn(block.ln_1(x[None])).chunk(3, -1))
        for t in range(len(ids)):
            for head in range(4):
                weights = (k[0, head, : t + 1] @ q[0, head, t] / 8**0.5).softmax(0)
                gathered.append((head, weights @ v[0, head, : t + 1]))
        after = x + block.attn(block.ln_1(x[None]))[0]
        added += [block.mlp(block.ln_2(row)) for row in after]
    for head in range(4):
        wanted = torch.stack([z for h, z in gathered if h == head]).mean(0)
        torch.testing.assert_close(means.heads[0, head], wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(means.mlp[0], torch.stack(added).mean(0), atol=1e-5, rtol=0)
    c_proj = block.attn.c_proj  # a mean goes through a linear layer unharmed
    torch.testing.assert_close(means.attn[0], c_proj(means.heads[0].flatten()))


def test_means_over_no_texts_are_refused(model):
    with pytest.raises(ValueError, match="no texts"):
        measure_means(model, [])


# --- Patterns put in ---


@torch.no_grad()
def test_a_head_given_its_own_pattern_computes_the_same(model, idx):
    model.eval()
    plain, own = model(idx[:1]), attention_patterns(model, idx[:1])[1, 0, 2]
    with with_pattern(model, 1, 2, own):
        torch.testing.assert_close(model(idx[:1]), plain, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_head_that_looks_at_the_first_token_hands_on_its_value_everywhere(model, idx):
    model.eval()
    first = torch.zeros(64, 64)
    first[:, 0] = 1
    before, given = attention_patterns(model, idx), []
    look = model.transformer.h[0].attn.c_proj.register_forward_hook(lambda _, x, y: given.append(x))
    with with_pattern(model, 0, 3, first):
        seen = attention_patterns(model, idx)
    look.remove()
    gathered = given[0][0][..., 24:]  # of head 3
    x = model.transformer.wte(idx[:, 0]) + model.transformer.wpe.weight[0]
    block = model.transformer.h[0]
    value = block.attn.c_attn(block.ln_1(x))[:, -8:]
    torch.testing.assert_close(gathered, value[:, None].expand_as(gathered), atol=1e-5, rtol=0)
    assert torch.equal(seen[0], before[0])  # what is shown is the head's own
    assert not torch.allclose(seen[1], before[1])  # those after it read something else


def test_a_pattern_that_is_no_square_is_refused(model):
    with pytest.raises(ValueError, match=r"\(3, 4\)"), with_pattern(model, 0, 0, torch.eye(4)[:3]):
        pass
