"""The loss on held-out text: the mean over all targets, and looking at it changes nothing."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from minigpt.data import Data
from minigpt.sampling import generate
from minigpt.training import evaluate, train
from tests.training.runs import QUICK, assert_same_bits, fresh_model, weights_of


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
