"""Compiled training gives the readable loss and gradients; without a compiler it says so."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from minigpt.speed import check_compiler, compiled
from minigpt.training import (
    TrainConfig,
    compiled_loss,
    make_optimizer,
    model_loss,
    train,
    train_step,
)
from tests.speed.compiler import needs_compiler
from tests.training.runs import fresh_model, toy_data

QUICK = TrainConfig(max_steps=12, batch_size=4, max_lr=1e-2, warmup_steps=3, eval_interval=12)


def a_batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(8, (4, 17), generator=torch.Generator().manual_seed(3))
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


@needs_compiler
@pytest.mark.parametrize(("precision", "close"), [("fp32", 1e-5), ("bf16", 2e-2)])
def test_a_compiled_step_gives_the_loss_and_the_gradients_of_the_readable_one(precision, close):
    figures, gradients = {}, {}
    for name, loss_of in (("readable", model_loss), ("compiled", compiled_loss())):
        model = fresh_model().train()
        optimizer = make_optimizer(model, replace(QUICK, max_lr=0.0, min_lr=0.0))
        figures[name] = train_step(model, optimizer, [a_batch()], 1.0, precision, loss_of)
        gradients[name] = torch.cat([p.grad.flatten() for p in model.parameters()])
    np.testing.assert_allclose(figures["compiled"], figures["readable"], rtol=close)
    torch.testing.assert_close(
        gradients["compiled"], gradients["readable"], rtol=0, atol=close * 0.1
    )


@needs_compiler
def test_a_compiled_run_learns_what_the_readable_one_learns(capfd):
    data = toy_data()
    histories = [
        train(fresh_model(), data, QUICK, precision="fp32", compile=on) for on in (False, True)
    ]
    readable, fast = ([record.loss for record in history] for history in histories)
    assert readable != fast, "the compiled loss was never used"
    np.testing.assert_allclose(fast, readable, rtol=1e-3)
    assert "first step compiles the model" in capfd.readouterr().out.replace("\n", " ")


@needs_compiler
def test_many_models_can_be_compiled_in_one_process():
    """PyTorch keeps eight versions of one function, and then quietly stops compiling it."""
    graphs = torch._dynamo.utils.counters["stats"]
    before = graphs["unique_graphs"]
    for width in range(1, 11):
        compiled(model_loss, backend="eager")(fresh_model(n_embd=2 * width), *a_batch())
    assert graphs["unique_graphs"] == before + 10


@needs_compiler
def test_a_function_keeps_its_defaults_and_what_it_closes_over():
    factor = torch.tensor(3.0)

    def scaled(x, plus=1.0, *, twice=2.0):
        return x * factor * twice + plus

    fast = compiled(scaled, backend="eager")
    x = torch.arange(4.0)
    assert torch.equal(fast(x), scaled(x))
    assert torch.equal(fast(x, 5.0, twice=0.5), scaled(x, 5.0, twice=0.5))


def test_without_a_compiler_a_run_is_refused_before_anything_changes(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    model = fresh_model()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(OSError, match="'no-such-compiler' was not found"):
        train(model, toy_data(), QUICK, compile=True, progress=False)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_missing_header_files_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda name: name)
    with pytest.raises(OSError, match="header files.*python3-dev"):
        check_compiler()


@needs_compiler
def test_compile_may_change_when_a_run_is_resumed(tmp_path):
    path, data = tmp_path / "run.safetensors", toy_data()
    train(fresh_model(), data, QUICK, checkpoint=path, progress=False)
    longer = replace(QUICK, max_steps=QUICK.max_steps + 2, compile=True)
    model = fresh_model()
    assert len(train(model, data, longer, checkpoint=path, resume=True, progress=False)) == 14
