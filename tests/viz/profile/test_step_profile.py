"""The bars of a profile: each as long as its time, opened by mouse and by keys, in a page."""

import re

import pytest

from minigpt.speed.profiling import Part
from minigpt.viz import StepProfile
from tests.browser.explorers import hears
from tests.viz.profile.profiles import leaf, step, whole

DEEP = ["forward", "block 0", "attention"]


@pytest.fixture
def expect():
    return pytest.importorskip("playwright.sync_api").expect


def compared():
    return StepProfile(step(), step(5.0, 5.0), labels=("explicit", "fused"))


# --- Numbers ---


def test_words_and_picture_follow_what_is_opened():
    widget = StepProfile(step())
    assert repr(widget) == (
        "step: 100 ms. It consists of forward 35.0 ms (35%), backward 50.0 ms (50%), "
        "optimizer 15.0 ms (15%)."
    )
    pictures = [widget.picture()]
    widget.opened = DEEP
    pictures.append(widget.picture())
    assert "step › forward › block 0 › attention: 20.0 ms (20%). It consists of" in repr(widget)
    widget.opened = ["forward"]
    pictures.append(widget.picture())
    assert len(set(pictures)) == 3
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    data, metadata = widget._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == data["text/plain"] == widget.sentence()


def test_two_profiles_are_told_side_by_side():
    widget = compared()
    assert repr(widget).startswith("step: explicit 100 ms, fused 75.0 ms. It consists of forward ")
    assert "forward explicit 35.0 ms (35%), fused 20.0 ms (27%)" in repr(widget)
    assert widget.picture() != StepProfile(step()).picture()
    one = StepProfile(whole("s", leaf("a", 2)), whole("s", leaf("a", 1), leaf("b", 0.001)))
    assert "b before not there, after 0.001 ms (<1%)" in repr(one)


def test_the_pictures_bars_are_to_scale(monkeypatch):
    widget, drawn = compared(), []
    from minigpt.viz.profile import step_profile

    def catch(draw, *size):
        from matplotlib.figure import Figure

        figure = Figure(figsize=size)
        draw(figure)
        drawn.append(figure)
        return b""

    monkeypatch.setattr(step_profile, "as_png", catch)
    widget.opened = ["forward"]
    widget.picture()
    [top, below] = drawn[0].axes
    bars = [(bar.get_x(), bar.get_width()) for bar in top.patches if bar.get_fill()]
    wanted = [(0, 35), (0, 20), (35, 50), (20, 50), (85, 15), (70, 5)]
    assert [x for bar in bars for x in bar] == pytest.approx([x for bar in wanted for x in bar])
    assert top.get_xlim() == pytest.approx((0, 100)) and below.get_xlim() == pytest.approx((0, 35))
    frames = [bar.get_width() for bar in top.patches if not bar.get_fill()]
    assert frames == pytest.approx([35, 20])  # what is opened, in both


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((None,), "the profile is a NoneType"),
        ((step(), 3), "the profile is a int"),
        ((step(), step(), ("one",)), r"labels is \['one'\]; give two names"),
        ((step(), step(), "ab"), "labels is "),
        ((step(), step(), ("one", "")), "labels is "),
    ],
)
def test_what_cannot_be_shown_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        StepProfile(*given)


def test_what_is_opened_must_be_there_and_nothing_is_lost():
    widget = StepProfile(step())
    widget.opened = ["forward"]
    with pytest.raises(ValueError, match="forward has no part 'block 9'; it has 'block 0'"):
        widget.opened = ["forward", "block 9"]
    with pytest.raises(ValueError, match="'backward' has no parts"):
        widget.opened = ["backward"]
    assert widget.opened == ["forward"]


def test_hostile_names_are_drawn_without_complaint(recwarn):
    widget = StepProfile(
        whole("$step", whole("狐$", leaf("a\x00", 1)), leaf("<b>&", 2)),
        Part("s", 1.0),
        labels=("$", "狐"),
    )
    widget.opened = ["狐$"]
    assert widget.picture().startswith(b"\x89PNG")
    assert not [each for each in recwarn if "Glyph" in str(each.message)]


# --- The script, in a page of its own with Python behind it ---


def part_named(root, label):
    return root.locator(f'.pf-part[aria-label^="{label}: "]')


def paths(root):
    """The bars that are there, by what each says it is."""
    return [bar.get_attribute("aria-label") for bar in root.locator(".pf-bar").all()]


def test_each_part_is_as_wide_as_its_time(played, expect):
    root = played(compared())
    expect(root.locator(".pf-bar")).to_have_count(1)
    rows = [row.bounding_box() for row in root.locator(".pf-row").all()]
    seconds = [(35, 50, 15), (20, 50, 5)]
    for row, place, times in zip(root.locator(".pf-row").all(), rows, seconds):
        left = place["x"] + 1
        for button, ms in zip(row.locator(".pf-part").all(), times):
            box, wide = button.bounding_box(), (place["width"] - 1) * ms / 100
            assert box["x"] == pytest.approx(left, abs=1) and box["width"] == pytest.approx(
                wide, abs=1
            )
            left += wide


