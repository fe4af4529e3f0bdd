"""LoRA beside a model and merged into it are one; what is frozen keeps every bit."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from minigpt.finetuning import (
    Example,
    Labelled,
    TaskData,
    add_lora,
    finetune,
    load_task,
    merge_lora,
    with_room,
)
from minigpt.finetuning.classifier import HOW, classify, count_trainable, make_classifier
from minigpt.finetuning.lora import EVERY_MATRIX
from minigpt.finetuning.tasks import contradictions
from minigpt.pretrained import from_pretrained, save_pretrained

QUICK = dict(
    max_steps=4, optimizer="adamw", warmup_steps=1, batch_size=4, eval_batches=1, progress=False
)


def weights_of(model) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


@pytest.fixture
def data(tokenizer) -> TaskData:
    return load_task("summary", tokenizer, train=20, val=4)


@pytest.fixture
def learned(small, data):
    """A model with LoRA that has learned a little, and its weights before."""
    before = weights_of(small)
    add_lora(small, rank=3, alpha=6.0, generator=torch.Generator().manual_seed(1))
    finetune(small, data, max_lr=0.05, **QUICK)
    return small, before


@torch.no_grad()
def test_merged_equals_beside(learned, small):
    model, _ = learned
    idx = torch.randint(1000, (3, 40), generator=torch.Generator().manual_seed(2))
    beside = model(idx)
    merge_lora(model)
    torch.testing.assert_close(model(idx), beside, atol=1e-5, rtol=0)
    assert all(weight.requires_grad for weight in model.parameters())


def test_only_what_stands_beside_has_learned(learned):
    model, before = learned
    after = weights_of(model)
    for name, weight in before.items():
        assert torch.equal(after[name], weight), name
    beside = {name: weight for name, weight in after.items() if name not in before}
    assert len(beside) == 2 * 4 * 2  # A and B beside four matrices in each of two blocks
    for name, weight in beside.items():
        assert weight.abs().max() > 0, name  # B started at zero


@torch.no_grad()
def test_lora_is_the_formula(learned):
    """W x + b + (alpha / r) B A x, with the full matrix B A written out."""
    layer = learned[0].transformer.h[1].mlp.c_fc
    x = torch.randn(5, 16, generator=torch.Generator().manual_seed(3)).double()
    full = torch.zeros(64, 16, dtype=torch.float64)
    for r in range(3):
        full += torch.outer(layer.lora_B[:, r], layer.lora_A[r]).double()
    by_hand = x @ layer.weight.double().T + layer.bias.double() + 6.0 / 3 * (x @ full.T)
    torch.testing.assert_close(layer(x.float()).double(), by_hand, atol=1e-5, rtol=0)


@torch.no_grad()
def test_at_first_nothing_is_changed(small):
    idx = torch.arange(40)[None]
    before = small(idx)
    add_lora(small)
    assert torch.equal(small(idx), before)


def test_a_merged_model_is_saved_and_loaded_as_any_other(learned, tokenizer, tmp_path):
    model, before = learned
    merge_lora(model)
    assert model.state_dict().keys() >= before.keys()
    assert weights_of(model).keys() == before.keys()
    save_pretrained(model, tmp_path / "merged", tokenizer)
    loaded, _ = from_pretrained(tmp_path / "merged", verbose=False)
    idx = torch.arange(40)[None]
    assert torch.equal(loaded(idx), model(idx))


def test_what_lora_costs(small):
    add_lora(small, rank=2)
    shapes = ((48, 16), (16, 16), (64, 16), (16, 64))
    assert count_trainable(small) == 2 * sum(2 * (n + k) for n, k in shapes)
    assert len(EVERY_MATRIX) == len(shapes)


def test_what_cannot_be_is_refused(small):
    with pytest.raises(ValueError, match="no LoRA to merge"):
        merge_lora(small)
    with pytest.raises(ValueError, match="rank is 0"):
        add_lora(small, rank=0)
    with pytest.raises(ValueError, match="no matrix 'attn.wte'"):
        add_lora(small, where=["attn.wte"])
    add_lora(small)
    with pytest.raises(ValueError, match="has LoRA already"):
        add_lora(small)


@pytest.mark.parametrize("how", HOW)
def test_a_classifier_learns_where_it_may_and_nowhere_else(how, small, tokenizer):
    examples = [*islice(contradictions(0), 24)]
    data = TaskData("contradiction", tokenizer, examples[:20], examples[20:])
    original = weights_of(small)
    classifier = make_classifier(small, tokenizer, how, rank=2)
    learning = {name for name, w in classifier.named_parameters() if w.requires_grad}
    before = weights_of(classifier)
    finetune(classifier, data, max_lr=0.05, **QUICK)
    for name, weight in weights_of(classifier).items():
        assert torch.equal(weight, before[name]) == (name not in learning), name
    assert all(torch.equal(w, original[name]) for name, w in weights_of(small).items())
    whole = small.num_parameters()
    head, beside = 2 * 16 + 2, 2 * 2 * ((48 + 16) + (16 + 16) + 2 * (64 + 16))
    assert (
        count_trainable(classifier)
        == {
            "frozen": head,
            "full": head + whole,
            "lora": head + beside,
        }[how]
    )


@torch.no_grad()
def test_the_class_is_read_at_the_texts_own_last_token(small, tokenizer):
    classifier = make_classifier(small, tokenizer, "full")
    torch.nn.init.normal_(classifier.score.weight)
    end = tokenizer.end_of_text
    texts = ["Leo", "Leo lost the grey wagon; it was under the stairs.", "the kite"]
    together = []
    rows = [[end, *tokenizer.encode(text), end] for text in texts]
    longest = max(map(len, rows))
    x = torch.tensor([row + [end] * (longest - len(row)) for row in rows])
    for scores, row in zip(classifier(x), rows):
        features = small.features(torch.tensor([row]))[0, -1]
        alone = classifier.score.weight @ features + classifier.score.bias
        torch.testing.assert_close(scores, alone, atol=1e-5, rtol=0)
        together.append(int(alone.argmax()))
    assert classify(classifier, tokenizer, texts, batch_size=2).tolist() == together


def test_a_classifier_can_learn(storyteller):
    """Two kinds of text that cannot be mistaken: the head alone tells them apart."""
    model, tokenizer = storyteller
    kinds = [Labelled("the kite", 0), Labelled("Leo and Ruby", 1)]
    data = TaskData("kinds", tokenizer, kinds, kinds)
    classifier = make_classifier(model, tokenizer, "frozen")
    finetune(
        classifier, data, max_steps=30, optimizer="adamw", max_lr=0.05, batch_size=8, progress=False
    )
    assert classify(classifier, tokenizer, [kind.text for kind in kinds]).tolist() == [0, 1]


def test_an_unknown_way_is_refused(small, tokenizer):
    with pytest.raises(ValueError, match="how is 'half'"):
        make_classifier(small, tokenizer, "half")


def test_an_example_too_long_is_named_before_the_first_step(small, tokenizer, data):
    before = weights_of(small)
    short = [Example("Leo", " lost the kite.")] * 500  # that one is hardly ever drawn among these
    long = TaskData("long", tokenizer, [*short, data.train[0]], short[:2])
    cramped = with_room(small, 160)
    cramped.config = replace(small.config, block_size=100)
    with pytest.raises(ValueError, match="sees at most 100"):
        finetune(cramped, long, **QUICK)
    assert all(torch.equal(w, before[name]) for name, w in weights_of(small).items())
