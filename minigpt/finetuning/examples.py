"""Examples to learn from: a prompt with its target, or a text with its label, as batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.config import check_whole
from minigpt.data import NO_TARGET
from minigpt.model import GPT
from minigpt.sampling import generate
from minigpt.tokenizer import Tokenizer


@dataclass(frozen=True)
class Example:
    """What the model reads, and what it should write after that."""

    prompt: str
    target: str

    @property
    def text(self) -> str:
        """The whole of it."""
        return self.prompt + self.target


@dataclass(frozen=True)
class Labelled:
    """A text, and the number of the class that it belongs to."""

    text: str
    label: int


def end_of(tokenizer: Tokenizer) -> int:
    """Return the id of <|endoftext|>, or raise ValueError if the tokenizer has none."""
    if tokenizer.end_of_text is None:
        raise ValueError("the tokenizer has no <|endoftext|>, which stands around each example")
    return tokenizer.end_of_text


def encode_example(example: Example, tokenizer: Tokenizer) -> tuple[list[int], int]:
    """Return the ids of one example, and how many of them belong to its prompt.

    The ids are <|endoftext|>, the prompt, the target, <|endoftext|>. Prompt and target are encoded
    apart, because when the model is asked it gets the prompt alone.

    >>> ids, given = encode_example(Example("2 + 2 =", " 4"), Tokenizer.gpt2())
    >>> ids, given
    ([50256, 17, 1343, 362, 796, 604, 50256], 5)
    """
    end = end_of(tokenizer)
    prompt = [end, *tokenizer.encode_ordinary(example.prompt)]
    return [*prompt, *tokenizer.encode_ordinary(example.target), end], len(prompt)


def check_length(length: int, block_size: int, text: str) -> None:
    """Raise ValueError, naming the text, if an example does not fit into the context."""
    if length > block_size:
        raise ValueError(
            f"an example has {length} tokens and the model sees at most {block_size}; shorten it, "
            f"or give the model more room with `with_room(model, {length})`. It is {text!r:.60}"
        )


def context_needed(example: Example | Labelled, tokenizer: Tokenizer) -> int:
    """Return how many tokens the model reads of an example."""
    if isinstance(example, Labelled):
        return len(tokenizer.encode_ordinary(example.text)) + 2
    return len(encode_example(example, tokenizer)[0]) - 1


def padded(rows: Sequence[Sequence[int]], filling: int) -> Tensor:
    """Fill rows up to the longest: (B, T) int64."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filling] * (longest - len(row))] for row in rows])


def example_batch(
    examples: Sequence[Example], tokenizer: Tokenizer, block_size: int
) -> tuple[Tensor, Tensor]:
    """Return inputs x and targets y, one to the right, each (B, T) int64, T the longest example's.

    Only the target and the <|endoftext|> after it count in the loss: everywhere else y is -100.
    Shorter rows go on with <|endoftext|>; since a position sees none after it, that changes
    nothing before. Raises ValueError for an example that is longer than the context.

    >>> x, y = example_batch([Example("2 + 2 =", " 4")], Tokenizer.gpt2(), block_size=8)
    >>> y.tolist()
    [[-100, -100, -100, -100, 604, 50256]]
    """
    inputs, targets = [], []
    for example in examples:
        ids, given = encode_example(example, tokenizer)
        check_length(len(ids) - 1, block_size, example.prompt)
        inputs.append(ids[:-1])
        targets.append([NO_TARGET] * (given - 1) + ids[given:])
    return padded(inputs, end_of(tokenizer)), padded(targets, NO_TARGET)


def labelled_batch(
    examples: Sequence[Labelled], tokenizer: Tokenizer, block_size: int
) -> tuple[Tensor, Tensor]:
    """Return texts between two <|endoftext|>, x (B, T) int64, and their labels, y (B,) int64.

    Shorter rows go on with <|endoftext|>: the last token of a text is the first of these after
    its beginning. Raises ValueError for a text that is longer than the context.
    """
    end = end_of(tokenizer)
    rows = [[end, *tokenizer.encode_ordinary(example.text), end] for example in examples]
    for row, example in zip(rows, examples):
        check_length(len(row), block_size, example.text)
    return padded(rows, end), torch.tensor([example.label for example in examples])


@dataclass(frozen=True, eq=False)
class TaskData:
    """Examples to learn from and others to be judged by; `train` draws batches from it."""

    name: str
    tokenizer: Tokenizer
    train: Sequence[Example] | Sequence[Labelled]
    val: Sequence[Example] | Sequence[Labelled]  # never learned from

    def batch(
        self,
        split: str,
        block_size: int,
        batch_size: int,
        generator: torch.Generator | None = None,
        rows: slice = slice(None),
    ) -> tuple[Tensor, Tensor]:
        """Draw examples from "train" or "val" at random, as `example_batch` or `labelled_batch`.

        Of those drawn only `rows` are returned, as one of several processes needs them.
        """
        if split not in ("train", "val"):
            raise ValueError(f"split is {split!r}; it must be 'train' or 'val'")
        check_whole("batch_size", batch_size)
        examples = getattr(self, split)
        drawn = torch.randint(len(examples), (batch_size,), generator=generator)[rows]
        chosen = [examples[i] for i in drawn]
        make = labelled_batch if isinstance(chosen[0], Labelled) else example_batch
        return make(chosen, self.tokenizer, block_size)


def complete(
    model: GPT, tokenizer: Tokenizer, prompts: Sequence[str], max_new_tokens: int = 64
) -> list[str]:
    """Return what the model writes after each prompt, greedily, up to <|endoftext|>.

    Prompts of one length go through the model together. Raises ValueError for a prompt that leaves
    no room for an answer in the context.
    """
    end = end_of(tokenizer)
    rows = [[end, *tokenizer.encode_ordinary(prompt)] for prompt in prompts]
    by_length: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        check_length(len(row) + 1, model.config.block_size, prompts[i])
        by_length.setdefault(len(row), []).append(i)
    answers = [""] * len(rows)
    for length, members in by_length.items():
        idx = torch.tensor([rows[i] for i in members], device=model.device)
        room = min(max_new_tokens, model.config.block_size - length)
        texts = generate(model, idx, room, temperature=0.0, stop_token=end)
        for i, ids in zip(members, texts[:, length:].tolist()):
            answers[i] = tokenizer.decode(ids[: ids.index(end)] if end in ids else ids)
    return answers
