"""GPT-2's tokenizer: text to numbers and back, losing nothing.

The algorithm itself is in `bpe.py`. Here is what holds a vocabulary: training it, GPT-2's own,
encoding and decoding with it, special tokens, and the file it is kept in.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable
from functools import cache
from itertools import chain
from pathlib import Path

from minigpt.files import atomic_write, read_text
from minigpt.tokenizer.bpe import (
    MOST_TOKENS,
    SEAM,
    blocks,
    count_words,
    join_merges,
    learn_merges,
    merge_steps,
    merge_word,
    pre_tokenize,
    to_tokens,
)
from minigpt.tokenizer.checks import (
    END_OF_TEXT,
    checked_allowed,
    checked_ids,
    checked_special_tokens,
    checked_text,
)
from minigpt.tokenizer.gpt2_files import read_gpt2_file
from minigpt.tokenizer.memo import Memo

FORMAT = "minigpt tokenizer 1"


class Tokenizer:
    """Byte-level byte-pair encoding, as GPT-2 has it.

    Ids 0 to 255 are the bytes in GPT-2's order, then comes one id for each merge, then the special
    tokens. `merges` is a list of pairs of ids, `special_tokens` a dictionary from text to id.
    Raises ValueError for merges or special tokens that cannot be.

    >>> tokenizer = Tokenizer.train("low lower lowest", vocab_size=260)
    >>> [tokenizer.token_bytes(token) for token in tokenizer.encode("slow flow")]
    [b's', b'low', b' ', b'f', b'low']
    """

    def __init__(
        self,
        merges: Iterable[tuple[int, int]],
        special_tokens: Iterable[str] = (END_OF_TEXT,),
    ) -> None:
        merges = list(merges) if isinstance(merges, Iterable) else merges
        tokens = join_merges(merges)
        special = checked_special_tokens(special_tokens)
        self.merges = [(left, right) for left, right in merges]
        self.special_tokens = {token: len(tokens) + i for i, token in enumerate(special)}
        self.vocab_size = len(tokens) + len(special)
        self._id_of_bytes = {token: i for i, token in enumerate(tokens)}
        self._bytes_of_id = tokens + [token.encode() for token in special]
        self._merged = {
            chr(left) + chr(right): chr(256 + i) for i, (left, right) in enumerate(self.merges)
        }
        longest_first = sorted(special, key=len, reverse=True)
        self._special_pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        # Stretches between seams, and the pre-tokens in them: both come again and again in a text.
        self._ids_of_word = Memo(self._encode_word)
        self._ids_of_stretch = Memo(self._encode_stretch)

    @property
    def end_of_text(self) -> int | None:
        """The id of <|endoftext|>, or None if this tokenizer has no such token."""
        return self.special_tokens.get(END_OF_TEXT)

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        vocab_size: int,
        special_tokens: Iterable[str] = (END_OF_TEXT,),
    ) -> Tokenizer:
        """Learn merges from a text, or from many documents, which no merge will cross.

        `vocab_size` counts the 256 bytes and the special tokens. Equally frequent pairs are merged
        in the order of their ids, and pairs seen just once are merged too. If none is left before
        `vocab_size` is reached, the tokenizer's `vocab_size` is smaller.
        Special tokens in the text are text like any other: pass the documents between them.
        Raises ValueError for a `vocab_size` that leaves no room, and for what is not text.
        """
        special = checked_special_tokens(special_tokens)
        fewest = 256 + len(special)
        if type(vocab_size) is not int or not fewest <= vocab_size <= MOST_TOKENS:
            raise ValueError(
                f"vocab_size is {vocab_size!r}; it must be a whole number from {fewest} "
                f"(256 bytes, {len(special)} special tokens) to {MOST_TOKENS}"
            )
        several = isinstance(text, Iterable) and not isinstance(text, (str, bytes))
        counts = count_words(map(checked_text, text if several else [text]))
        return cls(learn_merges(counts, vocab_size - fewest), special)

    @classmethod
    @cache
    def gpt2(cls) -> Tokenizer:
        """Return GPT-2's own tokenizer, with 50,257 tokens, from files that came with the package.

        If they are missing they are downloaded. Raises FileNotFoundError, which says what to
        install, if that fails too. Made once: every call returns the same object.

        >>> Tokenizer.gpt2().encode("Hello, world")
        [15496, 11, 995]
        """
        id_of_token = json.loads(read_gpt2_file("encoder.json"))
        lines = read_gpt2_file("vocab.bpe").decode("utf-8").split("\n")[1:-1]  # 0 is a heading
        pairs = (line.split(" ") for line in lines)
        return cls([(id_of_token[left], id_of_token[right]) for left, right in pairs])

    def encode_ordinary(self, text: str) -> list[int]:
        """Return the ids of a text in which special tokens are text like any other.

        Raises ValueError for what is not a str, or cannot be written as UTF-8.
        """
        return self._encode(checked_text(text))

    def encode(self, text: str, allowed_special: Collection[str] = frozenset()) -> list[int]:
        """Return the ids of a text, and of the special tokens in it that are allowed.

        `allowed_special` is a set of special tokens, or "all". Where two of them begin, the longer
        one is meant. Raises ValueError for a special token that is not allowed, so that nobody
        can slip one in by typing it; for what is not a str; for what is not UTF-8.

        >>> tokenizer = Tokenizer.gpt2()
        >>> tokenizer.encode("The end.<|endoftext|>", allowed_special="all")
        [464, 886, 13, 50256]
        """
        checked_text(text)
        allowed = checked_allowed(allowed_special, list(self.special_tokens))
        ids, start = [], 0
        for found in self._special_pattern.finditer(text):
            token = found[0]
            if token not in allowed:
                raise ValueError(
                    f"the text has the special token {token!r} at position {found.start()}. "
                    f"To encode it as that token, pass allowed_special={{{token!r}}}; "
                    "to encode it as plain text, call encode_ordinary(text)"
                )
            ids += self._encode(text[start : found.start()])
            ids.append(self.special_tokens[token])
            start = found.end()
        ids += self._encode(text[start:])
        return ids

    def _encode(self, text: str) -> list[int]:
        look_up = self._ids_of_stretch.__getitem__
        ids = []
        for block in blocks(text):
            ids.extend(chain.from_iterable(map(look_up, SEAM.split(block))))
        return ids

    def _encode_stretch(self, stretch: str) -> tuple[int, ...]:
        look_up = self._ids_of_word.__getitem__
        return tuple(chain.from_iterable(map(look_up, pre_tokenize(stretch))))

    def _encode_word(self, word: str) -> tuple[int, ...]:
        # Most words are tokens themselves. Training made those by the same merges, in this order,
        # so merging the word's bytes would end there too.
        token = self._id_of_bytes.get(word.encode())
        if token is not None:
            return (token,)
        return tuple(map(ord, merge_word(to_tokens(word), self._merged)))

    def merge_steps(self, word: str) -> list[list[int]]:
        """Return the ids of one pre-token at every stage: its bytes first, then merge by merge.

        >>> tokenizer = Tokenizer.gpt2()
        >>> [[tokenizer.decode([i]) for i in ids] for ids in tokenizer.merge_steps(" kite")]
        [[' ', 'k', 'i', 't', 'e'], [' ', 'k', 'it', 'e'], [' k', 'it', 'e'], [' k', 'ite']]
        """
        steps = merge_steps(to_tokens(checked_text(word)), self._merged)
        return [list(map(ord, step)) for step in steps]

    def decode(self, ids: Iterable[int], errors: str = "replace") -> str:
        """Return the text of a one-dimensional list, array or tensor of ids.

        A character can be spread over several tokens, so their bytes are joined before they are
        read as UTF-8. What is not UTF-8 becomes "�", or raises UnicodeDecodeError (a ValueError)
        with errors="strict". Raises ValueError for what is not an id of this tokenizer.
        """
        parts = map(self._bytes_of_id.__getitem__, checked_ids(ids, self.vocab_size))
        return b"".join(parts).decode("utf-8", errors)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes that an id stands for; on their own they may not be whole characters.

        >>> Tokenizer.gpt2().token_bytes(262)
        b' the'
        """
        return self._bytes_of_id[checked_ids([token], self.vocab_size)[0]]

    def save(self, path: str | os.PathLike) -> None:
        """Write the tokenizer to one JSON file, all of it or nothing; equal ones, equal bytes."""
        content = {
            "format": FORMAT,
            "special_tokens": list(self.special_tokens),
            "merges": self.merges,
        }
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
        with atomic_write(path) as temporary:
            temporary.write_bytes(text.encode())

    @classmethod
    def load(cls, path: str | os.PathLike) -> Tokenizer:
        """Read a tokenizer that `save` wrote. Nothing in the file is ever run.

        Raises FileNotFoundError if there is none, ValueError if it is anything else or damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"there is no tokenizer file {path}; make one with tokenizer.save(path), "
                "or use Tokenizer.gpt2()"
            )
        try:
            content = json.loads(read_text(path))
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise ValueError(f'it does not say "format": "{FORMAT}"')
            return cls(content.get("merges"), content.get("special_tokens"))
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"{path} is not a tokenizer's file, or a damaged one: {error}. "
                "Make it again with tokenizer.save(path)"
            ) from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokenizer):
            return NotImplemented
        return (self.merges, self.special_tokens) == (other.merges, other.special_tokens)

    def __repr__(self) -> str:
        special = ", ".join(map(repr, self.special_tokens)) or "no special token"
        return (
            f"Tokenizer({self.vocab_size} tokens: 256 bytes, {len(self.merges)} merges, {special})"
        )
