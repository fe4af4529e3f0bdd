"""The strip of what `verify` found: every square says what the report says."""

import copy

import pytest
import torch
from torch import nn

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.verification import Report, verify
from minigpt.viz import VerifyStrip
from tests.browser.explorers import hears

KINDS = {"=": "same", "≠": "differs", "·": "not run"}


@pytest.fixture(scope="module")
def right():
    torch.manual_seed(0)
    model = GPT(GPTConfig(97, 32, n_layer=3, n_head=4, n_embd=32))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture(scope="module")
def reports(right):
    """Reports by name: of a copy, and of copies with a mistake each."""

    def planted(plant):
        model = copy.deepcopy(right)
        plant(model)
        return verify(model, right)

    def no_norm(model):
        model.transformer.h[1].ln_1 = nn.Identity()

    def nan(model):
        model.transformer.h[2].mlp.c_fc.weight.data[0, 0] = torch.nan

    def other_head(model):
        model.lm_head = nn.Linear(32, 90, bias=False)

    def fewer(model):
        del model.transformer.h[2]

    plants = {"none": lambda model: None, "<i>norm</i>": no_norm, "NaN": nan, "head": other_head}
    return {name: planted(plant) for name, plant in {**plants, "fewer": fewer}.items()}


def kinds_of(report):
    """What the squares of a report have to be."""
    return [
        "not run"
        if row.difference is None
        else "same"
        if row.ok
        else "first"
        if row.place == report.first
        else "differs"
        for row in report.table
    ]


def test_the_planted_mistakes_are_of_all_kinds(reports):
    assert reports["none"].ok
    assert reports["<i>norm</i>"].cause == "LayerNorm is missing"
    assert {kind for report in reports.values() for kind in kinds_of(report)} == {
        "same",
        "differs",
        "first",
        "not run",
    }


def test_every_square_is_a_row_of_the_report(reports):
    widget = VerifyStrip(reports)
    assert widget.names == list(reports)
    for shown, report in zip(widget.reports, reports.values(), strict=True):
        squares = shown["squares"]
        assert [square["place"] for square in squares] == [row.place for row in report.table]
        assert [square["kind"] for square in squares] == kinds_of(report)
        for square, row in zip(squares, report.table, strict=True):
            if row.difference is not None and row.difference < float("inf"):
                assert float(square["difference"]) == pytest.approx(row.difference, rel=0.06)
        assert f"{shown['said']}\n{shown['cause']}".strip() == report.message
    lines = [square["line"] for square in widget.reports[0]["squares"]]
    assert lines == ["before"] * 3 + [f"h.{i}" for i in range(3) for _ in range(10)] + ["after"] * 3


def test_one_report_is_enough_and_words_and_picture_follow(reports):
    alone = VerifyStrip(reports["none"])
    assert repr(alone).startswith("this model: 36 places, 36 same. The same at 36 of 36 places")
    widget = VerifyStrip(reports)
    first = widget.picture()
    assert first.startswith(b"\x89PNG")
    widget.which = 1
    assert widget.picture() != first
    assert "<i>norm</i>: 36 places, 13 same, 22 differs, 1 first" in repr(widget)
    assert "Likely cause: LayerNorm is missing." in repr(widget)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "reports is None"),
        ({}, "reports is {}"),
        ([1], r"reports is \[1\]; give what minigpt.verification.verify returns"),
        ({"mine": True}, "reports is {'mine': True}"),
        ({"empty": Report(True, None, None, "", ())}, "the report of 'empty' compares nothing"),
    ],
)
def test_what_is_no_report_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        VerifyStrip(given)


def test_a_choice_must_be_there(reports):
    widget = VerifyStrip(reports)
    for name, value, message in (
        ("which", 5, "from 0 to 4"),
        ("place", -1, "place is -1"),
        ("place", 36, "from 0 to 35"),
    ):
        with pytest.raises(ValueError, match=message):
            setattr(widget, name, value)


# --- The script, in a page of its own with Python behind it ---


@pytest.fixture
def expect():
    return pytest.importorskip("playwright.sync_api").expect


def test_the_squares_say_without_colour_what_the_report_says(played, reports, expect):
    root = played(VerifyStrip(reports))
    for name, report in reports.items():
        root.get_by_label("model").select_option(name)
        expect(root.locator(".vs-verdict")).to_contain_text(report.message.split("\n")[0])
        signs = root.locator(".vs-strip .vs-sign").all_inner_texts()
        assert [KINDS[sign] for sign in signs] == [
            k.replace("first", "differs") for k in kinds_of(report)
        ]
        labels = [
            square.get_attribute("aria-label") for square in root.locator(".vs-strip button").all()
        ]
        firsts = [label for label in labels if "differs first" in label]
        assert firsts == [] if report.ok else firsts[0].startswith(f"{report.first}: differs first")


def test_a_click_tells_a_squares_difference_and_the_cause(page, played, reports, expect):
    widget = VerifyStrip(reports)
    widget.which = 1
    root = played(widget)
    squares, details = root.locator(".vs-strip button"), root.locator(".vs-details")
    expect(details).to_contain_text("The same in both models.")
    expect(details).not_to_contain_text("Likely cause")  # there is time to guess
    squares.nth(13).click()
    expect(details.locator("h4")).to_have_text("transformer.h.1.ln_1")
    expect(details).to_contain_text("Likely cause: LayerNorm is missing.")
    expect(details).to_contain_text(f"{reports['<i>norm</i>'].table[13].difference:.1e}")
    squares.nth(35).click()
    expect(details).to_contain_text("It comes after transformer.h.1.ln_1")
    hears(page, lambda: (widget.which, widget.place), (1, 35))
    root.get_by_label("model").select_option("fewer")
    squares.nth(25).click()
    expect(details).to_contain_text("did not run this module")


def test_the_keyboard_alone_walks_the_strip(page, played, reports, expect):
    widget = VerifyStrip(reports)
    root = played(widget)
    heading = root.locator(".vs-details h4")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")  # another model
    expect(root.locator(".vs-verdict")).to_contain_text("<i>norm</i>")
    page.keyboard.press("Tab")
    for key, place in (
        ("ArrowRight", "transformer.wpe"),
        ("ArrowRight", "transformer.wte + wpe"),
        ("ArrowRight", "transformer.h.0.ln_1"),
        ("ArrowDown", "transformer.h.1.ln_1"),
        ("ArrowUp", "transformer.h.0.ln_1"),
        ("End", "logits"),
        ("Home", "transformer.wte"),
    ):
        page.keyboard.press(key)
        expect(heading).to_have_text(place)
    page.keyboard.press("Tab")
    expect(root.locator(".vs-strip button:focus")).to_have_count(0)  # one stop for the whole strip


def test_without_python_it_is_all_there(page, tmp_path, reports, expect):
    VerifyStrip(reports).to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".vs")
    root.get_by_label("model").select_option("NaN")
    root.locator(".vs-first").last.click()
    expect(root.locator(".vs-details")).to_contain_text("NaN or another shape")
    expect(root.locator(".xp-alone")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_theme_and_stays_within_the_page(page, tmp_path, reports, scheme, expect):
    VerifyStrip(reports).to_html(tmp_path / "page.html")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 420, "height": 700})
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".vs")).to_have_attribute("data-theme", scheme)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 420
