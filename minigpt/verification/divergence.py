"""Why two models part at a place: try the known mistakes, see which one gives the wrong value."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minigpt.verification import suspects
from minigpt.verification.suspects import Suspects

BLOCK_NAME = r"transformer\.h\.\d+"
Seen = dict[tuple[str, str], Tensor]  # (module, "in" or "out") -> value


def largest_difference(mine: Tensor, right: Tensor) -> float:
    """Return the largest absolute difference; infinite if the shapes differ or one is NaN."""
    if mine.shape != right.shape:
        if mine.numel() != right.numel() or mine.shape[-1:] != right.shape[-1:]:
            return float("inf")
        mine = mine.reshape(right.shape)  # (B * T, C) is as good as (B, T, C)
    same = (mine == right) | (mine.isnan() & right.isnan())
    return (mine - right).abs().masked_fill(same, 0).nan_to_num(nan=float("inf")).max().item()


def in_float32(module: nn.Module) -> nn.Module:
    """Return a module that computes in float32 on the CPU: itself, or a copy."""
    weight = next(module.parameters())
    if weight.dtype == torch.float32 and weight.device.type == "cpu":
        return module
    return copy.deepcopy(module).float().cpu()


@dataclass(frozen=True)
class Scene:
    """A place where two models part: what each saw, and their modules.

    Works from the reference's values: before this place they are the model's too.
    """

    place: str
    mine: Seen
    right: Seen
    model: nn.Module
    reference: nn.Module

    @property
    def block(self) -> str:
        """The block that the place is in, or an empty string."""
        found = re.match(BLOCK_NAME, self.place)
        return found[0] if found else ""

    def value(self, name: str, side: str = "out") -> Tensor:
        """What went into or came out of a module of this block, in the reference."""
        return self.right[self.block + name, side]

    def layer(self, name: str) -> nn.Module:
        """A module of the reference."""
        return in_float32(self.reference.get_submodule(name))

    def suspects(self) -> Suspects:
        """Yield the mistakes known at this place, each with the value it would give."""
        at = {
            "transformer.wte": lambda: suspects.of_tokens(self.value("transformer.wte")),
            "transformer.wpe": lambda: self.positions(torch.zeros(()), "transformer.wpe", "out"),
            "transformer.wte + wpe": lambda: self.positions(
                self.value("transformer.wte"), "transformer.h.0", "in"
            ),
            ".ln_1": self.norm,
            ".attn.c_attn": self.qkv,
            ".attn": self.attention,
            ".attn.c_proj": self.linear,
            " after attention": lambda: suspects.of_sum(
                self.value("", "in"), self.value(".ln_1"), self.value(".attn.c_proj")
            ),
            ".ln_2": self.norm,
            ".mlp.c_fc": self.linear,
            ".mlp": lambda: suspects.of_gelu(self.value(".mlp.c_fc")),
            ".mlp.c_proj": self.linear,
            "": self.end_of_block,
            "transformer.ln_f": self.last_norm,
            "lm_head": self.head,
            "logits": lambda: suspects.of_answer(self.value("lm_head")),
        }
        return at[self.place.removeprefix(self.block)]()

    def positions(self, tokens: Tensor, module: str, side: str) -> Suspects:
        """Suspects for the position table, added to tokens."""
        wrong, right = self.mine[module, side], self.right[module, side]
        if wrong.numel() == right.numel():
            table = self.layer("transformer.wpe").weight
            yield from suspects.of_positions(tokens, table, wrong.reshape(right.shape))

    def others(self, x: Tensor) -> Suspects:
        """Suspects for a layer that got the weights of another one."""
        own = self.reference.get_submodule(self.place)
        for name, other in self.reference.named_modules():
            if type(other) is type(own) and other.weight.shape == own.weight.shape:
                yield f"it has the weights of {name}", in_float32(other)(x)

    def norm(self) -> Suspects:
        """Suspects for a LayerNorm; its name is the place's."""
        x = self.right[self.place, "in"]
        elsewhere = (
            largest_difference(self.mine.get((self.place, "in"), x), x) > 0
        )  # it normalised others
        after = "LayerNorm comes after its sublayer, not before it (post-norm)"
        yield after if elsewhere else "LayerNorm is missing", x
        yield from suspects.of_norm(x, self.layer(self.place))
        yield from self.others(x)

    def last_norm(self) -> Suspects:
        """Suspects for ln_f: also that blocks before it were left out."""
        yield from self.norm()
        for (name, side), x in self.right.items():
            if re.fullmatch(BLOCK_NAME, name) and side == "out":
                yield f"the blocks after {name} are not run", self.layer(self.place)(x)

    def linear(self) -> Suspects:
        """Suspects for a linear layer; its name is the place's."""
        x = self.right[self.place, "in"]
        yield from suspects.of_linear(x, self.layer(self.place))
        yield from self.others(x)

    def qkv(self) -> Suspects:
        """Suspects for c_attn."""
        yield from self.linear()
        x = self.right[self.place, "in"]
        yield from suspects.of_qkv(x, self.layer(self.place), self.reference.config.n_head)

    def attention(self) -> Suspects:
        """Suspects for what happens between c_attn and c_proj."""
        return suspects.of_attention(self.value(".attn.c_attn"), self.reference.config.n_head)

    def end_of_block(self) -> Suspects:
        """Suspects for what a block hands to the next."""
        stream, added = self.value(".ln_2", "in"), self.value(".mlp.c_proj")
        yield from suspects.of_sum(stream, self.value(".ln_2"), added)
        yield "attention's part of the stream is lost", self.value("", "in") + added

    def head(self) -> Suspects:
        """Suspects for the head, which may be the model's own where the reference's is tied."""
        own, table = (self.model.get_submodule(x) for x in ("lm_head", "transformer.wte"))
        x, logits = self.right["lm_head", "in"], self.right["lm_head", "out"]
        return suspects.of_head(x, logits, in_float32(own), in_float32(table).weight)


def likely_cause(scene: Scene, wrong: Tensor, allowed: float) -> str | None:
    """Return the mistake whose value comes closest to the wrong one, if within rounding of it."""
    best, cause = allowed, None
    try:
        with torch.no_grad():
            for mistake, value in scene.suspects():
                error = largest_difference(wrong, value)
                if error < best or (cause is None and error == best):
                    best, cause = error, mistake
    except (AttributeError, KeyError):  # a module that one of the two lacks cannot testify
        pass
    return cause
