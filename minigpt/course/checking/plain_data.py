"""Plain data: what may leave the process in which a learner's code ran, and be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor


def plain(value: Any) -> Any:
    """Return a value as plain data. Of anything else only its type is kept.

    >>> plain((np.float64(0.5), {"a": object()}))
    (0.5, {'a': {'type': 'object'}})
    """
    if isinstance(value, Tensor):
        if value.is_sparse or value.is_nested or value.is_meta:
            return {"type": "Tensor (sparse, nested or meta)"}
        return value.detach().as_subclass(Tensor).cpu().clone().contiguous()
    if isinstance(value, (np.number, np.bool_)):
        return value.item()
    if isinstance(value, (list, tuple)):
        return (list if isinstance(value, list) else tuple)(map(plain, value))
    if isinstance(value, dict):
        return {_plain_key(key): plain(item) for key, item in value.items()}
    if type(value) is int and value.bit_length() > 1000:  # no float is as large
        return {"type": "int, with over 300 digits"}
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    return {"type": type(value).__name__}


def _plain_key(key: Any) -> Any:
    try:
        hash(kept := plain(key))
    except TypeError:
        return f"<{type(key).__name__}>"
    return kept
