"""What is no model and no tokenizer of this package is refused by every explorer, with the way."""

import copy

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.interpret import attention_patterns
from minigpt.model import GPT
from minigpt.tokenizer import Tokenizer
from minigpt.viz import AttentionExplorer, SamplingExplorer, TokenizerExplorer

TEXT = "the red kite"
TOKENIZER = Tokenizer.train(TEXT * 4, vocab_size=260)
MODEL = GPT(GPTConfig(TOKENIZER.vocab_size, 32, n_layer=1, n_head=1, n_embd=8)).eval()


def another_model():
    transformers = pytest.importorskip("transformers")
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=260, n_positions=8, n_embd=8, n_layer=1, n_head=1)
    )


def another_tokenizer():
    import tiktoken

    return tiktoken.Encoding("t", pat_str=".", mergeable_ranks={b"a": 0}, special_tokens={})


@pytest.mark.parametrize("explorer", [AttentionExplorer, SamplingExplorer])
@pytest.mark.parametrize(
    ("model", "told"),
    [
        (another_model, r"model is a transformers\.[\w.]*GPT2LMHeadModel; .*from_pretrained\("),
        (lambda: None, r"model is a NoneType; .*from_pretrained\("),
        (lambda: "gpt2", r"model is a str; .*from_pretrained\("),
        (lambda: torch.nn.Linear(1, 1), r"model is a torch\.[\w.]*Linear; .*from_pretrained\("),
        (lambda: (MODEL, TOKENIZER), r"tuple of 2; .*model, tokenizer = from_pretrained\("),
        (lambda: TOKENIZER, "the model comes first"),
    ],
)
def test_what_is_no_model_is_refused_with_the_way_to_one(explorer, model, told):
    with pytest.raises(ValueError, match=told):
        explorer(model(), TOKENIZER, TEXT)


@pytest.mark.parametrize(
    "explore",
    [
        lambda tokenizer: AttentionExplorer(MODEL, tokenizer, TEXT),
        lambda tokenizer: SamplingExplorer(MODEL, tokenizer, TEXT),
        lambda tokenizer: TokenizerExplorer(tokenizer, TEXT),
        lambda tokenizer: TokenizerExplorer({"mine": TOKENIZER, "theirs": tokenizer}, TEXT),
    ],
)
@pytest.mark.parametrize(
    ("tokenizer", "kind"),
    [
        (another_tokenizer, r"tiktoken\.[\w.]*Encoding"),
        (lambda: None, "NoneType"),
        (lambda: "gpt2", "str"),
        (lambda: MODEL, r"minigpt\.model\.GPT"),
    ],
)
def test_what_is_no_tokenizer_is_refused_with_the_ways_to_one(explore, tokenizer, kind):
    with pytest.raises(ValueError, match=rf"tokenizer is a {kind}; .*Tokenizer\.gpt2\(\)"):
        explore(tokenizer())


class MyAttention(torch.nn.Module):
    """As a learner's own may be: it attends, and lets nobody look."""

    def forward(self, x, cache=None):
        return x


def test_an_attention_that_shows_no_pattern_is_named():
    model = copy.deepcopy(MODEL)
    model.transformer.h[0].attn = MyAttention()
    for look in (
        lambda: attention_patterns(model, torch.tensor([[1, 2]])),
        lambda: AttentionExplorer(model, TOKENIZER, TEXT),
    ):
        with pytest.raises(
            ValueError, match="layer 0 has an attention of another kind, MyAttention"
        ):
            look()
