"""Troubles that people report with numbers, settings and sizes: as reported, and others alike."""

import json
import random
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.peak import MARK
from minigpt import GPT, GPTConfig, TrainConfig, generate, load_data, train
from minigpt.commands.train import DEFAULTS
from minigpt.data import get_batch
from minigpt.data.corpora import Text
from minigpt.files import read_blocks, read_text
from minigpt.tokenizer import END_OF_TEXT, Tokenizer
from minigpt.tokenizer.bpe import count_words, learn_merges, learn_merges_slowly
from minigpt.training.config import MAX_LR

ROOT = Path(__file__).parents[2]

# --- Numbers out of NumPy ---


def test_numpys_numbers_are_numbers_and_are_kept_as_pythons():
    config = GPTConfig(np.int64(300), np.int32(8), 1, 1, np.uint8(8), dropout=np.float32(0.25))
    assert config == GPTConfig(300, 8, 1, 1, 8, dropout=0.25)
    assert json.loads(json.dumps(asdict(config))) == asdict(config)
    training = TrainConfig(max_steps=np.int64(60), max_lr=np.float64(0.5), betas=(np.float32(0), 0))
    assert json.loads(json.dumps(asdict(training)))["betas"] == [0.0, 0]


def test_numpys_numbers_do_for_drawing_and_for_batches():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=1, n_head=1, n_embd=8))
    settings = {"temperature": np.float64(0.5), "top_k": np.int64(3), "top_p": np.float32(0.9)}
    assert generate(model, torch.tensor([[1]]), np.int64(5), **settings).shape == (1, 6)
    assert get_batch(np.arange(30), np.int64(4), np.int16(2))[0].shape == (2, 4)


@pytest.mark.parametrize("value", [np.float64(3), np.bool_(True), np.array([3]), "3"])
def test_what_is_no_whole_number_is_still_refused(value):
    with pytest.raises(ValueError, match="a whole number of at least 1"):
        GPTConfig(n_layer=value)


def test_top_k_of_0_is_told_how_to_switch_it_off():
    model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=1, n_head=1, n_embd=8))
    with pytest.raises(ValueError, match=r"top_k is 0; .* at least 1, or None to keep all"):
        generate(model, torch.tensor([[1]]), 5, top_k=0)


# --- One learning rate, whoever asks ---


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_train_takes_the_learning_rate_that_the_command_takes(optimizer, tmp_path):
    (tmp_path / "text").write_text("the fox and the owl. " * 60, encoding="utf-8")
    data = load_data(tmp_path / "text", vocab_size=270)
    model = GPT(GPTConfig(270, 16, 1, 1, 8))
    short = {"max_steps": 2, "warmup_steps": 1, "eval_interval": 5, "progress": False}
    history = train(model, data, optimizer=optimizer, **short)
    assert history[0].lr == MAX_LR[optimizer]
    assert DEFAULTS["lr"] is None, "the command leaves it to the optimizer too"


# --- One huge word ---


@pytest.mark.parametrize("letters", ["ACGT", "a", "ab"])
def test_a_text_without_spaces_gives_the_merges_of_the_readable_twin(letters):
    word = "".join(random.Random(0).choices(letters, k=3000))
    assert learn_merges({word: 2}, 40) == learn_merges_slowly({word: 2}, 40)


@pytest.mark.parametrize("letters", ["ACGT", "a"])
def test_a_megabyte_without_spaces_takes_no_longer_than_other_text(letters):
    """Half a second on an idle machine; it was minutes when each word was visited once a pair."""
    text = "".join(random.Random(0).choices(letters, k=1_000_000))
    started = time.process_time()
    tokenizer = Tokenizer.train(text, 257 + 100)
    assert time.process_time() - started < 30
    ids = tokenizer.encode(text[:100_000])
    assert tokenizer.decode(ids) == text[:100_000]


# --- The mark between documents ---


def documents(tmp_path, between: str):
    path = tmp_path / "stories.txt"
    path.write_text(between.join(["the fox ran home. " * 9] * 20), encoding="utf-8")
    return path


