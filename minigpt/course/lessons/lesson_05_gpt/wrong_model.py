"""Wrong answers to the exercises of lesson 05, as people really give them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.course.exercise.definition import Misconception
from minigpt.model import GPT, Block


class Assembled(nn.Module):
    """A right GPT in small steps, so that a wrong one has one step to replace."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        V, T, C = config.vocab_size, config.block_size, config.n_embd
        self.config = config
        parts = dict(
            wte=nn.Embedding(V, C),
            wpe=nn.Embedding(T, C),
            drop=nn.Dropout(config.dropout),
            h=self.blocks(config),
            ln_f=nn.LayerNorm(C, bias=config.bias),
        )
        self.transformer = nn.ModuleDict(parts)
        self.lm_head = nn.Linear(C, V, bias=False)
        self.tie()

    def blocks(self, config: GPTConfig) -> nn.ModuleList:
        return nn.ModuleList(Block(config) for _ in range(config.n_layer))

    def tie(self) -> None:
        self.lm_head.weight = self.transformer.wte.weight

    def places(self, idx: Tensor) -> Tensor:
        return torch.arange(idx.size(1))

    def embed(self, idx: Tensor) -> Tensor:
        return self.transformer.wte(idx) + self.transformer.wpe(self.places(idx))

    def drop(self, x: Tensor) -> Tensor:
        return self.transformer.drop(x)

    def head(self, x: Tensor) -> Tensor:
        return self.lm_head(self.transformer.ln_f(x))

    def forward(self, idx: Tensor) -> Tensor:
        x = self.drop(self.embed(idx))
        for block in self.transformer.h:
            x = block(x)
        return self.head(x)


class NoPositions(Assembled):
    def embed(self, idx):
        return self.transformer.wte(idx)


class SamePosition(Assembled):
    def places(self, idx):
        return torch.zeros(idx.size(1), dtype=torch.long)


class PlacesFromOne(Assembled):
    def places(self, idx):
        return torch.arange(1, idx.size(1) + 1)


class PlacesFromBatch(Assembled):
    def places(self, idx):
        return torch.arange(idx.size(0))


class ScaledEmbeddings(Assembled):
    def embed(self, idx):
        scaled = self.transformer.wte(idx) * math.sqrt(self.config.n_embd)
        return scaled + self.transformer.wpe(self.places(idx))


class Untied(Assembled):
    def tie(self):
        pass


class NoFinalNorm(Assembled):
    def head(self, x):
        return self.lm_head(x)


class NormFirst(Assembled):
    def drop(self, x):
        return self.transformer.ln_f(self.transformer.drop(x))

    def head(self, x):
        return self.lm_head(x)


class NoDropout(Assembled):
    def drop(self, x):
        return x


class AlwaysDropout(Assembled):
    def drop(self, x):
        return F.dropout(x, self.config.dropout)


class DropoutOnTokens(Assembled):
    def embed(self, idx):
        tokens = self.transformer.drop(self.transformer.wte(idx))
        return tokens + self.transformer.wpe(self.places(idx))

    def drop(self, x):
        return x


class SharedBlock(Assembled):
    def blocks(self, config):
        return nn.ModuleList([Block(config)] * config.n_layer)


class NormBias(Assembled):
    def __init__(self, config):
        super().__init__(config)
        self.transformer.ln_f = nn.LayerNorm(config.n_embd)


class HeadBias(Assembled):
    def __init__(self, config):
        super().__init__(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size)
        self.tie()


class Probabilities(Assembled):
    def head(self, x):
        return super().head(x).softmax(dim=-1)


class LastOnly(Assembled):
    def head(self, x):
        return super().head(x[:, -1:])


class NoConfig(Assembled):
    def __init__(self, config):
        super().__init__(config)
        del self.config


class BlocksApart(Assembled):
    def forward(self, idx):
        x = self.drop(self.embed(idx))
        return self.head(sum(block(x) for block in self.transformer.h))


