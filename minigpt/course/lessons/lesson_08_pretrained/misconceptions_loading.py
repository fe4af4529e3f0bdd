"""Wrong ways to load a file's weights and to map its names, as people really go them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor, nn

from minigpt.pretrained import weights
from minigpt.pretrained.names import HEAD, MASKS
from minigpt.pretrained.weights import CONV1D

# --- load_weights ---


def by_name(name: str, tensor: Tensor, wanted: Tensor) -> Tensor:
    return tensor.t() if name.endswith(CONV1D) else tensor


def until_it_fits(name: str, tensor: Tensor, wanted: Tensor) -> Tensor:
    return tensor if tensor.shape == wanted.shape else tensor.t()


def reshaped(name: str, tensor: Tensor, wanted: Tensor) -> Tensor:
    return tensor.reshape(tensor.shape[::-1]) if name.endswith(CONV1D) else tensor


def key_first(name: str, tensor: Tensor, wanted: Tensor) -> Tensor:
    if ".attn.c_attn." in name:
        query, key, value = tensor.chunk(3, dim=-1)
        tensor = torch.cat([key, query, value], dim=-1)
    return by_name(name, tensor, wanted)


def own_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return only what has the model's names already."""
    return {n: t for n, t in tensors.items() if n.startswith(("transformer.", HEAD))}


def always_prefixed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n if n == HEAD else f"transformer.{n}": t for n, t in tensors.items()}


