"""What was read before is kept: pieces through the cache give the logits of the whole."""

import pytest
import torch

from minigpt.kv_cache import KVCache
from minigpt.model import GPT
from tests.models import ATTENTIONS, TINY, lively, some_ids


@pytest.mark.parametrize("attend", ATTENTIONS)
@pytest.mark.parametrize("pieces", [[12], [1] * 12, [5, 1, 1, 5], [3, 4, 5], [11, 1], [1, 11]])
def test_feeding_pieces_through_the_cache_gives_the_logits_of_the_whole(attend, pieces):
    model = lively(GPT(TINY))
    model.use_attention(attend)
    idx = some_ids(TINY, 4, TINY.block_size)
    cache = KVCache(TINY, batch_size=4)
    parts = [model(piece, cache=cache) for piece in idx.split(pieces, dim=1)]
    assert [part.size(1) for part in parts] == pieces, "logits of the new positions only"
    assert cache.length == TINY.block_size
    torch.testing.assert_close(torch.cat(parts, dim=1), model(idx), atol=1e-5, rtol=0)


def test_a_cleared_cache_starts_over():
    model = lively(GPT(TINY))
    cache = KVCache(TINY, batch_size=2)
    model(some_ids(TINY, 2, 12), cache=cache)
    cache.clear()
    assert cache.length == 0
    idx = some_ids(TINY, 2, 5, seed=1)
    torch.testing.assert_close(model(idx, cache=cache), model(idx), atol=1e-6, rtol=0)


def test_a_cache_holds_exactly_the_memory_it_promises():
    cache = KVCache(TINY, batch_size=2, room=5)
    held = sum(t.nbytes for layer in cache.layers for t in (layer.keys, layer.values))
    assert held == 2 * TINY.n_layer * 2 * 5 * TINY.n_embd * 4  # k and v, rows, room, C, float32


def test_no_gradient_flows_back_through_the_cache_and_training_without_one_is_unharmed():
    model = lively(GPT(TINY))
    cache = KVCache(TINY, batch_size=1)
    model(some_ids(TINY, 1, 3), cache=cache)
    model(some_ids(TINY, 1, 2), cache=cache).sum().backward()  # would fail on a freed graph
    assert not cache.layers[0].keys.requires_grad


def test_a_full_cache_says_what_to_do():
    model, cache = GPT(TINY), KVCache(TINY, room=4)
    model(some_ids(TINY, 1, 3), cache=cache)
    with pytest.raises(ValueError, match=r"5 positions do not fit in 4.*keep the last 4"):
        model(some_ids(TINY, 1, 2), cache=cache)
    assert cache.length == 3, "a refused call leaves the cache as it was"


@pytest.mark.parametrize(("rows", "cached"), [(1, 4), (4, 1), (2, 3)])
def test_a_cache_for_another_batch_size_is_refused_and_not_broadcast(rows, cached):
    with pytest.raises(ValueError, match=rf"{rows} sequences and the cache {cached}"):
        GPT(TINY)(some_ids(TINY, rows, 2), cache=KVCache(TINY, batch_size=cached))


@pytest.mark.parametrize("room", [0, -1, 13, 1.5, "4", True])
def test_a_cache_of_an_impossible_size_is_refused(room):
    with pytest.raises(ValueError, match=f"room is {room!r}"):
        KVCache(TINY, room=room)


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, None])
def test_a_cache_for_an_impossible_batch_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"batch_size is {batch_size!r}"):
        KVCache(TINY, batch_size=batch_size)


@pytest.mark.parametrize("attend", ATTENTIONS)
def test_autocast_works_with_a_cache_too(attend):
    model = lively(GPT(TINY))
    model.use_attention(attend)
    idx = some_ids(TINY, 2, 8)
    cache = KVCache(TINY, batch_size=2)
    expected = model(idx)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        parts = [model(piece, cache=cache) for piece in idx.split([5, 1, 2], dim=1)]
    assert (torch.cat(parts, dim=1) - expected).abs().mean() < 0.05 * expected.std()
