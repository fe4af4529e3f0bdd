"""What is text, and what can be a special token: refused here, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from operator import index

END_OF_TEXT = "<|endoftext|>"


def checked_text(text: str, name: str = "text") -> str:
    """Return the text, or raise ValueError for what is not text that UTF-8 can hold."""
    if not isinstance(text, str):
        how = "; decode it first: text.decode('utf-8')" if isinstance(text, bytes) else ""
        raise ValueError(f"{name} must be a str, not {type(text).__name__}: {text!r:.40}{how}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} has half a surrogate pair, {text[error.start]!r}, at position {error.start}. "
            "It stands for no character. Read the text again with the right encoding, or drop it "
            "with text.encode('utf-8', 'ignore').decode('utf-8')"
        ) from None
    return text


def checked_special_tokens(special_tokens: Iterable[str]) -> list[str]:
    """Return the special tokens as a list, or raise ValueError for what cannot be one."""
    if isinstance(special_tokens, (str, bytes)) or not isinstance(special_tokens, Iterable):
        raise ValueError(
            f"special_tokens must be a list of strings like [{END_OF_TEXT!r}], "
            f"not {special_tokens!r:.40}"
        )
    special = [checked_text(token, "a special token") for token in special_tokens]
    if "" in special or len(set(special)) < len(special):
        raise ValueError(f"special_tokens are {special!r:.80}; none may be empty or come twice")
    return special


def checked_allowed(allowed_special: Collection[str], known: list[str]) -> Collection[str]:
    """Return the special tokens that a text may hold, or raise ValueError for unknown ones."""
    allowed = known if allowed_special == "all" else allowed_special
    several = isinstance(allowed, (set, frozenset, list, tuple))
    if not several or not all(token in known for token in allowed):
        raise ValueError(
            f'allowed_special must be "all" or a set of special tokens among {known}, '
            f"not {allowed_special!r:.80}"
        )
    return allowed


def checked_ids(ids: Iterable[int], vocab_size: int) -> list[int]:
    """Return ids as a list of whole numbers below vocab_size, or raise ValueError."""
    ids = ids.tolist() if hasattr(ids, "tolist") else ids  # a NumPy array, a PyTorch tensor
    try:
        whole = list(map(index, ids))
    except TypeError:
        raise ValueError(
            f"ids must be one list of whole numbers, not {ids!r:.80}; "
            "for a batch, decode one row at a time"
        ) from None
    if whole and (min(whole) < 0 or max(whole) >= vocab_size):
        wrong = next(i for i in whole if not 0 <= i < vocab_size)
        raise ValueError(
            f"there is no token {wrong}: with vocab_size {vocab_size}, "
            f"ids go from 0 to {vocab_size - 1}"
        )
    return whole
