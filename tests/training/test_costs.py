"""What a run costs: against PyTorch's counter, by hand, and against what was published."""

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from minigpt.config import GPTConfig
from minigpt.course.lessons.lesson_05_gpt import misconceptions_accounts
from minigpt.model import GPT
from minigpt.training import costs
from minigpt.training.steps import model_loss
from minigpt.viz.sizes import accounts

TINY = GPTConfig(vocab_size=11, block_size=16, n_layer=3, n_head=2, n_embd=8)
GPT2 = GPTConfig.preset("gpt2")


def test_a_training_step_has_the_flops_that_pytorch_counts():
    x = torch.zeros(4, 16, dtype=torch.int64, device="meta")
    with torch.device("meta"):
        model = GPT(TINY)
    with FlopCounterMode(display=False) as counter:
        model_loss(model, x, x).backward()
    assert costs.training_flops(TINY, 4 * 16) == counter.get_total_flops()


def test_shorter_texts_have_less_attention():
    difference = costs.training_flops(TINY, 1) - costs.training_flops(TINY, 1, block_size=7)
    assert difference == 3 * 4 * TINY.n_layer * TINY.n_embd * (16 - 7)


@pytest.mark.parametrize("config", [TINY, GPT2])
def test_the_lesson_the_size_explorer_and_this_count_alike(config):
    one_token = costs.training_flops(config, 1) / 3
    assert one_token == sum(accounts.flops(config).values())
    assert one_token == misconceptions_accounts.flops_per_token(config, config.block_size)


def test_about_six_flops_a_parameter_and_token():
    assert 6 < costs.training_flops(GPT2, 1) / 124_439_808 < 7


def test_speed_and_utilisation_undo_each_other():
    speed = costs.training_speed(GPT2, 312e12, 0.37)
    assert math.isclose(costs.utilisation(GPT2, speed, 312e12), 0.37)


def test_published_runs_come_out_as_they_were_published():
    """llm.c's scripts/run_gpt2_124M.sh: 18,865 steps in 94 minutes for about 20 dollars."""
    speed = 524_288 / 0.3
    cost = costs.training_cost(GPT2, 18_865 * 524_288, speed, price_per_hour=14)
    assert abs(60 * cost.hours - 94.3) < 0.1 and 20 < cost.money < 23
    assert 0.55 < costs.utilisation(GPT2, speed / 8, 312e12) < 0.65  # "up to ~60 %"


def test_energy_is_power_times_time_times_the_buildings_share():
    cost = costs.training_cost(GPT2, 7.2e6, 1000, watts=250, overhead=1.2)
    assert (cost.hours, cost.money) == (2.0, 0.0)
    assert math.isclose(cost.kilowatt_hours, 0.6)


def test_a_cost_is_said_in_words():
    cost = costs.training_cost(GPT2, 300e9, 462_994, watts=700, price_per_hour=3.0)
    words = str(cost)
    assert "3e+11 tokens" in words and "7.5 days" in words and "126 kWh" in words
    assert costs.time_in_words(12 * costs.HOURS_A_YEAR) == "12.0 years"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (dict(tokens=0), "tokens is 0"),
        (dict(tokens="many"), "tokens is 'many'"),
        (dict(tokens_per_second=math.inf), "tokens_per_second is inf"),
        (dict(watts=-1), "watts is -1"),
        (dict(price_per_hour=None), "price_per_hour is None"),
        (dict(overhead=0.9), "overhead is 0.9; it must be a finite number of at least 1"),
        (dict(block_size=2048), "1024"),
    ],
)
def test_bad_figures_are_named(change, named):
    settings = {"tokens": 1e9, "tokens_per_second": 1e3, **change}
    with pytest.raises(ValueError, match=named):
        costs.training_cost(GPT2, **settings)


@pytest.mark.parametrize("share", [0, 1.1, -0.4, True])
def test_no_machine_is_used_more_than_whole(share):
    with pytest.raises(ValueError, match="utilisation"):
        costs.training_speed(GPT2, 1e12, share)
