"""The tokenizer explorer in Python: what it knows of a text, and its picture and page."""

from itertools import accumulate

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.files import STORYTELLER
from minigpt.tokenizer import END_OF_TEXT, Tokenizer
from minigpt.viz import TokenizerExplorer
from minigpt.viz.tokenizer.explorer import MOST_BYTES
from minigpt.viz.tokenizer.figure import LINE, LINES, in_lines
from minigpt.viz.tokenizer.replay import replay

GPT2 = Tokenizer.gpt2()
STORIES = Tokenizer.load(STORYTELLER / "tokenizer.json")
BOTH = {"GPT-2": GPT2, "stories": STORIES}
# As in OpenAI's src/encoder.py.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
TEXT = "Once upon a time a naïve fox 🦊 saw\na kite."
HOSTILE = {
    "script": "<script>alert(1)</script></textarea><!--",
    "right to left": "\u202eabc\u200f אבג",
    "long": "long words " * 910,
    "one word": "x" * 10_000,
    "emoji": "🦊👩‍👩‍👧" * 50,
    "newlines": "\n\r\n\t\v\u2028",
    "NUL": "a\x00b\x1b[31m",
    "nothing": "",
    "dollars": "$\\frac$ {0} %s",
}


def members(side):
    return {int(token): facts for token, facts in side["tokens"].items()}


@pytest.mark.parametrize("text", [TEXT, HOSTILE["emoji"], HOSTILE["newlines"]])
def test_each_column_holds_the_ids_of_the_text_and_all_that_they_were_made_from(text):
    explorer = TokenizerExplorer(BOTH, text)
    for side, tokenizer in zip(explorer.sides, BOTH.values()):
        assert side["ids"] == tokenizer.encode(text)
        assert side["n_tokens"] == len(side["ids"])
        known = members(side)
        assert set(side["ids"]) <= set(known)
        for token, (_, spelled, size, *parts) in known.items():
            assert bytes.fromhex(spelled) == tokenizer.token_bytes(token)
            assert size == len(tokenizer.token_bytes(token))
            assert tuple(parts) == (tokenizer.merges[token - 256] if token >= 256 else ())
            assert set(parts) <= set(known)
        merges = [(merge.number, merge.count) for merge in replay(tokenizer, side["ids"])]
        assert [tuple(merge) for merge in side["merges"]] == merges


def test_steps_are_the_merges_of_both_columns_in_the_order_they_were_learned():
    explorer = TokenizerExplorer(BOTH, TEXT)
    numbers = [{number for number, _ in side["merges"]} for side in explorer.sides]
    assert explorer.steps == sorted(numbers[0] | numbers[1])
    assert explorer.step == 0  # it opens with the bytes
    opened = {at: TokenizerExplorer(BOTH, TEXT, step=at).step for at in (0, 3, 999, -1, -2, -999)}
    most = len(explorer.steps)
    assert opened == {0: 0, 3: 3, 999: most, -1: most, -2: most - 1, -999: 0}


def test_a_replay_begins_with_bytes_and_ends_with_tokens():
    explorer = TokenizerExplorer(BOTH, TEXT)
    for number, tokenizer in enumerate(BOTH.values()):
        explorer.step = len(explorer.steps)
        assert [token for token, _ in explorer.pieces(number)] == tokenizer.encode(TEXT)
        explorer.step = 0
        assert len(explorer.pieces(number)) == len(TEXT.encode())
        places = [place for _, place in explorer.pieces(number)]
        assert sorted(set(places)) == list(range(len(tokenizer.encode(TEXT))))


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=40))
def test_pieces_at_every_step_are_the_whole_text(text):
    explorer = TokenizerExplorer(GPT2, text)
    for step in range(len(explorer.steps) + 1):
        explorer.step = step
        assert GPT2.decode([token for token, _ in explorer.pieces()]) == text


def test_special_tokens_count_as_one():
    (side,) = TokenizerExplorer(GPT2, f"a{END_OF_TEXT}").sides
    assert side["ids"] == [64, 50256]
    assert members(side)[50256][0] == END_OF_TEXT and len(members(side)[50256]) == 3


@pytest.mark.parametrize("name", ["long", "one word"])
def test_of_a_long_text_the_beginning_is_shown_and_all_of_it_counted(name):
    text = HOSTILE[name]
    (side,) = TokenizerExplorer(GPT2, text).sides
    assert side["n_tokens"] == len(GPT2.encode(text)) > len(side["ids"])
    shown = GPT2.decode(side["ids"])
    assert text.startswith(shown) and MOST_BYTES - 200 < len(shown.encode()) <= MOST_BYTES


def test_one_token_longer_than_all_that_is_shown_is_shown():
    chain = Tokenizer([(64, 64), *((255 + i, 255 + i) for i in range(1, 14))], ["y" * 5000])
    (side,) = TokenizerExplorer(chain, "y" * 5000).sides
    assert len(side["ids"]) == 1
    label, spelled, size = members(side)[side["ids"][0]]
    assert size == 5000 and len(label) == 200 and spelled.endswith(" …")
    (side,) = TokenizerExplorer(chain, "a" * 2**14).sides
    assert [facts[2] for facts in members(side).values()][-1] == 2**14


