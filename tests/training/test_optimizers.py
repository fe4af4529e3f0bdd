"""Which weights decay, which Muon takes, and a step of it by the formula."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from minigpt.training import cross_entropy, make_optimizer, parameter_groups, train, train_step
from tests.training.runs import QUICK, assert_same_bits, fresh_model, some_batch, weights_of


def test_matrices_decay_and_biases_and_norms_do_not():
    model = fresh_model()
    decayed, free = parameter_groups(model, 0.1)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    names = {weight: name for name, weight in model.named_parameters()}
    kinds = {names[weight].split(".h.0.")[-1].split(".h.1.")[-1] for weight in decayed["params"]}
    assert kinds == {
        "attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight",
        "transformer.wte.weight", "transformer.wpe.weight",
    }  # fmt: skip
    assert all(".ln_" in names[w] or names[w].endswith("bias") for w in free["params"])


def test_every_trainable_weight_is_in_one_group_once_the_tied_one_too():
    model = fresh_model()
    model.transformer.wpe.weight.requires_grad_(False)
    grouped = [weight for group in parameter_groups(model, 0.1) for weight in group["params"]]
    expected = [weight for weight in model.parameters() if weight.requires_grad]
    assert sorted(map(id, grouped)) == sorted(map(id, expected))
    assert sum(weight is model.lm_head.weight for weight in grouped) == 1
    assert not any(weight is model.transformer.wpe.weight for weight in grouped)


def test_decay_pulls_matrices_towards_zero_and_leaves_biases_and_norms_alone():
    model = fresh_model()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.5)
    config = replace(QUICK, weight_decay=0.2)
    optimizer = make_optimizer(model, config)
    before = weights_of(model)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)  # so that decay is all that happens
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    optimizer.step()
    for name, weight in model.named_parameters():
        shrink = 1 - 0.1 * 0.2 if weight.dim() == 2 else 1.0
        torch.testing.assert_close(weight, before[name] * shrink, msg=name)


def test_muon_takes_the_matrices_inside_the_blocks_and_adamw_the_rest():
    model = fresh_model()
    optimizer = make_optimizer(model, replace(QUICK, optimizer="muon"))
    muon, adamw = optimizer.optimizers
    held = [[w for g in part.param_groups for w in g["params"]] for part in (muon, adamw)]
    names = {weight: name for name, weight in model.named_parameters()}
    assert all(names[w].startswith("transformer.h.") and w.dim() == 2 for w in held[0])
    assert sorted(map(id, held[0] + held[1])) == sorted(map(id, model.parameters()))
    decay = {names[w]: g["weight_decay"] for g in adamw.param_groups for w in g["params"]}
    assert {g["betas"] for g in adamw.param_groups} == {QUICK.betas}
    assert decay.pop("transformer.wte.weight") == decay.pop("transformer.wpe.weight") == 0.1
    assert set(decay.values()) == {0.0}


def test_a_muon_step_is_the_orthogonalised_gradient_by_the_formula():
    model = fresh_model(n_embd=64)
    config = replace(QUICK, optimizer="muon", weight_decay=0.2)
    batch = some_batch()
    weight = model.transformer.h[0].mlp.c_fc.weight
    before = weight.detach().clone()
    (g,) = torch.autograd.grad(cross_entropy(model(batch[0]), batch[1]), weight)
    x = g.t() / g.norm()
    for _ in range(5):  # the Newton-Schulz iteration of Jordan et al. 2024
        a = x @ x.t()
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    expected = -0.1 * (0.2 * math.sqrt(256) * x.t() + 0.2 * before)
    optimizer = make_optimizer(model, config)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    train_step(model, optimizer, [batch], 1e9)
    moved = weight.detach() - before
    # PyTorch iterates in bf16, hence the tolerance; the gradient itself is far off.
    assert F.cosine_similarity(moved.flatten(), expected.flatten(), dim=0) > 0.97
    assert F.cosine_similarity(-g.flatten(), expected.flatten(), dim=0) < 0.8
    assert moved.norm().item() == pytest.approx(expected.norm().item(), rel=0.05)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("frozen", ["transformer.wte", "transformer.h", "transformer.ln_f"])
def test_frozen_weights_stay_and_the_others_learn(data, optimizer, frozen, tmp_path):
    model = fresh_model()
    model.get_submodule(frozen).requires_grad_(False)
    before = weights_of(model)
    path = tmp_path / "run.safetensors"
    train(model, data, QUICK, optimizer=optimizer, max_steps=4, checkpoint=path, progress=False)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]) == name.startswith(frozen), name
    again = fresh_model()
    again.get_submodule(frozen).requires_grad_(False)
    train(again, data, QUICK, optimizer=optimizer, max_steps=4, checkpoint=path, resume=True,
          progress=False)  # fmt: skip
    assert_same_bits(weights_of(model), weights_of(again))
    with pytest.raises(ValueError, match="of another model or optimizer"):
        train(fresh_model(), data, QUICK, optimizer=optimizer, max_steps=4, checkpoint=path,
              resume=True, progress=False)  # fmt: skip
