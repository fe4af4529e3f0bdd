"""Training against formulas worked by hand, big batches, and runs that nobody interrupted."""

import copy
import math
import multiprocessing
import os
import random
import runpy
import signal
import sys
import threading
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from minigpt import devices
from minigpt.config import GPTConfig
from minigpt.data import Data
from minigpt.devices import choose_device, choose_precision, describe_device
from minigpt.model import GPT
from minigpt.sampling import generate
from minigpt.training import (
    Record,
    TrainConfig,
    checkpoints,
    cross_entropy,
    evaluate,
    loop,
    lr_schedule,
    make_optimizer,
    parameter_groups,
    train,
    train_step,
)
from minigpt.training.checkpoints import save_checkpoint
from minigpt.training.steps import shares

TINY = GPTConfig(vocab_size=8, block_size=16, n_layer=2, n_head=2, n_embd=16)
QUICK = TrainConfig(
    max_steps=12,
    batch_size=4,
    max_lr=1e-2,
    min_lr=1e-3,
    warmup_steps=3,
    eval_interval=5,
    eval_batches=2,
    checkpoint_interval=4,
    precision="fp32",
    device="cpu",
)
# Each token is the one before plus one (three times in four) or plus two, modulo 8.
ENTROPY = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)


def toy_data(name: str = "toy", length: int = 4000, tokenizer=None, **more) -> Data:
    draws = np.random.default_rng(0).choice([1, 2], size=length, p=[0.75, 0.25])
    ids = (draws.cumsum() % 8).astype(np.uint16)
    cut = length * 9 // 10
    tokenizer = tokenizer or SimpleNamespace(vocab_size=8)
    return Data(name, tokenizer, ids[:cut], ids[cut:], floor=ENTROPY, **more)


@pytest.fixture(scope="module")
def data() -> Data:
    return toy_data()


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def fresh_model(seed: int = 0, **changes) -> GPT:
    torch.manual_seed(seed)
    return GPT(replace(TINY, **changes))


def weights_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def assert_same_bits(first: dict, second: dict) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def without_speed(history: list[Record]) -> list[Record]:
    return [replace(record, tokens_per_second=0.0) for record in history]


def some_batch(rows: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(8, (2, rows, 16), generator=generator))


# --- The loss and the schedule ----------------------------------------------------------------


def test_cross_entropy_is_the_mean_of_minus_log_p_of_the_target():
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 3, 5), torch.randint(5, (2, 3))
    slow = [
        math.log(sum(math.exp(v) for v in logits[b, t].tolist())) - logits[b, t, targets[b, t]]
        for b in range(2)
        for t in range(3)
    ]
    assert cross_entropy(logits, targets).item() == pytest.approx(sum(slow).item() / 6, abs=1e-6)


def test_cross_entropy_leaves_out_targets_of_minus_100():
    logits, targets = torch.randn(1, 3, 5), torch.tensor([[2, -100, 4]])
    kept = cross_entropy(logits[:, [0, 2]], targets[:, [0, 2]])
    torch.testing.assert_close(cross_entropy(logits, targets), kept)


def test_cross_entropy_is_float32_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        logits = nn.Linear(4, 8)(torch.randn(1, 3, 4))
        assert logits.dtype == torch.bfloat16
        assert cross_entropy(logits, torch.zeros(1, 3, dtype=torch.int64)).dtype == torch.float32


@pytest.mark.parametrize(
    ("step", "lr"),
    [
        (0, 0.25),
        (1, 0.5),
        (2, 0.75),
        (3, 1.0),
        (4, 1.0),  # the cosine starts at the top
        (6, 0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2),
        (8, 0.55),  # half-way
        (10, 0.1 + 0.9 * (1 - math.sqrt(0.5)) / 2),
        (12, 0.1),
        (13, 0.1),
        (1000, 0.1),
    ],
)
def test_the_learning_rate_is_that_of_a_table_worked_by_hand(step, lr):
    actual = lr_schedule(step, max_lr=1.0, min_lr=0.1, warmup_steps=4, max_steps=12)
    assert actual == pytest.approx(lr, abs=1e-12)


def test_the_learning_rate_equals_pytorchs_own_schedulers():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 7))
    lrs = []
    for _ in range(7):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        warm.step()
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=23, eta_min=0.02)
    for _ in range(24):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        cosine.step()
    ours = [
        lr_schedule(step, max_lr=0.3, min_lr=0.02, warmup_steps=7, max_steps=30)
        for step in range(31)
    ]
    assert ours == pytest.approx(lrs, abs=1e-9)


def test_without_warm_up_the_first_step_has_the_full_learning_rate():
    assert lr_schedule(0, max_lr=1.0, min_lr=0.1, warmup_steps=0, max_steps=10) == 1.0


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_uses_the_schedule(data, monkeypatch, optimizer):
    used = []

    def spy(model, optimizer, *arguments):
        used.append({group["lr"] for group in getattr(optimizer, "param_groups", [])})
        for part in getattr(optimizer, "parts", []):
            used[-1] |= {group["lr"] for group in part.param_groups}
        return train_step(model, optimizer, *arguments)

    monkeypatch.setattr(loop, "train_step", spy)
    history = train(fresh_model(), data, QUICK, optimizer=optimizer, progress=False)
    settings = {"max_lr": 1e-2, "min_lr": 1e-3, "warmup_steps": 3, "max_steps": 12}
    expected = [lr_schedule(step, **settings) for step in range(12)]
    assert [record.lr for record in history] == expected
    assert used == [{lr} for lr in expected]


