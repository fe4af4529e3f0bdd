"""The sampling explorer in a browser: by mouse, by keyboard, without Python, and in JupyterLab."""

import re

import pytest
import torch

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

from minigpt.pretrained import from_pretrained  # noqa: E402
from minigpt.sampling import generate, next_token_distribution  # noqa: E402
from minigpt.viz import SamplingExplorer  # noqa: E402
from tests.browser.explorers import hears  # noqa: E402

PROMPT = "<|endoftext|>Before breakfast was invented there was a"
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> \u202eabc\u2066 🙂\n\x00" + 10_000 * "a"
)


@pytest.fixture(scope="module")
def storyteller():
    return from_pretrained("storyteller")


@pytest.fixture
def explorer(storyteller):
    return SamplingExplorer(*storyteller, PROMPT, temperature=1.5, seed=1)


def kept(root):
    """What the widget says it keeps: (tokens, share of the probability)."""
    words = root.locator(".sx-facts dd").all_inner_texts()
    return int(words[0].split()[0].replace(",", "")), float(words[1].split()[0]) / 100


def kept_by_python(explorer):
    logits = explorer._texts.logits()
    settings = explorer.temperature, explorer.top_k, explorer.top_p
    chosen = next_token_distribution(logits, *settings) > 0
    return int(chosen.sum()), float(next_token_distribution(logits, settings[0])[chosen].sum())


def press_slider(page, root, name, key, times=1):
    root.get_by_role("slider", name=f"{name}, slider").focus()
    for _ in range(times):
        page.keyboard.press(key)


def tokens_tried(root):
    return root.locator(".sx-chip bdi").all_inner_texts()


# --- What the script does by itself ---


def test_all_three_filters_act_together_as_in_python(page, played, explorer):
    root = played(explorer)
    press_slider(page, root, "Temperature", "ArrowLeft", 4)
    press_slider(page, root, "Top-k", "ArrowLeft", 30)
    press_slider(page, root, "Top-p", "ArrowLeft", 20)
    expect(root.get_by_label("Top-p", exact=True).locator("input").last).to_have_value("0.8")
    root.get_by_role("spinbutton", name="Top-k").fill("33")
    # A question of the script carries the settings along.
    root.get_by_role("button", name="Step").click()
    expect(root.locator(".sx-chip")).to_have_count(2)
    assert explorer.temperature == pytest.approx(1.3)
    assert (explorer.top_k, explorer.top_p) == (33, 0.8)
    tokens, share = kept_by_python(explorer)
    hears(page, lambda: kept(root), (tokens, pytest.approx(share, abs=0.0006)))


def test_the_cuts_are_lines_with_words(storyteller, played):
    explorer = SamplingExplorer(*storyteller, PROMPT, temperature=2.0, top_k=10, top_p=0.6)
    root = played(explorer)
    tokens, _ = kept(root)
    assert 1 < tokens < 10
    rows = root.locator(".sx-row")
    expect(rows.nth(tokens)).to_have_attribute("data-cut", "top-p 0.6")
    expect(rows.nth(10)).to_have_attribute("data-cut", "top-k 10")
    expect(root.locator(".sx-row[data-cut]")).to_have_count(2)
    expect(rows.nth(tokens - 1).locator(".sx-share")).not_to_contain_text("cut")
    expect(rows.nth(tokens).locator(".sx-share")).to_contain_text("cut")
    expect(root.locator(".sx-chart")).to_contain_text("top-k 10")
    expect(root.locator(".sx-chart")).to_contain_text("top-p 0.6 of top-k's")


def test_shares_shown_are_those_drawn_from(storyteller, played):
    explorer = SamplingExplorer(*storyteller, PROMPT, temperature=2.0, top_k=4)
    root = played(explorer)
    expected = next_token_distribution(explorer._texts.logits(), 2.0, 4).topk(4).values
    shown = root.locator(".sx-row:not(.sx-away) .sx-share").all_inner_texts()
    assert shown == [f"{100 * p:.1f} %" for p in expected.tolist()]


def test_greedy_keeps_one_and_reset_keeps_all(page, played, explorer):
    root = played(explorer)
    root.get_by_role("spinbutton", name="Temperature").fill("0")
    expect(root.locator(".sx-facts")).to_contain_text("1 of 1,024 tokens")
    root.get_by_role("button", name="Reset").click()
    expect(root.locator(".sx-facts")).to_contain_text("1,024 of 1,024 tokens")
    expect(root.get_by_role("spinbutton", name="Temperature")).to_have_value("1")


