"""Token ids become batches of windows to train on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from minigpt.config import check_whole
from minigpt.tokenizer import Tokenizer

NO_TARGET = -100  # PyTorch's cross-entropy leaves such targets out


def get_batch(
    data: np.ndarray | Tensor,
    block_size: int,
    batch_size: int,
    generator: torch.Generator | None = None,
    rows: slice = slice(None),
) -> tuple[Tensor, Tensor]:
    """Cut windows out of a stream of ids at random: inputs x and targets y, one to the right.

    data (N,) of whole numbers -> x, y (B, T) int64, with B = batch_size, T = block_size.
    The generator's state decides which; of those drawn only `rows` are read and returned, as one
    of several processes needs them. Raises ValueError if N < T + 1.

    >>> x, y = get_batch(np.arange(100), block_size=4, batch_size=1)
    >>> (y - x).tolist()
    [[1, 1, 1, 1]]
    """
    check_whole("block_size", block_size)
    check_whole("batch_size", batch_size)
    ids = np.asarray(data)  # no copy, also of a file on disk
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(f"data must be one row of token ids, not {ids.dtype} {ids.shape}")
    if len(ids) <= block_size:
        raise ValueError(
            f"data has {len(ids)} tokens; a window of block_size={block_size} and the token after "
            "it need one more than block_size: take a longer text or a smaller block_size"
        )
    starts = torch.randint(len(ids) - block_size, (batch_size,), generator=generator).numpy()[rows]
    windows = torch.from_numpy(ids[starts[:, None] + np.arange(block_size + 1)].astype(np.int64))
    return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()


@dataclass(frozen=True, eq=False)
class Data:
    """A corpus as token ids, in a part to train on and a held-out part."""

    name: str
    tokenizer: Tokenizer
    train: np.ndarray  # (N,) uint16 or uint32, on disk
    val: np.ndarray  # the same, held out
    train_starts: np.ndarray | None = None  # (D,) int64: where documents start, if there are any:
    val_starts: np.ndarray | None = None  # the positions of the <|endoftext|> before each
    floor: float | None = None  # best possible loss, nats per token; None if nobody knows it

    def batch(
        self,
        split: str,
        block_size: int,
        batch_size: int,
        generator: torch.Generator | None = None,
        rows: slice = slice(None),
    ) -> tuple[Tensor, Tensor]:
        """Draw a batch from "train" or "val": inputs x and targets y, each (B, T) int64.

        Of a text: windows from anywhere, as `get_batch` cuts them. Of documents: each row is one,
        from the <|endoftext|> before it to the one after it. A row that is over early goes on with
        <|endoftext|>, and with the target -100, which cross-entropy leaves out; so the mean loss
        can be compared with `floor` as long as block_size is no less than the longest document.
        Of the rows drawn only `rows` are read and returned.
        """
        if split not in ("train", "val"):
            raise ValueError(f"split is {split!r}; it must be 'train' or 'val'")
        ids = getattr(self, split)
        starts = getattr(self, f"{split}_starts")
        if starts is None:
            return get_batch(ids, block_size, batch_size, generator, rows)
        check_whole("block_size", block_size)
        check_whole("batch_size", batch_size)
        drawn = torch.randint(len(starts), (batch_size,), generator=generator).numpy()[rows]
        ends = np.append(starts[1:], len(ids) - 1)[drawn, None]
        positions = starts[drawn, None] + np.arange(block_size + 1)
        windows = torch.from_numpy(ids[np.minimum(positions, ends)].astype(np.int64))
        beyond = torch.from_numpy(positions > ends)
        x, y = windows[:, :-1].contiguous(), windows.masked_fill(beyond, NO_TARGET)[:, 1:]
        return x, y.contiguous()
