"""The map of heads made by hand: its weights are PyTorch's, whatever is set, here and in a page."""

import base64
import math
import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from minigpt.viz import ScoreMap
from tests.browser.explorers import hears

expect = pytest.importorskip(
    "playwright.sync_api", reason="No Playwright here. Get it with: pip install playwright"
).expect

WORDS = ["red", "kite", "fell", ".", "colour", "?"]  # lesson 03's
BLUE = torch.tensor([1.0, 0, 0, 11])


def lesson():
    x = torch.zeros(6, 4)
    x[0], x[1] = torch.tensor([1.0, 0, 0, 10]), torch.tensor([0.0, 1, 0, 20])
    x[5] = torch.tensor([0.0, 0, 1, 0])
    W_q, W_k = torch.zeros(2, 4, 4)
    W_q[2, 0], W_k[0, 0] = 16, 1  # head 0: which colour?
    W_q[2, 2], W_k[1, 2] = 16, 1  # head 1: which thing?
    return x, W_q, W_k


def drawn(seed=0):
    """A map of random numbers: nothing in it is 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*size, generator=generator) for size in ((6, 5), (5, 6), (5, 6))]


@pytest.fixture
def shown():
    x, W_q, W_k = lesson()
    return ScoreMap(x, WORDS, W_q, W_k, n_head=2, others={"blue": BLUE})


def by_torch(x, W_q, W_k, n_head, scale, causal):
    """PyTorch's own attention, with values that show its weights."""
    q, k = ((x @ W).view(len(x), n_head, -1).transpose(0, 1) for W in (W_q, W_k))
    v = torch.eye(len(x)).expand(n_head, -1, -1)
    scale = scale or q.size(-1) ** -0.5
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)


def weights_of(root, T):
    """The whole pattern as the page has it: each row is read where it is shown."""
    rows = []
    for row in range(T):
        root.locator(".ae-token").nth(row).click()
        shown = root.locator(".ae-readout li")
        expect(root.locator(".ae-readout")).to_contain_text(f"Token {row}, ")
        weights = [0.0] * T
        for line in shown.all_inner_texts():
            share, token = re.search(r"([\d.]+) %[\s\S]*token (\d+)", line).groups()
            weights[int(token)] = float(share) / 100
        rows.append(weights)
        root.page.keyboard.press("Escape")
        root.locator(".ae-token").nth(row).click()
    return torch.tensor(rows)


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("loud", [1.0, 0.25, 0.0])
def test_python_and_the_page_have_pytorchs_weights(played, scaled, masked, loud):
    x, W_q, W_k = drawn()
    shown = ScoreMap(x, WORDS, W_q, W_k, n_head=2, head=1)
    shown.scaled, shown.masked = scaled, masked
    shown.loudness = loud * float(W_q.abs().max())
    expected = by_torch(x, loud * W_q, W_k, 2, None if scaled else 1.0, masked)
    torch.testing.assert_close(shown.scores().softmax(-1), expected, atol=1e-5, rtol=0)
    root = played(shown)
    page = root.evaluate("""root => { const c = root.querySelector('.ae-square canvas');
        return c.width; }""")
    assert page > 0
    torch.testing.assert_close(weights_of(root, 6), expected[1], atol=1e-4, rtol=0)


def test_it_starts_as_the_lesson_has_it(shown):
    x, W_q, W_k = lesson()
    expected = by_torch(x, W_q, W_k, 2, None, True)
    torch.testing.assert_close(shown.scores().softmax(-1), expected)
    assert shown.loudness == 16
    assert expected[0, 5, 0] > 0.99
    assert "loudness 16, scores divided by √2, causal mask" in shown.sentence()
    assert "word 5 (?) looks most at word 0 (red): 100%" in shown.sentence()


def test_a_lower_voice_is_heard_by_less(shown, played, page):
    root = played(shown)
    slider = root.get_by_role("slider", name="loudness")
    slider.focus()
    for _ in range(16 * 2 - 4):  # steps of a half
        page.keyboard.press("ArrowLeft")
    expect(root.locator("output")).to_have_text("2.0")
    weight = math.exp(2 / math.sqrt(2))
    share = weight / (weight + 5)
    expect(root.locator(".ae-number").first).to_have_text(f"{100 * share:.2f} %")
    root.get_by_label("divide scores by √2").focus()
    page.keyboard.press("Space")
    share = math.exp(2) / (math.exp(2) + 5)
    expect(root.locator(".ae-number").first).to_have_text(f"{100 * share:.2f} %")
    root.get_by_text("As it was").click()
    expect(root.locator("output")).to_have_text("16.0")