# --- Weight decay and the optimizers ----------------------------------------------------------


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


def adamw_by_hand(model, batches, lr, config):
    """The formulas of Loshchilov and Hutter 2019, algorithm 2, in float64 and without PyTorch's."""
    names = [name for name, _ in model.named_parameters()]
    model = copy.deepcopy(model).double()
    weights = list(model.parameters())
    m = [torch.zeros_like(weight) for weight in weights]
    v = [torch.zeros_like(weight) for weight in weights]
    beta1, beta2 = config.betas
    for t, (x, y) in enumerate(batches, start=1):
        loss = F.cross_entropy(model(x).reshape(-1, 8), y.reshape(-1))
        gradients = torch.autograd.grad(loss, weights)
        norm = math.sqrt(sum((g**2).sum().item() for g in gradients))
        for i, (weight, g) in enumerate(zip(weights, gradients)):
            g = g * min(1.0, config.max_norm / norm)
            m[i] = beta1 * m[i] + (1 - beta1) * g
            v[i] = beta2 * v[i] + (1 - beta2) * g**2
            step = (m[i] / (1 - beta1**t)) / ((v[i] / (1 - beta2**t)).sqrt() + 1e-8)
            decay = config.weight_decay if weight.dim() == 2 else 0.0
            weight.data -= lr * (step + decay * weight.data)
    return loss.item(), norm, dict(zip(names, weights))


@pytest.mark.parametrize("max_norm", [1e9, 0.1])
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.5, 0.7)])
def test_steps_are_adamw_on_clipped_gradients_by_the_formula(max_norm, betas):
    model = fresh_model()
    config = replace(QUICK, max_norm=max_norm, betas=betas)
    batches = [some_batch(seed=seed) for seed in range(3)]
    loss, norm, after = adamw_by_hand(model, batches, 1e-3, config)
    optimizer = make_optimizer(model, config)
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    for batch in batches:
        result = train_step(model, optimizer, [batch], max_norm)
    assert result == pytest.approx((loss, norm), rel=1e-4)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.double(), after[name].data, atol=2e-5, rtol=0, msg=name)


def test_clipping_shortens_long_gradients_to_max_norm_and_leaves_short_ones():
    for max_norm, shortened in ((0.05, True), (50.0, False)):
        model = fresh_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        before = weights_of(model)
        _, norm = train_step(model, optimizer, [some_batch()], max_norm)
        moved = sum(((before[n] - w) ** 2).sum().item() for n, w in model.named_parameters())
        assert norm > 0.05
        assert math.sqrt(moved) == pytest.approx(0.05 if shortened else norm, rel=1e-3)


def test_stale_gradients_are_cleared_first():
    steps = []
    for stale in (False, True):
        model = fresh_model()
        if stale:
            cross_entropy(model(some_batch(seed=5)[0]), some_batch(seed=6)[0]).backward()
        train_step(model, torch.optim.SGD(model.parameters(), lr=1.0), [some_batch()], 1e9)
        steps.append(weights_of(model))
    assert_same_bits(*steps)


@pytest.mark.parametrize("ragged", [False, True])
def test_accumulated_micro_batches_equal_one_big_batch(ragged):
    x, y = some_batch(rows=8)
    if ragged:  # rows of documents end early: micro-batches then hold different numbers of targets
        for row, length in enumerate((16, 15, 16, 14, 2, 1, 3, 2)):
            y[row, length:] = -100
    whole, parts = fresh_model(), fresh_model()
    sgd = torch.optim.SGD
    big = train_step(whole, sgd(whole.parameters(), lr=1.0), [(x, y)], 0.5)
    pieces = list(zip(x.split(2), y.split(2)))
    small = train_step(parts, sgd(parts.parameters(), lr=1.0), pieces, 0.5)
    assert small == pytest.approx(big, rel=1e-5)
    for (name, first), second in zip(whole.named_parameters(), parts.parameters()):
        torch.testing.assert_close(first, second, atol=1e-6, rtol=0, msg=name)


def test_shares_add_up_to_one_and_count_only_targets():
    targets = [[[1, 2, 3, -100]], [[0, -100, -100, -100]], [[-100, 7, -100, -100]]]
    assert shares([(None, torch.tensor(y)) for y in targets]) == [3 / 5, 1 / 5, 1 / 5]


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


# --- Looking at the held-out loss -------------------------------------------------------------


def test_evaluation_is_the_mean_loss_over_all_targets_with_dropout_off(data):
    model = fresh_model(dropout=0.5).train()
    config = replace(QUICK, eval_batches=3)
    generator = torch.Generator().manual_seed(config.seed + 1)
    batches = [data.batch("val", 16, 4, generator) for _ in range(3)]
    model.eval()
    x, y = (torch.cat(part) for part in zip(*batches))
    expected = F.cross_entropy(model(x).flatten(0, 1), y.flatten()).item()
    model.train()
    assert evaluate(model, data, config) == pytest.approx(expected, rel=1e-6)
    assert model.training
    assert evaluate(model, data, config) == evaluate(model, data, config)
    assert evaluate(model, data, config, "train") != evaluate(model, data, config)


