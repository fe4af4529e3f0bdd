"""What the head explorer and its script share: the text, the patterns, what was chosen."""

from __future__ import annotations

import traitlets

from minigpt.config import check_whole


def place(name: str, value: int, size: int) -> int:
    """Return a place from 0 to size - 1, where a negative one counts from the end."""
    check_whole(name, value, least=-size)
    if value >= size:
        raise ValueError(f"{name} is {value}; here are {name}s 0 to {size - 1}")
    return value % size


class HeadState(traitlets.HasTraits):
    """The traits of the head explorer."""

    parts = traitlets.List(traitlets.Unicode()).tag(sync=True)  # of CAN_BE_SHOWN
    # The text, as the model reads it.
    text = traitlets.Unicode().tag(sync=True)
    notice = traitlets.Unicode().tag(sync=True)
    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    shape = traitlets.List(traitlets.Int()).tag(sync=True)  # layers, heads, T
    surprisal = traitlets.List(traitlets.Float()).tag(sync=True)  # nats, from token 1 on
    # Patterns: lower triangles, a byte a weight; first as they are, then the first token hidden.
    held = traitlets.List(traitlets.Int()).tag(sync=True)  # the first layer there, and how many
    weights = traitlets.Bytes().tag(sync=True)
    weights_hidden = traitlets.Bytes().tag(sync=True)
    rollout = traitlets.Bytes().tag(sync=True)
    rollout_hidden = traitlets.Bytes().tag(sync=True)
    thumbnails = traitlets.Bytes().tag(sync=True)  # (2, layers, heads, side, side)
    side = traitlets.Int().tag(sync=True)
    scores = traitlets.Dict().tag(sync=True)  # detector -> a score, or None, for each head
    scored_on = traitlets.Enum(["text", "random", "texts"], "text").tag(sync=True)
    texts = traitlets.Int(0).tag(sync=True)  # how many there are to score on, and for means
    # The text to compare with, if it has as many tokens.
    other_tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    other_weights = traitlets.Bytes().tag(sync=True)  # of the layers held
    other_weights_hidden = traitlets.Bytes().tag(sync=True)
    # What was chosen.
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    locked = traitlets.Bool(False).tag(sync=True)
    hide_first = traitlets.Bool(False).tag(sync=True)
    beside = traitlets.Bool(False).tag(sync=True)  # the rollout, beside the head
    colouring = traitlets.Enum(["attention", "surprise", "change"], "attention").tag(sync=True)
    panel = traitlets.Enum(["lens", "ablation"], "lens").tag(sync=True)
    sort = traitlets.Unicode("head").tag(sync=True)
    as_table = traitlets.Bool(False).tag(sync=True)
    ablated = traitlets.List().tag(sync=True)  # [layer, head] pairs
    by_mean = traitlets.Bool(False).tag(sync=True)  # they hand on their mean over texts, not 0
    # What Python found out about it.
    lens = traitlets.Dict().tag(sync=True)  # of token `row`
    expected = traitlets.Dict().tag(sync=True)  # after token `row`, with and without the heads
    without = traitlets.Dict().tag(sync=True)  # the loss without the ablated heads
