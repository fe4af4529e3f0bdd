"""Rows of pairs: the rule is in the row alone, and who looks it up is as good as can be."""

import pytest
import torch

from minigpt.evaluation.few_shot import accuracy_by_examples, best_accuracy, pair_rows
from minigpt.model import GPT
from tests.models import TINY, lively


class LookUp(torch.nn.Module):
    """The best reader, written down: what followed the same token last."""

    def forward(self, idx):
        logits = torch.zeros(*idx.shape, 64)
        for row, ids in enumerate(idx.tolist()):
            for t, token in enumerate(ids):
                before = [s for s in range(t) if ids[s] == token and s + 1 <= t]
                if before:
                    logits[row, t, ids[before[-1] + 1]] = 1.0
        return logits


@pytest.fixture(scope="module")
def rows():
    return pair_rows(300, torch.Generator().manual_seed(0), pairs=12)


def test_each_row_has_a_rule_of_its_own(rows):
    rules = [{*zip(row[::2], row[1::2])} for row in rows.tolist()]
    for rule in rules:
        assert len({key for key, _ in rule}) == len({value for _, value in rule}) == len(rule) <= 8
        assert not {key for key, _ in rule} & {value for _, value in rule}
    assert len({frozenset(rule) for rule in rules}) == len(rules)


def test_who_looks_up_is_as_good_as_can_be(rows):
    got, best = accuracy_by_examples(LookUp(), rows), best_accuracy(12)
    assert got == pytest.approx(best, abs=0.1)
    assert got[0] < 0.05 and got[-1] > 0.7


def test_who_cannot_look_back_gains_nothing():
    model = lively(GPT(TINY))
    rows = pair_rows(200, torch.Generator().manual_seed(0), vocab_size=37, keys=4, pairs=6)
    assert accuracy_by_examples(model, rows).max() < 0.3


@pytest.mark.parametrize("sizes", [dict(count=0), dict(keys=0), dict(pairs=0), dict(keys=40)])
def test_sizes_that_make_no_rows_are_refused(sizes):
    with pytest.raises(ValueError, match=r"count|keys|pairs|64 ids are too few for 40 keys"):
        pair_rows(**({"count": 2, "generator": torch.Generator()} | sizes))