def test_evaluation_of_documents_weighs_tokens_and_not_batches():
    ids = np.array(([0] + [1] * 3 + [0] + [2] * 12) * 8 + [0], dtype=np.uint16)
    starts = np.flatnonzero(ids == 0)[:-1]
    documents = Data("documents", SimpleNamespace(vocab_size=8), ids, ids, starts, starts)
    model, config = fresh_model().eval(), replace(QUICK, eval_batches=5, batch_size=1)
    generator = torch.Generator().manual_seed(config.seed + 1)
    losses = []
    for _ in range(5):
        x, y = documents.batch("val", 16, 1, generator)
        losses += F.cross_entropy(model(x)[0], y[0], reduction="none")[y[0] >= 0].tolist()
    assert len({len(losses) % 16}) == 1
    assert evaluate(model, documents, config) == pytest.approx(np.mean(losses), rel=1e-5)


def test_evaluation_leaves_the_random_state_and_a_failing_model_as_they_were(data, monkeypatch):
    model = fresh_model(dropout=0.5).train()
    before = torch.get_rng_state()
    evaluate(model, data, QUICK)
    assert torch.equal(torch.get_rng_state(), before)

    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(model, "features", fail)
    with pytest.raises(RuntimeError):
        evaluate(model, data, QUICK)
    assert model.training


def test_looking_often_changes_nothing_in_the_run(data):
    weights = []
    for interval in (1, 1000):
        model = fresh_model(dropout=0.2)
        history = train(model, data, QUICK, eval_interval=interval, progress=False)
        weights.append(weights_of(model))
        looks = [record.step for record in history if record.val_loss is not None]
        assert looks == (list(range(12)) if interval == 1 else [11])
    assert_same_bits(*weights)


def test_samples_drawn_along_the_way_change_nothing_in_the_run(data):
    weights = []
    for length in (0, 3):
        model = fresh_model(dropout=0.2)

        def watch(record, model=model, length=length):
            generate(model, torch.zeros(1, 1, dtype=torch.int64), length)

        train(model, data, QUICK, on_step=watch, progress=False)
        weights.append(weights_of(model))
    assert_same_bits(*weights)


# --- The run ----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_loss_falls_to_near_the_known_entropy(data, optimizer):
    model = fresh_model()
    config = replace(QUICK, max_steps=150, batch_size=16, warmup_steps=10, eval_interval=50)
    history = train(model, data, config, optimizer=optimizer, progress=False)
    assert history[0].loss == pytest.approx(math.log(8), abs=0.1)
    held_out = evaluate(model, data, replace(config, eval_batches=20))
    assert ENTROPY * 0.98 < held_out < ENTROPY * 1.03
    assert history[-1].val_loss < history[49].val_loss < history[0].loss


def test_the_history_tells_what_happened(data):
    seen = []
    history = train(fresh_model(), data, QUICK, on_step=seen.append, progress=False)
    assert history == seen
    assert [record.step for record in history] == list(range(12))
    looks = [record.step for record in history if record.val_loss is not None]
    assert looks == [4, 9, 11], "every fifth step and the last"
    assert all(record.tokens_per_second > 0 and record.grad_norm > 0 for record in history)


def test_the_seed_fixes_the_run_and_another_seed_is_another_run(data):
    def run(seed):
        model = fresh_model(dropout=0.2)
        train(model, data, QUICK, seed=seed, progress=False)
        return weights_of(model)

    assert_same_bits(run(1), run(1))
    first, second = run(1), run(2)
    assert not torch.equal(first["transformer.wte.weight"], second["transformer.wte.weight"])


def test_the_run_does_not_depend_on_the_global_random_state_nor_change_it(data):
    weights = []
    for seed in (1, 2):
        model = fresh_model(dropout=0.2)
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        train(model, data, QUICK, progress=False)
        assert torch.equal(torch.get_rng_state(), before)
        weights.append(weights_of(model))
    assert_same_bits(*weights)


def test_dropout_is_on_while_training_and_off_afterwards(data):
    model = fresh_model(dropout=0.2).eval()
    modes = []
    train(model, data, QUICK, on_step=lambda _: modes.append(model.training), progress=False)
    assert modes == [True] * 12
    assert not any(module.training for module in model.modules()), "ready to use"


def test_accumulation_draws_more_batches_for_each_step(data):
    drawn = []

    class Spy(Data):
        def batch(self, split, *arguments):
            drawn.append(split)
            return super().batch(split, *arguments)

    spy = Spy(**{name: getattr(data, name) for name in data.__dataclass_fields__})
    train(fresh_model(), spy, QUICK, accumulation_steps=3, max_steps=4, progress=False)
    assert drawn[:2] == ["train", "val"], "one row of each, to see that they fit"
    assert drawn[2:] == ["train"] * 12 + ["val"] * 2


