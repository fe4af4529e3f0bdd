"""What a GPT of given sizes costs, by the formulas of lesson 05; accounts.js has the same.

V is the vocabulary, T the context length, L the layers, C the width, nh the heads.
"""

from __future__ import annotations

from minigpt.config import GPTConfig


def parameters(config: GPTConfig) -> dict[str, int]:
    """Count the parameters by part. The tied head is the token table: counted once.

    >>> sum(parameters(GPTConfig.preset("gpt2")).values())
    124439808
    """
    V, T, L, C = config.vocab_size, config.block_size, config.n_layer, config.n_embd
    bias = int(config.bias)
    return {
        "tokens (wte)": V * C,
        "positions (wpe)": T * C,
        "attention": L * (4 * C**2 + 4 * C * bias),
        "MLP": L * (8 * C**2 + 5 * C * bias),
        "LayerNorms": (2 * L + 1) * C * (1 + bias),
    }


def activations(config: GPTConfig) -> int:
    """Count the numbers per position that a forward pass keeps for the backward pass.

    With attention fused, as PyTorch does it: no T x T pattern is kept; and without dropout.
    """
    V, L, C, nh = config.vocab_size, config.n_layer, config.n_embd, config.n_head
    return L * (16 * C + nh + 4) + (2 * C + 2) + V  # blocks, ln_f and head, loss


def memory(config: GPTConfig) -> dict[str, dict[str, int]]:
    """Return bytes by use and part: to hold the weights, to write, and to train.

    The cache and the activations are those of one text of block_size tokens, in float32.
    """
    N, T = sum(parameters(config).values()), config.block_size
    return {
        "weights": {"fp32": 4 * N, "bf16": 2 * N},
        "KV cache": {"fp32": 4 * 2 * config.n_layer * config.n_embd * T},
        "training": {
            "weights": 4 * N,
            "gradients": 4 * N,
            "AdamW's averages": 8 * N,
            "activations": 4 * T * activations(config),
        },
    }


def flops(config: GPTConfig) -> dict[str, int]:
    """Count the FLOPs per token of a forward pass over a text of block_size tokens."""
    V, T, L, C = config.vocab_size, config.block_size, config.n_layer, config.n_embd
    return {
        "blocks' matrices": 2 * 12 * L * C**2,
        "head": 2 * V * C,
        "attention's scores and mix": 4 * L * T * C,
    }
