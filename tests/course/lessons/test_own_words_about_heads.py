"""Known mistakes of lesson 09, in a learner's own way of writing: named all the same."""

import pytest
import torch
from torch.nn import functional as F

from minigpt.course.checking import diagnose
from minigpt.interpret import head_scores


def scores_of_the_package(patterns, idx):
    scores = [head_scores(patterns[b], idx[b])["induction"] for b in range(idx.size(0))]
    return torch.nanmean(torch.stack(scores), 0)


def offset_by_a_loop(patterns, offset):
    T, total = patterns.size(-1), 0
    for t in range(offset, T):
        total = total + patterns[..., t, t - offset]
    return total / (T - offset)


@torch.no_grad()
def lens_by_the_head_alone(model, stream, answers):
    rows = torch.arange(len(answers))
    return torch.stack([(x > x[rows, answers][:, None]).sum(-1) for x in model.lm_head(stream)])


def a_norm_for_each(parts, weight, bias, direction, eps=1e-5):
    normed = [F.layer_norm(part, (parts.size(1),), weight, bias, eps) for part in parts]
    return torch.stack([torch.dot(each, direction) for each in normed])


def two_samples(before, after):
    rise, n = after.mean(-1) - before.mean(-1), before.size(-1)
    error = torch.sqrt(before.var(-1) / n + after.var(-1) / n)
    return torch.stack([rise - 1.96 * error, rise + 1.96 * error], -1)


def rows_cut(weight, bias, heads, means):
    cut, hs = weight.clone(), means.size(1)
    for head in heads:
        cut[head * hs : (head + 1) * hs] = 0
    return cut, bias


OWN = {
    "induction_score": (scores_of_the_package, "head_scores-of-each-text"),
    "offset_score": (offset_by_a_loop, "first-token-counted"),
    "lens_rank": (lens_by_the_head_alone, "no-final-norm"),
    "direct_attribution": (a_norm_for_each, "a-whole-norm-each"),
    "paired_interval": (two_samples, "unpaired"),
    "fold_means": (rows_cut, "rows-and-bias-as-it-was"),
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("seed", (0, 7))
def test_it_is_named(name, seed):
    answer, mistake = OWN[name]
    diagnosis = diagnose(name, answer, seed)
    assert not diagnosis.passed and diagnosis.certain
    assert diagnosis.misconception == mistake
