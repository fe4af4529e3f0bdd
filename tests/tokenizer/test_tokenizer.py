"""The tokenizer encodes and decodes as tiktoken does, byte for byte; special tokens on request."""

import copy
import json
import pickle
import sysconfig
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.tokenizer import END_OF_TEXT, Tokenizer, gpt2_files
from tests.tokenizer.slow import PYTHON_DOCS, any_text, nasty_text, slow_encode

# --- Encoding, against tiktoken ---------------------------------------------------------------


def test_all_50257_tokens_are_tiktokens_tokens(gpt2, reference):
    assert gpt2.vocab_size == reference.n_vocab == 50257
    for i in range(gpt2.vocab_size):
        assert gpt2.token_bytes(i) == reference.decode_single_token_bytes(i)


def test_ids_follow_from_the_order_of_bytes_and_merges_as_encoder_json_has_them(gpt2):
    ids = json.loads(gpt2_files.read_gpt2_file("encoder.json"))
    lines = gpt2_files.read_gpt2_file("vocab.bpe").decode("utf-8").splitlines()[1:]
    assert [ids[line.replace(" ", "")] for line in lines] == list(range(256, 50256))
    assert ids[END_OF_TEXT] == gpt2.end_of_text == 50256


def test_known_tokens(gpt2):
    assert gpt2.encode("Hello, world") == [15496, 11, 995]
    assert len(gpt2.encode("小狐狸在河边找到了红色的风筝。")) == 33
    assert len(gpt2.encode("The little fox found the red kite by the river.")) == 12


def test_python_docs_encode_as_in_tiktoken(gpt2, reference):
    assert gpt2.encode(PYTHON_DOCS) == reference.encode(PYTHON_DOCS)


def test_standard_library_sources_encode_as_in_tiktoken(gpt2, reference):
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in paths]
    assert sum(map(len, texts)) > 2_000_000
    for text in texts:
        assert gpt2.encode_ordinary(text) == reference.encode_ordinary(text)


def test_every_assigned_character_encodes_as_in_tiktoken_beside_letter_digit_sign_and_space(
    gpt2, reference
):
    characters = [
        chr(i) for i in range(0x20000) if unicodedata.category(chr(i)) not in ("Cn", "Cs")
    ]
    text = "".join(f"a{c}1{c}!{c}\n{c} {c}" for c in characters)
    assert gpt2.encode_ordinary(text) == reference.encode_ordinary(text)


@settings(max_examples=500, deadline=None)
@given(any_text)
def test_any_text_encodes_as_in_tiktoken_and_comes_back(gpt2, reference, text):
    ids = gpt2.encode_ordinary(text)
    assert ids == reference.encode_ordinary(text)
    assert gpt2.decode(ids) == text


@settings(max_examples=100, deadline=None)
@given(nasty_text)
def test_trained_tokenizer_encodes_as_the_slow_obvious_way(small, text):
    assert small.encode_ordinary(text) == slow_encode(text, small.merges)


# --- Special tokens ---------------------------------------------------------------------------


def test_special_token_in_a_text_is_refused_with_both_ways_out(gpt2):
    with pytest.raises(ValueError, match=r"'<\|endoftext\|>' at position 3") as caught:
        gpt2.encode("The<|endoftext|>end")
    assert "allowed_special={'<|endoftext|>'}" in str(caught.value)
    assert "encode_ordinary" in str(caught.value)


@pytest.mark.parametrize("allowed", ["all", {END_OF_TEXT}, [END_OF_TEXT], (END_OF_TEXT,)])
def test_allowed_special_token_is_its_id_as_in_tiktoken(gpt2, reference, allowed):
    text = f"{END_OF_TEXT}One. {END_OF_TEXT}{END_OF_TEXT} Two."
    ids = gpt2.encode(text, allowed_special=allowed)
    assert ids == reference.encode(text, allowed_special="all")
    assert ids.count(gpt2.end_of_text) == 3
    assert gpt2.decode(ids) == text


