"""What a good answer in words claims about a model is measured here."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigpt import GPT, from_pretrained, generate


@pytest.fixture(scope="module")
def told():
    """Return the storyteller, its tokenizer and a story of its own."""
    model, tokenizer = from_pretrained("storyteller", verbose=False)
    start = torch.tensor([[tokenizer.end_of_text, *tokenizer.encode("Once upon a time")]])
    return model, tokenizer, generate(model, start, 60, temperature=0)


@torch.no_grad()
def compared(told, change) -> tuple[float, float, str]:
    """Return how far a changed model's logits are off, how often it agrees, and what it writes."""
    model, tokenizer, story = told
    other = copy.deepcopy(model)
    change(other)
    right, found = model(story), other(story)
    gap = (found - right).abs().max() / right.abs().max()
    agrees = (found.argmax(dim=-1) == right.argmax(dim=-1)).float().mean()
    text = generate(other, story[:, :5], 60, temperature=0)
    return gap.item(), agrees.item(), tokenizer.decode(text[0, 1:].tolist())


def on_its_side(layer: int):
    def turn(model):
        weight = model.transformer.h[layer].attn.c_proj.weight
        weight.data = weight.data.t().contiguous()

    return turn


def test_without_its_final_norm_the_storyteller_still_tells_a_story(told):
    gap, agrees, text = compared(
        told, lambda model: setattr(model.transformer, "ln_f", nn.Identity())
    )
    assert gap > 2 and 0.75 < agrees < 0.9, (gap, agrees)
    assert "Every night" in text or "made her happier" in text


def test_a_square_matrix_on_its_side_hurts_early_and_hardly_late(told):
    last = len(told[0].transformer.h) - 1
    gap, agrees, text = compared(told, on_its_side(last))
    assert gap > 0.1 and agrees > 0.9 and "Every night" in text
    assert compared(told, on_its_side(0))[1] < 0.6


def test_with_half_as_many_heads_the_storyteller_still_tells_a_story(told):
    model, tokenizer, story = told
    other = GPT(replace(model.config, n_head=model.config.n_head // 2)).eval()
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        agrees = (other(story).argmax(dim=-1) == model(story).argmax(dim=-1)).float().mean()
    text = tokenizer.decode(generate(other, story[:, :5], 60, temperature=0)[0, 1:].tolist())
    assert 0.8 < agrees < 1 and "Every night" in text, (agrees, text)


def test_exact_gelu_changes_the_fourth_digit(told, monkeypatch):
    model, _, story = told
    with torch.no_grad():
        right = model(story)
        exact = F.gelu
        monkeypatch.setattr(F, "gelu", lambda x, approximate: exact(x))
        gap = (model(story) - right).abs().max() / right.abs().max()
    assert 1e-4 < gap < 1e-3
