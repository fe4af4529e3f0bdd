"""Texts beside the one that is read: what heads do over all of them, and one to compare with."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import torch
from torch import Tensor

from minigpt.interpret import Means, attention_patterns, head_scores, measure_means
from minigpt.interpret.heads import DETECTORS
from minigpt.model import GPT
from minigpt.tokenizer import Tokenizer, encode_prompt
from minigpt.viz.attention.reading import Reading, most_tokens


class Texts:
    """Several texts, each cut to what the model reads at once; worked out when it is asked for.

    Raises ValueError for something else than texts, and for none at all.
    """

    def __init__(self, model: GPT, tokenizer: Tokenizer, texts: Iterable[str]) -> None:
        texts = [texts] if isinstance(texts, str) else list(texts)
        if not texts:
            raise ValueError("texts is empty; give at least one text, or leave it out")
        most = most_tokens(model)
        rows = [encode_prompt(text, tokenizer)[:most] for text in texts]
        self.model, self.ids = model, [torch.tensor(row, device=model.device) for row in rows]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def means(self) -> Means:
        """What each head hands on, as a mean over all tokens."""
        return measure_means(self.model, self.ids)

    @cached_property
    def scores(self) -> dict[str, Tensor]:
        """Each detector's scores (L, nh), as means over the texts that can tell."""
        found: dict[str, list[Tensor]] = {name: [] for name in DETECTORS}
        for ids in self.ids:
            patterns = attention_patterns(self.model, ids[None])[:, 0].float().cpu()
            for name, scores in head_scores(patterns, ids.cpu()).items():
                found[name].append(scores)
        return {name: torch.stack(scores).nanmean(dim=0) for name, scores in found.items()}


def check_comparable(reading: Reading, other: Reading) -> None:
    """Raise ValueError unless both texts have as many tokens, so that cell meets cell."""
    if len(reading.ids) != len(other.ids):
        raise ValueError(
            f"the text has {len(reading.ids)} tokens and the one to compare with "
            f"{len(other.ids)}; they must be equally long. Exchange words of as many tokens"
        )