def test_special_token_is_plain_text_to_encode_ordinary_as_in_tiktoken(gpt2, reference):
    text = f"a {END_OF_TEXT} b"
    assert gpt2.encode_ordinary(text) == reference.encode_ordinary(text)
    assert gpt2.end_of_text not in gpt2.encode_ordinary(text)


def test_longest_special_token_is_meant_where_several_begin():
    tokenizer = Tokenizer([], ["<a>", "<a><b>", "<b>"])
    assert tokenizer.special_tokens == {"<a>": 256, "<a><b>": 257, "<b>": 258}
    assert tokenizer.encode("<a><b><a><a>", allowed_special="all") == [257, 256, 256]
    with pytest.raises(ValueError, match="'<a><b>' at position 0"):
        tokenizer.encode("<a><b>", allowed_special={"<a>", "<b>"})


def test_tokenizer_without_special_tokens_has_no_end_of_text():
    tokenizer = Tokenizer([], [])
    assert tokenizer.end_of_text is None
    assert tokenizer.vocab_size == 256
    assert tokenizer.decode(tokenizer.encode(END_OF_TEXT, allowed_special="all")) == END_OF_TEXT


# --- Decoding ---------------------------------------------------------------------------------


def test_ids_may_be_any_list_array_or_tensor_of_whole_numbers(gpt2):
    ids = gpt2.encode("a fox 🦊")
    forms = [ids, tuple(ids), iter(ids), np.array(ids), np.array(ids, dtype=np.uint16)]
    forms += [list(np.array(ids)), torch.tensor(ids), torch.tensor(ids, dtype=torch.int32)]
    for form in forms:
        assert gpt2.decode(form) == "a fox 🦊"
    assert gpt2.decode([]) == gpt2.decode(torch.tensor([], dtype=torch.long)) == ""


def test_bytes_of_one_character_are_joined_before_decoding(gpt2):
    ids = gpt2.encode("🦊")
    assert len(ids) > 1
    assert gpt2.decode(ids) == "🦊"
    assert [gpt2.decode([i]) for i in ids] != ["🦊"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 50256)))
def test_any_ids_decode_as_in_tiktoken_with_what_is_not_utf8_replaced(gpt2, reference, ids):
    assert gpt2.decode(ids) == reference.decode(ids)
    assert b"".join(map(gpt2.token_bytes, ids)) == reference.decode_bytes(ids)


def test_what_is_not_utf8_raises_where_that_is_asked_for(gpt2):
    broken = gpt2.encode("🦊")[:-1]
    assert "\ufffd" in gpt2.decode(broken)
    with pytest.raises(UnicodeDecodeError):
        gpt2.decode(broken, errors="strict")


# --- The object -------------------------------------------------------------------------------


def test_equality_is_by_merges_and_special_tokens(small):
    assert Tokenizer(small.merges) == small
    assert Tokenizer(small.merges[:-1]) != small
    assert Tokenizer(small.merges, ["<|end|>"]) != small
    assert small != "small"


def test_repr_says_what_is_in_it(gpt2):
    expected = "Tokenizer(50257 tokens: 256 bytes, 50000 merges, '<|endoftext|>')"
    assert repr(gpt2) == expected
    assert repr(Tokenizer([], [])) == "Tokenizer(256 tokens: 256 bytes, 0 merges, no special token)"


def test_copies_for_other_processes_encode_the_same(small):
    ids = small.encode("def fox(self):")
    for clone in (pickle.loads(pickle.dumps(small)), copy.deepcopy(small)):
        assert clone == small
        assert clone.encode("def fox(self):") == ids
        assert clone.encode("and a text it never saw") == small.encode("and a text it never saw")


def test_merges_given_are_left_as_they_were():
    merges = [[64, 65]]
    tokenizer = Tokenizer(merges)
    tokenizer.merges.append((1, 2))
    assert merges == [[64, 65]]