GPT_WRONG = (
    Misconception(
        "positions-missing",
        "Your model knows which words there are, but not in which order: the place table wpe is "
        "never added. Look at what goes into the first block.",
        NoPositions,
    ),
    Misconception(
        "same-position",
        "Every word gets the same row of wpe, so all words stand at one place. Each place t needs "
        "its own row.",
        SamePosition,
    ),
    Misconception(
        "places-from-one",
        "Your places begin at 1, so every word takes its neighbour's row of wpe, and a text of "
        "full length falls off the table. The first word stands at place 0.",
        PlacesFromOne,
    ),
    Misconception(
        "places-from-batch",
        "You count the places along the batch: as many as there are texts. With one text every "
        "word stands at place 0; with several it works only when they are as many as the words.",
        PlacesFromBatch,
    ),
    Misconception(
        "scaled-embeddings",
        "Your token vectors are multiplied by the root of the width. The first Transformer did "
        "that; GPT-2 does not. Here the word shouts down its place.",
        ScaledEmbeddings,
    ),
    Misconception(
        "head-not-tied",
        "Your head has a matrix of its own. The logits agree as long as the two are equal, but "
        "they learn apart, and you pay for V * C parameters twice. One parameter belongs in both "
        "places; equal numbers are not enough.",
        Untied,
    ),
    Misconception(
        "final-norm-missing",
        "The stream goes to the head as it is: the final LayerNorm is never used. The model would "
        "still write fluently, but far too surely.",
        NoFinalNorm,
    ),
    Misconception(
        "norm-before-blocks",
        "ln_f stands before the blocks. It belongs behind the last one: it brings the finished "
        "sum to scale before the head reads it.",
        NormFirst,
    ),
    Misconception(
        "embedding-dropout-missing",
        "In training nothing is dropped from the embeddings. GPT-2 has one dropout of its own, "
        "between the sum of the two embeddings and the first block.",
        NoDropout,
    ),
    Misconception(
        "dropout-always",
        "Your model drops numbers in evaluation, too: two runs differ. F.dropout does not know "
        "the model's mode unless you say it; nn.Dropout does.",
        AlwaysDropout,
    ),
    Misconception(
        "dropout-before-positions",
        "Only the token vectors are dropped, and the places are added afterwards. Dropout comes "
        "after both are added.",
        DropoutOnTokens,
    ),
    Misconception(
        "shared-block",
        "All your layers are one and the same block: multiplying a list repeats the object, it "
        "builds nothing new. Whatever one layer learns, all have learned. Build each one.",
        SharedBlock,
    ),
    Misconception(
        "norm-keeps-bias",
        "With config.bias=False your ln_f still has a bias. The choice holds for every linear "
        "layer and every LayerNorm.",
        NormBias,
    ),
    Misconception(
        "head-bias",
        "Your head has a bias. GPT-2's has none, whatever config.bias says: there is nothing in "
        "the checkpoint to fill it.",
        HeadBias,
    ),
    Misconception(
        "softmax-inside",
        "You return probabilities. The model returns logits, the scores before softmax: the loss "
        "and the sampling of the coming lessons start from those.",
        Probabilities,
    ),
    Misconception(
        "last-row-only",
        "You return the logits of the last word only. Training asks every word for its next, so "
        "the result has a row for each of the T words.",
        LastOnly,
    ),
    Misconception(
        "blocks-side-by-side",
        "Every block reads the embedding, and the results are added. Blocks stand one behind the "
        "other: each reads what the one before it returned.",
        BlocksApart,
    ),
    Misconception(
        "config-not-kept",
        "Your model computes the right thing, but does not keep its config. Write it down as "
        "self.config: generate will ask model.config.block_size how much fits.",
        NoConfig,
    ),
)


class BrokenGPT(GPT):
    """The broken GPT of the exercise, and what is left of it after some repairs."""

    shared = batch_places = copied_head = True

    def __init__(self, config: GPTConfig) -> None:
        super().__init__(config)
        if self.shared:
            self.transformer.h = nn.ModuleList([Block(config)] * config.n_layer)
        if self.copied_head:
            self.lm_head.weight = nn.Parameter(self.transformer.wte.weight.detach().clone())

    def forward(self, idx: Tensor) -> Tensor:
        places = torch.arange(idx.size(0 if self.batch_places else 1))
        x = self.transformer.wte(idx) + self.transformer.wpe(places)
        x = self.transformer.drop(x)
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x))


def left(*bugs: str) -> type[BrokenGPT]:
    """Return the broken GPT with only these bugs left in it."""
    flags = {bug: bug in bugs for bug in ("shared", "batch_places", "copied_head")}
    return type("BrokenGPT", (BrokenGPT,), flags)


BUGS_LEFT = {
    "shared": "Change the weights of one layer and look at the others. How many blocks were built?",
    "batch_places": "Give it two texts of seven words, then seven texts of two. How many places "
    "does a text have?",
    "copied_head": "Count the parameters, or train one step: do the head and the token table stay "
    "equal?",
}

MENDED_WRONG = (
    Misconception(
        "untouched",
        "Not written yet: this is still the broken version. It has three mistakes. Give it a batch "
        "of several texts, compare its layers, and count its parameters.",
        BrokenGPT,
    ),
    *(
        Misconception(f"one-left-{name}", f"Two mended, one left. {hint}", left(name))
        for name, hint in BUGS_LEFT.items()
    ),
    *(
        Misconception(
            f"two-left-{name}-mended",
            "One mended, two left. " + " ".join(h for n, h in BUGS_LEFT.items() if n != name),
            left(*(other for other in BUGS_LEFT if other != name)),
        )
        for name in BUGS_LEFT
    ),
)
