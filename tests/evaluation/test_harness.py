"""Beside lm-evaluation-harness, where it is installed: the same model, the same items.

It is no dependency of ours: `pip install lm_eval accelerate` in an environment of its own.
"""

from itertools import islice

import numpy as np
import pytest

from minigpt.evaluation.choice import candidate_scores, choose, last_word
from minigpt.evaluation.perplexity import measure
from minigpt.evaluation.quiz import last_words, recall_choice
from minigpt.pretrained import from_pretrained, save_pretrained
from minigpt.stories import Stories
from tests.evaluation.conftest import TEXT

pytestmark = [pytest.mark.thorough, pytest.mark.elsewhere]
TOLD = [*islice(Stories(30_000), 20)]


def harness(theirs, tokenizer, **settings):
    """Return the harness's wrapper of a transformers model, with a vocabulary of ours."""
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")
    from lm_eval.models.huggingface import HFLM
    from tokenizers import Tokenizer as Fast
    from tokenizers import decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {byte: char for char, byte in byte_letters().items()}

    def spell(token: int) -> str:
        if token == tokenizer.end_of_text:
            return "<|endoftext|>"
        return "".join(letters[byte] for byte in tokenizer.token_bytes(token))

    vocabulary = {spell(token): token for token in range(tokenizer.vocab_size)}
    merges = [(spell(a), spell(b)) for a, b in tokenizer.merges]
    fast = Fast(models.BPE(vocab=vocabulary, merges=merges))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=fast, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )
    assert wrapped.encode(TOLD[0]) == tokenizer.encode(TOLD[0])
    return HFLM(pretrained=theirs, tokenizer=wrapped, batch_size=1, device="cpu", **settings)


def byte_letters() -> dict[str, int]:
    """GPT-2's printable stand-ins for bytes, as its encoder defines them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


def ask(lm, kind: str, *arguments):
    from lm_eval.api.instance import Instance

    requests = [
        Instance(request_type=kind, doc={}, arguments=given, idx=i)
        for i, given in enumerate(arguments)
    ]
    return getattr(lm, kind)(requests)


@pytest.fixture(scope="module")
def storyteller(tmp_path_factory):
    from transformers import GPT2LMHeadModel

    ours, tokenizer = from_pretrained("storyteller", verbose=False)
    folder = tmp_path_factory.mktemp("storyteller")
    save_pretrained(ours, folder)
    theirs = GPT2LMHeadModel.from_pretrained(folder).eval()
    # Our models have read <|endoftext|> before every text, and our rule puts it there.
    return ours, tokenizer, harness(theirs, tokenizer, prefix_token_id=tokenizer.end_of_text)


def marked(text: str) -> str:
    return "<|endoftext|>" + text


def test_last_words_of_stories_are_those_of_the_harness(storyteller):
    ours, tokenizer, lm = storyteller
    items = last_words(TOLD)
    found = last_word(ours, tokenizer, items)
    theirs = ask(lm, "loglikelihood", *((marked(i.context), i.answer) for i in items))
    assert found.nats == pytest.approx([-nats for nats, _ in theirs], abs=1e-4)
    assert found.right.tolist() == [greedy for _, greedy in theirs]


@pytest.mark.parametrize("normalize", [None, "byte"])
def test_choices_of_stories_are_those_of_the_harness(storyteller, normalize):
    ours, tokenizer, lm = storyteller
    items = [i for i in (recall_choice(story, "place2") for story in TOLD) if i]
    scores = candidate_scores(ours, tokenizer, items, normalize=normalize)
    right = []
    for item, row in zip(items, scores):
        pairs = ((marked(item.context), candidate) for candidate in item.candidates)
        sums = np.array([nats for nats, _ in ask(lm, "loglikelihood", *pairs)])
        if normalize:  # acc_norm divides by the length of the candidate's text
            sums = sums / [len(candidate.strip()) for candidate in item.candidates]
        assert row == pytest.approx(sums, abs=1e-4)
        right.append(int(sums.argmax()) == item.right)
    assert choose(ours, tokenizer, items, normalize=normalize).right.tolist() == right


def test_windows_without_overlap_are_the_rolling_ones_of_the_harness(model, theirs, tokenizer):
    lm = harness_of_gpt2(theirs, tokenizer)
    [nats] = ask(lm, "loglikelihood_rolling", (TEXT,))
    assert measure(model, tokenizer, TEXT, stride=24).nats == pytest.approx(-nats, abs=1e-2)


def harness_of_gpt2(theirs, tokenizer):
    return harness(theirs, tokenizer, max_length=24, prefix_token_id=tokenizer.end_of_text)
