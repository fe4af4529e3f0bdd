"""The shape of a GPT-2: five sizes and two choices decide everything else."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral, Real

PRESETS = {
    "gpt2": dict(n_layer=12, n_head=12, n_embd=768),
    "gpt2-medium": dict(n_layer=24, n_head=16, n_embd=1024),
    "gpt2-large": dict(n_layer=36, n_head=20, n_embd=1280),
    "gpt2-xl": dict(n_layer=48, n_head=25, n_embd=1600),
}


def is_number(value) -> bool:
    """Say whether value is a number, NumPy's too; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def as_plain(value):
    """Return NumPy's numbers as Python's, also in a tuple; anything else as it is.

    A file of settings can hold only these.
    """
    if isinstance(value, tuple):
        return tuple(map(as_plain, value))
    if not is_number(value):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def require(fine: bool, name: str, value, accepted: str) -> None:
    """Raise ValueError, naming the setting, its value and what is accepted, unless it is fine."""
    if not fine:
        raise ValueError(f"{name} is {value!r}; it must be {accepted}")


def check_whole(name: str, value, least: int = 1, otherwise: str = "") -> None:
    """Raise ValueError unless value is a whole number of at least `least`.

    `otherwise` says what else may be given, such as ", or None".
    """
    fine = is_number(value) and isinstance(value, Integral) and value >= least
    require(fine, name, value, f"a whole number of at least {least}{otherwise}")


def keep_plain(settings) -> None:
    """Turn the numbers in a frozen dataclass into Python's own."""
    for field in fields(settings):
        object.__setattr__(settings, field.name, as_plain(getattr(settings, field.name)))


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
            check_whole(name, getattr(self, name))
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_embd is {self.n_embd}, which {self.n_head} heads cannot share equally; "
                "n_embd must be a multiple of n_head"
            )
        fine = is_number(self.dropout) and 0 <= self.dropout < 1
        require(fine, "dropout", self.dropout, "at least 0 and below 1")
        require(isinstance(self.bias, bool), "bias", self.bias, "True or False")
        keep_plain(self)

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.n_embd // self.n_head

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values: as many as of queries in GPT-2, fewer in lesson 13."""
        return self.n_head

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
        known = [field.name for field in fields(cls)]
        unknown = [str(name) for name in values if name not in known]
        if unknown:
            raise ValueError(
                f"a configuration has no {', '.join(unknown)}; it has {', '.join(known)}"
            )
        return cls(**values)


def check_model(model) -> None:
    """Raise ValueError unless model is a GPT of this package, or one's own built like it."""
    if not isinstance(getattr(model, "config", None), GPTConfig):
        kind = f"{type(model).__module__}.{type(model).__qualname__}".removeprefix("builtins.")
        raise ValueError(
            f"model is a {kind}; it must be a GPT of minigpt. One saved by another program is "
            "opened with model, tokenizer = from_pretrained('its folder')"
        )
