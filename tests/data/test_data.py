"""Corpora, the cache on disk, and batches, checked against the slow and obvious."""

import hashlib
import http.server
import os
import subprocess
import sys
import threading
import time
import warnings
from itertools import islice

import numpy as np
import pytest
import torch

from minigpt import files
from minigpt.data import NO_TARGET, cache, corpora, get_batch, load_data
from minigpt.data.cache import cache_folder, cached_ids, cached_tokenizer, open_ids, write_ids
from minigpt.data.corpora import TRAIN_SEED, VAL_SEED, VAL_STORIES
from minigpt.stories import Stories
from minigpt.tokenizer import Tokenizer


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Give each test an empty cache of its own."""
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def story_tokenizer() -> Tokenizer:
    return Tokenizer.train(list(islice(Stories(TRAIN_SEED), 300)), 600)


@pytest.fixture
def few_stories(monkeypatch, story_tokenizer):
    monkeypatch.setattr(corpora, "VAL_STORIES", 40)
    return load_data("stories", story_tokenizer, stories=60)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- get_batch --------------------------------------------------------------------------------


def test_a_batch_is_the_windows_that_one_draw_of_starts_gives():
    ids = np.random.default_rng(0).integers(0, 50_000, 300).astype(np.uint16)
    x, y = get_batch(ids, 7, 5, seeded())
    starts = torch.randint(300 - 7, (5,), generator=seeded())
    assert x.tolist() == [ids[s : s + 7].tolist() for s in starts]
    assert y.tolist() == [ids[s + 1 : s + 8].tolist() for s in starts]


@pytest.mark.parametrize("kind", [np.uint16, np.uint32, np.int64, torch.int64, torch.int32, list])
def test_a_batch_is_int64_whatever_the_ids_are_kept_in(kind):
    ids = list(range(40))
    if isinstance(kind, torch.dtype):
        ids = torch.tensor(ids, dtype=kind)
    elif kind is not list:
        ids = np.array(ids, kind)
    x, y = get_batch(ids, 4, 3, seeded())
    assert x.shape == y.shape == (3, 4)
    assert x.dtype == y.dtype == torch.int64
    assert x.is_contiguous() and y.is_contiguous()
    assert torch.equal(y, x + 1)


def test_the_first_and_the_last_window_are_both_drawn():
    x, y = get_batch(np.arange(10), 4, 500, seeded())
    assert x.min() == 0
    assert y.max() == 9


def test_a_batch_can_be_changed_without_changing_the_data():
    ids = np.arange(5)
    x, _ = get_batch(ids, 4, 1, seeded())
    x.zero_()
    assert ids.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.arange(8), 8, 1), "data has 8 tokens"),
        ((np.arange(0), 1, 1), "data has 0 tokens"),
        ((np.arange(8), 0, 1), "block_size is 0"),
        ((np.arange(8), 4, -1), "batch_size is -1"),
        ((np.arange(8), 4.0, 1), "block_size is 4.0"),
        ((np.arange(8), 4, True), "batch_size is True"),
        ((np.zeros((4, 4), int), 2, 1), r"one row of token ids, not int64 \(4, 4\)"),
        ((np.zeros(8), 2, 1), "one row of token ids, not float64"),
        (("some text", 2, 1), "one row of token ids"),
    ],
)
def test_a_batch_that_cannot_be_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        get_batch(*arguments)


# --- Stories ----------------------------------------------------------------------------------


def test_stories_lie_between_end_of_text_tokens(few_stories, story_tokenizer):
    d = few_stories
    assert (d.name, d.tokenizer) == ("stories", story_tokenizer)
    for ids, starts, seed, count in (
        (d.train, d.train_starts, TRAIN_SEED, 60),
        (d.val, d.val_starts, VAL_SEED, 40),
    ):
        told = list(islice(Stories(seed), count))
        end = "<|endoftext|>"
        assert story_tokenizer.decode(ids) == end + "".join(story + end for story in told)
        assert starts.dtype == np.int64
        assert [story_tokenizer.decode(ids[s : s + 1]) for s in starts] == [end] * count
        assert story_tokenizer.decode(ids[starts[7] + 1 : starts[8]]) == told[7]


def test_a_row_is_one_story_and_no_target_lies_beyond_its_end(few_stories, story_tokenizer):
    d, end = few_stories, story_tokenizer.end_of_text
    told = [story_tokenizer.encode(story) for story in islice(Stories(VAL_SEED), 40)]
    drawn = torch.randint(40, (50,), generator=seeded(3))
    x, y = d.batch("val", 400, 50, seeded(3))
    assert x.dtype == y.dtype == torch.int64
    assert x.shape == y.shape == (50, 400)
    for row, i in enumerate(drawn):
        pad = 400 - len(told[i]) - 1
        assert pad > 0
        assert np.array_equal(x[row], [end, *told[i]] + [end] * pad)
        assert np.array_equal(y[row], [*told[i], end] + [NO_TARGET] * pad)


def test_the_last_story_has_its_end_too(few_stories):
    x, y = few_stories.batch("train", 400, 500, seeded())
    last = few_stories.train[few_stories.train_starts[-1] :].tolist()
    rows = [row for row in range(500) if x[row, : len(last) - 1].tolist() == last[:-1]]
    assert rows
    assert np.array_equal(y[rows[0], : len(last) - 1], last[1:])


def test_a_short_window_holds_the_beginning_of_a_story(few_stories):
    x, y = few_stories.batch("train", 8, 20, seeded())
    assert (x[:, 0] == few_stories.tokenizer.end_of_text).all()
    assert torch.equal(x[:, 1:], y[:, :-1])
    assert (y >= 0).all()


def test_the_floor_is_the_entropy_over_the_mean_number_of_tokens(few_stories, story_tokenizer):
    told = list(islice(Stories(VAL_SEED), 40))
    tokens = sum(len(story_tokenizer.encode(story)) + 1 for story in told)
    assert few_stories.floor == pytest.approx(Stories.entropy() / (tokens / 40))
    # One token of one batch is no more and no less than one token of the whole.
    _, y = few_stories.batch("val", 400, 1, seeded())
    assert (y != NO_TARGET).sum() in [len(story_tokenizer.encode(s)) + 1 for s in told]


def test_no_held_out_story_is_trained_on():
    assert not set(islice(Stories(TRAIN_SEED), 2000)) & set(islice(Stories(VAL_SEED), VAL_STORIES))


def test_a_bigram_model_is_far_from_the_floor(few_stories, story_tokenizer, monkeypatch):
    # What can be known from the token before alone, counted on the very stories it is tested on.
    ids = few_stories.train.astype(np.int64)
    pairs = np.zeros((story_tokenizer.vocab_size,) * 2)
    np.add.at(pairs, (ids[:-1], ids[1:]), 1)
    probability = pairs[ids[:-1], ids[1:]] / pairs.sum(1)[ids[:-1]]
    assert -np.log(probability).mean() > 2 * few_stories.floor


def test_stories_need_a_token_that_ends_them():
    with pytest.raises(ValueError, match=r"no <\|endoftext\|>"):
        load_data("stories", Tokenizer.train("abc", 256, special_tokens=()))


@pytest.mark.parametrize("count", [0, -1, 2.5, "many"])
def test_a_wrong_number_of_stories_is_refused(count, story_tokenizer):
    with pytest.raises(ValueError, match="stories is"):
        load_data("stories", story_tokenizer, stories=count)


def test_a_split_is_train_or_val(few_stories):
    with pytest.raises(ValueError, match="split is 'test'"):
        few_stories.batch("test", 8, 1)


def test_gpt2s_tokenizer_serves_for_stories_too(monkeypatch):
    monkeypatch.setattr(corpora, "VAL_STORIES", 3)
    d = load_data("stories", Tokenizer.gpt2(), stories=3)
    assert d.train[0] == 50256
    assert d.train.dtype == np.uint16


# --- Texts ------------------------------------------------------------------------------------

TEXT = "Früh am Morgen ging ein Fuchs durch den Wald. 🦊\n" * 30


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "fuchs.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_text_file_gives_back_its_text_nine_tenths_and_one(text_file):
    d = load_data(text_file, vocab_size=300)
    cut = len(TEXT) * 9 // 10
    assert d.name == "fuchs.txt"
    assert d.tokenizer.decode(d.train) == TEXT[:cut]
    assert d.tokenizer.decode(d.val) == TEXT[cut:]
    assert d.train_starts is d.val_starts is d.floor is None
    x, y = d.batch("val", 5, 2, seeded())
    expected = get_batch(d.val, 5, 2, seeded())
    assert torch.equal(x, expected[0])
    assert torch.equal(y, expected[1])


def test_a_path_may_be_a_string_and_a_tokenizer_may_be_given(text_file):
    gpt2 = Tokenizer.gpt2()
    d = load_data(str(text_file), gpt2)
    assert d.tokenizer is gpt2
    assert np.array_equal(d.train, gpt2.encode(TEXT[: len(TEXT) * 9 // 10]))


def test_the_tokenizer_is_trained_on_the_training_part_alone(text_file):
    train = TEXT[: len(TEXT) * 9 // 10]
    assert load_data(text_file, vocab_size=280).tokenizer == Tokenizer.train(train, 280)


def test_line_ends_and_the_mark_of_windows_make_no_difference(text_file, tmp_path):
    windows = tmp_path / "windows.txt"
    windows.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert corpora.read_text(windows) == corpora.read_text(text_file) == TEXT


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(
        FileNotFoundError, match="no file storys.*stories, python-docs, shakespeare"
    ):
        load_data("storys")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds 0 characters"),
        (b"short", "holds 5 characters; it must be at least 10"),
        ("Früh am Morgen".encode("latin-1"), "is not UTF-8 .* at byte 2"),
        ("Früh am Morgen".encode("utf-16"), "is not UTF-8"),
        (b"PK\x03\x04\xff\xfe\x00\x00\x00\x00\x00", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, content, words):
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load_data(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        load_data(tmp_path)


@pytest.mark.parametrize("name", [None, 3, ["stories"]])
def test_what_is_neither_name_nor_path_is_refused(name):
    with pytest.raises(ValueError, match="there is no corpus"):
        load_data(name)


def test_a_tokenizer_and_a_vocab_size_exclude_each_other(text_file, story_tokenizer):
    with pytest.raises(ValueError, match="not both"):
        load_data(text_file, story_tokenizer, vocab_size=300)


def test_the_python_documentation_needs_no_download(monkeypatch):
    text = corpora.python_docs()
    assert len(text) > 300_000
    assert "Assignment" in text
    # The tokenizer's own speed is tested elsewhere: the beginning will do here.
    monkeypatch.setitem(corpora.TEXTS, "python-docs", lambda: text[:20_000])
    d = load_data("python-docs")
    assert (d.name, d.tokenizer.vocab_size) == ("python-docs", 1024)
    assert d.tokenizer.decode(np.concatenate([d.train, d.val])) == text[:20_000]


def test_a_python_without_its_documentation_is_told_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(FileNotFoundError, match="pydoc_data"):
        load_data("python-docs")


# --- The cache --------------------------------------------------------------------------------


def test_ids_are_made_once_then_mapped_from_disk(own_cache):
    made = []
    for _ in range(2):
        ids = cached_ids("key", lambda: made.append(1) or [1, 2, 3], 300)
        assert isinstance(ids, np.memmap)
        assert not ids.flags.writeable
        assert (ids.tolist(), ids.dtype) == ([1, 2, 3], np.uint16)
    assert len(made) == 1
    assert [path.name for path in own_cache.iterdir()] == ["tokens-key.npy"]
    assert np.load(own_cache / "tokens-key.npy").tolist() == [1, 2, 3]  # an ordinary .npy file


def test_ids_above_65535_are_kept_whole():
    assert cached_ids("big", lambda: [70_000, 1], 70_001).tolist() == [70_000, 1]


@pytest.mark.parametrize("damage", ["shorter", "longer", "changed", "empty", "pickle", "text"])
def test_a_damaged_file_is_noticed_and_made_anew(own_cache, damage):
    path = own_cache / "tokens-key.npy"
    write_ids(path, np.arange(100, dtype=np.uint16))
    content = path.read_bytes()
    path.write_bytes(
        {
            "shorter": content[:-50],
            "longer": content + b"more",
            "changed": content[:150] + bytes([content[150] ^ 1]) + content[151:],
            "empty": b"",
            "pickle": b"\x80\x04K\x01.",
            "text": b"not numbers at all",
        }[damage]
    )
    assert open_ids(path) is None
    assert cached_ids("key", lambda: [4, 5], 300).tolist() == [4, 5]
    assert open_ids(path).tolist() == [4, 5]


def test_another_text_tokenizer_or_vocabulary_is_another_entry(text_file, own_cache):
    sizes = [len(load_data(text_file, vocab_size=size).train) for size in (257, 300)]
    assert sizes[0] > sizes[1]
    before = len(list(own_cache.iterdir()))
    text_file.write_text(TEXT.replace("Fuchs", "Dachs"), encoding="utf-8")
    assert "Dachs" in (d := load_data(text_file, vocab_size=300)).tokenizer.decode(d.val)
    assert len(list(own_cache.iterdir())) > before


def test_a_change_of_the_grammar_is_another_entry(monkeypatch, few_stories, story_tokenizer):
    class Others(Stories):
        def __next__(self):
            return "Another " + super().__next__()

    monkeypatch.setattr(corpora, "Stories", Others)
    changed = load_data("stories", story_tokenizer, stories=60)
    assert changed.tokenizer.decode(changed.train[1:20]).startswith("Another ")


def test_a_trained_tokenizer_is_kept_and_a_damaged_one_trained_anew(own_cache):
    trained = []

    def texts():
        trained.append(1)
        return ["low lower lowest"]

    first = cached_tokenizer("key", texts, 260)
    assert cached_tokenizer("key", texts, 260) == first
    assert len(trained) == 1
    (own_cache / "tokenizer-key.json").write_text("{", encoding="utf-8")
    assert cached_tokenizer("key", texts, 260) == first
    assert len(trained) == 2


def test_a_cache_that_cannot_be_written_costs_a_warning_only(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="MINIGPT_CACHE"):
        assert cached_ids("key", lambda: [1, 2], 300).tolist() == [1, 2]
    with pytest.warns(UserWarning, match="MINIGPT_CACHE"):
        assert cached_tokenizer("key", lambda: ["aaaa"], 258).vocab_size == 258


def test_several_processes_at_once_are_in_nobodys_way(own_cache):
    code = (
        "import sys, numpy; from minigpt.data.cache import cached_ids\n"
        "ids = cached_ids('key', lambda: range(int(sys.argv[1])), 70_000)\n"
        "assert ids.tolist() == list(range(50_000))"
    )
    # The first finds a damaged file, and all make it anew together.
    own_cache.mkdir()
    (own_cache / "tokens-key.npy").write_bytes(b"damaged")
    runs = [subprocess.Popen([sys.executable, "-c", code, "50000"]) for _ in range(4)]
    assert [run.wait() for run in runs] == [0] * 4
    assert [path.name for path in own_cache.iterdir()] == ["tokens-key.npy"]


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"MINIGPT_CACHE": "/somewhere"}, "/somewhere"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/minigpt"),
        ("linux", {}, "~/.cache/minigpt"),
        ("darwin", {}, "~/Library/Caches/minigpt"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/minigpt"),
        ("win32", {}, "~/AppData/Local/minigpt"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(monkeypatch, platform, variables, expected):
    for name in ("MINIGPT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cache.sys, "platform", platform)
    assert cache_folder().as_posix() == os.path.expanduser(expected).replace("\\", "/")


# --- The download -----------------------------------------------------------------------------

PLAY = ("To be, or not to be, that is the question.\n" * 3000).encode()


@pytest.fixture
def server(monkeypatch):
    """Serve PLAY from this machine; `server.how` says how well."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            how = self.server.how
            if how == "missing" or self.path != "/texts/shakespeare.txt":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(PLAY)))
            self.end_headers()
            if how == "slow":
                time.sleep(1.5)
            body = {"changed": PLAY[:-1] + b"?", "truncated": PLAY[:5000]}.get(how, PLAY)
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.how = "well"
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{running.server_address[1]}/texts/"
        monkeypatch.setenv("MINIGPT_MIRROR", address)
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(corpora, "SHAKESPEARE_SHA256", hashlib.sha256(PLAY).hexdigest())
        monkeypatch.setattr(files, "TIMEOUT", 0.5)
        yield running
        running.shutdown()
        thread.join()


