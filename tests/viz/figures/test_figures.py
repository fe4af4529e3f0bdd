"""Figures and the attention map: what they show is what the model computed, as text and no more."""

import base64
import math
import re
import warnings
from io import BytesIO
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_rgb
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.tokenizer import Tokenizer
from minigpt.viz import PatternMap, coloured_tokens, plot_attention, table
from minigpt.viz.figures.plots import INK, plot_bars, plot_next_token, plot_surprise
from minigpt.viz.kit.labels import token_labels, visible

HOSTILE = [
    "<script>alert(1)</script>",
    "$\\frac{1}$",
    "\u202egnol",
    "🦊",
    "a\x00b",
    "\n",
    '"&',
    "狐",
]


@pytest.fixture(autouse=True)
def no_window():
    matplotlib.use("agg")
    yield
    plt.close("all")


def random_patterns(*shape):
    T = shape[-1]
    scores = 3 * torch.randn(*shape, T, generator=torch.Generator().manual_seed(0))
    future = ~torch.ones(T, T, dtype=torch.bool).tril()
    return scores.masked_fill(future, -math.inf).softmax(dim=-1)


@pytest.fixture
def tokenizer():
    return Tokenizer.train("the red kite fell. the red kite rose. " * 3, vocab_size=270)


@pytest.fixture
def model(tokenizer):
    torch.manual_seed(0)
    return GPT(GPTConfig(tokenizer.vocab_size, block_size=300, n_layer=2, n_head=2, n_embd=8))


# --- Labels ---


def test_labels_show_what_cannot_be_seen():
    assert visible(" red\n\t") == "·red⏎→"
    assert visible("\x00\u202e") == "\\x00\\u202e"


def test_a_token_that_is_part_of_a_character_is_shown_as_its_bytes(tokenizer):
    assert token_labels(tokenizer, tokenizer.encode(" 狐")) == ["·", "\\xe7", "\\x8b", "\\x90"]


# --- The map ---


def test_the_map_carries_every_weight_to_half_a_percent():
    patterns = random_patterns(3, 2, 7)
    sent = PatternMap(patterns, list("abcdefg"))
    received = torch.frombuffer(bytearray(sent.weights), dtype=torch.uint8).reshape(*sent.shape, 7)
    torch.testing.assert_close(received / 255, patterns, atol=0.002, rtol=0)


@pytest.mark.parametrize("lead", [(), (2,), (3, 2)])
def test_one_pattern_or_heads_or_layers_of_heads_are_taken(lead):
    shown = PatternMap(random_patterns(*lead, 4), "abcd")
    assert (*shown.shape[:2],) == (1, 1, *lead)[-2:]


def test_the_map_leaves_the_patterns_as_they_were():
    patterns = random_patterns(2, 5)
    before = patterns.clone()
    PatternMap(patterns, "abcde")._repr_mimebundle_()
    assert torch.equal(patterns, before)


@pytest.mark.parametrize(
    ("patterns", "tokens", "start", "message"),
    [
        (torch.ones(2, 3, 4), "abcd", {}, "shape"),
        (torch.ones(2, 2, 2, 3, 3) / 3, "abc", {}, "choose one row"),
        (random_patterns(4), "abc", {}, "3 tokens for patterns of 4 positions"),
        (torch.full((3, 3), -1.0), "abc", {}, "from 0 to 1"),
        (torch.full((3, 3), math.nan), "abc", {}, "from 0 to 1"),
        (torch.zeros(257, 257), "a" * 257, {}, "from 1 to 256"),
        (torch.zeros(0, 0), "", {}, "from 1 to 256"),
        (random_patterns(2, 3), "abc", {"head": 2}, "head is 2; this map has heads 0 to 1"),
        (random_patterns(2, 3), "abc", {"row": 3}, "row is 3"),
    ],
)
def test_what_is_no_pattern_is_refused(patterns, tokens, start, message):
    with pytest.raises(ValueError, match=message):
        PatternMap(patterns, tokens, **start)


def picture(shown):
    data, metadata = shown._repr_mimebundle_()
    return base64.b64decode(data["image/png"]), data, metadata


def test_without_a_kernel_there_is_a_picture_with_words_for_it():
    png, data, metadata = picture(PatternMap(random_patterns(2, 5), ["red", "kite", "a", "b", "?"]))
    assert png.startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in data
    assert metadata["image/png"]["alt"] == data["text/plain"]
    assert re.search(r"token 4 \(\?\) looks most at token \d \(\S+\): \d+%", data["text/plain"])


def test_the_picture_shows_what_was_chosen():
    shown = PatternMap(random_patterns(2, 5), "abcde")
    before = picture(shown)[0]
    assert before == picture(shown)[0]
    shown.head = 1
    after_head = picture(shown)[0]
    shown.row = 2
    assert len({before, after_head, picture(shown)[0]}) == 3