def test_a_shorter_window_than_the_models_may_be_chosen(data):
    model = fresh_model()
    before = model.transformer.wpe.weight[8:].detach().clone()
    train(model, data, QUICK, block_size=8, weight_decay=0.0, progress=False)
    assert torch.equal(model.transformer.wpe.weight[8:], before), "positions never seen"


def test_bf16_stays_close_to_fp32(data):
    losses = {}
    for precision in ("fp32", "bf16"):
        model = fresh_model()
        history = train(model, data, QUICK, precision=precision, max_steps=40, progress=False)
        losses[precision] = [record.loss for record in history]
        assert all(weight.dtype == torch.float32 for weight in model.parameters())
    assert losses["bf16"] != losses["fp32"]
    assert losses["bf16"] == pytest.approx(losses["fp32"], abs=0.03)


def test_changes_replace_fields_of_the_configuration(data):
    assert len(train(fresh_model(), data, QUICK, max_steps=4, progress=False)) == 4
    with pytest.raises(ValueError, match="max_steps is 0"):
        train(fresh_model(), data, QUICK, max_steps=0)
    with pytest.raises(TypeError, match="max_step"):
        train(fresh_model(), data, QUICK, max_step=4)


def test_progress_false_prints_nothing(data, capfd):
    train(fresh_model(), data, QUICK, progress=False)
    assert capfd.readouterr() == ("", "")


def test_progress_names_the_device_the_loss_the_speed_and_the_time_left(data, capfd):
    train(fresh_model(), data, QUICK)
    out, err = capfd.readouterr()
    assert out.strip() == f"Training on {describe_device(torch.device('cpu'), 'fp32')}."
    assert "12/12" in err
    assert "loss=" in err
    assert "tokens/s=" in err
    assert "val=" in err


def test_training_works_from_a_thread(data):
    model, results = fresh_model(dropout=0.2), []
    expected = fresh_model(dropout=0.2)
    train(expected, data, QUICK, progress=False)
    thread = threading.Thread(
        target=lambda: results.append(train(model, data, QUICK, progress=False))
    )
    thread.start()
    thread.join(timeout=60)
    assert len(results[0]) == 12
    assert_same_bits(weights_of(model), weights_of(expected))


def test_weights_that_are_transposed_views_of_a_mapped_file_train_and_resume(data, tmp_path):
    """As `from_pretrained` leaves them: the file holds (in, out), nn.Linear shows (out, in)."""
    source = fresh_model(dropout=0.2)
    path = tmp_path / "model.safetensors"
    turned = {
        name: weight.t().contiguous() if ".c_" in name and weight.dim() == 2 else weight
        for name, weight in weights_of(source).items()
    }
    save_file(turned, path)
    content = path.read_bytes()

    def mapped_model():
        model = fresh_model(dropout=0.2)
        with safe_open(path, framework="pt") as file:
            for name in turned:
                owner, kind = model.get_submodule(name.rpartition(".")[0]), name.split(".")[-1]
                tensor = file.get_tensor(name)
                tensor = tensor.t() if ".c_" in name and tensor.dim() == 2 else tensor
                setattr(owner, kind, nn.Parameter(tensor))
        model.lm_head.weight = model.transformer.wte.weight
        return model

    plain, mapped, resumed = source, mapped_model(), mapped_model()
    assert not mapped.transformer.h[0].mlp.c_fc.weight.is_contiguous()
    train(plain, data, QUICK, progress=False)
    train(mapped, data, QUICK, progress=False)
    for (name, first), second in zip(plain.named_parameters(), mapped.parameters()):
        torch.testing.assert_close(first, second, atol=1e-4, rtol=0, msg=name)
    run = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(resumed, data, QUICK, checkpoint=run, progress=False, on_step=interrupt_twice_at(7))
    resumed = mapped_model()
    train(resumed, data, QUICK, checkpoint=run, resume=True, progress=False)
    assert_same_bits(weights_of(resumed), weights_of(mapped))
    assert path.read_bytes() == content, "the file that the weights came from is untouched"


