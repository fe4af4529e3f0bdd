"""Draw a whole GPT's weights, and the tensors of a file that holds them."""

from __future__ import annotations

import torch
from torch import Tensor

from minigpt.config import GPTConfig
from minigpt.pretrained import empty_model
from minigpt.pretrained.names import HEAD, TABLE
from minigpt.pretrained.weights import CONV1D


def gpt_weights(sizes: dict, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw weights by the model's names, large enough for each to matter; no head: it is tied."""
    return {
        name: torch.randn(parameter.shape, generator=generator) * 0.5
        for name, parameter in empty_model(GPTConfig(**sizes)).named_parameters()
    }


def file_tensors(
    sizes: dict,
    generator: torch.Generator,
    prefix: bool = True,
    head: bool = False,
    masks: bool = False,
) -> dict[str, Tensor]:
    """Draw the tensors of a file: four matrices of each block lie on their side."""
    tensors = {}
    for name, tensor in gpt_weights(sizes, generator).items():
        name = name if prefix else name.removeprefix("transformer.")
        tensors[name] = tensor.t().contiguous() if name.endswith(CONV1D) else tensor
    if masks:
        T = sizes["block_size"]
        for layer in range(sizes["n_layer"]):
            start = f"{'transformer.' * prefix}h.{layer}.attn"
            tensors[f"{start}.bias"] = torch.ones(1, 1, T, T).tril()
            tensors[f"{start}.masked_bias"] = torch.tensor(-1e4)
    if head:
        tensors[HEAD] = tensors[TABLE if prefix else "wte.weight"].clone()
    return tensors
