"""Put into one run of a model what another run had there, and see what becomes of the answer.

Where a number of one run can be exchanged for that of another and the answer follows it, there the
model keeps what the answer depends on: activation patching, an experiment and no look at patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from minigpt.interpret.patterns import logit_lens
from minigpt.interpret.recording import PARTS, Activations, activations
from minigpt.model import GPT, check_ids, evaluating

AT_ONCE = 16_384  # positions of patched runs in one batch: of gpt2 about half a gigabyte


def check_place(model: GPT, part: str, layer: int) -> None:
    """Raise ValueError unless the model has this part in this layer."""
    if part not in PARTS:
        raise ValueError(f"part is {part!r}; it can be 'stream', 'attn' or 'mlp'")
    layers = model.config.n_layer
    last = layers if part == "stream" else layers - 1
    if not 0 <= layer <= last:
        what = f"the stream after {layers} blocks" if part == "stream" else f"{part} of {layers}"
        raise ValueError(f"layer is {layer}; of {what} layers there are 0 to {last}")


def chosen_positions(positions: int | Iterable[int] | Tensor | None, T: int) -> Tensor:
    """Return where to patch as a bool tensor, (T,) or (B, T); None is everywhere.

    >>> chosen_positions([1, -1], 4).tolist()
    [False, True, False, True]
    """
    if isinstance(positions, Tensor) and positions.dtype == torch.bool:
        if positions.size(-1) != T:
            raise ValueError(f"positions is a mask over {positions.size(-1)}; the run has {T}")
        return positions
    if positions is None:
        return torch.ones(T, dtype=torch.bool)
    chosen = torch.zeros(T, dtype=torch.bool)
    for position in [positions] if isinstance(positions, int) else positions:
        if not -T <= position < T:
            raise ValueError(f"position is {int(position)}; the run has positions 0 to {T - 1}")
        chosen[int(position)] = True
    return chosen


@contextmanager
def patched(
    model: GPT,
    other: Activations | Tensor,
    layer: int,
    positions: int | Iterable[int] | Tensor | None = None,
    part: str = "stream",
) -> Iterator[None]:
    """Put another run's activations into every run inside the `with` block.

    `other` is what `activations` gave, or a tensor (B, T, C), B being 1 or that of the run.
    `part` is "stream", "attn" or "mlp"; the stream's layer l is the one before block l, so 0 is the
    embeddings and n_layer what the last block leaves. `positions` is one, several, None for all, or
    a mask, (T,) or (B, T) bool. No weight changes, and afterwards the model is as it was, also
    after an exception. Raises ValueError for a part, layer or position that is not there, and
    inside the block for a run of another length.

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=3, n_embd=6))
    >>> this, that = torch.tensor([[5, 1, 5, 1]]), torch.tensor([[5, 2, 5, 1]])
    >>> with patched(model, activations(model, that), layer=0, positions=1):
    ...     logits = model(this)
    >>> torch.equal(logits, model(that))  # the texts differ in token 1 alone
    True
    """
    check_place(model, part, layer)
    values = getattr(other, part)[layer] if isinstance(other, Activations) else other
    where = chosen_positions(positions, values.size(-2)).to(values.device).unsqueeze(-1)

    def put(x: Tensor) -> Tensor:
        if x.shape[-2:] != values.shape[-2:]:
            raise ValueError(
                f"the run has {x.size(-2)} positions of width {x.size(-1)}, what is put in "
                f"{values.size(-2)} of {values.size(-1)}; both texts must be equally long"
            )
        return torch.where(where, values, x)

    blocks, ln_f = model.transformer.h, model.transformer.ln_f
    if part == "stream":  # a block is given its cache beside the stream
        reader = blocks[layer] if layer < len(blocks) else ln_f
        hook = reader.register_forward_pre_hook(lambda module, given: (put(given[0]), *given[1:]))
    else:
        writer = getattr(blocks[layer], part)
        hook = writer.register_forward_hook(lambda module, given, output: put(output))
    try:
        yield
    finally:
        hook.remove()


def check_texts(clean: Tensor, corrupt: Tensor) -> None:
    """Raise ValueError unless both are one text, (1, T) ids, and equally long."""
    for name, idx in (("clean", clean), ("corrupt", corrupt)):
        if not isinstance(idx, Tensor) or idx.dim() != 2 or len(idx) != 1:
            given = tuple(idx.shape) if isinstance(idx, Tensor) else type(idx).__name__
            raise ValueError(f"{name} is {given}; give one text of ids, (1, T)")
    if clean.size(1) != corrupt.size(1):
        raise ValueError(
            f"clean has {clean.size(1)} tokens and corrupt {corrupt.size(1)}; they must be equally "
            "long, or position would not go to position. Exchange words of as many tokens"
        )


def measured(measure: Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    """Return measure(logits), (B, ...) of next-token logits (B, V), or raise ValueError."""
    value = measure(logits)
    if not isinstance(value, Tensor) or value.shape[:1] != logits.shape[:1]:
        given = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"measure gave {given} for logits {tuple(logits.shape)}; it must give one number for "
            f"each run, ({len(logits)},), such as logits[:, red] - logits[:, blue]"
        )
    return value


@torch.no_grad()
def patch_effects(
    model: GPT,
    clean: Tensor,
    corrupt: Tensor,
    measure: Callable[[Tensor], Tensor],
    part: str = "stream",
) -> Tensor:
    """Measure the corrupt run with one activation of the clean run put in, for every place.

    clean and corrupt (1, T) are equally long. `measure` is given the logits of the next token after
    the text, (B, V), and returns a number for each of the B runs (or a tensor, (B, ...)).
    -> (n_layer + 1, T) for part="stream", (n_layer, T) for "attn" and "mlp": entry [l, t] is the
    measure with layer l, position t patched. The model is left as it was. Raises ValueError for
    texts of unequal length.
    Source: Meng et al. 2022, "Locating and Editing Factual Associations in GPT" (causal tracing;
    there the corrupt run is the same text with noise, here it is another text).

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=3, n_embd=6))
    >>> this, that = torch.tensor([[5, 1, 5, 1]]), torch.tensor([[5, 2, 5, 1]])
    >>> patch_effects(model, this, that, lambda logits: logits[:, 1] - logits[:, 2]).shape
    torch.Size([3, 4])
    """
    check_texts(clean, corrupt)
    check_place(model, part, 0)
    for idx in (clean, corrupt):
        check_ids(idx, model.config)
    this, that = activations(model, corrupt), activations(model, clean)
    with evaluating(model):
        rows = [
            patch_layer(model, this, that, measure, part, layer)
            for layer in range(len(getattr(this, part)))
        ]
    return torch.stack(rows)


def patch_layer(
    model: GPT,
    this: Activations,
    that: Activations,
    measure: Callable[[Tensor], Tensor],
    part: str,
    layer: int,
) -> Tensor:
    """Return the measures of this run, (T, ...), with that run's layer put in at one position each.

    Where the runs have the same there, nothing has to be computed. What comes before the layer
    stays the same too, so the blocks run from it on, many runs in one batch.
    """
    plain = measured(measure, logit_lens(model, this.stream[-1, :, -1]))
    here, there = getattr(this, part)[layer, 0], getattr(that, part)[layer, 0]  # (T, C)
    effects = plain.expand(len(here), *plain.shape[1:]).clone()
    places = (here != there).any(dim=-1).nonzero().flatten()
    for some in places.split(max(1, AT_ONCE // len(here))):
        mask = torch.zeros(len(some), len(here), dtype=torch.bool, device=here.device)
        mask[torch.arange(len(some)), some] = True
        x = this.stream[layer].expand(len(some), -1, -1)  # (B, T, C), a row for each position
        with patched(model, that, layer, mask, part):
            for block in model.transformer.h[layer:]:
                x = block(x)
            last = model.transformer.ln_f(x)[:, -1]
        effects[some] = measured(measure, model.lm_head(last))
    return effects
