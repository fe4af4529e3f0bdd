"""What the exercises of lesson 11 take for right, against something independent."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import distributed, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.flop_counter import FlopCounterMode

from minigpt import GPT, GPTConfig
from minigpt.course.exercise.calls.processes import Exchanging
from minigpt.course.lessons import find
from minigpt.kv_cache import KVCache
from minigpt.model import explicit_attention


def right(name):
    return find(name).reference


# --- attainable_time: every order of computing and moving that a machine could choose ---


def test_no_order_of_work_beats_the_attainable_time():
    """Computing and moving each go on in small steps, as fast as the machine can."""
    draw = random.Random(0)
    for _ in range(20):
        work = [(draw.uniform(1, 9), draw.uniform(1, 9)) for _ in range(4)]
        seconds, step = 0.0, 1e-3
        for flops, moved in work:
            while flops > 0 or moved > 0:
                flops, moved, seconds = flops - 2 * step, moved - 1 * step, seconds + step
        flops, traffic = torch.tensor([work]).unbind(-1)
        told = right("attainable_time")(flops, traffic, 2.0, 1.0)[0].item()
        assert told <= seconds < told + 5 * step


# --- decode_intensity: what PyTorch counts, and the tensors that are read ---


@pytest.mark.parametrize(("B", "S"), [(1, 1), (3, 7), (5, 12)])
def test_decoding_costs_what_pytorch_counts(B, S):
    config = GPTConfig(vocab_size=50, block_size=16, n_layer=3, n_head=2, n_embd=12)
    model = GPT(config).eval()
    model.use_attention(explicit_attention)
    cache = KVCache(config, B)
    with torch.no_grad():
        if S > 1:
            model(torch.zeros(B, S - 1, dtype=torch.int64), cache=cache)
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(B, 1, dtype=torch.int64), cache=cache)
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "wpe" not in name]
    weights = sum(p.numel() for p in matrices)
    cached = sum(
        layer.keys[..., :S, :].numel() + layer.values[..., :S, :].numel() for layer in cache.layers
    )
    told = right("decode_intensity")(
        n_layer=3,
        n_embd=12,
        vocab_size=50,
        batch_size=B,
        positions=S,
        weight_bytes=1,
        cache_bytes=2,
    )
    assert told == pytest.approx(counter.get_total_flops() / (weights + 2 * cached), rel=1e-12)


# --- round_bits: bf16 and half precision ---


def patterns(count=200_000):
    bits = np.random.default_rng(0).integers(0, 2**32, count, dtype=np.uint32)
    return torch.from_numpy(bits.view(np.float32))


def test_seven_bits_are_bf16_for_all_kinds_of_numbers():
    x = patterns()
    assert x.isnan().any() and (x.abs() < 2**-126).any()
    ours, theirs = right("round_bits")(x, 7), x.bfloat16().float()
    assert torch.equal(ours.nan_to_num(0), theirs.nan_to_num(0))
    assert torch.equal(ours.isnan(), x.isnan())
    assert torch.equal(torch.signbit(ours)[~x.isnan()], torch.signbit(x)[~x.isnan()])


def test_ten_bits_are_half_precision_where_that_has_normal_numbers():
    x = patterns()
    x = x[(x.abs() > 2**-14) & (x.abs() < 65000)]
    assert len(x) > 10_000
    assert torch.equal(right("round_bits")(x, 10), x.half().float())


# --- accumulated_gradients: one big batch, and the real DistributedDataParallel ---

SMALL = GPTConfig(vocab_size=13, block_size=8, n_layer=1, n_head=2, n_embd=8)


def micro_batches(count, left_out):
    generator = torch.Generator().manual_seed(count)
    batches = []
    for gone in left_out[:count]:
        ids = torch.randint(13, (2, 7), generator=generator)
        y = ids[:, 1:].clone()
        y[0, :gone] = -100
        batches.append((ids[:, :-1], y))
    return batches


def test_two_processes_together_have_the_gradient_of_all_targets():
    torch.manual_seed(0)
    model = GPT(SMALL)
    parts = micro_batches(2, [5, 0]), micro_batches(2, [1, 3])
    x, y = (torch.cat(each) for each in zip(*parts[0], *parts[1]))
    total = int((y != -100).sum())
    whole = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    wanted = torch.autograd.grad(whole, list(model.parameters()))
    shares, gradients = [], []
    for part in parts:
        wrapped = Exchanging(copy.deepcopy(model))
        shares.append(right("accumulated_gradients")(wrapped, part, total, 2))
        gradients.append([p.grad for p in wrapped.module.parameters()])
    assert sum(shares) == pytest.approx(whole.item(), rel=1e-6)
    for one, other, due in zip(*gradients, wanted):
        assert torch.allclose((one + other) / 2, due, rtol=1e-4, atol=1e-7)


@pytest.fixture
def alone(tmp_path):
    """Make a group of this process alone: DistributedDataParallel asks for one."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


HOW = {
    "right": (right("accumulated_gradients"), 1),
    "each": ("exchanged-each-time", 3),
    "backward-within": ("backward-within", 3),
    "never": ("never-exchanged", 0),
    "first": ("exchanged-at-the-first", 1),
}


@pytest.mark.parametrize("how", HOW)
def test_our_wrapper_exchanges_when_pytorchs_does(how, alone):
    """The hook of the real one runs as often as the diary of ours says."""
    answer, times = HOW[how]
    if isinstance(answer, str):
        wrong = find("accumulated_gradients").misconceptions
        answer = next(m.wrong for m in wrong if m.name == answer)
    ours, real = Exchanging(GPT(SMALL)), DistributedDataParallel(GPT(SMALL))
    exchanges = []

    def count(state, bucket):
        if bucket.is_last():
            exchanges.append(bucket)
        future = torch.futures.Future()
        future.set_result(bucket.buffer())
        return future

    real.register_comm_hook(None, count)
    for model in (ours, real):
        answer(model, micro_batches(3, [0, 2, 6]), 28, 1)
    assert len(exchanges) == ours.diary.count("exchanged") == times


# --- sharded_step ---


@pytest.mark.parametrize("size", range(1, 8))
def test_a_sharded_step_is_pytorchs_and_sends_what_the_formula_says(size):
    """Each worker sends 2 (W - 1) chunks of n / W numbers, however many workers there are."""
    sent = [0] * size

    def exchange(messages):
        for worker, message in enumerate(messages):
            sent[worker] += message.numel()
        return messages[-1:] + messages[:-1]

    gradients = torch.randn(size, 6 * size, dtype=torch.float64)
    weights = nn.Parameter(torch.randn(6 * size, dtype=torch.float64))
    shards = [shard.clone() for shard in weights.detach().split(6)]
    given = shards, [list(g.split(6)) for g in gradients], 0.3, exchange
    held = right("sharded_step")(*given)
    weights.grad = gradients.mean(dim=0)
    torch.optim.SGD([weights], lr=0.3).step()
    for chunks in held:
        assert torch.allclose(torch.cat(chunks), weights)
    assert sent == [2 * (size - 1) * 6] * size


# --- reshard: what fully_shard's layout is, and back ---


@pytest.mark.parametrize("n", [1, 5, 12, 13])
def test_shards_hold_the_pieces_that_torch_chunk_makes(n):
    whole = torch.randn(n)
    for size in range(1, 7):
        shards = right("reshard")([whole], n, size)
        for shard, piece in zip(shards, whole.chunk(size)):
            assert torch.equal(shard[: len(piece)], piece)
        back = right("reshard")(shards, n, 1)
        assert len(back) == 1 and torch.equal(back[0], whole)