def test_hostile_tokens_are_drawn_without_complaint():
    shown = PatternMap(random_patterns(len(HOSTILE)), HOSTILE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert picture(shown)[0].startswith(b"\x89PNG")


def test_a_map_of_256_tokens_is_drawn():
    assert picture(PatternMap(random_patterns(256), "a" * 256))[0].startswith(b"\x89PNG")


def test_the_script_is_small_and_loads_nothing_and_writes_no_html():
    script = PatternMap._esm
    assert len(script.encode()) < 40_000
    for forbidden in ("http:", "https:", "import", "innerHTML", "insertAdjacentHTML", "eval("):
        assert forbidden not in script
    assert "http" not in PatternMap._css


# --- Figures ---


def test_a_pattern_has_its_percentages_and_a_hatched_future():
    ax = plot_attention(torch.tensor([[1.0, 0.0], [0.25, 0.75]]), ["red", " kite"])
    assert [text.get_text() for text in ax.texts] == ["100", "25", "75"]
    assert [patch.get_hatch() for patch in ax.patches] == ["////"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["red", "·kite"]


def test_a_weight_in_the_future_is_shown_and_not_hatched():
    ax = plot_attention(torch.tensor([[0.5, 0.5], [0.25, 0.75]]), ["red", "kite"])
    assert [text.get_text() for text in ax.texts] == ["50", "50", "25", "75"]
    assert not ax.patches


def test_bars_with_the_same_label_stay_apart():
    ax = plot_bars(["a", "a", "b"], [0.5, 0.25, 0.25])
    assert [bar.get_width() for bar in ax.patches] == [50, 25, 25]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "a", "b"]


def test_the_likeliest_next_tokens_come_first(tokenizer):
    probabilities = torch.zeros(tokenizer.vocab_size)
    red, kite = tokenizer.encode("r")[0], tokenizer.encode("k")[0]
    probabilities[red], probabilities[kite] = 0.3, 0.7
    ax = plot_next_token(probabilities, tokenizer, top=2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["k", "r"]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([70, 30])


def test_surprising_tokens_are_named():
    ax = plot_surprise(["a", "$b", "c"], torch.tensor([0.1, 2.0, 0.0]))
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.1, 2.0, 0.0])
    assert [text.get_text() for text in ax.texts] == [r"\$b"]


def test_tables_and_tokens_are_text_not_markup():
    shown = table([["<b>", 1]], ["<i>", "x"], rows=["<u>"])
    for html in (shown._repr_html_(), coloured_tokens(HOSTILE, range(8))._repr_html_()):
        assert not re.search(r"<(script|b|i|u)>", html)
    assert "&lt;script&gt;" in coloured_tokens(HOSTILE, range(8))._repr_html_()


def test_a_table_of_whole_numbers_has_no_decimals():
    assert repr(table(torch.tensor([[1.0, 0.5], [2.0, 1.0]]), ["a", "b"])) == (
        "a     b\n1  0.50\n2  1.00"
    )


def sides(shown):
    """The sides of a table's columns, as the notebook's HTML has them, row after row."""
    rows = re.findall("<tr>(.*?)</tr>", shown._repr_html_())
    return [re.findall(r"text-align:(\w+)", row) for row in rows]


def test_text_stands_to_the_left_and_numbers_to_the_right():
    values = [["a long text", 12345, 0.5, "8%", "-"], ["a", 7, 1234.5, "12 of 15", "3"]]
    shown = table(values, ["text", "whole", "not", "share", "some"])
    assert sides(shown) == [["left", *["right"] * 4]] * 3
    assert repr(shown) == (
        "text          whole       not     share  some\n"
        "a long text  12,345      0.50        8%     -\n"
        "a                 7  1,234.50  12 of 15     3"
    )


def test_a_column_with_one_word_is_text_and_an_id_as_text_has_no_comma():
    shown = table([["3", "50256"], ["none", "11"]], ["n", "id"], rows=["1", "2"])
    assert sides(shown) == [["right", "left", "right"]] * 3
    assert "50256" in repr(shown)


# --- Paper and ink ---


def contrast(ink, paper):
    """WCAG 2.2's contrast of two colours."""

    def luminance(colour):
        parts = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted([luminance(ink), luminance(paper)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_ink_can_be_read_in_a_light_and_a_dark_notebook():
    assert min(contrast(INK, "white"), contrast(INK, "#111111")) > 4.3


def corner(png):
    return plt.imread(BytesIO(png))[0, 0]


def test_a_widgets_picture_has_no_paper():
    assert corner(picture(PatternMap(random_patterns(2, 5), "abcde"))[0])[3] == 0


def test_a_notebooks_figure_has_no_paper_and_asks_jupyter_for_none(tmp_path):
    code = (
        "import matplotlib.pyplot as plt\nfrom minigpt import viz\nviz.use_style()\n"
        "viz.figures.plot_bars(['a'], [0.5])\nplt.show()"
    )
    notebook = new_notebook(cells=[new_code_cell(code)])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    (output,) = notebook.cells[0].outputs
    assert corner(base64.b64decode(output.data["image/png"]))[3] == 0
    assert "needs_background" not in output.metadata  # with it, JupyterLab lays white under it
    ink = plt.imread(BytesIO(base64.b64decode(output.data["image/png"])))
    assert ink[..., 3].max() == 1


LESSONS = sorted((Path(__file__).parents[3] / "notebooks/src").glob("*.py"))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_draws_nothing_in_black_or_on_white_paper(lesson):
    """Black lines are lost in a dark notebook, and white patches glare there."""
    text = lesson.read_text(encoding="utf-8")
    glaring = r'(?:color|edgecolor|ec)="(?:black|k)"|(?:facecolor|fc|backgroundcolor)="(?:white|w)"'
    assert not re.findall(glaring, text)
