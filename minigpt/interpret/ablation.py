"""A model with parts taken out: what becomes of its answers is what the parts were good for.

A part is a head, (layer, head), or a whole sublayer, "attn 1" or "mlp 3". Taken out, it hands on
zeros, or its mean over some texts: zero may be a value that the parts after it have never met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minigpt.model import GPT, evaluating


@dataclass(frozen=True)
class Means:
    """What the parts of a model hand on, as means over all tokens of some texts."""

    heads: Tensor  # (n_layer, n_head, hs): what each head gathered, before c_proj mixes the heads
    attn: Tensor  # (n_layer, C): what each attention adds to the residual stream
    mlp: Tensor  # (n_layer, C): and each MLP


def check_heads(model: GPT, heads: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return (layer, head) pairs as a set, or raise ValueError for one that the model lacks."""
    heads = {(int(layer), int(head)) for layer, head in heads}
    layers, per_layer = model.config.n_layer, model.config.n_head
    for layer, head in sorted(heads):
        if not (0 <= layer < layers and 0 <= head < per_layer):
            raise ValueError(
                f"there is no head {(layer, head)}; this model has layers 0 to {layers - 1}, "
                f"each with heads 0 to {per_layer - 1}"
            )
    return heads


def check_sublayers(model: GPT, names: Iterable[str]) -> list[tuple[str, int]]:
    """Return names such as "attn 1" as (kind, layer), or raise ValueError for one not there."""
    found = []
    for name in [names] if isinstance(names, str) else names:
        kind, _, layer = name.partition(" ")
        layers = model.config.n_layer
        if kind not in ("attn", "mlp") or not layer.isdecimal() or int(layer) >= layers:
            raise ValueError(
                f"there is no sublayer {name!r}; this model has 'attn 0' to 'attn {layers - 1}' "
                f"and 'mlp 0' to 'mlp {layers - 1}'"
            )
        found.append((kind, int(layer)))
    return found


@torch.no_grad()
def measure_means(model: GPT, texts: Iterable[Tensor]) -> Means:
    """Return what each part hands on, as means over every token of the texts, ids (T,) each.

    Long texts count for more: each token counts once. Raises ValueError for no texts at all.
    """
    blocks, sums, count = model.transformer.h, {}, 0

    def add(name: str, layer: int, value: Tensor) -> None:
        total = value.double().sum(dim=(0, 1))  # over texts and time
        sums[name, layer] = sums.get((name, layer), 0.0) + total

    with ExitStack() as hooks, evaluating(model):
        for i, block in enumerate(blocks):
            for hook in (
                block.attn.c_proj.register_forward_pre_hook(lambda _, x, i=i: add("z", i, x[0])),
                block.attn.register_forward_hook(lambda _, x, out, i=i: add("attn", i, out)),
                block.mlp.register_forward_hook(lambda _, x, out, i=i: add("mlp", i, out)),
            ):
                hooks.callback(hook.remove)
        for ids in texts:
            model.features(ids[None])
            count += len(ids)
    if not count:
        raise ValueError("there are no texts to take means over; give at least one row of ids")
    dtype = model.transformer.wte.weight.dtype
    z, attn, mlp = (
        torch.stack([sums[name, i] / count for i in range(len(blocks))]).to(dtype)
        for name in ("z", "attn", "mlp")
    )
    return Means(z.unflatten(1, (model.config.n_head, -1)), attn, mlp)


def replacer(channels: Tensor, value: Tensor) -> Callable[[nn.Module, tuple[Tensor]], Tensor]:
    """Return a hook that puts value (C,) into channels, (C,) bool, of what a module is given."""

    def replace(module: nn.Module, given: tuple[Tensor]) -> Tensor:
        x = given[0]
        return torch.where(channels.to(x.device), value.to(x), x)

    return replace


@contextmanager
def ablated(
    model: GPT, heads: Iterable[tuple[int, int]], means: Means | None = None
) -> Iterator[None]:
    """Take out heads, given as (layer, head) pairs, inside the `with` block.

    Each still attends, but in place of what it gathered c_proj gets 0, or the head's mean (see
    `measure_means`). No weight changes, and afterwards the model is as it was, also after an
    exception. Raises ValueError for a head that the model does not have.

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=3, n_embd=6))
    >>> with ablated(model, [(0, 2), (1, 0)]):
    ...     logits = model(torch.tensor([[5, 1, 5, 1]]))
    """
    shape = model.config.n_head, model.config.head_size
    taken: dict[int, Tensor] = {}  # by layer: which of its channels are replaced
    for layer, head in check_heads(model, heads):
        taken.setdefault(layer, torch.zeros(shape, dtype=torch.bool))[head] = True
    with ExitStack() as hooks:
        for layer, channels in taken.items():
            value = torch.zeros(shape) if means is None else means.heads[layer]
            c_proj = model.transformer.h[layer].attn.c_proj
            hook = replacer(channels.flatten(), value.flatten())
            hooks.callback(c_proj.register_forward_pre_hook(hook).remove)
        yield


@contextmanager
def without(model: GPT, sublayers: Iterable[str], means: Means | None = None) -> Iterator[None]:
    """Take out whole sublayers, such as "attn 1" or "mlp 3", inside the `with` block.

    A sublayer adds 0 to the residual stream, or its mean (see `measure_means`), at every position.
    The model is left as it was. Raises ValueError for a sublayer that it does not have.

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=3, n_embd=6))
    >>> with without(model, ["attn 0", "attn 1"]):  # no token sees another
    ...     a, b = model(torch.tensor([[5, 1], [3, 1]]))[:, 1]
    >>> torch.equal(a, b)
    True
    """
    found = check_sublayers(model, sublayers)
    with ExitStack() as hooks:
        for kind, layer in found:
            mean = None if means is None else getattr(means, kind)[layer]

            def instead(module, given, out, mean=mean):
                return torch.zeros_like(out) if mean is None else mean.to(out).expand_as(out)

            part = getattr(model.transformer.h[layer], kind)
            hooks.callback(part.register_forward_hook(instead).remove)
        yield


@contextmanager
def with_pattern(model: GPT, layer: int, head: int, pattern: Tensor) -> Iterator[None]:
    """Have one head gather by a pattern (T, T) in place of its own, inside the `with` block.

    Its values are still its own, and so is the pattern that `attention_patterns` shows. Texts have
    T tokens, or fewer: then the first rows count. Raises ValueError for a head that is not there,
    and for a pattern that is not square.

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=3, n_embd=6))
    >>> with with_pattern(model, 0, 2, torch.eye(4)):  # each token looks at itself
    ...     logits = model(torch.tensor([[5, 1, 5, 1]]))
    """
    check_heads(model, [(layer, head)])
    if pattern.dim() != 2 or pattern.size(0) != pattern.size(1):
        raise ValueError(f"pattern is {tuple(pattern.shape)}; it must be (T, T)")
    attention, values = model.transformer.h[layer].attn, []
    size = model.config.head_size
    mine = slice(head * size, (head + 1) * size)

    def keep(module, given, out):
        values[:] = [out.chunk(3, dim=-1)[2][..., mine]]  # (B, T, hs)

    def gather(module, given):
        x, T = given[0].clone(), given[0].size(1)
        x[..., mine] = pattern[:T, :T].to(x) @ values[0]
        return x

    with ExitStack() as hooks:
        hooks.callback(attention.c_attn.register_forward_hook(keep).remove)
        hooks.callback(attention.c_proj.register_forward_pre_hook(gather).remove)
        yield
