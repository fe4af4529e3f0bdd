"""A run of several processes is the run of one: its weights, its losses, its checkpoint."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from minigpt.training import evaluate, train
from minigpt.training.checkpoints import read_history, records_in
from minigpt.training.loop import draw_batches
from minigpt.training.parallel import ShardedMuon
from minigpt.training.processes import ALONE, World
from tests.processes import loaded_by
from tests.training.runs import QUICK, fresh_model, toy_data
from tests.training.worlds import CALM, a_run, exact_muon, held_out, ragged_data, together

pytestmark = pytest.mark.thorough


def alone(ragged=False, exact=False, **settings):
    """The same run in this process."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "bfloat16", torch.Tensor.bfloat16)  # put back afterwards
        a_run(said.append, ragged=ragged, exact=exact, **settings)
    return said[-1]


def assert_same_run(one, other, within=1e-5):
    (history, weights), (others_history, others_weights) = one, other
    assert len(history) == len(others_history)
    for mine, yours in zip(history, others_history):
        assert mine.loss == pytest.approx(yours.loss, abs=within)
        assert mine.grad_norm == pytest.approx(yours.grad_norm, abs=10 * within)
        assert mine.val_loss == pytest.approx(yours.val_loss, abs=within)
    assert weights.keys() == others_weights.keys()
    for name, weight in weights.items():
        np.testing.assert_allclose(weight, others_weights[name], rtol=0, atol=within, err_msg=name)


SETTINGS = {
    "adamw": {"optimizer": "adamw"},
    "muon": {"optimizer": "muon", "exact": True},
    "accumulation": {"optimizer": "adamw", "accumulation_steps": 3},
    "unequal targets": {"optimizer": "adamw", "ragged": True, "accumulation_steps": 2},
    "muon, all at once": {"optimizer": "muon", "exact": True, "ragged": True, "batch_size": 5},
}


