"""A file's names become ours: one place that decides whose they are, and what they mean."""

from __future__ import annotations

import re

from torch import Tensor

# How the names of a GPT-2 begin, in the hub's file without `transformer.`, and with it.
GPT2_NAMES = ("wte.", "wpe.", "h.", "ln_f.", "transformer.", "lm_head.")
TABLE, POSITIONS, HEAD = "transformer.wte.weight", "transformer.wpe.weight", "lm_head.weight"
MASKS = (".attn.bias", ".attn.masked_bias")  # not weights: the causal mask, saved along
# A name that only one program gives, and whose it is.
OTHERS = {
    r"\.lora_[AB]\.": "a LoRA adapter: merge it into its model first (merge_and_unload in peft)",
    r"(^|\.)tok_emb\.|\.trf_blocks\.|^trf_blocks\.": "the book LLMs-from-scratch's GPTModel",
    r"^model/(h\d|wte|wpe)": "OpenAI's own TensorFlow checkpoint; take the hub's file instead",
    r"\bmodel\.layers\.\d+\.self_attn\.": "a Llama or another newer model, not GPT-2",
    r"\bgpt_neox\.": "a GPT-NeoX or Pythia model, not GPT-2",
    r"\bencoder\.layer\.\d+\.": "a BERT model, not GPT-2",
    r"\bblocks\.\d+\.attn\.W_[QKVO]": "TransformerLens: save the transformers model instead",
    r"\bdecoder\.layers\.\d+\.self_attention\.": "Megatron-LM: convert it for the hub first",
}
HEADS = {
    "score.": "the head of a classifier",
    "classifier.": "the head of a classifier",
    "qa_outputs.": "the head of a question-answering model",
    "multiple_choice_head.": "the head of a multiple-choice model",
    "v_head.": "the head of a reward model",
}


def our_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give every weight the name it has in `GPT`; leave out the masks."""
    named = {}
    for name, tensor in tensors.items():
        if name.endswith(MASKS):
            continue
        ours = name if name.startswith(("transformer.", HEAD)) else f"transformer.{name}"
        if ours in named:
            raise ValueError(f"{name} is there twice, with and without the prefix `transformer.`")
        named[ours] = tensor
    return named


def without_wrappers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off what every name begins with, such as `_orig_mod.` or `module.`, until GPT-2's show.

    >>> list(without_wrappers({"module._orig_mod.transformer.wte.weight": None}))
    ['transformer.wte.weight']
    """
    while tensors:
        heads = {name.partition(".")[0] for name in tensors}
        if len(heads) > 1 or any(name.startswith(GPT2_NAMES) for name in tensors):
            break
        stripped = {name.partition(".")[2]: tensor for name, tensor in tensors.items()}
        if "" in stripped:
            break
        tensors = stripped
    return tensors


def settled(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a file's tensors under GPT-2's names, without wrappers, the token table among them.

    Of two tied names one is enough. Raises ValueError, naming a tensor as the file does, for one
    that another program or another kind of model has.
    """
    for name in tensors:
        for pattern, whose in OTHERS.items():
            if re.search(pattern, name):
                raise ValueError(f"{name} is a name of {whose}")
    named = without_wrappers(tensors)
    for name in named:
        for start, what in HEADS.items():
            if name.startswith(start):
                raise ValueError(
                    f"{name} has no place in a language model: it is {what}. Load it with the "
                    "library that it was trained with, or leave it out of the file"
                )
    has_table = TABLE in named or TABLE.removeprefix("transformer.") in named
    if HEAD in named and not has_table:  # saved by a library that stores what is shared once
        named = {**named, TABLE: named[HEAD]}
        del named[HEAD]
    return named
