"""A profile's parts add up, and each operation stands in the module that it belongs to."""

import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from statistics import median

import pytest
import torch
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.model import GPT, explicit_attention
from minigpt.speed import Part, autocast, profile_step, profiling, recompute_blocks

V, T, L, C, B = 61, 16, 2, 32, 3
CONFIG = GPTConfig(vocab_size=V, block_size=T, n_layer=L, n_head=2, n_embd=C)
CPU = torch.device("cpu")


def training(config=CONFIG, batch=B):
    """Return a model and one plain training step of it."""
    torch.manual_seed(0)
    model = GPT(config)
    optimizer = torch.optim.AdamW(model.parameters())
    idx = torch.randint(config.vocab_size, (batch, config.block_size))

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(idx).flatten(0, 1), idx.flatten()).backward()
        optimizer.step()

    return model, step


def at(part: Part, *names: str) -> Part:
    for name in names:
        part = next(inner for inner in part.parts if inner.name == name)
    return part


def walk(part: Part):
    yield part
    for inner in part.parts:
        yield from walk(inner)


@pytest.fixture(scope="module")
def whole():
    model, step = training()
    return profile_step(step, model)


def test_at_every_level_the_parts_add_up_to_the_whole(whole):
    for part in walk(whole):
        if part.parts:
            assert part.seconds == pytest.approx(sum(p.seconds for p in part.parts), abs=1e-9)
            assert part.flops == sum(p.flops for p in part.parts)
        assert part.seconds >= 0


def test_the_parts_are_those_of_a_step_and_of_gpt2(whole):
    *known, rest = [part.name for part in whole.parts]
    assert known[:3] == ["forward", "backward", "optimizer"] and rest == profiling.REST
    names = {part.name for part in at(whole, "forward").parts}
    assert names >= {"wte", "wpe", "h.0", "h.1", "ln_f", "lm_head", "loss"}
    for way in ("forward", "backward"):
        block = at(whole, way, "h.1")
        assert {p.name for p in block.parts} == {
            "ln_1",
            "attn",
            "ln_2",
            "mlp",
            "residual additions",
        }
        inside = {p.name for p in at(block, "attn").parts}
        assert inside >= {"c_attn", "scores, softmax, mix", "c_proj"}


def test_each_module_has_the_products_that_are_its_own_and_backward_twice_as_many(whole):
    rows = B * T
    for layer in range(L):
        for names, size in {
            ("attn", "c_attn"): 3 * C * C,
            ("attn", "c_proj"): C * C,
            ("mlp", "c_fc"): 4 * C * C,
            ("mlp", "c_proj"): 4 * C * C,
        }.items():
            path = f"h.{layer}", *names
            assert at(whole, "forward", *path).flops == 2 * rows * size
            assert at(whole, "backward", *path).flops == 4 * rows * size
    assert at(whole, "forward", "lm_head").flops == 2 * rows * V * C
    assert at(whole, "backward", "lm_head").flops == 4 * rows * V * C
    # PyTorch's fused attention computes the pattern again on its way back: 5 products for 2.
    scores = "h.0", "attn", "scores, softmax, mix"
    assert at(whole, "forward", *scores).flops == 4 * B * T * T * C
    assert at(whole, "backward", *scores).flops == 10 * B * T * T * C


def test_gradients_of_what_is_no_product_stand_where_they_belong(whole):
    def kinds(*names):
        return {part.name for part in at(whole, "backward", *names).parts}

    assert "NativeLayerNormBackward0" in kinds("h.0", "ln_2") & kinds("ln_f")
    assert kinds("h.1", "mlp", "GELU") == {"GeluBackward0"}
    assert kinds("wte") == kinds("wpe") == {"EmbeddingBackward0"}
    assert "NllLossBackward0" in kinds("loss")
    assert kinds("h.0", "residual additions") == {"AddBackward0"}


def test_the_parts_hold_all_that_the_profiler_itself_counted():
    model, step = training()
    events = profiling.recorded(step, model, 2)
    whole = profiling.as_profile(events, model, 2)
    counted = Counter()
    for event in events:
        if not event.is_user_annotation:
            counted["operations"] += event.self_cpu_time_total / 1e6 / 2
        if event.name == profiling.STEP:
            counted["whole"] += event.cpu_time_total / 1e6 / 2
    assert whole.seconds == pytest.approx(counted["whole"], rel=1e-9)
    operations = whole.seconds - at(whole, profiling.REST).seconds
    assert operations == pytest.approx(counted["operations"], rel=1e-6)


