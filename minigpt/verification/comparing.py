"""Proof that two models compute the same; or the first place where they part, and likely why."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from minigpt.model import evaluating
from minigpt.verification.divergence import (
    BLOCK_NAME,
    Scene,
    Seen,
    largest_difference,
    likely_cause,
)
from minigpt.verification.suspects import bias_of, matrix_of

# Where to look in a block, in the order of the calculation: what we call the place, the module
# whose value is taken, and whether it is what goes in or what comes out. What goes into a module
# shows what was done before it, however the code does it.
BLOCK = (
    (".ln_1", ".attn.c_attn", "in"),
    (".attn.c_attn", ".attn.c_attn", "out"),
    (".attn", ".attn.c_proj", "in"),
    (".attn.c_proj", ".attn.c_proj", "out"),
    (" after attention", ".ln_2", "in"),
    (".ln_2", ".mlp.c_fc", "in"),
    (".mlp.c_fc", ".mlp.c_fc", "out"),
    (".mlp", ".mlp.c_proj", "in"),
    (".mlp.c_proj", ".mlp.c_proj", "out"),
    ("", "", "out"),
)

Place = tuple[str, str, str]  # what we call it, module, "in" or "out"


@dataclass(frozen=True)
class Row:
    """One comparison: the largest absolute difference, and how much of it rounding explains."""

    place: str
    difference: float | None  # None: one of the two models did not run that module
    allowed: float

    @property
    def ok(self) -> bool:
        """Whether the models agree here, or cannot be compared."""
        return self.difference is None or self.difference <= self.allowed


@dataclass(frozen=True)
class Report:
    """What `verify` found; print it to read it."""

    ok: bool
    first: str | None  # the first place that differs
    cause: str | None  # the known mistake that gives exactly this, if there is one
    message: str
    table: tuple[Row, ...]

    def __str__(self) -> str:
        wrong = [i for i, row in enumerate(self.table) if not row.ok]
        at = wrong[0] if wrong else len(self.table)
        lines = [self.message]
        for row in self.table[max(0, at - 3) : at + 3]:
            found = "not run" if row.difference is None else f"{row.difference:.1e}"
            lines.append(f"  {'same' if row.ok else 'DIFF'}  {row.place:<34} {found:>8}")
        return "\n".join(lines)


def places_in(model: nn.Module) -> list[Place]:
    """List where to look in a model."""
    found = [
        ("transformer.wte", "transformer.wte", "out"),
        ("transformer.wpe", "transformer.wpe", "out"),
        ("transformer.wte + wpe", "transformer.h.0", "in"),
    ]
    for name, _ in model.named_modules():
        if re.fullmatch(BLOCK_NAME, name):
            found += [(name + place, name + module, side) for place, module, side in BLOCK]
    found += [("transformer.ln_f", "lm_head", "in"), ("lm_head", "lm_head", "out")]
    return [*found, ("logits", "", "out")]


def first_tensor(value) -> Tensor | None:
    """Return a copy of a tensor, of the first of a tuple, or of the logits of a larger answer."""
    if isinstance(value, (tuple, list)):
        value = value[0] if value else None
    value = getattr(value, "logits", value)
    # Copied, because code like `x += attention` changes what went in.
    return value.detach().float().cpu().clone() if isinstance(value, Tensor) else None


def record(model: nn.Module, idx: Tensor, wanted: set[str]) -> Seen:
    """Run a model on idx (B, T); return what first went into and came out of the wanted modules."""
    seen: Seen = {}

    def keep(name: str, side: str, value) -> None:
        if (name, side) not in seen and (tensor := first_tensor(value)) is not None:
            seen[name, side] = tensor

    def watch(name: str, module: nn.Module) -> list:
        def before(module, args, kwargs):
            keep(name, "in", [*args, *kwargs.values()])

        def after(module, args, output):
            keep(name, "out", output)

        return [
            module.register_forward_pre_hook(before, with_kwargs=True),
            module.register_forward_hook(after),
        ]

    hooks = []
    try:
        for name, module in model.named_modules():
            hooks += watch(name, module) if name in wanted else []
        with torch.no_grad(), evaluating(model):
            model(idx.to(next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    if (rows := seen.get(("transformer.wpe", "out"))) is not None:
        seen["transformer.wpe", "out"] = rows.flatten(0, -2)[: idx.size(1)]  # always (T, C)
    return seen


def compare(mine: Seen, right: Seen, place: Place, tolerance: float) -> Row:
    """Compare two models at one place; tolerance is relative to the largest value there."""
    name, *key = place
    a, b = mine.get(tuple(key)), right.get(tuple(key))
    if a is None or b is None:
        return Row(name, None, 0.0)
    return Row(name, largest_difference(a, b), tolerance * b.nan_to_num().abs().max().item())


def compare_all(mine: Seen, right: Seen, places: list[Place], tolerance: float) -> list[Row]:
    """Compare two models place by place.

    Rounding grows on its way through the blocks, little by little; a mistake is a jump. So a
    difference may be up to 20 times the worst before it, but never 100 times the tolerance.
    """
    rows, worst = [], 0.0
    for place in places:
        allowed = min(max(tolerance, 20 * worst), 100 * tolerance)
        row = compare(mine, right, place, allowed)
        if row.difference and row.ok:
            worst = max(worst, allowed * row.difference / row.allowed)
        rows.append(row)
    return rows


def usual_ids(reference: nn.Module) -> Tensor:
    """Draw ids to compare on: (2, 17), or as many as fit; always the same for a model."""
    try:
        tables = [reference.get_submodule(f"transformer.{name}").weight for name in ("wte", "wpe")]
    except AttributeError as error:
        raise ValueError(f"{error}: give idx, a (B, T) tensor of ids to compare on") from None
    vocab_size, block_size = map(len, tables)
    generator = torch.Generator().manual_seed(0)
    return torch.randint(vocab_size, (2, min(17, block_size)), generator=generator)


def agreement(table: tuple[Row, ...]) -> Report:
    """Report that nothing differs; without logits on both sides nothing is proven."""
    compared = [row for row in table if row.difference is not None]
    proven = table[-1].difference is not None
    message = f"The same at {len(compared)} of {len(table)} places"
    message += (
        f", logits to {table[-1].difference:.1e}." if proven else ", but no logits to compare."
    )
    return Report(proven, None, None, message, table)


def plain_run(model: nn.Module, reference: nn.Module, idx: Tensor, watched: Report) -> Report:
    """Return what was watched, unless logits differ when no hook watches: PyTorch's fast paths."""
    seen = []
    for each in (model, reference):
        with torch.no_grad(), evaluating(each):
            answer = each(idx.to(next(each.parameters()).device))
        seen.append({("", "out"): first_tensor(answer)})
    row = compare(*seen, ("logits of a plain run", "", "out"), 0.0)
    row = replace(row, allowed=watched.table[-1].allowed)
    if row.ok:
        return watched
    cause = "the code takes another path when no hook watches it"
    message = f"Watched, both are the same; in a plain run logits differ by {row.difference:.1e}.\n"
    message += f"Likely cause: {cause}."
    return Report(False, row.place, cause, message, (*watched.table, row))


