"""What the designs are measured by: how far back a word stood last, and the floor of a part."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from minigpt.stories import Stories, retell


def tokens_back(x: Tensor, y: Tensor) -> Tensor:
    """Return how many tokens before each target the same token stood last: (B, T) int64.

    0 where it never did, and where there is no target. x (B, T) are the inputs, y the targets.

    >>> tokens_back(torch.tensor([[5, 6, 7, 5]]), torch.tensor([[6, 7, 5, 5]])).tolist()
    [[0, 0, 3, 1]]
    """
    T = x.size(1)
    back = torch.arange(T)[:, None] - torch.arange(T) + 1  # (T, S): from target t to input s
    same = (y[:, :, None] == x[:, None, :]) & (back > 0)
    nearest = torch.where(same, back, T + 1).amin(dim=-1)
    return nearest.masked_fill(nearest > T, 0)


def nats_from(story: str, words: str) -> float:
    """Return minus the log-probability of a story from these words on, given all before, in nats.

    The choices made after the words first stand there; no model's loss there can be lower on
    average. Raises ValueError for a story that the grammar cannot tell.

    >>> story = next(Stories(seed=17))
    >>> round(nats_from(story, story[:4]) + Stories.log_prob(story), 2)  # all but the opening: ln 4
    -1.39
    """
    Stories.log_prob(story)  # says where, if it is none
    *choices, _ = retell(story)
    after = [len(options) for telling, options in choices if words in telling.text]
    return math.log(math.prod(after))
