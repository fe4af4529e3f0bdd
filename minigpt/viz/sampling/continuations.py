"""What the sampling explorer does with a model: it knows nothing of the widget that shows it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

import torch
from torch import Tensor

from minigpt.config import check_whole
from minigpt.model import GPT, evaluating
from minigpt.sampling import (
    apply_temperature,
    next_token_distribution,
    sample_next_token,
    top_k_filter,
    top_p_filter,
)
from minigpt.tokenizer import Tokenizer, encode_prompt
from minigpt.viz.kit.inputs import check_pair
from minigpt.viz.kit.labels import model_labels
from minigpt.viz.sampling.token_tree import TokenTree

MOST_NODES = 1000
MOST_STEPS = 100


def kept_tokens(
    logits: Tensor, temperature: float, top_k: int | None, top_p: float | None
) -> Tensor:
    """Say which tokens can be drawn: logits (V,) -> (V,) bool."""
    if temperature == 0:
        return next_token_distribution(logits, 0) > 0
    logits = apply_temperature(logits, temperature)
    logits = logits if top_k is None else top_k_filter(logits, top_k)
    logits = logits if top_p is None else top_p_filter(logits, top_p)
    return logits.isfinite()


def generator_at(seed: int, place: int, vocab_size: int) -> torch.Generator:
    """Return the generator that `generate` would have after drawing `place` tokens."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(place):
        sample_next_token(torch.zeros(1, vocab_size), generator=generator)
    return generator


class Continuations:
    """A text, its next token's logits, and the tree of all that was tried behind it.

    Every change can be taken back. What raises ValueError changes nothing.
    """

    def __init__(self, model: GPT, tokenizer: Tokenizer, prompt: str) -> None:
        check_pair(model, tokenizer)
        self.model, self.tokenizer = model, tokenizer
        self.past: list[tuple[str, TokenTree]] = []  # changes by name, and what was before them
        self._next_logits = lru_cache(maxsize=64)(self._run)  # going back must not wait
        self.tree = self._planted(prompt)
        self.logits()  # raises for a model that has gone wrong

    def _planted(self, prompt: str) -> TokenTree:
        """Return a tree of nothing but a prompt."""
        return TokenTree(prompt, encode_prompt(prompt, self.tokenizer))

    @torch.no_grad()
    def _run(self, context: tuple[int, ...]) -> Tensor:
        """Return the next token's logits, (V,)."""
        idx = torch.tensor([context], dtype=torch.int64, device=self.model.device)
        with evaluating(self.model):
            logits = self.model.lm_head(self.model.features(idx)[:, -1])[0].float().cpu()
        if not logits.isfinite().all():
            raise ValueError("the model's logits are not all finite numbers; did training diverge?")
        return logits

    def logits(self, tree: TokenTree | None = None) -> Tensor:
        """Return the logits behind the text at the tree's current node, (V,)."""
        tree = tree or self.tree
        return self._next_logits(tuple(tree.tokens()[-self.model.config.block_size :]))

    def labels(self, ids: list[int]) -> list[str]:
        """Return readable labels; a model may know more ids than the tokenizer."""
        return model_labels(self.tokenizer, ids)

    def text(self) -> str:
        """Return what was chosen behind the prompt."""
        tokens = [node.token for node in self.tree.path()]
        return self.tokenizer.decode([i for i in tokens if i < self.tokenizer.vocab_size])

    # --- Changes ---

    def _change(self, name: str, tree: TokenTree) -> None:
        self.logits(tree)  # first: if this fails, nothing has changed
        self.past.append((name, self.tree))
        self.tree = tree

    def _grown(self, tree: TokenTree, token: int, how: str) -> TokenTree:
        """Return the tree one token further."""
        if len(tree.nodes) >= MOST_NODES:
            raise ValueError(f"the tree is full: it holds {MOST_NODES} tokens. Undo, or start anew")
        share = float(next_token_distribution(self.logits(tree))[token])
        return tree.grown(token, share, how)

    def start(self, prompt: str) -> None:
        """Begin another tree with another prompt."""
        tree = self._planted(prompt)
        # While somebody types, only what was there before is worth going back to.
        typing = len(self.tree.nodes) == 1 and self.past and self.past[-1][0] == "prompt"
        if typing:
            self.logits(tree)
            self.tree = tree
        else:
            self._change("prompt", tree)

    def pick(self, node: int, token: int) -> None:
        """Choose a token behind a node."""
        check_whole("token", token, least=0)
        if token >= self.model.config.vocab_size:
            raise ValueError(f"token is {token}; ids end at {self.model.config.vocab_size - 1}")
        self._change("choice", self._grown(self.tree.at(node), token, "picked"))

    def write(self, text: str) -> None:
        """Choose the tokens of a text, one after the other."""
        tree, ids = self.tree, self.tokenizer.encode(text, "all")
        if len(ids) > MOST_STEPS:  # each costs a run of the model
            raise ValueError(f"that is {len(ids)} tokens; write at most {MOST_STEPS} at a time")
        for token in ids:
            tree = self._grown(tree, token, "picked")
        self._change("text", tree)

    def _drawn(self, steps: int, seed: int, settings: dict) -> TokenTree:
        """Return the tree with tokens drawn up to the end of the text, as `generate` would."""
        check_whole("steps", steps)
        if steps > MOST_STEPS:
            raise ValueError(f"steps is {steps}; draw at most {MOST_STEPS} tokens at a time")
        tree = self.tree
        generator = generator_at(seed, len(tree.path()), self.model.config.vocab_size)
        for _ in range(steps):
            logits = self.logits(tree)[None]
            token = int(sample_next_token(logits, generator=generator, **settings))
            tree = self._grown(tree, token, "sampled")
            if token == self.tokenizer.end_of_text:
                break
        return tree

    def sample(self, steps: int, seed: int, **settings) -> None:
        """Draw tokens one by one up to the end of the text: those that `generate` would draw."""
        self._change("sample", self._drawn(steps, seed, settings))

    def compare(self, steps: int, seeds: Iterable[int], **settings) -> list[dict]:
        """Draw from here with several seeds, and change nothing: a dict for each.

        Its `text` is what was drawn, its `nats` the surprise of the model at it, per token.
        """
        drawn = []
        for seed in seeds:
            nodes = self._drawn(steps, seed, settings).path()[len(self.tree.path()) :]
            nats = -sum(math.log(node.probability) for node in nodes) / len(nodes)
            text = "".join(self.labels([node.token for node in nodes]))
            drawn.append({"seed": seed, "text": text, "nats": nats})
        return drawn

    def go(self, node: int) -> None:
        """Go back, or over, to another node of the tree."""
        if node != self.tree.current:
            self._change("move", self.tree.at(node))

    def undo(self) -> None:
        """Take the last change back, if there is one."""
        if self.past:
            _, self.tree = self.past.pop()
