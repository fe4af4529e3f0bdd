"""The shape of a GPT-2: six sizes and two switches decide everything else."""

from __future__ import annotations

from dataclasses import dataclass, fields

PRESETS = {
    "gpt2": dict(n_layer=12, n_head=12, n_embd=768),
    "gpt2-medium": dict(n_layer=24, n_head=16, n_embd=1024),
    "gpt2-large": dict(n_layer=36, n_head=20, n_embd=1280),
    "gpt2-xl": dict(n_layer=48, n_head=25, n_embd=1600),
}


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a GPT-2; the defaults are those of the smallest released model.

    Raises ValueError for a size that no model can have, naming it.
    Source: Radford et al. 2019, section 2.3 and table 2.

    >>> GPTConfig(n_head=4, n_embd=128).head_size
    32
    """

    vocab_size: int = 50257  # 256 bytes + 50,000 merges + <|endoftext|>
    block_size: int = 1024  # longest context, in tokens
    n_layer: int = 12  # blocks, one after the other
    n_head: int = 12  # attention heads in each block
    n_embd: int = 768  # width of the residual stream
    dropout: float = 0.0  # chance of zeroing an activation while training
    bias: bool = True  # biases in linear layers and LayerNorms, as GPT-2 has them

    def __post_init__(self) -> None:
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1")
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_embd is {self.n_embd}, which {self.n_head} heads cannot share equally; "
                "n_embd must be a multiple of n_head"
            )
        if isinstance(self.dropout, bool) or not isinstance(self.dropout, (int, float)):
            raise ValueError(f"dropout is {self.dropout!r}; it must be a number from 0 up to 1")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}; it must be at least 0 and less than 1")
        if not isinstance(self.bias, bool):
            raise ValueError(f"bias is {self.bias!r}; it must be True or False")

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.n_embd // self.n_head

    @classmethod
    def preset(cls, name: str) -> GPTConfig:
        """Return the configuration of a released model: gpt2, gpt2-medium, gpt2-large, gpt2-xl.

        >>> GPTConfig.preset("gpt2-medium").n_layer
        24
        """
        if name not in PRESETS:
            raise ValueError(f"there is no preset {name!r}; the presets are {', '.join(PRESETS)}")
        return cls(**PRESETS[name])

    @classmethod
    def from_dict(cls, values: dict) -> GPTConfig:
        """Build a configuration from a dictionary, as read from a file.

        Raises ValueError for anything that is not one of the fields above.
        """
        if not isinstance(values, dict):
            raise ValueError(f"a configuration is a dictionary of sizes, not {values!r}")
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"a configuration has no {', '.join(sorted(map(str, unknown)))}")
        return cls(**values)