def same_weights(place: str, model: nn.Module, reference: nn.Module) -> bool | None:
    """Say whether a module's weight and bias are equal in both; None if it is no layer of both."""
    try:
        a, b = (m.get_submodule(place) for m in (model, reference))
        pairs = [(matrix_of(a), matrix_of(b)), (bias_of(a), bias_of(b))]
    except AttributeError:
        return None
    return all(x.shape == y.shape and bool((x.cpu() == y.cpu()).all()) for x, y in pairs)


def explain(row: Row, mine: Tensor, right: Tensor, cause: str | None, same: bool | None) -> str:
    """Put a finding into words."""
    how = f"by {row.difference:.1e}, where rounding explains {row.allowed:.1e}"
    if mine.isnan().any():
        how = "it is not a number (NaN)"
    elif row.difference == float("inf"):
        how = f"its shape is {tuple(mine.shape)}, the reference's {tuple(right.shape)}"
    said = f"{row.place} differs first: {how}.\n"
    if cause:
        return f"{said}Likely cause: {cause}."
    said += "No known mistake gives just this."
    if same is not None:
        said += f" Its weights are {'' if same else 'not '}the same in both models."
    return said


def verify(
    model: nn.Module, reference: nn.Module, idx: Tensor | None = None, tolerance: float = 1e-5
) -> Report:
    """Compare a model with one that is known to be right, module by module, on the same ids.

    `reference` is a transformers GPT2LMHeadModel, a `GPT`, or any module whose parts have the
    checkpoint's names; so is `model`, parts of which may be missing. idx is (B, T); the default is
    drawn at random. `tolerance` is relative to the largest value at each place: 1e-5 suits float32.
    Both are run in evaluation mode and left as they were. No gradients, no changes. If no place
    differs while hooks watch, the logits of a run without hooks are compared, too.
    Raises whatever a model itself raises.

    >>> from minigpt import GPT, GPTConfig
    >>> right = GPT(GPTConfig(vocab_size=9, block_size=8, n_layer=1, n_head=2, n_embd=8))
    >>> wrong = GPT(right.config)
    >>> _ = wrong.load_state_dict(right.state_dict())
    >>> wrong.transformer.ln_f = nn.Identity()
    >>> verify(wrong, right).cause
    'LayerNorm is missing'
    """
    places = places_in(reference)
    wanted = {name for place, module, _ in places for name in (place, module)}
    idx = usual_ids(reference) if idx is None else idx
    mine, right = (record(each, idx, wanted) for each in (model, reference))
    table = tuple(compare_all(mine, right, places, tolerance))
    first = next((i for i, row in enumerate(table) if not row.ok), None)
    if first is None:
        watched = agreement(table)
        return plain_run(model, reference, idx, watched) if watched.ok else watched
    place, key = places[first][0], places[first][1:]
    again = record(model, idx, wanted)
    if compare(again, mine, places[first], tolerance).ok:
        scene = Scene(place, mine, right, model, reference)
        cause = likely_cause(scene, mine[key], table[first].allowed)
    else:
        cause = "it gives something else each time: dropout is active in evaluation mode"
    same = same_weights(place, model, reference)
    message = explain(table[first], mine[key], right[key], cause, same)
    return Report(False, place, cause, message, table)