def test_a_click_opens_a_part_and_another_closes_it(page, played, expect):
    widget = StepProfile(step())
    root = played(widget)
    said = root.locator(".pf-said")
    expect(said).to_contain_text("step: 100 ms, 94.0 GFLOP/s.")
    part_named(root, "forward").click()
    part_named(root, "block 0").click()
    part_named(root, "attention").click()
    hears(page, lambda: widget.opened, DEEP)
    assert paths(root) == [
        f"Parts of {' › '.join(['step', *DEEP[:i]])}" for i in range(len(DEEP) + 1)
    ]
    expect(said).to_contain_text(
        "step › forward › block 0 › attention: 20.0 ms, 20.0 % of the step, 50.0 GFLOP/s; "
        "81.6 % of block 0."
    )
    rows = [row.split("\t") for row in root.locator(".pf-table tbody tr").all_inner_texts()]
    assert rows == [["c_attn", "10.0 ms", "10.0 %", "100.0"], ["scores", "10.0 ms", "10.0 %", ""]]
    part_named(root, "c_attn").hover()
    expect(said).to_contain_text("c_attn: 10.0 ms, 10.0 % of the step, 100.0 GFLOP/s")
    expect(root.locator(".pf-table .pf-here")).to_contain_text("c_attn")
    part_named(root, "c_attn").click()  # opens into nothing
    expect(root.locator(".pf-bar")).to_have_count(4)
    part_named(root, "block 0").click()
    expect(root.locator(".pf-bar")).to_have_count(2)
    hears(page, lambda: widget.opened, ["forward"])
    expect(part_named(root, "forward")).to_have_attribute("aria-expanded", "true")
    expect(part_named(root, "block 0")).to_have_attribute("aria-expanded", "false")
    assert part_named(root, "backward").get_attribute("aria-expanded") is None


def test_what_is_gathered_can_be_opened(page, played, expect):
    widget = StepProfile(
        whole(
            "step",
            *(leaf(f"big {i}", 1000) for i in range(4)),
            leaf("a", 1),
            whole("b", leaf("c", 0.5), leaf("d", 1.5)),
        )
    )
    root = played(widget)
    other = part_named(root, "other")
    expect(other).to_have_attribute("aria-label", re.compile("opens into 2 parts"))
    other.click()
    part_named(root, "b").click()
    hears(page, lambda: widget.opened, ["other", "b"])
    expect(root.locator(".pf-table")).to_contain_text("1.50 ms")


def test_a_part_too_thin_to_be_hit_opens_from_the_table(page, played, expect):
    widget = StepProfile(whole("step", leaf("big", 2345), whole("thin", leaf("a", 0.1))))
    root = played(widget)
    table = root.locator(".pf-table")
    expect(table).to_contain_text("2,345 ms")
    expect(table.get_by_role("button")).to_have_count(1)  # what has no parts opens nothing
    table.get_by_role("button", name="thin").click()
    hears(page, lambda: widget.opened, ["thin"])
    expect(table).to_contain_text("0.100 ms")
    expect(table).to_be_focused()
    expect(root.locator(".pf-said")).to_contain_text("step › thin: 0.100 ms, <0.1 % of the step")


def test_the_way_back_is_above_the_bars(page, played, expect):
    widget = StepProfile(step())
    widget.opened = DEEP
    root = played(widget)
    crumbs = root.locator(".pf-crumbs button")
    assert crumbs.all_inner_texts() == ["step", *DEEP]
    expect(crumbs.last).to_have_attribute("aria-current", "true")
    crumbs.nth(1).click()
    hears(page, lambda: widget.opened, ["forward"])
    expect(crumbs.nth(1)).to_be_focused()
    expect(root.locator(".pf-said")).to_contain_text("step › forward: 35.0 ms")
    crumbs.first.click()
    expect(root.locator(".pf-bar")).to_have_count(1)


