"""Weights as the hub stores them, and files of them."""

import json

from safetensors.torch import save_file

from minigpt.config import GPTConfig
from minigpt.model import GPT
from tests.models import lively

SMALL = GPTConfig(vocab_size=300, block_size=16, n_layer=2, n_head=2, n_embd=128)


def hub_tensors(config=SMALL, prefix="", std=0.1):
    """Tensors as the hub stores them."""
    model = lively(GPT(config), std, 0.2)
    return {
        name.replace("transformer.", prefix, 1): (
            weight.detach().t().contiguous()
            if name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
            else weight.detach()
        )
        for name, weight in model.named_parameters()
    }, model


def write(folder, tensors, config=None, metadata=None):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path