def test_another_text_is_taken_and_its_first_token_chosen():
    explorer = TokenizerExplorer(BOTH, TEXT)
    explorer.chosen, explorer.step = 7, 2  # on the way: it begins anew
    assert explorer.answer_text("red kite") == {}
    fresh = TokenizerExplorer(BOTH, "red kite")
    for name in ("text", "sides", "steps", "step", "chosen"):
        assert getattr(explorer, name) == getattr(fresh, name), name
    explorer.step = len(explorer.steps)  # who looks at the tokens goes on to do so
    explorer.text = TEXT
    assert explorer.step == len(explorer.steps) > 5
    assert explorer.sides == TokenizerExplorer(BOTH, TEXT).sides


def test_half_a_character_is_refused_and_the_old_text_stays():
    explorer = TokenizerExplorer(GPT2, TEXT)
    before = explorer.sides
    with pytest.raises(ValueError, match="half a surrogate"):
        explorer.answer_text("\ud83e")
    assert explorer.text == TEXT and explorer.sides == before


@pytest.mark.parametrize("wrong", [None, "gpt2", {}, [GPT2], {"a": "gpt2"}, {1: GPT2}])
def test_what_is_no_tokenizer_is_refused(wrong):
    with pytest.raises(ValueError, match="give a Tokenizer"):
        TokenizerExplorer(wrong, TEXT)
    with pytest.raises(ValueError, match="give a Tokenizer"):
        TokenizerExplorer(dict.fromkeys("abc", GPT2), TEXT)


def test_what_is_no_text_is_refused():
    with pytest.raises(ValueError, match="text must be a str"):
        TokenizerExplorer(GPT2, b"red kite")


def test_words_count_bytes_and_tokens():
    assert repr(TokenizerExplorer(BOTH, "red kite")) == (
        f"8 bytes are 3 tokens (GPT-2) and {len(STORIES.encode('red kite'))} tokens (stories)."
    )
    assert "1 token (" in repr(TokenizerExplorer(GPT2, "the"))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_has_a_picture_and_a_page_without_a_tag_of_its_own(text, tmp_path):
    explorer = TokenizerExplorer({"<script>$": GPT2, "\u202e": STORIES}, text)
    explorer.step = len(explorer.steps) // 2
    explorer.to_png(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    explorer.to_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "alert(1)</" not in page and page.count("<script") == 2
    assert "\u202e" not in page and "\x00" not in page
    assert "://" not in page


def test_the_picture_follows_the_replay():
    explorer = TokenizerExplorer(GPT2, TEXT)
    bytes_alone = explorer.picture()
    explorer.step = len(explorer.steps)
    assert explorer.picture() != bytes_alone
    explorer.step = 0
    assert explorer.title(0) == (
        f"this tokenizer: {len(TEXT.encode())} tokens after 0 of {len(explorer.steps)} merges"
    )


def test_a_picture_has_lines_that_fit_and_says_when_there_is_more():
    few = in_lines(["·kite"] * 4, [1, 2, 3, 4], {0, 1, 2, 3})
    assert [place for place, _, _ in few[0]] == [0, 1, 2, 3]
    many = in_lines(["·kite"] * 500, list(range(500)), set(range(500)))
    assert len(many) == LINES + 1 and many[-1] == []
    for line in many[:-1]:
        edges = [edge for _, x, width in line for edge in (x, x + width)]
        assert edges == sorted(edges) and edges[-1] <= LINE
    places = [place for line in many for place, _, _ in line]
    assert places == list(range(len(places)))


def test_a_line_of_the_picture_ends_between_words_unless_one_is_longer_than_a_line():
    lines = in_lines(["abcde"] * 60, list(range(60)), set(range(0, 40, 4)))
    assert [line[0][0] for line in lines[:4]] == [0, 12, 24, 36]  # three words of 24 in 88
    assert lines[3][-1][0] == 49 and lines[4][0][0] == 50  # the last word has 24 tokens


@pytest.mark.parametrize("text", [TEXT, f"a b{END_OF_TEXT} c", *HOSTILE.values()])
def test_the_cuts_are_those_of_the_pattern_and_no_token_crosses_one(text):
    explorer = TokenizerExplorer(BOTH, text)
    for side, tokenizer in zip(explorer.sides, BOTH.values()):
        shown = b"".join(map(tokenizer.token_bytes, side["ids"]))
        assert sum(side["words"]) == len(shown)
        cuts = {0, *accumulate(side["words"])}
        ends = {0, *accumulate(len(tokenizer.token_bytes(i)) for i in side["ids"])}
        assert cuts <= ends
    if text == TEXT:
        told = [len(word.encode()) for word in regex.findall(GPT2_PATTERN, text)]
        assert explorer.sides[0]["words"] == told
        assert len(told) < len(explorer.sides[0]["ids"])


def test_a_notebook_without_widgets_gets_the_picture_and_the_words():
    explorer = TokenizerExplorer(GPT2, TEXT)
    data, metadata = explorer._repr_mimebundle_()
    assert data["text/plain"] == metadata["image/png"]["alt"] == repr(explorer)
    assert data["image/png"].startswith("iVBORw0KGgo")


def test_the_script_fits_in_40_kilobytes():
    assert len(TokenizerExplorer._esm.encode()) <= 40_000