def test_the_keyboard_alone_opens_walks_and_closes(page, played, expect):
    widget = compared()
    root = played(widget)

    def at(label, row):
        expect(root.locator(".pf-part:focus")).to_have_attribute(
            "aria-label", re.compile(f"^{('explicit', 'fused')[row]}, {label}: ")
        )

    page.keyboard.press("Tab")  # the whole, above the bars
    page.keyboard.press("Tab")
    at("forward", 0)
    for key, label, row in (
        ("ArrowRight", "backward", 0),
        ("ArrowDown", "backward", 1),
        ("End", "optimizer", 1),
        ("ArrowRight", "optimizer", 1),
        ("Home", "forward", 1),
        ("ArrowLeft", "forward", 1),
    ):
        page.keyboard.press(key)
        at(label, row)
    page.keyboard.press("Enter")
    expect(root.locator(".pf-bar")).to_have_count(2)
    at("forward", 1)  # who opens a part stays there
    page.keyboard.press("ArrowDown")
    at("block 0", 0)
    expect(root.locator(".pf-said")).to_contain_text("explicit 24.5 ms, 24.5 % of the step")
    expect(root.locator(".pf-said")).to_contain_text("fused 9.50 ms, 12.7 % of the step")
    expect(root.locator(".pf-said")).to_contain_text("; −61 %.")
    page.keyboard.press("ArrowRight")
    at("lm_head", 0)
    page.keyboard.press("ArrowUp")
    at("forward", 1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    at("block 0", 1)
    page.keyboard.press("Enter")
    hears(page, lambda: widget.opened, ["forward", "block 0"])
    page.keyboard.press("ArrowDown")
    at("attention", 0)
    page.keyboard.press("Escape")
    at("block 0", 0)
    hears(page, lambda: widget.opened, ["forward"])
    page.keyboard.press("Escape")
    at("forward", 0)
    page.keyboard.press("Escape")  # nothing is open any more
    at("forward", 0)
    hears(page, lambda: widget.opened, [])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")  # one stop for all bars
    expect(root.locator(".pf-part:focus")).to_have_count(0)
    page.keyboard.press("Shift+Tab")
    at("backward", 0)


def test_arrows_lead_from_a_bar_up_to_the_part_it_was_opened_from(page, played, expect):
    widget = StepProfile(whole("step", leaf("a", 1), whole("b", leaf("c", 1), leaf("d", 1))))
    widget.opened = ["b"]
    root = played(widget)
    focused = root.locator(".pf-part:focus")
    part_named(root, "d").focus()
    for key, name in (("ArrowUp", "b"), ("ArrowDown", "c")):
        page.keyboard.press(key)
        expect(focused).to_have_attribute("aria-label", re.compile(f"^{name}: "))


def test_of_a_part_whose_bar_is_closed_nothing_is_told(page, played, expect):
    widget = StepProfile(whole("step", leaf("a", 1), whole("b", leaf("c", 1), leaf("d", 1))))
    widget.opened = ["b"]
    root = played(widget)
    said = root.locator(".pf-said")
    expect(said).to_contain_text("step › b: 2.00 ms")
    part_named(root, "b").focus()
    part_named(root, "d").hover()
    expect(said).to_contain_text("step › b › d: 1.00 ms")
    page.keyboard.press("Escape")
    expect(said).to_contain_text("step: 3.00 ms")


def test_the_focus_is_seen(page, played):
    root = played(StepProfile(step()))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    look = root.locator(".pf-part:focus").evaluate("n => getComputedStyle(n).outline")
    assert "3px" in look and "solid" in look


def test_it_follows_python(page, tmp_path, expect):
    widget = compared()
    widget.opened = ["forward", "block 0"]
    widget.to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".pf")
    expect(root.locator(".pf-bar")).to_have_count(3)
    expect(root.locator(".pf-said")).to_contain_text("explicit 24.5 ms")
    head = root.locator(".pf-table thead th").all_inner_texts()
    assert head[1:4] == ["explicit: time", "explicit: of the step", "explicit: GFLOP/s"]
    attention = root.locator(".pf-table tbody tr").first.inner_text().split("\t")
    assert attention == [
        "attention",
        "20.0 ms",
        "20.0 %",
        "50.0",
        "5.00 ms",
        "6.7 %",
        "200.0",
        "−75 %",
    ]
    expect(root.locator(".xp-alone")).to_be_hidden()  # Python is not needed


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_python_it_plays_in_the_systems_theme(page, tmp_path, scheme, expect):
    compared().to_html(tmp_path / "page.html")
    page.emulate_media(color_scheme=scheme)
    page.context.set_offline(True)
    page.set_viewport_size({"width": 420, "height": 700})
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".pf")
    expect(root).to_have_attribute("data-theme", scheme)
    part_named(root, "explicit, forward").click()
    expect(root.locator(".pf-bar")).to_have_count(2)
    ink, paper = (
        brightness(part_named(root, "fused, backward").evaluate(f"n => getComputedStyle(n).{name}"))
        for name in ("color", "backgroundColor")
    )
    assert abs(ink - paper) > 0.4
    assert page.evaluate("document.documentElement.scrollWidth") <= 420


def brightness(colour):
    """How bright a CSS colour is, 0 to 1; rgb() counts to 255, color() to 1."""
    numbers = [float(x) for x in re.findall(r"[\d.]+", colour.replace("srgb", ""))[:3]]
    return sum(numbers) / 3 / (255 if colour.startswith("rgb") else 1)


def test_two_profiles_four_bars_deep_fit_a_small_screen(page, tmp_path, expect):
    widget = compared()
    widget.opened = DEEP
    widget.to_html(tmp_path / "page.html")
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto((tmp_path / "page.html").as_uri())
    for part in (".pf-crumbs", ".pf-bars", ".pf-said", ".pf-table"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366


def test_a_hostile_name_is_text(page, played, expect):
    inner = whole("</script><b>&</b>", leaf("\"<i>'", 3), leaf("x", 1))
    root = played(StepProfile(whole("<u>", inner, leaf("y", 1)), labels=("<s>", "b")))
    root.locator(".pf-part").first.click()
    expect(root.locator(".pf-crumbs")).to_contain_text("</script><b>&</b>")
    assert page.locator("main i, main u, main s, main .pf-part b").count() == 0
    assert root.locator(".pf-said b").inner_text() == "<u> › </script><b>&</b>"
