"""Weights in 8 bits: a quarter of the memory, and of what one new token has to read.

Each row of a matrix is divided by a scale of its own, so that its largest number becomes 127, and
rounded. Only weights are rounded to 8 bits; what flows through the products is bf16 or better.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.model import GPT, Linear

FEW_ROWS = 16  # up to here PyTorch's int8 product is quicker than turning the weights back


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return whole numbers from -127 to 127, (N, K) int8, and each row's scale, (N,) float32.

    Their product is the weight, to half a scale. Source: Dettmers et al. 2022, section 2.

    >>> quantize_rows(torch.tensor([[1.0, -0.5], [0.0, 254.0]]))
    (tensor([[127, -64],
            [  0, 127]], dtype=torch.int8), tensor([0.0079, 2.0000]))
    """
    weight = weight.detach().float()
    # A row of zeros has no largest number to divide by; any scale suits it.
    scale = (weight.abs().amax(dim=1) / 127).clamp(min=torch.finfo(torch.float32).tiny)
    return (weight / scale[:, None]).round().to(torch.int8).contiguous(), scale


class Int8Linear(nn.Module):
    """A Linear whose weight is held as whole numbers: (..., K) -> (..., N)."""

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        # That product scales in bf16 itself, which is too coarse; it is given ones instead.
        self.register_buffer("ones", torch.ones_like(scale, dtype=torch.bfloat16))
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        # bf16 has 8 bits of precision: it holds the whole numbers exactly, and only rounds x.
        rows = x.reshape(-1, x.size(-1)).bfloat16()
        if x.device.type == "cpu" and len(rows) <= FEW_ROWS:
            y = torch._weight_int8pack_mm(rows, self.weight, self.ones)
        else:
            y = F.linear(rows, self.weight.bfloat16())
        y = (y * self.scale).to(x.dtype).view(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias

    def readable(self, x: Tensor) -> Tensor:
        """The product itself: whole numbers as floats, then each output times its row's scale."""
        return F.linear(x, self.weight.to(x.dtype)) * self.scale.to(x.dtype)


class Int8Embedding(nn.Module):
    """An Embedding that looks its rows up in the head's whole numbers: tied, as in GPT-2."""

    def __init__(self, head: Int8Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.head, self.dtype = [head], dtype  # in a list: the head is not to be saved twice

    def forward(self, idx: Tensor) -> Tensor:
        head = self.head[0]
        return (head.weight[idx] * head.scale[idx][..., None]).to(self.dtype)


def shared_copy(model: nn.Module) -> nn.Module:
    """Return new modules that hold the very same weights: changing a module leaves the original."""
    tensors = [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})


def replace_linear(model: GPT, replacement) -> None:
    """Put replacement(layer) in the place of every matrix product, the head included."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, (Linear, Int8Linear)):
                setattr(parent, name, replacement(child))


def is_quantized(model: nn.Module) -> bool:
    """Say whether any matrix of the model is held in int8."""
    return any(isinstance(module, Int8Linear) for module in model.modules())


def quantize(model: GPT) -> GPT:
    """Return the model with its matrices in int8, in evaluation mode; the original stays as it is.

    Positions, biases and LayerNorms are shared with the original, in its precision. The result
    is for generating: it cannot be trained or saved.
    """
    if is_quantized(model):
        raise ValueError("the model's matrices are in int8 already")
    model.check_tied()  # the head's numbers will be the table's
    dtype = model.transformer.wpe.weight.dtype
    smaller = shared_copy(model)
    replace_linear(smaller, lambda layer: Int8Linear(*quantize_rows(layer.weight), layer.bias))
    smaller.transformer.wte = Int8Embedding(smaller.lm_head, dtype)
    return smaller.eval()