def drops_too_much(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the bias of c_attn for the mask: its name ends alike."""
    return weights.our_names({n: t for n, t in tensors.items() if not n.endswith("attn.bias")})


def loader(
    rename: Callable = weights.our_names,
    turn: Callable = by_name,
    checks: bool = True,
    head: str = "tied",
    empties: bool = False,
) -> Callable:
    """Return a loader in small steps, each replaceable.

    head: "tied"; "apart" (a parameter of its own); "old" (left behind when wte is replaced).
    """

    def load(model: nn.Module, tensors: dict[str, Tensor]) -> None:
        named = rename(tensors)
        parameters = dict(model.named_parameters())
        for name, parameter in parameters.items():
            tensor = named.get(name)
            if tensor is None:
                if checks:
                    raise ValueError(f"{name} is missing")
                continue
            fitted = turn(name, tensor, parameter)
            if fitted.shape != parameter.shape:
                raise ValueError(f"{name} has the wrong shape")
            parameter.data = fitted.clone()
        table = model.transformer.wte.weight
        if head != "tied":
            old = torch.full_like(table, 0.25) if head == "old" and HEAD not in named else table
            model.lm_head.weight = nn.Parameter(old.detach().clone())
        if empties:
            tensors.clear()

    return load


@torch.no_grad()
def broadcasting(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copy without looking at the shape: copy_ repeats what is too small."""
    named = weights.our_names(tensors)
    for name, parameter in model.named_parameters():
        parameter.copy_(by_name(name, named[name], parameter))


def whatever_comes(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put tensors in place of the numbers, whatever their shape."""
    named = weights.our_names(tensors)
    for name, parameter in model.named_parameters():
        parameter.data = by_name(name, named[name], parameter)


def masks_refused(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    if any(name.endswith(MASKS) for name in tensors):
        raise ValueError("unexpected tensors")
    weights.load_weights(model, tensors)


def head_demanded(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    tensors[HEAD]  # raises KeyError
    weights.load_weights(model, tensors)


def head_in_the_state(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load strictly after everything else is settled: the tied head has a name in the state."""
    named = weights.our_names(tensors)
    model.load_state_dict({n: t.t() if n.endswith(CONV1D) else t for n, t in named.items()})


def by_the_states_names(rename: Callable, head: bool = True) -> Callable:
    """Return a loader that looks up each name as it expects it to be in the file."""

    def load(model: nn.Module, tensors: dict[str, Tensor]) -> None:
        for name, wanted in model.named_parameters(remove_duplicate=not head):
            tensor = tensors[rename(name)]
            fitted = tensor.t() if name.endswith(CONV1D) else tensor
            if fitted.shape != wanted.shape:
                raise ValueError(f"{name} has the wrong shape")
            wanted.data.copy_(fitted)

    return load


def strictly(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Turn what has to be turned, and leave the names to load_state_dict."""
    model.load_state_dict({n: t.t() if n.endswith(CONV1D) else t for n, t in tensors.items()})


def names_counted(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Assert that there are as many names as in the model's state, then look each of them up."""
    state = model.state_dict()
    named = {name: tensor for name, tensor in tensors.items() if not name.endswith(MASKS)}
    assert len(named) == len(state)
    for name, tensor in named.items():
        fitted = tensor.t() if name.endswith(CONV1D) else tensor
        assert fitted.shape == state[name].shape
        state[name].copy_(fitted)


def not_strictly(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    named = {n: t.t() if n.endswith(CONV1D) else t for n, t in tensors.items()}
    model.load_state_dict(named, strict=False)


def frozen(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    weights.load_weights(model, tensors)
    model.requires_grad_(False)


PREFIX_AND_HEAD = (
    "You look up the model's own names in the file, `lm_head.weight` among them. The hub's file "
    "has no prefix, and most files have no head, since it is the token table. Bring the names "
    "together first, and ask for the tied pair once."
)


def turned_in_place(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    weights.load_weights(model, dict(tensors))
    for name, tensor in tensors.items():
        if name.endswith(CONV1D):
            tensor.t_()


LOAD_WRONG = {
    "square-forgotten": (
        "You turn what does not fit. attn.c_proj is square: it fits on its side as well, so it "
        "stays wrong, and no error tells. Decide by the name, not by the shape.",
        loader(turn=until_it_fits),
    ),
    "not-turned": (
        "Nothing is turned. The file keeps four matrices of each block as (in, out), and nn.Linear "
        "wants (out, in).",
        loader(turn=lambda name, tensor, wanted: tensor),
    ),
    "reshaped": (
        "You reshape the matrices. The shape fits then, but the numbers land in other places: to "
        "turn a matrix on its side you need its transpose.",
        loader(turn=reshaped),
    ),
    "every-matrix-turned": (
        "You turn every matrix, the two embeddings as well. Only the four that come from Conv1D "
        "lie on their side.",
        loader(turn=lambda name, tensor, wanted: tensor.t() if tensor.dim() == 2 else tensor),
    ),
    "key-first": (
        "You load keys as queries and queries as keys. The thirds of c_attn are in the order "
        "query, key, value, in the file as in the model.",
        loader(turn=key_first),
    ),
    "prefix-demanded": (
        "Only names with the prefix `transformer.` are understood. The hub's own file has none: "
        "there everything is missing, or silently stays as it was.",
        loader(rename=own_names, checks=False),
    ),
    "prefix-twice": (
        "You put `transformer.` before every name, also where it is already there. Then nothing "
        "matches, and the model stays as it was.",
        loader(rename=always_prefixed, checks=False),
    ),
    "attention-bias-dropped": (
        "The bias of c_attn is lost: you leave out every name that ends in `attn.bias`, and "
        "`attn.c_attn.bias` does as well. The mask is called `.attn.bias`, with a dot before it.",
        loader(rename=drops_too_much, checks=False),
    ),
    "missing-unnoticed": (
        "A file that lacks a tensor is taken without a word, and that part of the model keeps what "
        "it had. Check that every parameter is there.",
        loader(checks=False),
    ),
    "broadcast": (
        "You copy into the parameter without comparing shapes. PyTorch repeats a tensor that is "
        "too small, so one row can fill a whole table.",
        broadcasting,
    ),
    "any-shape": (
        "You put the file's tensor in the parameter's place whatever its shape is. Compare the "
        "shapes first, and raise an error when they differ.",
        whatever_comes,
    ),
    "head-apart": (
        "The head has a matrix of its own now, equal to the token table only today. After loading, "
        "the two must be one parameter.",
        loader(head="apart"),
    ),
    "old-head": (
        "The token table is replaced, but the head still holds the matrix from before. A new "
        "parameter has to be given to both.",
        loader(head="old"),
    ),
    "masks-refused": (
        "You stop at names that the model does not have. `attn.bias` and `attn.masked_bias` are "
        "masks that were saved along; pass over them.",
        masks_refused,
    ),
    "head-demanded": (
        "You insist on `lm_head.weight`. Most files leave it out, since it is the token table.",
        head_demanded,
    ),
    "head-in-the-state": (
        "You load strictly, and the model's state names the head, too. Most files leave it out, "
        "since it is the token table: give the state both names, or do not ask for the head.",
        head_in_the_state,
    ),
    "prefix-and-head-demanded": (PREFIX_AND_HEAD, by_the_states_names(lambda name: name)),
    "prefix-looked-up": (
        "You look up names with the prefix `transformer.` only. The hub's own file has none.",
        by_the_states_names(lambda name: name, head=False),
    ),
    "no-prefix-looked-up": (
        "You look up names without the prefix only, as in the hub's file. When a model was saved "
        "again, all names may begin with `transformer.`.",
        by_the_states_names(lambda name: name.removeprefix("transformer."), head=False),
    ),
    "no-prefix-but-a-head": (
        "You take the prefix off every name, and look up the rest, `lm_head.weight` among it. Most "
        "files have no head, since it is the token table; and all names may have the prefix.",
        by_the_states_names(lambda name: name.removeprefix("transformer.")),
    ),
    "names-left-to-pytorch": (
        "You leave the names to load_state_dict, which wants exactly the model's: with the prefix, "
        "with the head and without masks. Bring the file's names into that form first.",
        strictly,
    ),
    "names-counted": (
        "You insist on as many names as the model's state has. It names the head as well, and most "
        "files do not, since it is the token table. And all names may lack the prefix.",
        names_counted,
    ),
    "not-strict": (
        "strict=False takes every file: what does not match is left out without a word, and that "
        "part of the model keeps what it had. Bring the names together, and see that none is "
        "missing.",
        not_strictly,
    ),
    "frozen": (
        "The numbers are right, but no parameter can be trained any more. Switch the record for "
        "gradients off while you copy, not the parameters.",
        frozen,
    ),
    "file-emptied": (
        "Your loader takes the tensors out of the dictionary it was given. Whoever gave it still "
        "needs them: work on a dictionary of your own.",
        loader(empties=True),
    ),
    "turned-in-place": (
        "You turn the caller's own tensors. Load them a second time, and they are the wrong way "
        "round. A transpose that leaves them as they are costs nothing.",
        turned_in_place,
    ),
}


# --- our_names: the broken function, and what is left after some repairs ---


def renamer(*bugs: str) -> Callable:
    """Return the function with the bugs that are asked for."""

    def our_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        named = {}
        for name, tensor in tensors.items():
            if name.endswith("attn.bias" if "attention-bias-dropped" in bugs else ".attn.bias"):
                continue
            if "mask-kept" not in bugs and name.endswith(".attn.masked_bias"):
                continue
            bare = name.removeprefix("transformer.")
            has_own_name = bare == HEAD and "head-prefixed" not in bugs
            named[bare if has_own_name else f"transformer.{bare}"] = tensor
        return named

    return our_names


def prefix_taken_off(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix("transformer."): t for n, t in weights.our_names(tensors).items()}


def in_the_callers_dictionary(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for name in list(tensors):
        tensors |= weights.our_names({name: tensors.pop(name)})
    return tensors


RENAME_BUGS = {
    "attention-bias-dropped": "Print the names that are left out: is each of them a mask?",
    "head-prefixed": "Which name of the model does not begin with `transformer.`?",
    "mask-kept": "Are there other masks in the file than those that you leave out?",
}

RENAME_WRONG = {
    "untouched": (
        "Not written yet: this is still the broken version. It has three mistakes. Compare the "
        "names it returns with those of GPT(config).state_dict().",
        renamer(*RENAME_BUGS),
    ),
    **{
        "-and-".join(left): (" ".join([count, *map(RENAME_BUGS.get, left)]), renamer(*left))
        for count, bugs in (("Two mended, one left.", 1), ("One mended, two left.", 2))
        for left in combinations(RENAME_BUGS, bugs)
    },
    "prefix-taken-off": (
        "You take the prefix off. The model's names have it: transformer.h.0.ln_1.weight.",
        prefix_taken_off,
    ),
    "in-the-caller's-dictionary": (
        "You rename in the caller's own dictionary, which is still needed there. Make a new one.",
        in_the_callers_dictionary,
    ),
}

# --- transposed_tensors ---

TRANSPOSED_TENSORS = {
    "one-block": ("That is one block. gpt2 has twelve of them.", 4),
    "square-forgotten": (
        "You leave out attn.c_proj, because its shape fits either way. It lies on its side like "
        "the others, and has to be turned.",
        36,
    ),
    "only-the-square": (
        "You count one matrix a block. Every linear layer of a block comes from Conv1D.",
        12,
    ),
    "half-a-block": ("You count two matrices a block. Attention has two, and the MLP has two.", 24),
    "tables-too": (
        "You count the two embeddings as well. They are tables: one row for each id or place, in "
        "the file as in the model.",
        50,
    ),
    "biases-too": (
        "You count the biases of those layers as well. A bias has one dimension: there is nothing "
        "to turn.",
        96,
    ),
    "every-tensor": (
        "That is every weight of the file. Only matrices that come from Conv1D lie on their side.",
        148,
    ),
}
