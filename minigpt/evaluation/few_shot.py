"""Learning in the context, with a known cause: pairs whose rule is drawn anew in every row.

A row is `key value key value ...`. Which value belongs to which key is drawn for that row alone, so
nothing about it can be kept in the weights: who answers rightly has read it in the row. The model
has never seen such rows: it has learned to go on with texts that repeat themselves, as in lesson
09, and the head that does so looks pairs up as well.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from minigpt.config import check_whole
from minigpt.interpret.induction import induction_model, watch_birth
from minigpt.model import GPT, evaluating

KEYS, PAIRS = 8, 32
LARGER = 2.5  # how much larger than GPT-2's the first weights of so narrow a model are made


def pair_rows(
    count: int, generator: Generator, *, vocab_size: int = 64, keys: int = KEYS, pairs: int = PAIRS
) -> Tensor:
    """Draw rows of pairs: (count, 2 * pairs) int64.

    In each row some ids are drawn as keys, and for each key another id as its value; then keys are
    drawn, again and again, each followed by its value. Raises ValueError for sizes below 1, and for
    a vocabulary that has not two ids for each key.

    >>> row = pair_rows(1, Generator().manual_seed(0), keys=2, pairs=5)[0].tolist()
    >>> len(row), len({*row[::2]}), len({*zip(row[::2], row[1::2])})
    (10, 2, 2)
    """
    for name, size in dict(count=count, keys=keys, pairs=pairs).items():
        check_whole(name, size)
    if vocab_size < 2 * keys:
        raise ValueError(
            f"{vocab_size} ids are too few for {keys} keys and their values; give more"
        )
    drawn = torch.rand(count, vocab_size, generator=generator).argsort(dim=1)
    asked = torch.randint(keys, (count, pairs), generator=generator)
    return torch.stack([drawn.gather(1, asked), drawn.gather(1, asked + keys)], dim=2).flatten(1)


def best_accuracy(pairs: int, keys: int = KEYS, values: int = 64) -> Tensor:
    """Return how often the best possible reader is right after 0, 1, ... examples: (pairs,).

    After n examples the key has been seen with probability 1 - (1 - 1/keys)^n, and then its value
    is certain; otherwise one of `values` is guessed.

    >>> best_accuracy(3, keys=2, values=4)
    tensor([0.2500, 0.6250, 0.8125])
    """
    unseen = (1 - 1 / keys) ** torch.arange(pairs)
    return 1 - unseen + unseen / values


def copying_model(steps: int, seed: int = 0, n_layer: int = 2) -> tuple[GPT, list[float]]:
    """Train lesson 09's small model on texts that repeat themselves; return it, and its losses.

    Its matrices start 2.5 times as large as GPT-2's, which suit a model 64 wide better: its head is
    found sooner. The losses are means of 50 steps each, in nats per target.
    """
    model = induction_model(seed, n_layer)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "wpe" not in name:
                weight *= LARGER
    births = [*watch_birth(model, steps, every=50, seed=seed)]
    return model.eval(), [birth.loss for birth in births]


@torch.no_grad()
def accuracy_by_examples(model: nn.Module, rows: Tensor) -> Tensor:
    """Return how often the likeliest token is the value, after 0, 1, ... examples.

    rows (B, 2 P) of pairs -> (P,). No weight changes meanwhile.
    """
    with evaluating(model):
        guesses = model(rows[:, :-1]).argmax(dim=-1)  # (B, 2 P - 1)
    return (guesses[:, ::2] == rows[:, 1::2]).float().mean(dim=0)
