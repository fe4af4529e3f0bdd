"""Each fast path stands beside a readable twin in the package, and equals it."""

from collections import Counter

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.kv_cache import KVCache
from minigpt.model import GPT, explicit_attention, fused_attention
from minigpt.sampling import generate
from minigpt.speed import batched_attention, quantize
from minigpt.speed.decoding import RowLinear, single_query_attention, step
from minigpt.tokenizer import Tokenizer
from minigpt.tokenizer.bpe import (
    ANY_TEXT,
    count_words,
    learn_merges,
    learn_merges_slowly,
    merge_steps,
    merge_word,
    pre_tokenize,
    to_tokens,
)

TEXT = "It's 2 lows, 10 lower and aaaa aaaaa; the lowest\n\tfell.  Été 雨 " * 3


@pytest.fixture
def model() -> GPT:
    torch.manual_seed(0)
    return GPT(GPTConfig(vocab_size=40, block_size=16, n_layer=2, n_head=2, n_embd=16)).eval()


def qkv(T: int, S: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, 3, n, 4, generator=generator) for n in (T, S, S)]


@pytest.mark.parametrize("fast", [fused_attention, batched_attention])
@pytest.mark.parametrize(("T", "S"), [(7, 7), (1, 7), (3, 7)])
def test_attention(fast, T, S):
    q, k, v = qkv(T, S)
    torch.testing.assert_close(fast(q, k, v), explicit_attention(q, k, v))


def test_attention_of_one_new_position():
    q, k, v = qkv(1, 7)
    torch.testing.assert_close(single_query_attention(q, k, v), explicit_attention(q, k, v))


def test_one_row_times_a_matrix(model):
    x = torch.randn(1, 1, 16, generator=torch.Generator().manual_seed(2))
    layer = model.transformer.h[0].mlp.c_fc
    torch.testing.assert_close(RowLinear(layer)(x), layer(x))


def test_a_product_with_weights_in_8_bits(model):
    layer = quantize(model).transformer.h[0].mlp.c_fc
    x = torch.randn(3, 16, generator=torch.Generator().manual_seed(3)).bfloat16().float()
    torch.testing.assert_close(layer(x), layer.readable(x), rtol=0.02, atol=0.02)


def test_a_step_with_what_was_read_before(model):
    idx = torch.tensor([[5, 1, 4, 1]])
    cache = KVCache(model.config)
    model(idx[:, :-1], cache)
    with torch.no_grad():
        logits = step(model, idx[:, -1:], cache, torch.empty(cache.length, 0))
        torch.testing.assert_close(logits, model(idx)[:, -1])


def test_generating_with_the_cache(model):
    idx = torch.tensor([[5, 1, 4]])
    drawn = [
        generate(model, idx, 30, generator=torch.Generator().manual_seed(4), use_cache=use_cache)
        for use_cache in (True, False)
    ]
    assert torch.equal(*drawn)


@pytest.mark.parametrize("n_merges", [0, 1, 12, 1000])
def test_learning_merges(n_merges):
    counts = count_words([TEXT])
    assert learn_merges(counts, n_merges) == learn_merges_slowly(counts, n_merges)


def test_learning_merges_from_nothing():
    assert learn_merges(Counter(), 5) == learn_merges_slowly(Counter(), 5) == []


def test_merging_a_word():
    merged = Tokenizer.train(TEXT, 300)._merged
    for word in [" lowest", "aaaaaaa", " Été", "雨雨", "x"]:
        tokens = to_tokens(word)
        assert merge_word(tokens, merged) == merge_steps(tokens, merged)[-1]


def test_pre_tokenizing_a_text_without_accents():
    plain = TEXT.encode("ascii", "ignore").decode()
    assert plain.isascii()
    assert pre_tokenize(plain) == ANY_TEXT.findall(plain)
