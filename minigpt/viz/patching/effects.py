"""What every patch between two prompts does to the next token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from minigpt.interpret import patch_effects
from minigpt.interpret.patching import check_texts
from minigpt.interpret.recording import PARTS
from minigpt.model import GPT, evaluating
from minigpt.tokenizer import Tokenizer, encode_prompt
from minigpt.viz.kit.labels import model_labels

LEAST = 1e-3  # of logits: what two prompts must differ by, or there is nothing to move
TOP = 3  # likeliest tokens that are kept of each patched run, beside the two answers


def read_both(model: GPT, tokenizer: Tokenizer, clean: str, corrupt: str) -> tuple[Tensor, Tensor]:
    """Return the ids of both prompts, (1, T) each; ValueError unless they can be patched."""
    ids = []
    for name, text in (("clean", clean), ("corrupt", corrupt)):
        if not isinstance(text, str):
            raise ValueError(f"{name} is a {type(text).__name__}; give a text")
        ids.append(encode_prompt(text, tokenizer))
    if ids[0] == ids[1]:
        raise ValueError("clean and corrupt are the same text; let them differ in a word")
    both = tuple(torch.tensor([each], device=model.device) for each in ids)
    check_texts(*both)
    return both


@torch.no_grad()
def next_logits(model: GPT, clean: Tensor, corrupt: Tensor) -> Tensor:
    """Return the logits of what follows on each of both prompts, (2, V)."""
    with evaluating(model):
        logits = model.lm_head(model.features(torch.cat([clean, corrupt]))[:, -1]).double()
    if not logits.isfinite().all():
        raise ValueError("the model's logits are not all finite numbers; did training diverge?")
    return logits


def find_answers(
    tokenizer: Tokenizer, logits: Tensor, answers: Sequence[str] | None
) -> tuple[int, int]:
    """Return the ids of the answers to clean and corrupt; logits (2, V) are those of both runs.

    Not given, they are what the model itself says after each.
    """
    if answers is None:
        found = logits.argmax(dim=-1).tolist()
    else:
        given = [tokenizer.encode(answer) for answer in answers]
        if len(given) != 2 or any(len(ids) != 1 for ids in given):
            raise ValueError(
                f"answers is {tuple(answers)!r}; give two texts of one token each: what should "
                "follow on clean, and what on corrupt"
            )
        found = [ids[0] for ids in given]
    first, second = model_labels(tokenizer, found)
    if found[0] == found[1]:
        raise ValueError(
            f"the answer to both prompts is {first}; end them where the answers differ, or name "
            "two tokens as answers"
        )
    apart = difference_of(logits, found)
    if abs(float(apart[0] - apart[1])) < LEAST:
        raise ValueError(f"{first} and {second} are as likely after clean as after corrupt")
    return tuple(found)


def difference_of(logits: Tensor, answers: Sequence[int]) -> Tensor:
    """Return how far the first answer's logit is above the second's: (B, V) -> (B,)."""
    return logits[:, answers[0]] - logits[:, answers[1]]


def all_effects(
    model: GPT, clean: Tensor, corrupt: Tensor, logits: Tensor, answers: tuple[int, int]
) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Patch every part, layer and position, and return what the model says with each patch.

    {part: (moved, shares, ids)}. moved (layers, T) is how far the difference of the two answers'
    logits went from the corrupt run's (0) to the clean run's (1); shares and ids (layers, T, 2 + 3)
    are probabilities of the two answers and of the likeliest tokens.
    """
    top = min(TOP, logits.size(-1))

    def measure(logits: Tensor) -> Tensor:
        logits = logits.double()  # ids and shares share a tensor, and all of them are exact
        shares = logits.softmax(dim=-1)
        best = shares.topk(top)
        ids = torch.tensor(answers, device=logits.device).expand(len(logits), -1)
        apart = difference_of(logits, answers)[:, None]
        return torch.cat([apart, shares[:, list(answers)], best.values, ids, best.indices], dim=1)

    there, here = difference_of(logits, answers).tolist()
    found = {}
    for part in PARTS:
        apart, shares, ids = (
            patch_effects(model, clean, corrupt, measure, part)
            .cpu()
            .split([1, 2 + top, 2 + top], dim=-1)
        )
        found[part] = (apart[..., 0] - here) / (there - here), shares, ids.long()
    return found