# --- Ending early -----------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def a_heard_ctrl_c():
    """Whoever runs the tests in the background has Ctrl-C ignored; here it is always heard."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


def interrupt_at(step: int):
    return lambda record: signal.raise_signal(signal.SIGINT) if record.step == step else None


def interrupt_twice_at(step: int):
    def interrupt(record):
        if record.step == step:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    return interrupt


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_ctrl_c_ends_after_the_step_saves_and_the_run_goes_on_bit_for_bit(
    data, optimizer, tmp_path, capfd
):
    settings = {"optimizer": optimizer, "accumulation_steps": 2}
    whole = fresh_model(dropout=0.2)
    expected = train(whole, data, QUICK, progress=False, **settings)
    path = tmp_path / "run.safetensors"
    settings |= {"checkpoint": path}
    model = fresh_model(dropout=0.2)
    history = train(model, data, QUICK, on_step=interrupt_at(5), **settings)
    assert len(history) == len(checkpoints.read_notes(path)["history"]) == 6
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not model.training
    words = capfd.readouterr().out
    assert f"Stopped after step 6 of 12; resume=True goes on from {path}." in words
    other = fresh_model(seed=99, dropout=0.2)  # its own weights are replaced
    history = train(other, data, QUICK, resume=True, progress=False, **settings)
    assert_same_bits(weights_of(other), weights_of(whole))
    assert without_speed(history) == without_speed(expected)


def test_ctrl_c_without_a_checkpoint_keeps_the_weights_so_far(data, capfd):
    model = fresh_model()
    assert len(train(model, data, QUICK, on_step=interrupt_at(2))) == 3
    assert "Stopped after step 3 of 12." in capfd.readouterr().out


def test_a_second_ctrl_c_cuts_at_once_and_leaves_everything_in_order(data, tmp_path):
    path = tmp_path / "run.safetensors"
    before = torch.get_rng_state()
    model = fresh_model()
    torch.set_rng_state(before)
    with pytest.raises(KeyboardInterrupt):
        train(model, data, QUICK, checkpoint=path, on_step=interrupt_twice_at(5), progress=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training
    assert len(checkpoints.read_notes(path)["history"]) == 4, "the last regular save"


def test_a_job_for_which_ctrl_c_is_ignored_goes_on_ignoring_it(data):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert len(train(fresh_model(), data, QUICK, on_step=interrupt_at(2), progress=False)) == 12
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_on_step_raising_leaves_signals_randomness_and_mode_in_order(data):
    def fail(record):
        torch.rand(3)
        if record.step == 3:
            raise KeyError("mine")

    model = fresh_model(dropout=0.2)
    before = torch.get_rng_state()
    with pytest.raises(KeyError, match="mine"):
        train(model, data, QUICK, on_step=fail, progress=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training


def test_a_loss_that_is_not_a_number_stops_the_run_with_the_last_good_checkpoint(data, tmp_path):
    path = tmp_path / "run.safetensors"
    model = fresh_model()

    def poison(record):
        if record.step == 5:
            with torch.no_grad():
                model.transformer.ln_f.weight.fill_(math.nan)

    with pytest.raises(FloatingPointError, match=r"loss is nan.*lower max_lr"):
        train(model, data, QUICK, checkpoint=path, on_step=poison, progress=False)
    assert len(checkpoints.read_notes(path)["history"]) == 4
    tensors = load_file(path)
    assert all(t.isfinite().all() for name, t in tensors.items() if name.startswith("model."))


def test_an_infinite_gradient_stops_the_run_before_it_reaches_the_weights(data, tmp_path):
    path = tmp_path / "run.safetensors"
    model = fresh_model()
    steps = []
    model.transformer.ln_f.weight.register_hook(
        lambda gradient: gradient * math.inf if len(steps) == 4 else gradient
    )
    with pytest.raises(FloatingPointError, match=r"gradient's norm (inf|nan)"):
        train(model, data, QUICK, checkpoint=path, on_step=steps.append, progress=False)
    assert all(weight.isfinite().all() for weight in model.parameters())
    saved = load_file(path)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, saved[f"model.{name}"]), name


# --- Killing and resuming ---------------------------------------------------------------------

CHILD = """
import os, runpy, signal, sys, torch
torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)
if log:
    for number in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
tests = runpy.run_path(test_file)
model = tests["fresh_model"](dropout=0.2)
tests["train"](model, tests["toy_data"](), tests["QUICK"], checkpoint=checkpoint, resume=True,
               progress=bool(log), on_step=lambda record: report(record.step), **settings)
