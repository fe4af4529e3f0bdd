"""What a model makes of a text, in the numbers that an explorer shows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from weakref import ref

import torch
from torch import Tensor
from torch.nn import functional as F

from minigpt.interpret import (
    Means,
    ablated,
    attention_patterns,
    attention_rollout,
    head_scores,
    hide_first_token,
    logit_lens,
    repeated_tokens,
    residual_stream,
    token_surprisal,
)
from minigpt.interpret.patterns import pack_patterns
from minigpt.model import GPT
from minigpt.tokenizer import Tokenizer, encode_prompt
from minigpt.viz.kit.inputs import check_pair
from minigpt.viz.kit.labels import model_labels, token_labels

MOST_WEIGHTS = 250_000_000  # of all patterns together: 1 GB
THUMBNAIL = 40  # pixels along the side of a small picture of a head
PROBE = 48  # random tokens, said twice


def lower_triangle(patterns: Tensor) -> bytes:
    """Pack causal patterns (..., T, T) in a byte a weight, row by row, without the future.

    >>> list(lower_triangle(torch.tensor([[1.0, 0.0], [0.2, 0.8]])))
    [255, 51, 204]
    """
    rows, columns = torch.tril_indices(patterns.size(-1), patterns.size(-1))
    return pack_patterns(patterns[..., rows, columns]).numpy().tobytes()


def thumbnails(patterns: Tensor) -> Tensor:
    """Shrink patterns (..., T, T) to at most 40 pixels a side, (..., s, s) uint8.

    A pixel shows the largest weight that it stands for: thin lines stay visible.
    """
    T = patterns.size(-1)
    flat = patterns.reshape(-1, 1, T, T)
    shrunk = F.adaptive_max_pool2d(flat, min(T, THUMBNAIL)) if T > THUMBNAIL else flat
    return pack_patterns(shrunk).reshape(*patterns.shape[:-2], *shrunk.shape[-2:])


def most_tokens(model: GPT) -> int:
    """Return how long a text may be: as the context, or as the memory for patterns allows."""
    config = model.config
    return min(config.block_size, math.isqrt(MOST_WEIGHTS // (config.n_layer * config.n_head)))


@lru_cache(maxsize=3)
def patterns_of(reading: Reading) -> Tensor:
    """Return all patterns (L, nh, T, T) of a reading.

    They can take a gigabyte, and a widget lives as long as its kernel: a cell that is run again and
    again must not keep those of every run. What was let go is read again when it is asked for.
    """
    reading.check_unchanged()
    return attention_patterns(reading.model, reading.idx)[:, 0].float().cpu()


class Reading:
    """A text as a model reads it: tokens, every pattern, and the residual stream.

    A text that is too long is cut; `notice` says so. Raises ValueError for an empty text, for
    tokens that the model does not know, for a model that has gone wrong, and for a model or
    tokenizer of another library.
    """

    def __init__(self, model: GPT, tokenizer: Tokenizer, text: str) -> None:
        check_pair(model, tokenizer)
        ids = encode_prompt(text, tokenizer)
        most, self.notice = most_tokens(model), ""
        if len(ids) > most:
            self.notice = f"The text has {len(ids):,} tokens; the first {most:,} are shown."
        self.model, self.tokenizer, self.ids = model, tokenizer, ids[:most]
        self.labels = token_labels(tokenizer, self.ids)
        self.idx = torch.tensor([self.ids], device=model.device)
        self._modules = {name: ref(module) for name, module in model.named_modules()}
        self.stream = residual_stream(model, self.idx)[:, 0]  # (L + 1, T, C)
        logits = logit_lens(model, self.stream[-1, -1])
        if not (self.stream.isfinite().all() and logits.isfinite().all()):
            raise ValueError("the model's logits are not all finite numbers; did training diverge?")

    def check_unchanged(self) -> None:
        """Raise ValueError if a part of the model is another one than when the text was read."""
        now = dict(self.model.named_modules())
        for name, module in self._modules.items():
            if now.get(name) is not module():
                raise ValueError(
                    f"the model is not what it was when it read this text: {name} is another one "
                    "now. Run the cell that shows this again, or give it a copy to keep: "
                    "copy.deepcopy(model)"
                )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, heads, and tokens."""
        return self.model.config.n_layer, self.model.config.n_head, len(self.ids)

    @property
    def patterns(self) -> Tensor:
        """Every pattern, (L, nh, T, T)."""
        return patterns_of(self)

    def packed(self, first: int, count: int) -> tuple[bytes, bytes]:
        """Pack `count` layers from `first` on: as they are, and with the first token hidden."""
        patterns = self.patterns[first : first + count]
        return lower_triangle(patterns), lower_triangle(hide_first_token(patterns)[0])

    def rollout(self, first: int, count: int) -> tuple[bytes, bytes]:
        """Pack the rollout up to each of these layers, likewise."""
        flows = attention_rollout(self.patterns[: first + count])[first:]
        return lower_triangle(flows), lower_triangle(hide_first_token(flows)[0])

    def thumbnails(self) -> Tensor:
        """Return small pictures of all heads, as they are and without the first token.

        (2, L, nh, s, s) uint8
        """
        hidden = [hide_first_token(layer)[0] for layer in self.patterns]  # one copy at a time
        return torch.stack([thumbnails(self.patterns), torch.stack([*map(thumbnails, hidden)])])

    def scores(self) -> dict[str, Tensor]:
        """Score every head by each detector, on this text."""
        return head_scores(self.patterns, torch.tensor(self.ids))

    def random_scores(self) -> dict[str, Tensor]:
        """Score every head by each detector, on random tokens said twice."""
        self.check_unchanged()
        config, generator = self.model.config, torch.Generator().manual_seed(0)
        length = min(PROBE, config.block_size // 2)
        ids = repeated_tokens(config.vocab_size, length, generator)
        patterns = attention_patterns(self.model, ids[None].to(self.model.device))
        return head_scores(patterns[:, 0].float().cpu(), ids)

    @torch.no_grad()
    def surprisal(self, stream: Tensor | None = None) -> list[float]:
        """Return the nats of each token but the first; `stream` (T, C) is that of another run."""
        logits = logit_lens(self.model, self.stream[-1] if stream is None else stream)
        return token_surprisal(logits, self.idx[0]).tolist()

    def stream_without(
        self, heads: Iterable[tuple[int, int]], means: Means | None = None
    ) -> Tensor:
        """Return the final residual stream (T, C) of the model without these heads.

        Each hands on 0 instead, or its mean.
        """
        self.check_unchanged()
        with ablated(self.model, heads, means):
            return residual_stream(self.model, self.idx)[-1, 0]

    def lens(self, row: int, top: int = 4) -> list[dict]:
        """Say what is expected after token `row` by each layer's stream, from the embedding on.

        Each layer has its likeliest tokens and, where the text goes on, the true one's
        probability and rank (1 is the likeliest).
        """
        lines = []
        for logits in logit_lens(self.model, self.stream[:, row]).float():
            probabilities = logits.softmax(dim=-1)
            best = probabilities.topk(min(top, len(probabilities)))
            line = {
                "tokens": model_labels(self.tokenizer, best.indices.tolist()),
                "shares": best.values.tolist(),
            }
            if row + 1 < len(self.ids):
                true = probabilities[self.ids[row + 1]]
                line["true"] = float(true)
                line["rank"] = int((probabilities > true).sum()) + 1
            lines.append(line)
        return lines

    def expected(self, row: int, stream: Tensor | None = None, top: int = 8) -> dict:
        """Say what is expected after token `row`, with and without the ablated heads.

        Listed are the likeliest tokens of both; `stream` (T, C) is that of the ablated model.
        """
        streams = [self.stream[-1]] if stream is None else [self.stream[-1], stream]
        rows = torch.stack([s[row] for s in streams])
        shares = logit_lens(self.model, rows).float().softmax(dim=-1)  # (1 or 2, V)
        best = shares.amax(dim=0).topk(min(top, shares.size(-1))).indices
        best = best[shares[0, best].argsort(descending=True, stable=True)]
        return {
            "row": row,
            "tokens": model_labels(self.tokenizer, best.tolist()),
            "shares": shares[:, best].tolist(),
        }
