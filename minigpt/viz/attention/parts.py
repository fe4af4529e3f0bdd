"""What the head explorer is made of: its scripts, and the parts that can be left out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

NAMES = ("patterns", "text", "grid", "map", "lines", "readout")  # each builds on those before it
PARTS = [Path(__file__).parent / f"{name}.js" for name in NAMES]

# What can be left out, each with what it shows. The text and where a token looks always stay.
CAN_BE_SHOWN = {
    "patterns": "all heads as small pictures, and the map of the chosen one",
    "lines": "lines from each token to what it looks at",
    "take out": "take heads out: the loss and the next token without them",
    "lens": "what each layer expects next (logit lens), and the text coloured by surprise",
    "scores": "the heads sorted by detectors: previous token, induction, duplicate, first token",
    "rollout": "attention followed through the layers",
    "first token": "hide the first token",
    "table": "all numbers as a table",
}


def check_parts(parts: Iterable[str]) -> list[str]:
    """Return the parts in their own order, or raise ValueError for one that is not there.

    >>> check_parts(["lines", "patterns"])
    ['patterns', 'lines']
    """
    parts = [parts] if isinstance(parts, str) else list(parts)
    for name in parts:
        if name not in CAN_BE_SHOWN:
            raise ValueError(f"there is no part {name!r}; parts can be {', '.join(CAN_BE_SHOWN)}")
    return [name for name in CAN_BE_SHOWN if name in parts]
