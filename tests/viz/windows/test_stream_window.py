"""The window over a stream: its numbers, what it refuses, and the script in a page of its own."""

import numpy as np
import pytest
import torch

from minigpt.data import get_batch
from minigpt.tokenizer import Tokenizer
from minigpt.viz import StreamWindow
from minigpt.viz.windows.stream_window import MOST_TOKENS
from tests.browser.explorers import hears

WORDS = ["a", "fox", "saw", "a", "red", "kite", ".", "a", "fox", "lost", "a", "red", "hat", "."]
VOCABULARY = list(dict.fromkeys(WORDS))
IDS = [VOCABULARY.index(word) for word in WORDS]
DOCUMENTS = "the red kite fell.<|endoftext|>the red kite rose.<|endoftext|>"


@pytest.fixture(scope="module")
def tokenizer():
    text = DOCUMENTS.replace("<|endoftext|>", " ") * 4
    return Tokenizer.train(text, vocab_size=270)


@pytest.fixture
def documents(tokenizer):
    """Two documents, as a window over their ids, with a mark after each."""
    ids = tokenizer.encode(DOCUMENTS, allowed_special={"<|endoftext|>"})
    return StreamWindow(ids, tokenizer, 4)


def test_a_window_is_a_row_of_a_batch_at_every_start_that_a_batch_can_have():
    widget = StreamWindow(IDS, VOCABULARY, 4)
    cut = set()
    for start in range(len(IDS) - 4):
        widget.start = start
        cut.add(tuple(map(tuple, widget.window())))
    x, y = get_batch(torch.tensor(IDS), 4, 2_000, torch.Generator().manual_seed(0))
    assert cut == {(tuple(a), tuple(b)) for a, b in zip(x.tolist(), y.tolist())}
    with pytest.raises(ValueError, match="start is 10; .* start at 0 to 9"):
        widget.start = len(IDS) - 4


def test_a_longer_window_moves_back_until_it_fits():
    widget = StreamWindow(IDS, VOCABULARY, 4, start=9)
    widget.context_length = 13
    assert (widget.start, widget.window()) == (0, (IDS[:-1], IDS[1:]))


def test_ids_may_be_a_list_an_array_or_a_tensor():
    for ids in (IDS, tuple(IDS), np.array(IDS, dtype=np.uint16), torch.tensor(IDS)):
        widget = StreamWindow(ids, VOCABULARY, 4)
        assert widget.ids == IDS
        assert widget.tokens == WORDS


def test_marks_between_documents_are_known_and_who_reads_across_them(documents, tokenizer):
    ids, end = documents.ids, tokenizer.end_of_text
    assert documents.marks == [i for i, token in enumerate(ids) if token == end]
    assert len(documents.marks) == 2
    mark = documents.marks[0]
    for start, first in ((mark - 4, None), (mark - 3, 3), (mark - 1, 1), (mark, None)):
        documents.start = start
        assert documents.crossing() == first
        assert ("reads across a mark" in repr(documents)) == (first is not None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(ids=[]), "there are 0 ids"),
        (dict(ids=[1]), "there are 1 ids"),
        (dict(ids=[0] * (MOST_TOKENS + 1)), r"there are 513 ids; .* ids\[:512\]"),
        (dict(ids=[0, 1, 8]), "an id is 8; the vocabulary ends at 7"),
        (dict(ids=[0, -1, 2]), "an id is -1"),
        (dict(ids=[0.0, 1.0]), "an id is 0.0"),
        (dict(ids=[[0, 1]]), r"an id is \[0, 1\]"),
        (dict(ids="a fox"), "an id is 'a'"),
        (dict(tokenizer=None), "tokenizer is NoneType; give one of minigpt's"),
        (dict(tokenizer=len), "tokenizer is builtin_function_or_method"),
        (dict(tokenizer=[1, 2]), "tokenizer is list"),
        (dict(context_length=14), "context_length is 14; .* from 1 to 13"),
        (dict(context_length=0), "context_length is 0"),
        (dict(context_length="4"), "context_length is '4'"),
        (dict(start=-1), "start is -1"),
        (dict(start=10), "start is 10; windows of 4"),
    ],
)
def test_what_is_no_stream_or_no_window_is_refused(change, message):
    given = dict(ids=IDS, tokenizer=VOCABULARY, context_length=4) | change
    with pytest.raises(ValueError, match=message):
        StreamWindow(**given)


def test_another_librarys_tokenizer_is_refused_in_words():
    tiktoken = pytest.importorskip("tiktoken")
    theirs = tiktoken.Encoding("t", pat_str=".", mergeable_ranks={b"a": 0}, special_tokens={})
    with pytest.raises(ValueError, match="tokenizer is Encoding; give one of minigpt's"):
        StreamWindow([0, 0], theirs)


def test_the_picture_follows_the_window():
    widget = StreamWindow(IDS, VOCABULARY, 4)
    first = widget.picture()
    assert first.startswith(b"\x89PNG")
    widget.start = 9
    assert widget.picture() != first
    assert "place 9 of 0 to 9: x is lost a red hat, y is a red hat ." in repr(widget)


