// What a GPT costs, as accounts.py has it. Sizes have the names of GPTConfig.

function accounts({ vocab_size: V, block_size: T, n_layer: L, n_head: nh, n_embd: C, bias }) {
  const b = bias ? 1 : 0;
  const parameters = {
    "tokens (wte)": V * C,
    "positions (wpe)": T * C,
    attention: L * (4 * C ** 2 + 4 * C * b),
    MLP: L * (8 * C ** 2 + 5 * C * b),
    LayerNorms: (2 * L + 1) * C * (1 + b),
  };
  const N = Object.values(parameters).reduce((sum, n) => sum + n, 0);
  const kept = L * (16 * C + nh + 4) + (2 * C + 2) + V; // numbers per position
  return {
    parameters,
    memory: {
      weights: { fp32: 4 * N, bf16: 2 * N },
      "KV cache": { fp32: 4 * 2 * L * C * T },
      training: {
        weights: 4 * N, gradients: 4 * N, "AdamW's averages": 8 * N, activations: 4 * T * kept,
      },
    },
    flops: {
      "blocks' matrices": 2 * 12 * L * C ** 2,
      head: 2 * V * C,
      "attention's scores and mix": 4 * L * T * C,
    },
  };
}
