"""What a prompt means: one rule for all who ask a model to go on from a text."""

from __future__ import annotations

from minigpt.tokenizer.checks import END_OF_TEXT
from minigpt.tokenizer.tokenizer import Tokenizer

GPT2_MERGES = 50_000


def encode_prompt(prompt: str, tokenizer: Tokenizer) -> list[int]:
    """Return the ids that a model goes on from; special tokens typed in it are those tokens.

    <|endoftext|> comes first: our models have seen it before every text. But everyone prompts
    GPT-2 without it, so there only an empty prompt becomes one. Raises ValueError for an empty
    prompt if there is no such token.

    >>> encode_prompt("Once", Tokenizer.gpt2()), encode_prompt("Once", Tokenizer([]))
    ([7454], [256, 46, 77, 66, 68])
    """
    ids = tokenizer.encode(prompt, "all")
    end, is_gpt2 = tokenizer.end_of_text, len(tokenizer.merges) == GPT2_MERGES
    if end is not None and ids[:1] != [end] and not (ids and is_gpt2):
        ids.insert(0, end)
    if not ids:
        raise ValueError(f"the text is empty, and there is no {END_OF_TEXT} to start from")
    return ids