def test_without_the_mask_the_first_word_sees_the_last(shown, played, page):
    root = played(shown)
    root.locator(".ae-token").first.click()
    number = root.locator(".ae-number").first
    expect(number).to_have_text("100.00 %")  # of itself: it sees nothing else
    root.get_by_label("causal mask").uncheck()
    expect(number).to_have_text(f"{100 / 6:.2f} %")
    expect(root.locator(".ae-readout li")).to_have_count(6)
    expect(root.locator(".ae-future")).to_have_count(0)
    image = root.locator(".ae-square canvas").evaluate(
        "c => [...c.getContext('2d').getImageData(c.width - 8, 8, 1, 1).data]"
    )
    assert image[3] == 255  # the future's cell is drawn
    root.get_by_label("causal mask").check()
    expect(number).to_have_text("100.00 %")


def test_other_words_are_typed_and_unknown_ones_are_named_beside_the_field(shown, played):
    root = played(shown)
    field = root.get_by_role("textbox", name="words")
    field.fill("blue kite ?")
    expect(root.locator(".ae-token")).to_have_text(["blue", "kite", "?"])
    expect(root.locator(".ae-readout")).to_contain_text("Token 2, ?")
    expect(root.locator(".ae-readout li").first).to_contain_text("blue")
    field.fill("blue kites ?")
    problem = root.locator(".xp-problem")
    expect(problem).to_contain_text("kites has no vector; known: red kite fell . colour ? blue")
    assert abs(problem.bounding_box()["y"] - field.bounding_box()["y"]) < 40
    field.fill("")
    expect(problem).to_contain_text("Type a word")
    field.fill("? " * 25)
    expect(problem).to_contain_text("At most 24 words")
    field.fill("red ?")
    expect(problem).to_be_empty()
    hears(root.page, lambda: shown.words, ["red", "?"])


def test_the_score_of_a_cell_is_told(shown, played):
    root = played(shown)
    square = root.locator(".ae-square").first
    side = square.bounding_box()["width"]
    square.hover(position={"x": side / 12, "y": side - side / 12})
    caption = root.locator(".ae-caption").first
    expect(caption).to_contain_text("token 5 → 0 red: 100.0 %. Score 16.00 / √2 = 11.31.")


def test_a_page_of_its_own_plays_without_python(shown, page, tmp_path):
    shown.to_html(tmp_path / "a.html")
    page.context.set_offline(True)
    page.goto((tmp_path / "a.html").as_uri())
    root = page.locator(".ae")
    root.locator(".ae-head").nth(1).click()
    expect(root.locator(".ae-readout")).to_contain_text("Head 1. Token 5, ?")
    expect(root.locator(".ae-readout li").first).to_contain_text("kite")
    root.get_by_label("loudness").fill("0")
    expect(root.locator(".ae-number").first).to_have_text(f"{100 / 6:.2f} %")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_systems_colours(shown, page, tmp_path, scheme):
    shown.to_html(tmp_path / "a.html")
    page.emulate_media(color_scheme=scheme)
    page.goto((tmp_path / "a.html").as_uri())
    expect(page.locator(f".ae[data-theme={scheme}]")).to_have_count(1)


def test_the_picture_follows_what_is_set(shown):
    data, metadata = shown._repr_mimebundle_()
    first = base64.b64decode(data["image/png"])
    assert first.startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == repr(shown)
    shown.masked = False
    second = shown.picture()
    shown.words = ["red", "?"]  # shorter than where the row was
    assert len({first, second, shown.picture()}) == 3
    assert "word 1 (?)" in shown.sentence()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": WORDS[:5]}, r"x is \(6, 4\) for 5 words"),
        ({"words": ["red", *WORDS[:5]]}, "the word 'red' has two vectors"),
        ({"words": ["red kite", *WORDS[1:]]}, "has no spaces"),
        ({"W_q": torch.zeros(3, 4)}, r"W_q is \(3, 4\); for vectors of 4 numbers"),
        ({"W_k": torch.zeros(4, 6)}, r"W_k is \(4, 6\)"),
        ({"n_head": 3}, "3 heads it must be"),
        ({"head": 2}, "head is 2; this map has heads 0 to 1"),
        ({"row": 6}, "row is 6; this map has rows 0 to 5"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    x, W_q, W_k = lesson()
    given = {"x": x, "words": WORDS, "W_q": W_q, "W_k": W_k, "n_head": 2, **change}
    with pytest.raises(ValueError, match=message):
        ScoreMap(**given)


def test_words_set_from_python_must_be_known(shown):
    with pytest.raises(ValueError, match="'green' has no vector; known are red, kite"):
        shown.words = ["green"]
    with pytest.raises(ValueError, match="0 words; give from 1 to 24"):
        shown.words = []
    assert np.isfinite(shown.scores().softmax(-1).numpy()).all()