@pytest.mark.parametrize("sharded", [False, True], ids=["data-parallel", "sharded"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_two_processes_end_where_one_does(settings, sharded):
    first, second = together(a_run, 2, sharded=sharded, **settings)
    assert first[0] == second[0], "both tell the same history"
    for name, weight in first[1].items():
        np.testing.assert_array_equal(weight, second[1][name])
    assert_same_run(alone(**settings), first)


@pytest.mark.parametrize("sharded", [False, True], ids=["data-parallel", "sharded"])
def test_the_first_ones_weights_count(sharded):
    settings = {"optimizer": "adamw", "max_steps": 4}
    _, second = together(a_run, 2, sharded=sharded, own_start=True, **settings)
    assert_same_run(alone(**settings), second)


@pytest.mark.parametrize("sharded", [False, True], ids=["data-parallel", "sharded"])
def test_three_processes_with_rows_that_do_not_divide(sharded):
    settings = {"optimizer": "muon", "exact": True, "ragged": True, "batch_size": 4}
    answers = together(a_run, 3, sharded=sharded, **settings)
    assert_same_run(alone(**settings), answers[2])


@pytest.mark.parametrize("sharded", [False, True], ids=["data-parallel", "sharded"])
def test_the_held_out_loss_is_that_of_one_process(sharded):
    expected = evaluate(fresh_model(), ragged_data(), QUICK)
    assert together(held_out, 2, sharded=sharded) == pytest.approx([expected] * 2, abs=1e-6)


def test_muon_in_bf16_is_off_by_its_rounding_and_no_more():
    one, (two, _) = alone(optimizer="muon"), together(a_run, 2, optimizer="muon", sharded=True)
    assert_same_run(one, two, within=3e-3)


# --- Who reads and sends what -------------------------------------------------------------------


@pytest.mark.parametrize("make", [toy_data, ragged_data])
@pytest.mark.parametrize("size", [2, 3])
def test_together_they_have_every_window_once_and_nothing_else_is_read(make, size, monkeypatch):
    read = []

    def spy(array):
        if array.ndim == 2 and array.dtype == np.int64:
            read.append(len(array))
        return from_numpy(array)

    from_numpy = torch.from_numpy
    monkeypatch.setattr(torch, "from_numpy", spy)
    data = make()
    config = replace(QUICK, batch_size=7)

    def drawn(world):
        dice = torch.Generator().manual_seed(0)
        batches = draw_batches(fresh_model(), data, config, 3, dice, "train", world)
        return batches, dice.get_state()

    expected, state = drawn(ALONE)
    read.clear()
    parts = []
    for rank in range(size):
        part, after = drawn(World(rank, size))
        parts.append(part)
        assert torch.equal(after, state), "what is drawn next does not depend on their number"
    for number, (x, y) in enumerate(expected):
        for rank in range(size):
            mine_x, mine_y = parts[rank][number]
            assert torch.equal(mine_x, x[rank::size]) and torch.equal(mine_y, y[rank::size])
    assert sum(read) == 3 * 7, "each window was read by one of them"


def counting(report, sharded, accumulation_steps) -> None:
    """Count how many numbers are sent to exchange gradients, over a run of four steps."""
    sent = []
    if sharded:
        new, old = "reduce_scatter_single", "reduce_scatter_tensor"  # PyTorch renamed it
        name = new if hasattr(torch.distributed, new) else old
        reduce_scatter = getattr(torch.distributed, name)

        def spy(**given):
            sent.append(given["input"].numel())
            return reduce_scatter(**given)

        setattr(torch.distributed, name, spy)
    else:
        begin = DistributedDataParallel.__init__

        def hook(state, bucket):
            sent.append(bucket.buffer().numel())
            return allreduce_hook(None, bucket)

        def counted(self, *arguments, **more):
            begin(self, *arguments, **more)
            self.register_comm_hook(None, hook)

        DistributedDataParallel.__init__ = counted
    model = fresh_model()
    train(model, toy_data(), QUICK, max_steps=4, warmup_steps=0, progress=False,
          sharded=sharded, accumulation_steps=accumulation_steps, **CALM)  # fmt: skip
    report((sum(sent), model.num_parameters()))


@pytest.mark.parametrize("sharded", [False, True], ids=["data-parallel", "sharded"])
def test_gradients_are_exchanged_once_a_step_however_many_batches_it_adds_up(sharded):
    for accumulation_steps in (1, 3):
        sent, weights = together(
            counting, 2, sharded=sharded, accumulation_steps=accumulation_steps
        )[0]
        assert sent == 4 * weights


# --- Checkpoints --------------------------------------------------------------------------------


def test_the_checkpoint_is_the_same_whatever_the_number(tmp_path):
    paths = [tmp_path / f"{name}.safetensors" for name in ("one", "parallel", "sharded")]
    settings = {"optimizer": "muon", "exact": True, "dropout": 0.0}
    alone(checkpoint=paths[0], **settings)
    together(a_run, 2, checkpoint=paths[1], **settings)
    together(a_run, 3, checkpoint=paths[2], sharded=True, **settings)
    one, *others = (load_file(path) for path in paths)
    for other in others:
        assert one.keys() == other.keys()
        for name, tensor in one.items():
            assert (tensor.dtype, tensor.shape) == (other[name].dtype, other[name].shape)
            if name.startswith("random."):
                assert torch.equal(tensor, other[name]), name
            elif name == "history":
                both = [records_in(t) for t in (tensor, other[name])]
                assert [r.step for r in both[0]] == [r.step for r in both[1]]
            else:
                torch.testing.assert_close(tensor, other[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_goes_on_with_another_number_and_from_shards_and_back(tmp_path, optimizer):
    path = tmp_path / "run.safetensors"
    settings = {"optimizer": optimizer, "exact": True, "max_steps": 12, "ragged": True}

    def stopped_at(step):
        return settings | {"checkpoint": path, "resume": True, "stop_at": step}

    together(stopping_run, 2, **stopped_at(2))
    assert len(read_history(path)) == 3
    stopping_run(lambda _: None, **stopped_at(5))
    together(stopping_run, 3, sharded=True, **stopped_at(8))
    assert len(read_history(path)) == 9
    *_, last = together(a_run, 2, checkpoint=path, resume=True, **settings)
    assert len(last[0]) == 12
    assert_same_run(alone(**settings), last)


def stopping_run(report, stop_at, exact, ragged, **settings) -> None:
    """Stop as by Ctrl-C on the first process, after a step."""
    import signal

    bfloat16 = torch.Tensor.bfloat16
    exact_muon()

    def watch(record):
        if record.step == stop_at:
            signal.raise_signal(signal.SIGINT)

    settings = {"progress": False} | CALM | settings
    train(fresh_model(), ragged_data(), QUICK, on_step=watch, **settings)
    torch.Tensor.bfloat16 = bfloat16


def test_with_dropout_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    path = tmp_path / "run.safetensors"
    settings = {"dropout": 0.2, "optimizer": "adamw", "sharded": True}
    whole, _ = together(a_run, 2, **settings)
    together(a_run, 2, checkpoint=path, max_steps=12, checkpoint_interval=5, **settings)
    # As if killed after the tenth step: the checkpoint of the fifth is what is left.
    path.unlink()
    together(first_five, 2, checkpoint=path)
    again, _ = together(a_run, 2, checkpoint=path, resume=True, **settings)
    assert_same_run(whole, again)


def first_five(report, checkpoint) -> None:
    import signal

    def watch(record):
        if record.step == 4:
            signal.raise_signal(signal.SIGTERM)

    train(fresh_model(dropout=0.2), toy_data(), QUICK, on_step=watch, progress=False,
          checkpoint=checkpoint, sharded=True, **CALM)  # fmt: skip


def masking(report) -> None:
    """Tell which activations dropout took out in each step."""
    masks, model = [], fresh_model(dropout=0.5)

    def look(module, given, result):
        if module.training:
            masks.append((result == 0).numpy())

    model.transformer.drop.register_forward_hook(look)
    train(model, toy_data(), QUICK, max_steps=4, progress=False, **CALM)
    report(masks)


def test_dropout_differs_between_processes_and_between_steps():
    first, second = together(masking, 2)
    assert len(first) == len(second) == 4
    for one, other in zip(first, second):
        assert 0.4 < one.mean() < 0.6 and 0.4 < other.mean() < 0.6
        assert (one != other).mean() > 0.3
    assert (second[0] != second[1]).mean() > 0.3


# --- What is held -------------------------------------------------------------------------------


def holding(report, sharded) -> None:
    from minigpt.training import loop

    def spy(held):
        report(held)
        return describe(held)

    describe, loop.describe_memory = loop.describe_memory, spy
    train(fresh_model(), toy_data(), QUICK, max_steps=2, warmup_steps=0, sharded=sharded, **CALM)


@pytest.mark.parametrize(("sharded", "part"), [(False, 1.0), (True, 0.5)])
def test_each_process_holds_the_whole_or_its_part(sharded, part):
    held = together(holding, 2, sharded=sharded)[0]
    whole = 4 * fresh_model().num_parameters()
    assert len(held) == 2
    for sizes in held:
        assert sizes["weights"] == sizes["gradients"] == pytest.approx(whole * part, rel=0.01)
        assert sizes["optimizer"] == pytest.approx(2 * whole * part, rel=0.02)
        assert sizes["peak"] > 1e7


def test_one_update_of_sharded_muon_is_torchs(monkeypatch):
    config = {"weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw", "lr": 0.02}
    weights = [torch.nn.Parameter(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)))
               for _ in range(2)]  # fmt: skip
    optimizers = [kind([w], **config) for kind, w in zip((torch.optim.Muon, ShardedMuon), weights)]
    for step in range(3):
        for weight, optimizer in zip(weights, optimizers):
            weight.grad = torch.randn(6, 4, generator=torch.Generator().manual_seed(step))
            optimizer.step()
    torch.testing.assert_close(*weights)


def test_alone_nothing_of_several_processes_is_used(monkeypatch):
    def never(*_, **more):
        raise AssertionError("one process has nobody to talk to")

    for name in ("all_reduce", "broadcast", "init_process_group", "all_gather_object"):
        monkeypatch.setattr(torch.distributed, name, never)
    train(fresh_model(), toy_data(), QUICK, sharded=True, progress=False)
    assert not [m for m in loaded_by("import minigpt.training") if "torch.distributed.fsdp" in m]
