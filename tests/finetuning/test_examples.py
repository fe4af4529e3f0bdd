"""Examples become batches in which only the target counts."""

import copy
import math

import pytest
import torch

from minigpt.finetuning import Example, Labelled, TaskData, complete, example_batch
from minigpt.finetuning.examples import context_needed, labelled_batch
from minigpt.finetuning.room import with_room
from minigpt.sampling import generate
from minigpt.training import model_loss

EXAMPLES = [
    Example("The grey wagon", " was gone."),
    Example("Leo", " lost the grey wagon; it was under the stairs."),
    Example("小狐狸 =", " a fox"),
]


def slow_loss(model, tokenizer, examples) -> float:
    """The mean surprise at the tokens of the targets, read one by one, each with what precedes."""
    surprises = []
    for example in examples:
        end = tokenizer.end_of_text
        read = [end, *tokenizer.encode(example.prompt)]
        for token in [*tokenizer.encode(example.target), end]:
            p = model(torch.tensor([read]))[0, -1].double().softmax(dim=-1)[token]
            surprises.append(-math.log(p))
            read.append(token)
    return sum(surprises) / len(surprises)


@torch.no_grad()
def test_the_loss_is_the_surprise_at_the_targets_alone(small, tokenizer):
    x, y = example_batch(EXAMPLES, tokenizer, 160)
    assert model_loss(small, x, y).item() == pytest.approx(
        slow_loss(small, tokenizer, EXAMPLES), rel=1e-5
    )


def test_the_prompt_gets_no_gradient_as_a_target_but_is_read(small, tokenizer):
    x, y = example_batch(EXAMPLES[:1], tokenizer, 160)
    prompt = tokenizer.encode(EXAMPLES[0].prompt)
    assert x[0, : len(prompt) + 1].tolist() == [tokenizer.end_of_text, *prompt]
    assert (y[0, : len(prompt)] == -100).all() and (y[0, len(prompt) :] >= 0).all()
    assert y[0, -1] == tokenizer.end_of_text


@torch.no_grad()
def test_what_fills_a_row_changes_nothing(small, tokenizer):
    alone, _ = example_batch(EXAMPLES[:1], tokenizer, 160)
    together, y = example_batch(EXAMPLES, tokenizer, 160)
    length = alone.size(1)
    assert together.size(1) > length and (y[0, length:] == -100).all()
    torch.testing.assert_close(small(together)[:1, :length], small(alone), atol=1e-5, rtol=0)


def test_an_example_that_does_not_fit_is_named(tokenizer):
    needed = context_needed(EXAMPLES[0], tokenizer)
    example_batch(EXAMPLES[:1], tokenizer, needed)
    with pytest.raises(ValueError, match=rf"has {needed} tokens.*grey wagon"):
        example_batch(EXAMPLES[:1], tokenizer, needed - 1)


def test_labelled_texts_stand_between_two_ends(tokenizer):
    x, y = labelled_batch([Labelled("Leo", 1), Labelled("the grey wagon", 0)], tokenizer, 9)
    end = tokenizer.end_of_text
    assert y.tolist() == [1, 0] and (x[:, 0] == end).all() and x[1, -1] == end
    with pytest.raises(ValueError, match="sees at most 3"):
        labelled_batch([Labelled("the grey wagon", 0)], tokenizer, 3)


def test_batches_are_drawn_from_the_split_by_the_generator(tokenizer):
    data = TaskData("test", tokenizer, EXAMPLES[:2], EXAMPLES[2:])
    first, again, other = (
        data.batch("train", 160, 8, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert first[0].shape != other[0].shape or not torch.equal(first[0], other[0])
    x, _ = data.batch("val", 160, 3)
    assert {tuple(row) for row in x.tolist()} == {
        tuple(example_batch(EXAMPLES[2:], tokenizer, 160)[0][0].tolist())
    }
    with pytest.raises(ValueError, match="split is 'test'"):
        data.batch("test", 160, 1)


def test_complete_gives_each_prompt_the_answer_that_it_gets_alone(storyteller):
    model, tokenizer = storyteller
    prompts = ["Once upon a time there was", "Long ago there was", "In a faraway town there was a"]
    end = tokenizer.end_of_text
    for prompt, answer in zip(prompts, complete(model, tokenizer, prompts, 20)):
        idx = torch.tensor([[end, *tokenizer.encode(prompt)]])
        alone = generate(model, idx, 20, temperature=0.0, use_cache=False)[0, idx.size(1) :]
        assert answer == tokenizer.decode(alone)
    with pytest.raises(ValueError, match="sees at most 128"):
        complete(model, tokenizer, ["kite " * 128])


@torch.no_grad()
def test_more_room_changes_nothing_within_the_old(storyteller):
    model = copy.deepcopy(storyteller[0]).requires_grad_(False)
    grown = with_room(model, 145)
    assert all(weight.requires_grad for weight in grown.parameters())
    assert not any(weight.requires_grad for weight in model.parameters())
    idx = torch.randint(1000, (2, 128), generator=torch.Generator().manual_seed(0))
    assert torch.equal(grown(idx), model(idx))
    assert grown.num_parameters() - model.num_parameters() == 17 * 128
    assert grown(torch.cat([idx, idx], dim=1)[:, :145]).shape == (2, 145, 1024)
    assert model.config.block_size == 128 and grown.config.block_size == 145
    with pytest.raises(ValueError, match="block_size is 127"):
        with_room(model, 127)