# --- The script, in a page of its own with Python behind it ---


@pytest.fixture
def expect():
    return pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def widget():
    return StreamWindow(IDS, VOCABULARY, 4)


def windows(root):
    """What the page shows: x and y in the stream, x and y below, and the questions."""
    stream = [root.locator(f".sw-stream .sw-{name}").all_inner_texts() for name in "xy"]
    below = [root.locator(f".sw-shift .sw-{name}").all_inner_texts() for name in "xy"]
    cells = root.locator(".sw-questions tbody tr").all()
    return stream, below, [row.locator("td").all_inner_texts() for row in cells]


def shows(root, expect, start, T):
    expect(root.locator(".sw-where")).to_have_text(f"{start} of 0 to {len(IDS) - T - 1}")
    x, y = WORDS[start : start + T], WORDS[start + 1 : start + T + 1]
    questions = [[" ".join(x[: t + 1]), y[t]] for t in range(T)]
    hears(root.page, lambda: windows(root), ([x, y[-1:]], [x, y], questions))


def centre(root, place):
    box = root.locator(".sw-stream .sw-token").nth(place).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_window_is_dragged_by_the_place_where_it_was_taken(page, played, widget, expect):
    root = played(widget)
    shows(root, expect, 0, 4)
    page.mouse.move(*centre(root, 2))
    page.mouse.down()
    shows(root, expect, 0, 4)
    page.mouse.move(*centre(root, 7), steps=4)
    shows(root, expect, 5, 4)
    page.mouse.move(*centre(root, 13))  # farther than it can go
    page.mouse.up()
    shows(root, expect, 9, 4)
    page.mouse.move(*centre(root, 3))  # let go: it stays
    shows(root, expect, 9, 4)
    expect(root.locator(".sw-warning")).to_contain_text("last window that fits")
    page.mouse.click(*centre(root, 1))
    shows(root, expect, 1, 4)
    expect(root.locator(".sw-warning")).not_to_contain_text("last window")
    hears(page, lambda: widget.start, 1)


def test_a_finger_drags_it_too(page, played, widget, expect):
    root = played(widget)
    touch = page.context.new_cdp_session(page)
    for kind, place in (("touchStart", 1), ("touchMove", 4), ("touchMove", 6), ("touchEnd", None)):
        x, y = centre(root, place or 0)
        points = [{"x": x, "y": y}] if place is not None else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    shows(root, expect, 5, 4)


def test_the_keyboard_alone_moves_and_stretches_it(page, played, widget, expect):
    root = played(widget)
    page.keyboard.press("Tab")
    for key, start in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 9)):
        page.keyboard.press(key)
        shows(root, expect, start, 4)
    expect(root.locator("input[type=range]")).to_have_attribute("aria-valuetext", "9, token lost")
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    shows(root, expect, 9, 4)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")  # longer: it starts earlier
    shows(root, expect, 8, 5)
    page.keyboard.press("Control+a")
    page.keyboard.type("99")
    shows(root, expect, 0, 13)
    page.keyboard.press("Tab")
    expect(root.get_by_role("spinbutton")).to_have_value("13")
    hears(page, lambda: (widget.start, widget.context_length), (0, 13))


def test_the_last_start_that_fits_is_marked_and_moves_with_the_length(page, played, widget, expect):
    root = played(widget)
    tokens = root.locator(".sw-stream .sw-token")
    expect(tokens.nth(9)).to_have_class("sw-token sw-last")
    root.get_by_role("spinbutton").fill("6")
    expect(tokens.nth(7)).to_have_class("sw-token sw-last")
    expect(root.locator(".sw-legend")).to_contain_text("N − T = 8 starts")


def test_marks_are_seen_and_said(played, documents, expect):
    mark = documents.marks[0]
    documents.start = mark - 2
    root = played(documents)
    expect(root.locator(".sw-stream .sw-mark")).to_have_text(["<|endoftext|>"] * 2)
    expect(root.locator(".sw-warning")).to_contain_text("from position 2 on")
    sees = root.locator(".sw-questions td:last-child").all_inner_texts()
    assert sees == ["one document", "one document", "beyond a mark", "beyond a mark"]
    for _ in range(2):  # until it begins at the mark, and nothing stands before that
        root.get_by_role("slider").press("ArrowRight")
    expect(root.locator(".sw-warning")).to_be_empty()


def test_without_python_it_plays_and_a_hostile_token_is_text(page, tmp_path, expect):
    hostile = "<img src=x onerror=alert(1)>"
    widget = StreamWindow([0, 1, 0, 1, 0], [hostile, "b"], 2)
    widget.to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".sw")
    root.get_by_role("button", name="Last that fits").click()
    expect(root.locator(".sw-stream .sw-x")).to_have_text([hostile.replace(" ", "·"), "b"])
    expect(root.locator(".xp-alone")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_theme_and_stays_within_the_page(page, documents, tmp_path, scheme, expect):
    documents.context_length = documents.longest
    documents.to_html(tmp_path / "page.html")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 420, "height": 700})
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".sw")).to_have_attribute("data-theme", scheme)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 420