report("done")
"""
# A fork server imports PyTorch once for all these processes; Windows has none, so fewer there.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
KILLS = 10 if METHOD == "forkserver" else 3
KILL_SETTINGS = {
    "max_steps": 60,
    "accumulation_steps": 2,
    "checkpoint_interval": 2,
    "eval_interval": 10,
}


def launch(tmp_path, checkpoint, settings, log=""):
    """Start a training process whose steps are reported through a pipe."""
    context = multiprocessing.get_context(METHOD)
    if METHOD == "forkserver":
        context.set_forkserver_preload(
            ["minigpt.training", "minigpt.sampling", "pytest", "torch._dynamo"]
        )
    receiver, sender = context.Pipe(duplex=False)
    script = tmp_path / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    given = {
        "test_file": __file__,
        "checkpoint": str(checkpoint),
        "settings": settings,
        "log": str(log),
        "report": sender.send,
    }
    child = context.Process(
        target=runpy.run_path, args=(str(script),), kwargs={"init_globals": given}, daemon=True
    )
    child.start()
    sender.close()
    return child, receiver


def wait_for(receiver, wanted) -> list:
    """Read the reports of a training process until the wanted one."""
    reports = []
    while not reports or reports[-1] != wanted:
        assert receiver.poll(60), "the run stands still"
        reports.append(receiver.recv())
    return reports


def run_to_the_end(tmp_path, checkpoint, settings) -> list:
    child, receiver = launch(tmp_path, checkpoint, settings)
    reports = wait_for(receiver, "done")
    child.join(60)
    assert child.exitcode == 0
    return reports


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_killed_at_ten_random_moments_a_run_ends_with_the_same_bits(optimizer, tmp_path):
    settings = KILL_SETTINGS | {"optimizer": optimizer}
    whole = tmp_path / "whole.safetensors"
    assert run_to_the_end(tmp_path, whole, settings) == [*range(60), "done"]
    chance = random.Random(0)
    path = tmp_path / "killed.safetensors"
    for _ in range(KILLS):
        child, receiver = launch(tmp_path, path, settings)
        for _ in range(chance.randint(1, 7)):
            assert receiver.poll(60), "the run stands still"
            receiver.recv()
        child.join(chance.random() * 0.01)  # somewhere in a step, or in the middle of a save
        child.kill()
        child.join(60)
        assert child.exitcode != 0, "it was killed, it had not ended"
    remaining = run_to_the_end(tmp_path, path, settings)
    assert remaining[0] > 0, "it went on, it did not start again"
    assert_same_bits(load_file(whole), load_file(path))  # weights, optimizer, random states
    histories = [checkpoints.read_notes(p)["history"] for p in (whole, path)]
    assert len(histories[0]) == 60
    for one, other in zip(*histories):
        assert one | {"tokens_per_second": 0} == other | {"tokens_per_second": 0}


@pytest.mark.elsewhere
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no Ctrl-C to one process")
def test_ctrl_c_in_another_process_ends_it_cleanly(tmp_path):
    settings = KILL_SETTINGS | {"max_steps": 2000, "checkpoint_interval": 1000}
    path, log = tmp_path / "run.safetensors", tmp_path / "log.txt"
    child, receiver = launch(tmp_path, path, settings, log)
    wait_for(receiver, 7)
    os.kill(child.pid, signal.SIGINT)
    *_, last, _ = 7, *wait_for(receiver, "done")  # train() returned, and the program went on
    child.join(60)
    assert child.exitcode == 0
    assert 7 <= last < 1999
    assert len(checkpoints.read_notes(path)["history"]) == last + 1
    words = log.read_text(encoding="utf-8")
    assert "Traceback" not in words
    assert f"Stopped after step {last + 1} of 2000; resume=True goes on from {path}." in words


# --- What a checkpoint is for, and what it refuses --------------------------------------------


def saved_run(path, data, **changes) -> GPT:
    model = fresh_model()
    train(model, data, QUICK, checkpoint=path, progress=False, **changes)
    return model


def test_checkpoints_are_written_at_the_interval_and_at_the_end(data, tmp_path, monkeypatch):
    saved = []

    def spy(path, *arguments):
        saved.append(len(arguments[-1]["history"]))
        save_checkpoint(path, *arguments)

    monkeypatch.setattr(loop, "save_checkpoint", spy)
    saved_run(tmp_path / "run.safetensors", data, max_steps=10)
    assert saved == [4, 8, 10]


def test_an_existing_run_is_not_overwritten(data, tmp_path):
    path = tmp_path / "run.safetensors"
    saved_run(path, data)
    content = path.read_bytes()
    model = fresh_model()
    before = weights_of(model)
    with pytest.raises(ValueError, match=r"holds a run already; resume=True continues it"):
        train(model, data, QUICK, checkpoint=path, progress=False)
    assert path.read_bytes() == content
    assert_same_bits(weights_of(model), before)


def test_resume_without_a_path_is_refused(data):
    with pytest.raises(ValueError, match="the path to resume from"):
        train(fresh_model(), data, QUICK, resume=True, progress=False)


def test_resume_of_a_run_that_was_never_saved_starts_it(data, tmp_path):
    path = tmp_path / "new folder" / "run.safetensors"
    history = train(fresh_model(), data, QUICK, checkpoint=path, resume=True, progress=False)
    assert len(history) == 12
    assert path.exists()


def test_a_folder_is_no_checkpoint(data, tmp_path):
    for resume in (True, False):
        with pytest.raises(ValueError, match="a file, not a folder"):
            train(fresh_model(), data, QUICK, checkpoint=tmp_path, resume=resume, progress=False)


def test_a_finished_run_returns_its_history_and_weights_at_once(data, tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    model = fresh_model()
    history = train(model, data, QUICK, checkpoint=path, progress=False)
    content = path.read_bytes()
    monkeypatch.setattr(loop, "train_step", None)
    monkeypatch.setattr(loop, "evaluate", None)
    other = fresh_model(seed=5)
    again = train(other, data, QUICK, checkpoint=path, resume=True, progress=False)
    assert again == history
    assert_same_bits(weights_of(other), weights_of(model))
    assert path.read_bytes() == content


def test_a_finished_run_goes_on_when_max_steps_is_raised(data, tmp_path):
    path = tmp_path / "run.safetensors"
    saved_run(path, data)
    steps = []
    longer = replace(QUICK, max_steps=20)
    history = train(fresh_model(), data, longer, checkpoint=path, resume=True, progress=False,
                    on_step=lambda record: steps.append(record.step))  # fmt: skip
    assert steps == list(range(12, 20))
    assert [record.step for record in history] == list(range(20))
    assert history[-1].lr == lr_schedule(19, max_lr=1e-2, min_lr=1e-3, warmup_steps=3, max_steps=20)


@pytest.mark.parametrize(
    "changes", [{"eval_interval": 2}, {"eval_batches": 3}, {"checkpoint_interval": 1},
                {"device": "auto"}, {"max_steps": 6}]
)  # fmt: skip
def test_how_we_look_and_where_may_change_on_resume(data, tmp_path, no_gpu, changes):
    path = tmp_path / "run.safetensors"
    saved_run(path, data)
    history = train(
        fresh_model(), data, QUICK, checkpoint=path, resume=True, progress=False, **changes
    )
    assert len(history) == 12


OTHER_SETTINGS = [
    {"batch_size": 5}, {"block_size": 8}, {"accumulation_steps": 2}, {"optimizer": "muon"},
    {"max_lr": 2e-2}, {"min_lr": 0.0}, {"warmup_steps": 4}, {"weight_decay": 0.0},
    {"betas": (0.9, 0.95)}, {"max_norm": 2.0}, {"precision": "bf16"}, {"seed": 1},
]  # fmt: skip


@pytest.fixture(scope="module")
def a_run(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.safetensors"
    saved_run(path, data)
    return path


def refused_without_a_trace(model, data, config, path, words):
    """Resuming raises a ValueError with these words, and nothing has changed."""
    before, content = weights_of(model), path.read_bytes()
    random_state = torch.get_rng_state()
    with pytest.raises(ValueError, match=words):
        train(model, data, config, checkpoint=path, resume=True, progress=False)
    assert_same_bits(weights_of(model), before)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("changes", OTHER_SETTINGS)
def test_other_settings_are_refused_by_name(data, a_run, changes):
    ((name, value),) = changes.items()
    value = list(value) if isinstance(value, tuple) else value
    words = rf"made with training {name}=.*, not {value!r}; resume with the same".replace(
        "[", r"\["
    )
    refused_without_a_trace(fresh_model(), data, replace(QUICK, **changes), a_run, words)


@pytest.mark.parametrize("changes", [{"n_layer": 1}, {"n_embd": 32}, {"dropout": 0.1},
                                     {"vocab_size": 9}, {"bias": False}])  # fmt: skip
def test_another_model_is_refused_by_name(data, a_run, changes):
    ((name, value),) = changes.items()
    words = f"made with model {name}=.*, not {value!r}"
    refused_without_a_trace(fresh_model(**changes), data, QUICK, a_run, words)


def test_other_data_are_refused_by_name(a_run):
    words = "made with data name='toy', not 'other'"
    refused_without_a_trace(fresh_model(), toy_data("other"), QUICK, a_run, words)
    words = "made with data train_tokens=3600, not 2700"
    refused_without_a_trace(fresh_model(), toy_data(length=3000), QUICK, a_run, words)


@pytest.mark.parametrize(
    "notes",
    [
        "", "{", "3", "null", '"text"', "[1]", "{}",
        '{"history": 3, "model": {}, "data": {}, "training": {}}',
        '{"history": [3], "model": {}, "data": {}, "training": {}}',
        '{"history": [{}], "model": {}, "data": {}, "training": {}}',
        '{"history": [{"step": 1, "nonsense": 2}], "model": {}, "data": {}, "training": {}}',
        '{"history": [], "model": 3, "data": {}, "training": {}}',
        '{"history": [], "data": {}, "training": {}}',
    ],
)  # fmt: skip
def test_malformed_notes_are_refused(data, a_run, tmp_path, notes):
    path = tmp_path / "malformed.safetensors"
    save_file(load_file(a_run), path, {"format": checkpoints.FORMAT, "notes": notes})
    refused_without_a_trace(fresh_model(), data, QUICK, path, "is damaged: its notes")


def test_missing_settings_in_the_notes_are_refused(data, a_run, tmp_path):
    path = tmp_path / "malformed.safetensors"
    notes = '{"history": [], "model": {}, "data": {}, "training": {}}'
    save_file(load_file(a_run), path, {"format": checkpoints.FORMAT, "notes": notes})
    words = "made with model vocab_size=None, not 8"
    refused_without_a_trace(fresh_model(), data, QUICK, path, words)


def test_training_on_data_with_more_ids_than_the_model_is_refused():
    data = toy_data(tokenizer=SimpleNamespace(vocab_size=9))
    with pytest.raises(ValueError, match=r"9 token ids and the model 8; .*vocab_size=9"):
        train(fresh_model(), data, QUICK, progress=False)


def test_a_window_longer_than_the_model_sees_is_refused(data):
    with pytest.raises(ValueError, match="block_size is 17; this model sees at most 16"):
        train(fresh_model(), data, QUICK, block_size=17, progress=False)


def test_held_out_text_that_is_too_short_is_refused_at_once_and_not_at_the_first_look():
    model = fresh_model()
    before = weights_of(model)
    with pytest.raises(ValueError, match="16"):
        train(model, toy_data(length=160), QUICK, progress=False)  # 16 tokens are held out
    assert_same_bits(weights_of(model), before)
    assert model.training


def test_a_failing_save_stops_the_run_and_leaves_the_last_checkpoint(data, tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    calls = []

    def disk_full(tensors, file, notes):
        calls.append(1)
        if len(calls) == 1:
            return save_file(tensors, file, notes)
        with open(file, "wb") as half:
            half.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints, "save_file", disk_full)
    with pytest.raises(OSError, match="disk full"):
        train(fresh_model(), data, QUICK, checkpoint=path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]
    monkeypatch.undo()
    resumed, whole = fresh_model(), fresh_model()
    train(resumed, data, QUICK, checkpoint=path, resume=True, progress=False)
    train(whole, data, QUICK, progress=False)
    assert_same_bits(weights_of(resumed), weights_of(whole))


# --- The configuration ------------------------------------------------------------------------

BAD_CONFIGS = [
    *(({name: value}, "a whole number of at least 1")
      for name in ("max_steps", "batch_size", "block_size", "accumulation_steps", "eval_interval",
                   "eval_batches", "checkpoint_interval")
      for value in (0, -1, 1.5, "8", True, math.nan)),
    *(({name: value}, "a whole number of at least 0")
      for name in ("warmup_steps", "seed") for value in (-1, 1.5, "8", True, None)),
    *(({name: value}, "finite, at least 0")
      for name in ("max_lr", "min_lr", "weight_decay")
      for value in (-1e-3, math.nan, math.inf, "1e-3", True, None)
      if (name, value) != ("max_lr", None)),  # then it is what suits the optimizer
    *(({"max_norm": value}, "above 0") for value in (0, -1, math.nan, "1", None, True)),
    *(({"betas": value}, "two numbers, each at least 0 and below 1")
      for value in (0.9, (0.9,), (0.9, 1.0), (-0.1, 0.9), (0.9, math.nan), ("a", "b"), None,
                    (0.9, 0.9, 0.9))),
    *(({"optimizer": value}, "adamw or muon") for value in ("sgd", "AdamW", None)),
    *(({"precision": value}, "auto, fp32 or bf16") for value in ("fp16", None, 32)),
    *(({"device": value}, "a name") for value in (None, 0, torch.device("cpu"))),
    ({"max_steps": None}, "a whole number"),
    ({"warmup_steps": 1000}, "below max_steps=1000"),
    ({"min_lr": 1e-2}, "at most max_lr=0.001"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "accepted"), BAD_CONFIGS)
def test_a_bad_setting_is_refused_with_its_value_and_what_is_accepted(bad, accepted):
    ((name, value),) = bad.items()
    with pytest.raises(ValueError) as error:
        TrainConfig(**bad)
    assert f"{name} is {value!r}; it must be" in str(error.value)
    assert accepted in str(error.value)


@pytest.mark.parametrize(
    "good",
    [{"warmup_steps": 0}, {"weight_decay": 0}, {"min_lr": 0}, {"max_norm": math.inf},
     {"max_lr": 1, "min_lr": 1}, {"betas": [0.9, 0.95]}, {"block_size": None}, {"seed": 0}],
)  # fmt: skip
def test_the_edges_of_what_is_accepted(good):
    assert asdict(TrainConfig(**good)).items() >= good.items()


# --- Devices and precision --------------------------------------------------------------------


def test_auto_is_the_cpu_where_there_is_no_gpu(no_gpu):
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")


def test_auto_is_an_nvidia_gpu_where_there_is_one(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match=r"'cuda:2', but this machine has only: 1 cpu, 2 cuda"):
        choose_device("cuda:2")


def test_apples_gpu_is_used_only_when_asked_for_and_offered(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cpu")
    assert choose_device("mps") == torch.device("mps")
    assert "device='mps'" in describe_device(torch.device("cpu"), "fp32")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "meta", "xpu"])
def test_an_absent_device_is_refused(no_gpu, name):
    with pytest.raises(ValueError, match=f"device is '{name}'.*only: 1 cpu"):
        choose_device(name)


@pytest.mark.parametrize("name", ["gpu", "CPU", "", "nonsense:0", None, 1.5, True])
def test_a_device_that_does_not_exist_is_refused(no_gpu, name):
    with pytest.raises(ValueError, match=f"device is {name!r}; it must be auto, cpu, cuda or mps"):
        choose_device(name)


def test_a_run_on_an_absent_device_is_refused_before_anything_changes(no_gpu, data):
    model = fresh_model()
    with pytest.raises(ValueError, match="device is 'cuda'"):
        train(model, data, QUICK, device="cuda", progress=False)
    assert model.training


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True}, "bf16"),
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"avx2": True, "avx512_f": True}, "fp32"),
        ({}, "fp32"),
    ],
)
def test_auto_precision_is_bf16_where_the_cpu_multiplies_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert choose_precision("auto", torch.device("cpu")) == expected


def test_auto_precision_is_fp32_where_pytorch_cannot_tell(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_precision("auto", torch.device("cpu")) == "fp32"


@pytest.mark.parametrize("supported", [True, False])
def test_auto_precision_on_a_gpu_asks_the_gpu(monkeypatch, supported):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: supported)
    expected = "bf16" if supported else "fp32"
    assert choose_precision("auto", torch.device("cuda")) == expected


def test_a_precision_that_was_asked_for_is_taken(monkeypatch):
    monkeypatch.setattr(devices, "cpu_multiplies_bf16", lambda: False)
    for name in ("fp32", "bf16"):
        assert choose_precision(name, torch.device("cpu")) == name
    assert choose_precision("auto", torch.device("mps")) == "fp32"


def test_the_device_is_described_in_words(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA T4")
    assert describe_device(torch.device("cuda"), "fp32") == "NVIDIA T4 (cuda), fp32"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert describe_device(torch.device("cpu"), "bf16") == "the CPU with 3 threads, bf16"
