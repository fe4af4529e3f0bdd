"""A run learns what can be learned, tells what happened, and disturbs nothing around it."""

import math
import signal
import threading
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from minigpt.data import Data
from minigpt.training import checkpoints, evaluate, loop, lr_schedule, train, train_step
from tests.training.runs import (
    ENTROPY,
    QUICK,
    assert_same_bits,
    fresh_model,
    interrupt_twice_at,
    weights_of,
)

# --- The run ----------------------------------------------------------------------------------


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


# --- What goes wrong on the way ---------------------------------------------------------------


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
    assert len(checkpoints.read_history(path)) == 4
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


def test_without_a_compiler_a_run_to_be_compiled_does_not_begin(data, monkeypatch, capfd):
    monkeypatch.setenv("CXX", "no-such-compiler")
    model = fresh_model().train()
    with pytest.raises(OSError, match="no-such-compiler"):
        train(model, data, QUICK, compile=True)
    assert model.training, "it was left as it was"
    assert capfd.readouterr() == ("", ""), "no bar, and no word of where it happens"
