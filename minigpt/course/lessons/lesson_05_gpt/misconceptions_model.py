"""Wrong answers to the exercises of lesson 05, as people really give them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.course.exercise.mistakes import changed
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


class ScaledEmbeddings(Assembled):
    def embed(self, idx):
        scaled = self.transformer.wte(idx) * math.sqrt(self.config.n_embd)
        return scaled + self.transformer.wpe(self.places(idx))


class DropoutOnTokens(Assembled):
    def embed(self, idx):
        tokens = self.transformer.drop(self.transformer.wte(idx))
        return tokens + self.transformer.wpe(self.places(idx))

    def drop(self, x):
        return x


class NormBias(Assembled):
    def __init__(self, config):
        super().__init__(config)
        self.transformer.ln_f = nn.LayerNorm(config.n_embd)


class HeadBias(Assembled):
    def __init__(self, config):
        super().__init__(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size)
        self.tie()


class UntiedHeadBias(HeadBias):
    def tie(self):
        pass


class BlocksInAList(Assembled):
    def blocks(self, config):
        return nn.Identity()  # a plain list has no parameters that a module could find


class PartsOutside(Assembled):
    """The parts stand in the model itself, not in a dictionary called transformer."""

    def __init__(self, config):
        super().__init__(config)
        for name, part in self.transformer.items():
            self.add_module(name, part)
        del self.transformer


class NoPlaces(Assembled):
    def __init__(self, config):
        super().__init__(config)
        del self.transformer.wpe


class NoConfig(Assembled):
    def tie(self):
        super().tie()
        del self.config


class OneBlock(Assembled):
    def forward(self, idx):
        return self.head(self.transformer.h[0](self.drop(self.embed(idx))))


class Backwards(Assembled):
    def forward(self, idx):
        x = self.drop(self.embed(idx))
        for block in reversed(self.transformer.h):
            x = block(x)
        return self.head(x)


class BlocksApart(Assembled):
    def forward(self, idx):
        x = self.drop(self.embed(idx))
        return self.head(sum(block(x) for block in self.transformer.h))


GPT_WRONG = {
    "positions-missing": (
        "Your model knows which words there are, but not in which order: the position table wpe is "
        "never added. Look at what goes into the first block.",
        changed(Assembled, embed=lambda self, idx: self.transformer.wte(idx)),
    ),
    "same-position": (
        "Every word gets the same row of wpe, so all words stand at one position. Each position t "
        "needs its own row.",
        changed(Assembled, places=lambda self, idx: torch.zeros(idx.size(1), dtype=torch.long)),
    ),
    "places-from-one": (
        "Your positions begin at 1, so every word takes its neighbour's row of wpe, and a text of "
        "full length falls off the table. The first word stands at position 0.",
        changed(Assembled, places=lambda self, idx: torch.arange(1, idx.size(1) + 1)),
    ),
    "places-from-batch": (
        "You count the positions along the batch: as many as there are texts. With one text every "
        "word stands at position 0; with several it works only when they are as many as the words.",
        changed(Assembled, places=lambda self, idx: torch.arange(idx.size(0))),
    ),
    "scaled-embeddings": (
        "Your token vectors are multiplied by the root of the width. The first Transformer did "
        "that; GPT-2 does not. Here the word shouts down its position.",
        ScaledEmbeddings,
    ),
    "head-not-tied": (
        "Your head has a matrix of its own. The logits agree as long as the two are equal, but "
        "they learn apart, and you pay for V * C parameters twice. One parameter belongs in both "
        "places; equal numbers are not enough.",
        changed(Assembled, tie=lambda self: None),
    ),
    "final-norm-missing": (
        "The stream goes to the head as it is: the final LayerNorm is never used. The model would "
        "still write fluently, but far too surely.",
        changed(Assembled, head=lambda self, x: self.lm_head(x)),
    ),
    "norm-before-blocks": (
        "ln_f stands before the blocks. It belongs behind the last one: it brings the finished sum "
        "to scale before the head reads it.",
        changed(
            Assembled,
            drop=lambda self, x: self.transformer.ln_f(self.transformer.drop(x)),
            head=lambda self, x: self.lm_head(x),
        ),
    ),
    "embedding-dropout-missing": (
        "In training nothing is dropped from the embeddings. GPT-2 has one dropout of its own, "
        "between the sum of the two embeddings and the first block.",
        changed(Assembled, drop=lambda self, x: x),
    ),
    "dropout-always": (
        "Your model drops numbers in evaluation, too: two runs differ. F.dropout does not know the "
        "model's mode unless you say it; nn.Dropout does.",
        changed(Assembled, drop=lambda self, x: F.dropout(x, self.config.dropout)),
    ),
    "dropout-before-positions": (
        "Only the token vectors are dropped, and the positions are added afterwards. Dropout comes "
        "after both are added.",
        DropoutOnTokens,
    ),
    "shared-block": (
        "All your layers are one and the same block: multiplying a list repeats the object, it "
        "builds nothing new. Whatever one layer learns, all have learned. Build each one.",
        changed(
            Assembled, blocks=lambda self, config: nn.ModuleList([Block(config)] * config.n_layer)
        ),
    ),
    "norm-keeps-bias": (
        "With config.bias=False your ln_f still has a bias. The choice holds for every linear "
        "layer and every LayerNorm.",
        NormBias,
    ),
    "head-bias": (
        "Your head has a bias. GPT-2's has none, whatever config.bias says: there is nothing in "
        "the checkpoint to fill it.",
        HeadBias,
    ),
    "head-bias, head-not-tied": (
        "Two things: your head has a bias, which GPT-2's never has; and its matrix is its own, "
        "where it should be the very parameter of the token table.",
        UntiedHeadBias,
    ),
    "blocks-in-a-list": (
        "Your blocks have no parameters that the model knows of. A plain Python list hides them: "
        "nn.ModuleList, inside transformer, does not.",
        BlocksInAList,
    ),
    "parts-outside-transformer": (
        "The parts are right, but they stand in the model itself. The checkpoint has them in a "
        "dictionary: transformer, an nn.ModuleDict.",
        PartsOutside,
    ),
    "no-place-table": (
        "There is no wpe. GPT-2 learns a row for each of the block_size positions; without it no "
        "word knows where it stands.",
        NoPlaces,
    ),
    "ids-as-places": (
        "You look up the ids in wpe, too. A position is where a word stands, 0 to T - 1, whatever "
        "word it is.",
        changed(Assembled, places=lambda self, idx: idx),
    ),
    "logits-and-loss": (
        "You return two things, logits and a loss. This model returns logits alone, always: the "
        "loss is the training's affair, in lesson 06.",
        changed(Assembled, forward=lambda self, idx: (Assembled.forward(self, idx), None)),
    ),
    "last-row-and-loss": (
        "Two things: you return a loss besides the logits, and the logits of the last word only. "
        "Return logits alone, with a row for each of the T words.",
        changed(Assembled, forward=lambda self, idx: (Assembled.forward(self, idx)[:, -1:], None)),
    ),
    "flattened": (
        "You joined texts and words: (B * T, V). Whoever computes a loss may flatten; the model "
        "returns (B, T, V).",
        changed(Assembled, head=lambda self, x: Assembled.head(self, x).flatten(0, 1)),
    ),
    "softmax-inside": (
        "You return probabilities. The model returns logits, the scores before softmax: the loss "
        "and the sampling of the coming lessons start from those.",
        changed(Assembled, head=lambda self, x: Assembled.head(self, x).softmax(dim=-1)),
    ),
    "log-softmax-inside": (
        "You return logarithms of probabilities. The loss would not mind, but the model returns "
        "logits, the scores before softmax.",
        changed(Assembled, head=lambda self, x: Assembled.head(self, x).log_softmax(dim=-1)),
    ),
    "one-block": (
        "Only the first block is used. The others exist, but nothing goes through them.",
        OneBlock,
    ),
    "blocks-backwards": (
        "Your blocks run from the last to the first. h.0 reads the embedding.",
        Backwards,
    ),
    "last-row-only": (
        "You return the logits of the last word only. Training asks every word for its next, so "
        "the result has a row for each of the T words.",
        changed(Assembled, head=lambda self, x: Assembled.head(self, x[:, -1:])),
    ),
    "blocks-side-by-side": (
        "Every block reads the embedding, and the results are added. Blocks stand one behind the "
        "other: each reads what the one before it returned.",
        BlocksApart,
    ),
    "config-not-kept": (
        "Your model computes the right thing, but does not keep its config. Write it down as "
        "self.config: generate will ask model.config.block_size how much fits.",
        NoConfig,
    ),
}


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
    return changed(BrokenGPT, **flags)


BUGS_LEFT = {
    "shared": "Change the weights of one layer and look at the others. How many blocks were built?",
    "batch_places": "Give it two texts of seven words, then seven texts of two. How many positions "
    "does a text have?",
    "copied_head": "Count the parameters, or train one step: do the head and the token table stay "
    "equal?",
}

MENDED_WRONG = {
    "untouched": (
        "Not written yet: this is still the broken version. It has three mistakes. Give it a batch "
        "of several texts, compare its layers, and count its parameters.",
        BrokenGPT,
    ),
    **{
        f"one-left-{name}": (f"Two mended, one left. {hint}", left(name))
        for name, hint in BUGS_LEFT.items()
    },
    **{
        f"two-left-{name}-mended": (
            "One mended, two left. " + " ".join(h for n, h in BUGS_LEFT.items() if n != name),
            left(*(other for other in BUGS_LEFT if other != name)),
        )
        for name in BUGS_LEFT
    },
}