def test_the_arrow_keys_take_the_slider_of_top_k_through_all_its_range(page, played, explorer):
    root = played(explorer)
    number = root.get_by_role("spinbutton", name="Top-k")
    number.fill("1")
    expect(root.get_by_role("slider", name="Top-k, slider")).to_have_value("0")  # a frame later
    press_slider(page, root, "Top-k", "ArrowRight", 30)
    expect(number).not_to_have_value("1")
    assert 5 <= int(number.input_value()) <= 12  # 1024 ** 0.3 is 8
    page.keyboard.press("End")
    expect(number).to_have_value("")
    expect(root.locator(".sx-facts")).to_contain_text("1,024 of 1,024 tokens")


def test_pointing_reads_out_a_token_and_shows_it_in_the_chart(page, played, explorer):
    root = played(explorer)
    root.locator(".sx-row").nth(2).hover()
    expect(root.locator(".sx-dot")).to_have_attribute("visibility", "visible")
    expect(root.locator("[aria-live]")).to_contain_text("rank 3: ")
    expect(root.locator(".sx-row").nth(2)).to_have_attribute("aria-selected", "true")


def test_the_distribution_can_be_read_as_a_table(page, played, explorer):
    root = played(explorer)
    root.get_by_role("spinbutton", name="Top-k").fill("3")
    root.get_by_label("as table").check()
    rows = root.locator("tbody tr")
    expect(rows).to_have_count(100)
    expect(root.locator("caption")).to_have_text("The 100 likeliest of 1,024 tokens")
    assert [row.inner_text().split()[-1] for row in rows.all()[:5]] == ["yes"] * 3 + ["no"] * 2
    expect(root.locator(".sx-row").first).to_be_hidden()


# --- What it asks Python for ---


def test_sample_pick_branch_and_undo_by_mouse(page, played, explorer):
    root = played(explorer)
    root.get_by_role("spinbutton", name="tokens").fill("5")
    root.get_by_role("button", name="Sample 5").click()
    expect(root.locator(".sx-chip")).to_have_count(6)
    drawn = tokens_tried(root)
    expect(root.locator(".sx-text")).to_contain_text(explorer.text)

    root.locator(".sx-chip").nth(2).click()  # back to the second token
    expect(root.locator(".sx-chip").nth(2)).to_have_attribute("aria-selected", "true")
    name = root.locator(".sx-row").nth(3).locator("bdi").inner_text()
    root.locator(".sx-row").nth(3).click()
    expect(root.locator(".sx-chip")).to_have_count(7)
    expect(root.locator(".sx-branches > div")).to_have_count(2)
    expect(root.locator(".sx-chip[aria-selected=true]")).to_have_text(name)
    expect(root.locator(".sx-chip[aria-selected=true]")).to_have_class(re.compile("sx-picked"))
    expect(root.locator(".sx-path")).to_have_count(4)

    undo = root.get_by_role("button", name="Undo")
    undo.click()
    expect(root.locator(".sx-chip")).to_have_count(6)
    expect(root.locator(".sx-chip").nth(2)).to_have_attribute("aria-selected", "true")
    undo.click()
    expect(root.locator(".sx-chip").nth(5)).to_have_attribute("aria-selected", "true")
    hears(root.page, lambda: tokens_tried(root), drawn)
    undo.click()
    expect(root.locator(".sx-chip")).to_have_count(1)
    expect(undo).to_have_attribute("title", "Nothing to take back")
    undo.click()  # and nothing happens
    expect(root.locator(".sx-chip")).to_have_count(1)