def test_shakespeare_is_downloaded_once(server, own_cache, capfd):
    assert corpora.shakespeare() == PLAY.decode()
    assert "shakespeare.txt: 100%" in capfd.readouterr().err
    server.how = "missing"
    assert corpora.shakespeare() == PLAY.decode()
    assert [path.name for path in own_cache.iterdir()] == ["shakespeare.txt"]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("missing", "404"),
        ("changed", "its sha256 is"),
        ("truncated", "broke off after 5,000 of 129,000 bytes|IncompleteRead"),
        ("slow", "timed out"),
    ],
)
def test_a_download_that_fails_says_why_and_leaves_nothing(server, own_cache, how, why):
    server.how = how
    with pytest.raises(ConnectionError, match=why) as failure:
        load_data("shakespeare")
    for words in ("MINIGPT_MIRROR", corpora.SHAKESPEARE_URL, str(own_cache / "shakespeare.txt")):
        assert words in str(failure.value)
    assert not own_cache.exists() or not list(own_cache.iterdir())


@pytest.mark.parametrize("mirror", ["http://127.0.0.1:9", "no address at all", "http://"])
def test_a_server_that_is_not_there_is_a_clear_failure(own_cache, monkeypatch, mirror):
    monkeypatch.setenv("MINIGPT_MIRROR", mirror)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(ConnectionError, match="By hand: get https://raw"):
        load_data("shakespeare")
    assert not own_cache.exists() or not list(own_cache.iterdir())


def test_shakespeare_put_there_by_hand_is_used_if_it_is_the_right_text(own_cache, monkeypatch):
    own_cache.mkdir()
    (own_cache / "shakespeare.txt").write_bytes(PLAY)
    with pytest.raises(ValueError, match="not the expected text.*Delete it"):
        corpora.shakespeare()
    monkeypatch.setattr(corpora, "SHAKESPEARE_SHA256", hashlib.sha256(PLAY).hexdigest())
    assert load_data("shakespeare", vocab_size=300).name == "shakespeare"


def test_nothing_warns_when_all_is_well(text_file):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_data(text_file, vocab_size=300)
