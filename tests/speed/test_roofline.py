"""What a pass computes and moves is counted right, and a machine's limits are what was measured."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from minigpt.config import GPTConfig
from minigpt.kv_cache import KVCache
from minigpt.model import GPT
from minigpt.speed import Limits, forward_bytes, forward_flops, machine_limits, quantize
from minigpt.speed.roofline import least_seconds
from tests.models import TINY

GPT2 = GPTConfig.preset("gpt2")


@pytest.mark.parametrize("config", [TINY, GPT2])
@pytest.mark.parametrize("T, S", [(1, 0), (7, 0), (1, 6), (3, 5)])
def test_flops_are_those_that_pytorch_counts(config, T, S):
    with torch.device("meta"):
        model = GPT(config)
    cache = KVCache(config, device="meta")
    with torch.no_grad():
        if S:
            model(torch.zeros(1, S, dtype=torch.long, device="meta"), cache)
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, T, dtype=torch.long, device="meta"), cache)
    assert counter.get_total_flops() == forward_flops(config, T, S)


def test_only_the_scored_positions_need_the_head():
    head = 2 * TINY.vocab_size * TINY.n_embd
    assert forward_flops(TINY, 5) - forward_flops(TINY, 5, scored=1) == 4 * head


def moved(model, config, T, S):
    """Count slowly what a pass must read of the weights, and read and write of the cache."""
    total = 0
    weights = {id(w): (name, w) for name, w in [*model.named_parameters(), *model.named_buffers()]}
    for name, weight in weights.values():
        if name.endswith(("scale", "ones")):
            continue  # a number a row: left out
        rows = weight[:T] if name == "transformer.wpe.weight" else weight
        total += rows.numel() * rows.element_size()
    for layer in KVCache(config).layers:
        for held in (layer.keys, layer.values):
            total += held[:, :, : S + T].numel() * held.element_size()
    return total


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("T, S", [(1, 0), (8, 0), (1, 11), (2, 5)])
def test_bytes_are_those_of_a_slow_count(T, S, bias):
    config = GPTConfig(vocab_size=37, block_size=12, n_layer=3, n_head=4, n_embd=16, bias=bias)
    model = GPT(config)
    assert forward_bytes(config, T, S) == moved(model, config, T, S)
    in_int8 = forward_bytes(config, T, S, weight_bytes=1)
    assert in_int8 == moved(quantize(model), config, T, S)


def test_in_bf16_everything_is_half():
    assert 2 * forward_bytes(GPT2, 1, 99, 2, 2) == forward_bytes(GPT2, 1, 99)


def test_of_gpt2_one_token_reads_its_weights_once():
    # 124,439,808 weights, of which one row of 1,024 positions; keys and values of the new one.
    assert forward_bytes(GPT2, 1) == 4 * (124_439_808 - 1023 * 768 + 2 * 12 * 768)


def test_a_pass_that_does_not_fit_is_refused_in_words():
    for count in (forward_flops, forward_bytes):
        with pytest.raises(ValueError, match="T \\+ S is 13; the model holds 12"):
            count(TINY, 2, 11)
        with pytest.raises(ValueError, match="T is 0"):
            count(TINY, 0)
        with pytest.raises(ValueError, match="S is -1"):
            count(TINY, 1, -1)


def test_the_roof_is_the_lower_of_two_lines_that_meet_at_the_ridge():
    limits = Limits(flops=100.0, bandwidth=10.0)
    assert limits.ridge == 10.0
    assert [limits.rate(x) for x in (1.0, 10.0, 50.0)] == [10.0, 100.0, 100.0]
    assert limits.seconds(flops=100.0, bytes_moved=1.0) == 1.0
    assert limits.seconds(flops=1.0, bytes_moved=100.0) == 10.0
    for flops, size in [(3.0, 7.0), (900.0, 2.0)]:  # the same roof, said in time and in rate
        assert flops / limits.seconds(flops, size) == pytest.approx(limits.rate(flops / size))


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_machines_limits_are_reached_by_its_own_products(dtype):
    threads = torch.get_num_threads()
    limits = machine_limits(dtype, threads=1, seconds=0.3)
    assert torch.get_num_threads() == threads
    a = torch.ones(512, 512, dtype=dtype)
    rate = 2 * 512**3 / least_seconds(lambda: a @ a, 0.1, a.device)
    assert 0.1 * rate < limits.flops < 1e16
    block = torch.ones(50_000_000)
    rate = block.nbytes / least_seconds(lambda: block.sum(), 0.1, block.device)
    assert 0.1 * rate < limits.bandwidth < 1e14


def test_limits_of_what_is_no_precision_or_no_thread_are_refused_in_words():
    with pytest.raises(ValueError, match="dtype is torch.int8"):
        machine_limits(torch.int8)
    with pytest.raises(ValueError, match="threads is 0"):
        machine_limits(threads=0)
    with pytest.raises(ValueError, match="seconds is 0"):
        machine_limits(seconds=0)
