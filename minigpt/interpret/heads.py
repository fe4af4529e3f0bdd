"""What single attention heads do: patterns known by name, and the model with heads taken out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

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


def repeated_tokens(
    vocab_size: int, length: int, generator: torch.Generator | None = None
) -> Tensor:
    """Return random ids followed by the same once more, (2 * length,): a text to test heads on.

    Nothing but what stood there before helps to guess the second half.
    """
    once = torch.randint(vocab_size, (length,), generator=generator)
    return torch.cat([once, once])


def check_heads(model: GPT, heads: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return (layer, head) pairs as a set, or raise ValueError for one that the model lacks."""
    heads = {(int(layer), int(head)) for layer, head in heads}
    layers, per_layer = model.config.n_layer, model.config.n_head
    for layer, head in sorted(heads):
        if not (0 <= layer < layers and 0 <= head < per_layer):
            raise ValueError(
                f"there is no head {(layer, head)}; this model has layers 0 to {layers - 1}, "
                f"each with heads 0 to {per_layer - 1}"
            )
    return heads


def silencer(channels: Tensor) -> Callable[[nn.Module, tuple[Tensor]], Tensor]:
    """Return a hook that sets channels, (C,) bool, of what a module is given to 0."""

    def silence(module: nn.Module, given: tuple[Tensor]) -> Tensor:
        return given[0].masked_fill(channels.to(given[0].device), 0)

    return silence


@contextmanager
def ablated(model: GPT, heads: Iterable[tuple[int, int]]) -> Iterator[None]:
    """Silence heads, given as (layer, head) pairs, inside the `with` block.

    Each still attends, but what it gathered is 0 when c_proj mixes the heads. No weight changes,
    and afterwards the model is as it was, also after an exception.
    Raises ValueError for a head that the model does not have.

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=3, n_embd=6))
    >>> with ablated(model, [(0, 2), (1, 0)]):
    ...     logits = model(torch.tensor([[5, 1, 5, 1]]))
    """
    shape = model.config.n_head, model.config.head_size
    silent: dict[int, Tensor] = {}  # by layer: which of its channels are silenced
    for layer, head in check_heads(model, heads):
        silent.setdefault(layer, torch.zeros(shape, dtype=torch.bool))[head] = True
    hooks = []
    for layer, channels in silent.items():
        c_proj = model.transformer.h[layer].attn.c_proj
        hooks.append(c_proj.register_forward_pre_hook(silencer(channels.flatten())))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
