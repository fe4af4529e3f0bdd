"""A GPT that puts texts into classes: one small matrix on what it knows at the last token."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from minigpt.config import GPTConfig, check_whole
from minigpt.finetuning.examples import Labelled, end_of, labelled_batch
from minigpt.finetuning.lora import add_lora
from minigpt.model import GPT, Linear, evaluating
from minigpt.tokenizer import Tokenizer

HOW = ("frozen", "full", "lora")


class Classifier(nn.Module):
    """Scores of the classes, read off the final residual stream at the text's last token.

    The last token is the <|endoftext|> that `labelled_batch` puts after each text. The only
    position that has seen all of it. Source: Radford et al. 2018, section 3.2.
    """

    def __init__(self, model: GPT, classes: int, end: int) -> None:
        super().__init__()
        check_whole("classes", classes, least=2)
        self.gpt, self.end = model, end
        self.score = Linear(model.config.n_embd, classes)

    @property
    def config(self) -> GPTConfig:
        """The shape of the model below the head."""
        return self.gpt.config

    @property
    def transformer(self) -> nn.ModuleDict:
        """The blocks and tables, as in a GPT: Muon asks for them."""
        return self.gpt.transformer

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.gpt.device

    def check_tied(self) -> None:
        """Raise ValueError unless the model's own head and token table are one matrix."""
        self.gpt.check_tied()

    def last(self, x: Tensor) -> Tensor:
        """Return the position of each text's last token: (B, T) -> (B,)."""
        return (x[:, 1:] == self.end).int().argmax(dim=1) + 1  # the first <|endoftext|> but one

    def forward(self, x: Tensor) -> Tensor:
        """(B, T) int64 -> (B, classes)"""
        features = self.gpt.features(x)  # (B, T, C)
        rows = torch.arange(len(x), device=x.device)
        return self.score(features[rows, self.last(x)])


def make_classifier(
    model: GPT,
    tokenizer: Tokenizer,
    how: str,
    *,
    classes: int = 2,
    rank: int = 4,
    generator: torch.Generator | None = None,
) -> Classifier:
    """Return a classifier on a copy of the model, in which only what `how` says can learn.

    "frozen": the head alone; "full": everything; "lora": the head, and LoRA of that rank beside
    each matrix of the blocks. Raises ValueError for another word.
    """
    if how not in HOW:
        raise ValueError(f"how is {how!r}; it must be one of {', '.join(HOW)}")
    model = copy.deepcopy(model).requires_grad_(how != "frozen")
    if how == "lora":
        add_lora(model, rank, alpha=2.0 * rank, generator=generator)
    classifier = Classifier(model, classes, end_of(tokenizer)).to(model.device)
    nn.init.zeros_(classifier.score.weight)  # at first no class is likelier than another
    return classifier


def count_trainable(model: nn.Module) -> int:
    """Count the weights that can learn."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


@torch.no_grad()
def classify(
    classifier: Classifier, tokenizer: Tokenizer, texts: Sequence[str], batch_size: int = 50
) -> Tensor:
    """Return the likeliest class of each text: (N,) int64."""
    found = []
    with evaluating(classifier):
        for i in range(0, len(texts), batch_size):
            some = [Labelled(text, 0) for text in texts[i : i + batch_size]]
            x, _ = labelled_batch(some, tokenizer, classifier.config.block_size)
            found.append(classifier(x.to(classifier.device)).argmax(dim=-1).cpu())
    return torch.cat(found)
