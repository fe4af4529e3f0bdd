"""Which tokenizer belongs to a file of weights: ours, another library's, GPT-2's, or none."""

from __future__ import annotations

import warnings
from pathlib import Path

from minigpt.config import GPTConfig
from minigpt.files import parse_json, read_text
from minigpt.tokenizer import Tokenizer
from minigpt.tokenizer.bpe import BYTE_ORDER, VISIBLE_BYTES

GPT2_SIZE = GPTConfig.vocab_size
MOST_PADDING = 1024  # rows that a table of GPT-2's tokens may have on top, so that it divides well


def sign(place: int) -> str:
    """Return the character that GPT-2's files write for the byte at this place of the order.

    >>> sign(0), sign(220)
    ('!', 'Ġ')
    """
    visible = len(VISIBLE_BYTES)
    return chr(BYTE_ORDER[place] if place < visible else 256 + place - visible)


def from_hub(values: dict) -> Tokenizer:
    """Read the transformers library's tokenizer.json: byte-level BPE, cut as GPT-2 cuts.

    Raises ValueError, with the reason, for any other kind: a similar one would give wrong ids.
    """
    model, cut = values.get("model") or {}, values.get("pre_tokenizer") or {}
    known, merges = model.get("vocab"), model.get("merges")
    if model.get("type", "BPE") != "BPE" or not isinstance(known, dict) or merges is None:
        raise ValueError(f"it holds no byte-pair encoding, but {model.get('type')!r}")
    plain = cut.get("type") == "ByteLevel" and cut.get("use_regex", True)
    if not plain or cut.get("add_prefix_space") or values.get("normalizer"):
        raise ValueError("it prepares or cuts texts in another way than GPT-2")
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    tokens = [*map(sign, range(256)), *map("".join, pairs)]
    for number, token in enumerate(tokens):
        if known.get(token) != number:
            raise ValueError(f"its token {token!r} is number {known.get(token)}, not {number}")
    added = {token["id"]: token["content"] for token in values.get("added_tokens", ())}
    added |= {number: token for token, number in known.items() if number >= len(tokens)}
    numbers = sorted(number for number in added if number >= len(tokens))
    if numbers != [*range(len(tokens), len(tokens) + len(numbers))]:
        raise ValueError("the numbers of its special tokens have gaps")
    special = [added[number] for number in numbers]
    return Tokenizer([(known[left], known[right]) for left, right in pairs], special)


def from_two_files(folder: Path) -> dict:
    """Return vocab.json and merges.txt, the older way to keep the same, as one tokenizer.json."""
    lines = read_text(folder / "merges.txt").splitlines()
    merges = [line for line in lines if line and not line.startswith("#version")]
    vocab = parse_json(read_text(folder / "vocab.json"), str(folder / "vocab.json"))
    return {"model": {"vocab": vocab, "merges": merges}, "pre_tokenizer": {"type": "ByteLevel"}}


def beside(path: Path) -> tuple[Tokenizer | None, Path | None]:
    """Return the tokenizer saved beside the weights, and its file; None for what is not there.

    A file that is no tokenizer for this package is told in a warning, and gives no tokenizer.
    """
    file, folder = path.with_name("tokenizer.json"), path.parent
    if file.is_file():
        values = parse_json(read_text(file), str(file))
        if "model" not in values:
            return Tokenizer.load(file), file
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        file, values = folder / "vocab.json", from_two_files(folder)
    else:
        return None, None
    try:
        return from_hub(values), file
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        warnings.warn(
            f"{file} is of a kind that this package does not read ({error}), so the model comes "
            "without a tokenizer: encode and decode with the library that made it",
            stacklevel=4,
        )
        return None, file


def find_tokenizer(path: Path, config: GPTConfig, verbose: bool = False) -> Tokenizer | None:
    """Return the tokenizer saved beside the weights, or GPT-2's if the vocabulary is its size.

    A table may have more rows than the tokenizer has tokens, as after padding; not fewer.
    """
    tokenizer, file = beside(path)
    if file is None and GPT2_SIZE <= config.vocab_size < GPT2_SIZE + MOST_PADDING:
        tokenizer = Tokenizer.gpt2()
    if tokenizer is None:
        return None
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"{file} has {tokenizer.vocab_size} ids, the model {config.vocab_size}: "
            "they do not belong together"
        )
    if verbose and tokenizer.vocab_size < config.vocab_size:
        whose = "GPT-2's tokenizer" if file is None else file.name
        print(
            f"{whose} has {tokenizer.vocab_size:,} tokens, the model's table "
            f"{config.vocab_size:,} rows: the others are never drawn"
        )
    return tokenizer
