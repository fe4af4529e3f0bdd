"""What single attention heads do: patterns that are known by name.

A score says what a head looks at. Whether the model needs it: minigpt.interpret.ablation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from minigpt.interpret.patterns import attention_patterns
from minigpt.model import GPT

CLEAR = 0.4  # a head with this score or more does little else
FEWEST = 5  # positions; with less to judge by, chance looks like skill


def previous_targets(ids: Tensor) -> Tensor:
    """Mark the token before each: ids (T,) -> (T, T) bool, a row for each token that looks.

    >>> previous_targets(torch.tensor([7, 8, 9, 7])).int().tolist()
    [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    """
    targets = torch.ones(len(ids), len(ids), dtype=torch.bool, device=ids.device)
    targets = targets.tril(-1).triu(-1)
    targets[:, 0] = False  # to look there can have another reason
    return targets


def first_targets(ids: Tensor) -> Tensor:
    """Mark the first token, for all tokens but itself: ids (T,) -> (T, T) bool."""
    targets = torch.zeros(len(ids), len(ids), dtype=torch.bool, device=ids.device)
    targets[1:, 0] = True
    return targets


def duplicate_targets(ids: Tensor) -> Tensor:
    """Mark where the same token stood before: ids (T,) -> (T, T) bool.

    >>> duplicate_targets(torch.tensor([9, 7, 8, 7])).int()[3].tolist()
    [0, 1, 0, 0]
    """
    targets = (ids[:, None] == ids).tril(-1)
    targets[:, 0] = False  # to look there can have another reason
    return targets


def induction_targets(ids: Tensor) -> Tensor:
    """Mark what came after the same token before, which is likely to come again.

    ids (T,) -> (T, T) bool. Source: Olsson et al. 2022, "In-context Learning and Induction Heads".

    >>> induction_targets(torch.tensor([9, 7, 8, 7])).int()[3].tolist()
    [0, 0, 1, 0]
    """
    targets = torch.zeros(len(ids), len(ids), dtype=torch.bool, device=ids.device)
    targets[:, 1:] = (ids[:, None] == ids).tril(-1)[:, :-1]
    return targets.tril(-1)  # after "a a" the next token is the one that looks


DETECTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "previous token": previous_targets,
    "induction": induction_targets,
    "duplicate": duplicate_targets,
    "first token": first_targets,
}


def target_score(patterns: Tensor, targets: Tensor) -> Tensor:
    """Return how far patterns go from looking anywhere alike (0) to the targets alone (1).

    patterns (..., T, T), targets (T, T) bool -> (...). Counted are the rows that have a target:
    score = (weight on targets - chance) / (1 - chance), both means over those rows, where chance
    is the share of the visible tokens that are targets. Below 0 a head looks away from them.
    NaN with fewer than 5 such rows: the text cannot tell.
    """
    rows = targets.any(dim=-1)
    if rows.sum() < FEWEST:
        return torch.full(patterns.shape[:-2], math.nan)
    visible = torch.arange(1, len(targets) + 1, device=targets.device)
    chance = (targets.sum(dim=-1) / visible)[rows].mean()
    weight = (patterns * targets).sum(dim=-1)[..., rows].mean(dim=-1)
    return (weight - chance) / (1 - chance)


def head_scores(patterns: Tensor, ids: Tensor) -> dict[str, Tensor]:
    """Score patterns (..., T, T) over one text, ids (T,), by each of the DETECTORS: {name: (...)}.

    See `target_score`: 1 does nothing else, 0 is chance, NaN cannot be told from this text. From
    CLEAR on, the name suits the head. Raises ValueError unless patterns and ids agree.

    >>> patterns = torch.eye(8).roll(1, dims=0).tril()  # each token looks at the one before it
    >>> scores = head_scores(patterns, torch.tensor([1, 2, 3, 4, 5, 6, 7, 8]))
    >>> {name: round(float(score), 2) for name, score in scores.items()}
    {'previous token': 1.0, 'induction': nan, 'duplicate': nan, 'first token': -0.14}
    """
    if ids.dim() != 1 or patterns.shape[-2:] != (len(ids), len(ids)):
        raise ValueError(
            f"patterns are {tuple(patterns.shape)} and ids {tuple(ids.shape)}; they must be "
            "(..., T, T) and (T,). For a batch, choose one row of it"
        )
    ids = ids.to(patterns.device)
    return {name: target_score(patterns, targets(ids)) for name, targets in DETECTORS.items()}


def mean_head_scores(model: GPT, texts: Tensor) -> dict[str, Tensor]:
    """Return `head_scores` as means over texts, ids (B, T): {name: (n_layer, n_head)}.

    A text that cannot tell (NaN, see `target_score`) does not count.
    """
    patterns = attention_patterns(model, texts)  # (n_layer, B, n_head, T, T)
    scores = [head_scores(patterns[:, b], ids) for b, ids in enumerate(texts)]
    return {name: torch.stack([each[name] for each in scores]).nanmean(dim=0) for name in scores[0]}


def repeated_tokens(
    vocab_size: int, length: int, generator: torch.Generator | None = None
) -> Tensor:
    """Return random ids followed by the same once more, (2 * length,): a text to test heads on.

    Nothing but what stood there before helps to guess the second half.
    """
    once = torch.randint(vocab_size, (length,), generator=generator)
    return torch.cat([once, once])