@pytest.mark.thorough
def test_the_shares_are_those_of_a_plain_timer():
    wide = GPTConfig(vocab_size=512, block_size=64, n_layer=2, n_head=2, n_embd=128)
    model, step = training(wide, batch=8)
    idx, taken = torch.randint(512, (8, 64)), []
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(9):
        marks = [time.perf_counter()]
        loss = F.cross_entropy(model(idx).flatten(0, 1), idx.flatten())
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        optimizer.step()
        marks.append(time.perf_counter())
        taken.append([(b - a) / (marks[-1] - marks[0]) for a, b in pairwise(marks)])
        optimizer.zero_grad()
    whole = profile_step(step, model, repeats=9)
    operations = whole.seconds - at(whole, profiling.REST).seconds
    for name, shares in zip(("forward", "backward", "optimizer"), zip(*taken)):
        assert at(whole, name).seconds / operations == pytest.approx(median(shares), abs=0.15)


@pytest.mark.thorough
def test_a_slow_module_is_found_on_both_ways():
    class Slow(torch.nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return sum(self.layer(x) for _ in range(100)) / 100

    model, step = training()
    model.transformer.h[1].mlp.c_fc = Slow(model.transformer.h[1].mlp.c_fc)
    whole = profile_step(step, model)
    for way in ("forward", "backward"):
        assert at(whole, way, "h.1", "mlp").seconds > 0.5 * at(whole, way).seconds


def test_whole_patterns_are_attributed_too():
    model, step = training()
    model.use_attention(explicit_attention)
    whole = profile_step(step, model)
    scores = "h.1", "attn", "scores, softmax, mix"
    assert "softmax" in {part.name for part in at(whole, "forward", *scores).parts}
    assert "SoftmaxBackward0" in {part.name for part in at(whole, "backward", *scores).parts}
    assert at(whole, "backward", *scores).flops == 2 * at(whole, "forward", *scores).flops


def test_what_is_computed_again_stands_in_the_backward_pass():
    model, step = training()
    plain = profile_step(step, model)
    with recompute_blocks(model):
        whole = profile_step(step, model)
    again = at(whole, "backward", "computed again")
    for layer in range(L):
        assert at(again, f"h.{layer}").flops == at(whole, "forward", f"h.{layer}").flops > 0
    assert at(whole, "backward", "h.0").flops == at(plain, "backward", "h.0").flops


def test_bf16_is_profiled_as_well():
    model, step = training()

    def low():
        with autocast(model, CPU, "bf16"):
            step()

    whole = profile_step(low, model)
    assert at(whole, "forward", "h.0", "mlp", "c_fc").flops == 2 * B * T * 4 * C * C


def test_a_model_alone_can_be_profiled_without_gradients():
    model, _ = training()
    with torch.no_grad():
        idx = torch.zeros(1, T, dtype=torch.int64)
        whole = profile_step(lambda: model(idx), model)
    assert [part.name for part in whole.parts] == ["forward", profiling.REST]
    assert at(whole, "forward", "lm_head").flops == 2 * T * V * C


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_a_profile_leaves_nothing_behind_after_an_error_too():
    model, _ = training()
    profile_step(lambda: model(torch.zeros(1, T, dtype=torch.int64)), model)
    assert hooks(model) == 0
    calls = []

    def step():
        calls.append(1)
        model(torch.full((1, T), V if len(calls) > 1 else 0))

    with pytest.raises(ValueError, match="ids of this model"):
        profile_step(step, model)
    assert hooks(model) == 0


def test_repeats_is_at_least_one():
    model, step = training()
    with pytest.raises(ValueError, match="repeats is 0"):
        profile_step(step, model, repeats=0)


@pytest.mark.thorough
def test_the_profiler_says_nothing_of_its_own():
    code = """
import torch
from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.speed import profile_step
model = GPT(GPTConfig(vocab_size=8, block_size=4, n_layer=1, n_head=1, n_embd=4))
profile_step(lambda: model(torch.zeros(1, 2, dtype=torch.int64)), model)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == done.stdout == ""
