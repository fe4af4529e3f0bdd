"""What is no text, no id and no merge is refused, with what would be accepted."""

import numpy as np
import pytest
import torch

from minigpt.tokenizer import END_OF_TEXT, Tokenizer

# --- Training ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [256, 0, -1, 300.0, "300", None, True, 2**21])
def test_impossible_vocab_size_is_refused_with_what_is_possible(size):
    with pytest.raises(ValueError, match=r"vocab_size is .* whole number from 257 .* to 1048576"):
        Tokenizer.train("text", size)


@pytest.mark.parametrize("text", [b"bytes", None, 7, ["good", b"bad"], [1, 2]])
def test_training_on_what_is_not_text_is_refused(text):
    with pytest.raises(ValueError, match="text must be a str, not"):
        Tokenizer.train(text, 300)


# --- Special tokens ---------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [END_OF_TEXT, {"<|pad|>"}, None, 1, b"", [END_OF_TEXT, 5]])
def test_unknown_allowed_special_is_refused_with_those_known(gpt2, allowed):
    with pytest.raises(ValueError, match=r"among \['<\|endoftext\|>'\], not"):
        gpt2.encode("text", allowed_special=allowed)


@pytest.mark.parametrize("special", [END_OF_TEXT, b"x", None, [""], ["a", "a"], [5], ["\ud800"]])
def test_impossible_special_tokens_are_refused(special):
    with pytest.raises(ValueError, match="special"):
        Tokenizer([], special)
    with pytest.raises(ValueError, match="special"):
        Tokenizer.train("text", 300, special)


# --- What is not text, and what is not an id --------------------------------------------------


@pytest.mark.parametrize("text", [b"bytes", None, 7, ["a"], np.array(["a"])])
def test_encoding_what_is_not_a_str_is_refused(gpt2, text):
    for encode in (gpt2.encode, gpt2.encode_ordinary, gpt2.merge_steps):
        with pytest.raises(ValueError, match=f"must be a str, not {type(text).__name__}"):
            encode(text)


def test_lone_surrogate_is_refused_with_its_position(gpt2):
    text = f"fox 🦊{END_OF_TEXT}\udc80 end"
    for encode in (gpt2.encode_ordinary, lambda text: gpt2.encode(text, allowed_special="all")):
        with pytest.raises(ValueError, match=r"'\\udc80', at position 18\."):
            encode(text)


@pytest.mark.parametrize("wrong", [-1, 50257, 10**30])
def test_id_out_of_range_is_refused_with_the_range(gpt2, wrong):
    for call in (lambda: gpt2.decode([0, wrong, 5]), lambda: gpt2.token_bytes(wrong)):
        with pytest.raises(ValueError, match=f"no token {wrong}: .*50257.* from 0 to 50256"):
            call()


@pytest.mark.parametrize(
    "ids",
    [5, None, "text", [1.0], ["1"], [[1, 2]], [None], np.zeros((2, 2), int), torch.tensor([[5]])],
)
def test_decoding_what_is_not_one_list_of_ids_is_refused(gpt2, ids):
    with pytest.raises(ValueError, match="must be one list of whole numbers"):
        gpt2.decode(ids)


def test_token_bytes_of_what_is_not_an_id_is_refused(gpt2):
    with pytest.raises(ValueError, match="whole numbers"):
        gpt2.token_bytes("a")


@pytest.mark.parametrize(
    ("merges", "reason"),
    [
        (None, "list of pairs"),
        (7, "list of pairs"),
        ([5], "merge 0 is 5"),
        ([(64, 65), (64,)], "merge 1 is"),
        ([(64, 65, 66)], "merge 0 is"),
        (["ab"], "merge 0 is 'ab'"),
        ([(64, 65.0)], "merge 0 is"),
        ([(64, True)], "merge 0 is"),
        ([(64, -1)], "from 0 to 255"),
        ([(-1, 64)], "from 0 to 255"),
        ([(64, 256)], "from 0 to 255"),
        ([(64, 65), (256, 257)], "from 0 to 256"),
        ([(64, 65), (64, 65)], "merge 1 is .* a token already"),
        ([(64, 64), (256, 64), (64, 256)], "merge 2 is .* a token already"),
        ([(64, 64)] + [(i, i) for i in range(256, 356)], "merge 27 is too much"),
    ],
)
def test_impossible_merges_are_refused(merges, reason):
    with pytest.raises(ValueError, match=reason):
        Tokenizer(merges)
