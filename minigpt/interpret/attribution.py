"""Direct logit attribution: how much each part of a model adds to the logit of an answer.

The residual stream is a sum of what parts wrote, and the head of the model is linear. Only the
final LayerNorm stands between them: it divides by a number that depends on all parts together.
With that number held fixed, a logit is exactly a sum, one term for each part.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.interpret.recording import Activations, activations
from minigpt.model import GPT


@dataclass(frozen=True)
class Attribution:
    """The terms of one logit (or of a difference of two) for each of B texts; `total` is it."""

    token: Tensor  # (B,): the token's own embedding
    position: Tensor  # (B,): the position's
    heads: Tensor  # (B, n_layer, n_head): each head, through its columns of c_proj
    attn_bias: Tensor  # (B, n_layer): the bias of c_proj, which belongs to no head
    mlps: Tensor  # (B, n_layer)
    ln_f_bias: Tensor  # (B,): the same for every text

    @property
    def total(self) -> Tensor:
        """Return the sum of all terms: (B,)."""
        terms = self.heads.flatten(1), self.attn_bias, self.mlps
        return self.token + self.position + self.ln_f_bias + sum(t.sum(dim=1) for t in terms)

    def rows(self) -> dict[str, Tensor]:
        """Return every term by name, (B,) each, in the order in which a model computes them."""
        rows = {"token": self.token, "position": self.position}
        for layer in range(self.mlps.size(1)):
            for head in range(self.heads.size(2)):
                rows[f"head {layer}.{head}"] = self.heads[:, layer, head]
            rows[f"attn {layer} bias"] = self.attn_bias[:, layer]
            rows[f"mlp {layer}"] = self.mlps[:, layer]
        return {**rows, "ln_f bias": self.ln_f_bias}


@torch.no_grad()
def head_writes(model: GPT, idx: Tensor) -> tuple[Tensor, Activations]:
    """Return what each head adds to the stream at the last position, and all else that the run had.

    idx (B, T) -> heads (B, n_layer, n_head, C), and its activations. A head's part is what it
    gathered times its own columns of c_proj; the bias of c_proj is in none.
    """
    heads: list[Tensor] = []

    def gathered(c_proj, given):  # (B, T, C): the heads' answers side by side
        z = given[0][:, -1].unflatten(-1, (model.config.n_head, -1))  # (B, nh, hs)
        columns = c_proj.weight.unflatten(1, (model.config.n_head, -1))  # (C, nh, hs)
        heads.append(torch.einsum("bhs,chs->bhc", z, columns))

    with ExitStack() as hooks:
        for block in model.transformer.h:
            hooks.callback(block.attn.c_proj.register_forward_pre_hook(gathered).remove)
        run = activations(model, idx)
    return torch.stack(heads, dim=1), run


@torch.no_grad()
def direct_attribution(
    model: GPT, idx: Tensor, answers: Tensor, against: Tensor | None = None
) -> Attribution:
    """Return what each part adds directly to the answer's logit at the last position.

    idx (B, T), answers (B,) token ids. With `against`, (B,) ids, it is the answer's logit minus
    that one's: what speaks for the one and not the other. The terms sum to it exactly (but for
    rounding). Direct means: not what a part does to the parts after it.
    Raises ValueError unless there is one answer for each text.
    Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=3, n_embd=6))
    >>> idx = torch.tensor([[5, 1, 5, 1]])
    >>> found = direct_attribution(model, idx, torch.tensor([5]))
    >>> torch.allclose(found.total, model(idx)[:, -1, 5], atol=1e-5)
    True
    """
    for name, ids in (("answers", answers), ("against", against)):
        if ids is not None and ids.shape != idx.shape[:1]:
            raise ValueError(f"{name} is {tuple(ids.shape)}; there are {len(idx)} texts, one each")
    parts, ln_f = model.transformer, model.transformer.ln_f
    wanted = model.lm_head.weight[answers]  # (B, C)
    if against is not None:
        wanted = wanted - model.lm_head.weight[against]
    heads, run = head_writes(model, idx)
    stream = run.stream[-1, :, -1]  # (B, C), before ln_f
    spread = (stream.var(dim=-1, unbiased=False) + ln_f.eps).sqrt()  # held fixed
    # ln_f takes the mean of the channels away: as well from the direction as from each part.
    direction = wanted * ln_f.weight
    direction = (direction - direction.mean(dim=-1, keepdim=True)) / spread[:, None]

    def term(written: Tensor) -> Tensor:  # (B, ..., C) -> (B, ...)
        return torch.einsum("b...c,bc->b...", written, direction)

    def bias(linear) -> Tensor:
        return torch.zeros_like(stream[0]) if linear.bias is None else linear.bias

    biases = torch.stack([bias(block.attn.c_proj) for block in parts.h])
    return Attribution(
        token=term(parts.wte(idx[:, -1])),
        position=term(parts.wpe.weight[idx.size(1) - 1].expand_as(stream)),
        heads=term(heads),
        attn_bias=term(biases.expand(len(idx), -1, -1)),
        mlps=term(run.mlp[:, :, -1].transpose(0, 1)),
        ln_f_bias=wanted @ bias(ln_f),
    )
