"""Examples, like stories, are shared among the processes that torchrun started."""

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.finetuning import add_lora, finetune, load_task
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained
from tests.training.runs import weights_of, without_speed
from tests.training.test_parallel import assert_same_run
from tests.training.worlds import CALM, together

pytestmark = pytest.mark.thorough


def a_finetuning(report, lora):
    """Teach a tiny model to sum stories up; report the history and the weights."""
    tokenizer = from_pretrained("storyteller", verbose=False)[1]
    torch.manual_seed(0)
    model = GPT(GPTConfig(tokenizer.vocab_size, block_size=160, n_layer=2, n_head=2, n_embd=16))
    if lora:
        add_lora(model, rank=2, alpha=4.0, generator=torch.Generator().manual_seed(1))
    history = finetune(
        model,
        load_task("summary", tokenizer, train=20, val=4),
        max_steps=4,
        optimizer="adamw",
        warmup_steps=1,
        batch_size=5,
        eval_batches=1,
        progress=False,
        **CALM,
    )
    report((without_speed(history), {n: w.numpy() for n, w in weights_of(model).items()}))


@pytest.mark.parametrize("lora", [False, True], ids=["all weights", "LoRA"])
def test_two_processes_learn_what_one_does(lora):
    said = []
    a_finetuning(said.append, lora)
    first, second = together(a_finetuning, 2, lora=lora)
    assert not isinstance(first, Exception), first
    assert_same_run(said[0], first)
    assert first[0] == second[0]


def test_parts_of_a_batch_of_examples_are_the_batch():
    tokenizer = from_pretrained("storyteller", verbose=False)[1]
    data = load_task("summary", tokenizer, train=20, val=4)
    x, y = data.batch("train", 160, 5, torch.Generator().manual_seed(0))
    for rank in (0, 1):
        generator = torch.Generator().manual_seed(0)
        mine, targets = data.batch("train", 160, 5, generator, slice(rank, None, 2))
        T = mine.size(1)  # as long as the longest of these rows
        assert torch.equal(mine, x[rank::2, :T]) and torch.equal(targets, y[rank::2, :T])