@pytest.mark.parametrize("between", [END_OF_TEXT, f"\n{END_OF_TEXT}\n"])
def test_the_mark_between_documents_in_a_file_is_one_token(tmp_path, capsys, between):
    data = load_data(documents(tmp_path, between), vocab_size=280)
    assert "20 documents" in capsys.readouterr().out
    end = data.tokenizer.end_of_text
    assert (data.train == end).sum() + (data.val == end).sum() == 19
    assert data.val[0] == end, "what is held out begins with a whole document"
    letters = data.tokenizer.encode_ordinary("endoftext")
    assert not any(token in letters for token in [*data.train[:50]] if token >= 256)


def test_a_tokenizer_without_the_mark_is_told(tmp_path):
    tokenizer = Tokenizer.train("the fox ran home. " * 9, 270, special_tokens=[])
    with pytest.raises(ValueError, match="19 .*no such token"):
        load_data(documents(tmp_path, END_OF_TEXT), tokenizer)


def test_a_text_without_the_mark_is_as_it_was(tmp_path, capsys):
    data = load_data(documents(tmp_path, " "), vocab_size=280)
    assert capsys.readouterr().out == ""
    assert not (data.train == data.tokenizer.end_of_text).any()


# --- Texts that do not fit into memory ---

PREPARE = """
import sys
from minigpt.data import load_data
from benchmarks.peak import begin_anew, held
load_data(sys.argv[1] + ".small", vocab_size=300)
before = held("VmRSS")
begin_anew()
load_data(sys.argv[1], vocab_size=300)
print(held("VmHWM") - before)
"""


@pytest.mark.thorough
@pytest.mark.skipif(not MARK.exists(), reason="only Linux keeps a highest mark of memory")
def test_memory_does_not_grow_with_the_text(tmp_path):
    """The whole text held once would be 12 MB more; it was 5.6 bytes for each byte."""
    taken = []
    for size in (4, 16):
        path = tmp_path / f"{size}.txt"
        path.write_text("the fox ran home, " * (size * 10**6 // 18), encoding="utf-8")
        (tmp_path / f"{size}.txt.small").write_text("the fox ran home, " * 9, encoding="utf-8")
        command = [sys.executable, "-c", PREPARE, str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        taken.append(int(done.stdout))
    assert taken[1] - taken[0] < 8_000_000


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_a_text_in_blocks_is_prepared_as_if_it_were_whole(size):
    """Blocks end anywhere: in a word, in white space, in the mark."""
    text = f" one  two\n\n three{END_OF_TEXT}four 5's  \n{END_OF_TEXT} {END_OF_TEXT}ﬁve 六 七  " * 9
    blocks = [text[at : at + size] for at in range(0, len(text), size)]
    tokenizer = Tokenizer.train(text, 290)
    cut, whole = Text("t", lambda: blocks), Text("t", lambda: [text])
    assert "".join(cut.parts(0, len(text), "")) == text
    assert (cut.length, cut.marks, cut.fingerprint) == (len(text), whole.marks, whole.fingerprint)
    for start, stop in ((0, len(text)), (30, 200), (len(text) - 5, len(text))):
        ids = [i for p in cut.parts(start, stop, "") for i in tokenizer.encode(p, {END_OF_TEXT})]
        assert ids == tokenizer.encode(text[start:stop], {END_OF_TEXT})
    words = count_words(cut.documents(0, len(text)))
    assert words == count_words(text.split(END_OF_TEXT))


@pytest.mark.parametrize("size", [1, 3, 10**6])
def test_a_file_in_blocks_is_the_file(tmp_path, size):
    path = tmp_path / "text"
    path.write_bytes("\ufeffünë\r\nzwei\rdrei\n\r\n🙂\ufeff".encode())
    assert "".join(read_blocks(path, size)) == "ünë\nzwei\ndrei\n\n🙂\ufeff" == read_text(path)
    path.write_bytes(b"\xef\xbb\xbffine, fine \xff")
    with pytest.raises(ValueError, match="at byte 14"):
        [*read_blocks(path, size)]