def test_everything_can_be_done_by_keyboard(page, played, explorer):
    root = played(explorer)
    expect(root.get_by_role("button", name="Step")).to_be_enabled()
    root.get_by_label("Prompt").focus()
    page.keyboard.press("Tab")
    for _ in range(7):  # three sliders with a number each, and Reset
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # behind "as table"
    expect(root.locator(".sx-row").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(root.locator(".sx-row").nth(2)).to_be_focused()
    name = root.locator(".sx-row").nth(2).locator("bdi").inner_text()
    root.locator(".sx-row").nth(4).hover()  # a mouse that rests over another row changes nothing
    page.keyboard.press("Enter")
    expect(root.locator(".sx-chip")).to_have_count(2)
    expect(root.locator(".sx-chip").last).to_have_text(name)
    expect(root.locator(".sx-row").first).to_be_focused()  # ready to choose the next
    page.keyboard.press("Enter")
    expect(root.locator(".sx-chip")).to_have_count(3)

    root.locator(".sx-chip[aria-selected=true]").focus()
    page.keyboard.press("Home")
    expect(root.locator(".sx-chip").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(root.locator(".sx-chip").nth(1)).to_have_attribute("aria-selected", "true")
    expect(root.locator(".sx-chip").nth(1)).to_be_focused()
    root.get_by_role("button", name="Step").focus()
    page.keyboard.press("Enter")
    expect(root.locator(".sx-branches > div")).to_have_count(2)
    root.locator(".sx-chip[aria-selected=true]").focus()
    page.keyboard.press("ArrowUp")  # the line above: the other branch
    page.keyboard.press("Enter")
    expect(root.locator(".sx-chip").nth(2)).to_have_attribute("aria-selected", "true")


def test_a_prompt_is_typed_and_a_text_written_on(page, played, explorer):
    root = played(explorer)
    expect(root.get_by_label("Prompt")).to_be_enabled()
    root.get_by_label("Prompt").fill("Once upon")
    expect(root.locator(".sx-text")).to_have_text("Once upon")
    root.get_by_label("or write on").fill(" a kite")
    page.keyboard.press("Enter")
    expect(root.locator(".sx-text")).to_have_text("Once upon a kite")
    root.get_by_label("Prompt").fill("A fox")
    root.get_by_role("button", name="Step").click()  # at once: the new prompt comes first
    expect(root.locator(".sx-chip")).to_have_count(2)
    assert explorer._texts.tree.text == "A fox" and explorer.text
    root.get_by_label("Prompt").fill("")
    expect(root.locator(".sx-text")).to_have_text("")  # a text begins at the mark alone
    for _ in range(5):
        root.get_by_role("button", name="Undo").click()
    expect(root.locator(".sx-text")).to_have_text(PROMPT)
    expect(root.get_by_label("Prompt")).to_have_value(PROMPT)


def test_a_number_out_of_range_is_put_right_when_it_is_left(played, explorer):
    root = played(explorer)
    steps = root.get_by_label("tokens", exact=True)
    steps.fill("99999")
    steps.blur()
    expect(steps).to_have_value("100")
    expect(root.get_by_role("button", name="Sample 100")).to_have_count(1)


def test_a_hostile_text_is_text(page, storyteller, played):
    explorer = SamplingExplorer(*storyteller, HOSTILE)
    explorer.answer_write(" <b>🙂\u202e")
    root = played(explorer)
    expect(root.locator(".sx-text")).to_contain_text("characters before)")
    expect(root.locator(".sx-chosen")).to_contain_text("<b>🙂")
    expect(page.locator("img, b, script:not([type])")).to_have_count(0)
    root.get_by_role("button", name="Step").click()
    expect(root.get_by_role("button", name="Undo")).to_have_attribute("title", "Take back: sample")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- Without Python ---


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_of_its_own_plays_without_python(page, explorer, tmp_path, theme):
    explorer.answer_sample(8)
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": 1000, "height": 900})
    explorer.to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".xp")
    expect(root).to_have_attribute("data-theme", theme)
    expect(root.locator(".xp-alone")).to_be_visible()
    for name in ("Step", "Sample 20", "Undo"):
        expect(root.get_by_role("button", name=name)).to_be_disabled()
    expect(root.get_by_label("Prompt")).to_be_disabled()
    root.get_by_role("spinbutton", name="Top-k").fill("7")
    expect(root.locator(".sx-facts")).to_contain_text("7 of 1,024 tokens")
    root.locator(".sx-row").first.click()  # needs Python: nothing happens
    expect(root.locator(".sx-chip")).to_have_count(9)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1000
    ink, paper = root.evaluate(
        "n => [getComputedStyle(n).color, getComputedStyle(n).backgroundColor]"
    )
    bright = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
    assert (bright[0] > bright[1]) == (theme == "dark")


# --- In JupyterLab ---

CODE = f"""from minigpt.pretrained import from_pretrained
from minigpt.viz import SamplingExplorer

explorer = SamplingExplorer(*from_pretrained("storyteller"), {PROMPT!r}, temperature=1.5, seed=1)
explorer"""


def test_in_jupyterlab_it_plays_keeps_its_keys_and_is_there_when_reopened(page, lab):
    path = lab.write("sampling", CODE)
    lab.open(page, "sampling")
    lab.run_all(page, "sampling")
    root = page.locator(".xp.sampling")
    expect(root).to_be_visible()
    root.get_by_role("spinbutton", name="Top-k").fill("30")
    root.get_by_role("spinbutton", name="tokens").fill("4")
    root.get_by_role("button", name="Sample 4").click()
    expect(root.locator(".sx-chip")).to_have_count(5)
    root.locator(".sx-chip").nth(2).click()
    expect(root.locator(".sx-chip").nth(2)).to_have_attribute("aria-selected", "true")
    root.locator(".sx-row").nth(4).click()
    expect(root.locator(".sx-chip")).to_have_count(6)
    expect(root.locator(".sx-branches > div")).to_have_count(2)
    expect(root).to_have_attribute("aria-busy", "false")  # Python has answered
    # JupyterLab, too, moves the focus after a click, late on a busy machine: each key is sent to
    # the row that it is meant for.
    root.locator(".sx-row").first.press("ArrowDown")
    expect(root.locator(".sx-row").nth(1)).to_be_focused()
    root.locator(".sx-row").nth(1).press("Enter")
    expect(root.locator(".sx-chip")).to_have_count(7)
    expect(root.locator(".sx-chip[aria-selected=true]")).to_have_class(re.compile("sx-picked"))
    for left in (6, 5):
        root.get_by_role("button", name="Undo").focus()
        page.keyboard.press("Enter")
        expect(root.locator(".sx-chip")).to_have_count(left)
    root.get_by_label("Prompt").fill("a b j")
    expect(root.locator(".sx-chip")).to_have_count(1)
    expect(root.locator(".sx-text")).to_have_text("a b j")
    root.get_by_role("button", name="Undo").click()
    expect(root.locator(".sx-chip")).to_have_count(5)

    cells = page.locator(".jp-Notebook .jp-Cell").count()
    for place in (".sx-row >> nth=0", ".sx-chip >> nth=1", "button:text('Step')"):
        root.locator(place).focus()
        page.keyboard.type("abj")
        page.keyboard.press("ArrowDown")
    page.wait_for_timeout(300)
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(cells)

    light = root.evaluate("node => getComputedStyle(node).backgroundColor")
    # JupyterLab has its own idea of how a list of facts stands in an output.
    facts = root.locator(".sx-facts")
    heights = [[n.bounding_box()["y"] for n in facts.locator(tag).all()] for tag in ("dt", "dd")]
    assert len(heights[0]) >= 4
    assert heights[0] == heights[1]

    lab.choose_from_menu(page, "Settings", "Theme", "JupyterLab Dark")
    expect(root).to_have_attribute("data-theme", "dark")
    assert root.evaluate("node => getComputedStyle(node).backgroundColor") != light
    lab.choose_from_menu(page, "Settings", "Theme", "JupyterLab Light")
    expect(root).to_have_attribute("data-theme", "light")

    tried, text = tokens_tried(root), root.locator(".sx-text").inner_text()
    lab.save(page, "sampling")
    # The same notebook elsewhere is trusted too; its kernel knows nothing, so all was saved.
    (lab.folder / "again.ipynb").write_bytes(path.read_bytes())
    lab.open(page, "again")
    expect(root.locator(".sx-chip")).to_have_count(5)
    assert tokens_tried(root) == tried and len(set(tried)) > 1
    expect(root.locator(".sx-text")).to_have_text(text)
    expect(root.get_by_role("spinbutton", name="Top-k")).to_have_value("30")
    expect(root.locator(".xp-alone")).to_be_visible()
    expect(root.get_by_role("button", name="Step")).to_be_disabled()
    # Somebody else's notebook is not trusted: its picture is shown, and nothing of it runs.
    (lab.folder / "others.ipynb").write_bytes(path.read_bytes().replace(b'"cell-0"', b'"cell-9"'))
    lab.open(page, "others")
    expect(page.locator(".jp-OutputArea img[src^='data:image/png']")).to_be_visible()
    expect(root).to_have_count(0)
    page.wait_for_timeout(1000)  # JupyterLab reports an error if its debugger's question is cut off


def test_a_tree_of_three_branches_fits_the_page(page, storyteller, played, photograph):
    explorer = SamplingExplorer(*storyteller, PROMPT, temperature=1.2, top_k=60, top_p=0.9, seed=2)
    explorer.answer_sample(14)
    for seed, node in ((3, 4), (5, 2)):
        explorer.seed = seed
        explorer.answer_go(node)
        explorer.answer_sample(9)
    explorer.answer_go(0)
    page.set_viewport_size({"width": 1000, "height": 900})
    root = played(explorer)
    expect(root.get_by_role("button", name="Step")).to_be_enabled()
    root.locator(".sx-row").nth(2).hover()
    expect(root.locator(".sx-line")).to_have_count(5)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1000
    photograph(root, "explorer_sampling")


def width_of(root, place):
    """How long the filled bar of a row is, as a share of its axis."""
    return (
        root.locator(".sx-row[role=option]")
        .nth(place)
        .evaluate(
            "row => row.querySelector('.sx-after').getBoundingClientRect().width"
            " / row.querySelector('.sx-bar').getBoundingClientRect().width"
        )
    )


def test_bars_stand_on_one_axis_whatever_the_temperature(explorer, played):
    root = played(explorer)
    logits = explorer._texts.logits()
    largest = float(next_token_distribution(logits).max())
    end = next((end for end in (0.05, 0.1, 0.2, 0.5) if end >= 1.5 * largest), 1)
    expect(root.locator(".sx-ticks span").last).to_have_text(f"{100 * end:g} %")
    widths = {}
    for temperature in (3, 1.2, 0.8):
        root.get_by_role("spinbutton", name="Temperature").fill(str(temperature))
        share = float(next_token_distribution(logits, temperature).max())
        number = f"{100 * share:.1f} %"
        expect(root.locator(".sx-row[role=option] .sx-share").first).to_have_text(number)
        widths[temperature] = width_of(root, 0)
        assert widths[temperature] == pytest.approx(min(1, share / end), abs=0.02)
        expect(root.locator(".sx-ticks span").last).to_have_text(f"{100 * end:g} %")
    assert widths[3] < 0.7 * widths[1.2]
    root.get_by_role("spinbutton", name="Temperature").fill("0")
    expect(root.locator(".sx-beyond")).to_have_count(int(end < 1))


def test_words_at_a_cut_lie_on_no_bar_and_those_of_the_chart_on_no_curve(explorer, played):
    root = played(explorer)
    for top_k, top_p in ((10, 0.6), (3, 0.9), (200, 0.2)):
        root.get_by_role("spinbutton", name="Top-k").fill(str(top_k))
        root.get_by_role("spinbutton", name="Top-p").fill(str(top_p))
        first = root.locator(".sx-row[data-cut]").first
        # Drawn a frame later; out of sight a row has no layout.
        root.evaluate("() => new Promise((go) => requestAnimationFrame(() => setTimeout(go, 50)))")
        first.scroll_into_view_if_needed()
        expect(first).to_have_attribute("data-cut", re.compile("top-"))
        room = (
            "row => row.querySelector('.sx-bar').getBoundingClientRect().top "
            "- row.getBoundingClientRect().top"
        )
        assert first.evaluate(room) >= 16  # the words' line
        crossed = """svg => {
            const box = [...svg.querySelectorAll("text.sx-strong")].at(-1).getBBox();
            const curve = svg.querySelector(".sx-curve");
            for (let at = 0; at < curve.getTotalLength(); at += 1) {
                const { x, y } = curve.getPointAtLength(at);
                if (x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height)
                    return true;
            }
            return false;
        }"""
        assert not root.locator(".sx-chart").evaluate(crossed), (top_k, top_p)


def test_seeds_are_compared_side_by_side_and_one_is_taken(explorer, played, page):
    root = played(explorer)
    button = root.get_by_role("button", name="Compare seeds")
    expect(button).to_be_enabled()
    root.get_by_role("spinbutton", name="tokens").fill("6")
    button.focus()
    page.keyboard.press("Enter")
    rows = root.locator(".sx-seeds tbody tr")
    expect(rows).to_have_count(5)
    hears(root.page, lambda: tokens_tried(root), [])  # nothing is chosen yet
    model, tokenizer = explorer._texts.model, explorer._texts.tokenizer
    prompt = torch.tensor([tokenizer.encode(PROMPT, {"<|endoftext|>"})])
    for i, seed in enumerate(range(1, 6)):
        told = rows.nth(i).locator("bdi").first.inner_text()
        generator = torch.Generator().manual_seed(seed)
        ids = generate(
            model, prompt, 6, temperature=1.5, generator=generator,
            stop_token=tokenizer.end_of_text,
        )[0, prompt.size(1) :]  # fmt: skip
        assert told.replace("·", " ").replace("⏎", "\n") == tokenizer.decode(ids.tolist())
    third = rows.nth(2).locator("bdi").first.inner_text()
    root.get_by_role("spinbutton", name="Temperature").fill("0.5")  # it is what was drawn at 1.5
    root.get_by_role("button", name="take 3").click()
    expect(root.locator(".sx-chip bdi")).not_to_have_count(0)
    assert "".join(tokens_tried(root)) == third
    expect(root.locator(".sx-seeds")).to_be_hidden()
