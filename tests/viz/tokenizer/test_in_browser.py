"""The tokenizer explorer in a real browser: in a page of its own, and in JupyterLab."""

import re

import pytest

from minigpt.files import STORYTELLER
from minigpt.tokenizer import Tokenizer
from minigpt.tokenizer.bpe import pre_tokenize
from minigpt.viz import TokenizerExplorer
from minigpt.viz.tokenizer.replay import replay
from tests.browser.explorers import hears

expect = pytest.importorskip(
    "playwright.sync_api", reason="No Playwright here. Get it with: pip install playwright"
).expect

GPT2 = Tokenizer.gpt2()
STORIES = Tokenizer.load(STORYTELLER / "tokenizer.json")
TEXT = "Once upon a time there was an unbelievable kite.\nIt was red."


@pytest.fixture
def explorer():
    explorer = TokenizerExplorer({"GPT-2": GPT2, "storyteller": STORIES}, TEXT)
    explorer.step = len(explorer.steps)
    return explorer


def column(root, number):
    return root.locator(".tx-side").nth(number)


def ids_in(root, number):
    """The ids below the tokens of a column."""
    return [int(i) for i in column(root, number).locator(".tx-tokens small").all_text_contents()]


def labels_in(root, number):
    return column(root, number).locator(".tx-tokens bdi").all_text_contents()


def test_both_columns_show_labels_and_ids(explorer, played):
    root = played(explorer)
    expect(root.locator(".tx-side")).to_have_count(2)
    hears(root.page, lambda: ids_in(root, 0), GPT2.encode(TEXT))
    hears(root.page, lambda: ids_in(root, 1), STORIES.encode(TEXT))
    labels = labels_in(root, 0)
    assert labels[0] == "Once" and "·upon" in labels and "⏎" in labels
    expect(column(root, 0)).to_contain_text("vocabulary 50,257")


def test_every_step_of_the_replay_shows_what_python_says(explorer, played, page):
    root = played(explorer)
    slider = root.locator("input[type=range]")
    for step in (0, 1, 7, len(explorer.steps) // 2, len(explorer.steps)):
        slider.fill(str(step))
        expect(root).to_contain_text(f"{step} of {len(explorer.steps)} merges")
        explorer.step = step
        for number in (0, 1):
            hears(
                root.page,
                lambda number=number: ids_in(root, number),
                [token for token, _ in explorer.pieces(number)],
            )


def test_a_step_names_its_merge_and_marks_what_it_made(explorer, played):
    root = played(explorer)
    root.get_by_role("button", name="bytes").click()
    expect(column(root, 0).locator(".tx-merge")).to_contain_text("every byte is a token")
    root.get_by_role("button", name="next").click()
    first = replay(GPT2, GPT2.encode(TEXT))[0]
    assert first.number == explorer.steps[0]
    left, right = (GPT2.decode([i]).replace(" ", "·") for i in (first.left, first.right))
    words = f"merge of rank {first.number} (of 50,000): {left} + {right} → {left}{right}"
    expect(column(root, 0).locator(".tx-merge")).to_contain_text(words)
    expect(column(root, 0).locator(".tx-tokens .tx-new")).to_have_count(first.count)
    root.get_by_role("button", name="back").click()
    expect(root).to_contain_text(f"0 of {len(explorer.steps)} merges")


def test_play_runs_from_the_bytes_and_pauses(explorer, played):
    root = played(explorer)
    root.get_by_role("button", name="play").click()
    expect(root).to_contain_text(f"2 of {len(explorer.steps)} merges")
    root.get_by_role("button", name="pause").click()
    expect(root.get_by_role("button", name="play")).to_be_visible()
    where = root.locator(".tx-replay > .xp-soft").text_content()
    root.page.wait_for_timeout(900)
    assert root.locator(".tx-replay > .xp-soft").text_content() == where


def test_a_chosen_token_shows_how_it_was_made_in_both_columns(explorer, played):
    root = played(explorer)
    column(root, 0).locator(".tx-token", has_text="·unbelievable").click()
    facts = column(root, 0).locator(".tx-facts")
    (token,) = GPT2.encode(" unbelievable")
    spelled = b" unbelievable".hex(" ")
    expect(facts).to_contain_text(
        f"·unbelievable, id {token}, 13 bytes {spelled}, made by the merge of rank {token - 256:,}"
    )
    made = column(root, 0).locator(".tx-made .tx-token bdi").all_text_contents()
    stages = GPT2.merge_steps(" unbelievable")
    told = [GPT2.decode([i]).replace(" ", "·") for stage in stages for i in stage]
    assert made == told
    chosen = column(root, 1).locator(".tx-tokens [aria-selected=true] bdi")
    expect(chosen).to_have_text("·u")  # the other column's token at the same byte
    column(root, 0).locator(".tx-token", has_text="·unbelievable").first.hover()
    over = column(root, 1).locator(".tx-over bdi")
    pieces = [STORIES.decode([i]) for i in STORIES.encode(" unbelievable")]
    expect(over).to_have_text([piece.replace(" ", "·") for piece in pieces])


def test_arrow_keys_walk_through_the_tokens_and_letters_do_nothing(explorer, played, page):
    root = played(explorer)
    box = column(root, 0).get_by_role("listbox")
    chosen = box.locator("[aria-selected=true]")
    box.focus()
    page.keyboard.press("ArrowRight")
    expect(chosen).to_have_text(re.compile("·upon"))
    expect(box).to_have_attribute("aria-activedescendant", chosen.get_attribute("id"))
    page.keyboard.press("End")
    expect(chosen).to_have_attribute("data-index", str(len(GPT2.encode(TEXT)) - 1))
    page.keyboard.press("ArrowUp")
    expect(chosen).not_to_have_attribute("data-index", str(len(GPT2.encode(TEXT)) - 1))
    page.keyboard.press("Home")
    expect(chosen).to_have_attribute("data-index", "0")
    lower = "nodes => nodes.findIndex((node) => node.offsetTop > nodes[0].offsetTop)"
    below = box.locator(".tx-token").evaluate_all(lower)
    assert below > 1
    page.keyboard.press("ArrowDown")
    expect(chosen).to_have_attribute("data-index", str(below))
    page.keyboard.press("ArrowUp")
    expect(chosen).to_have_attribute("data-index", "0")
    before = root.inner_text()
    page.keyboard.type("abj")
    assert root.inner_text() == before
    expect(root.locator(".xp-spoken")).to_contain_text("token 0 of")


def test_a_new_text_is_cut_by_python(explorer, played):
    root = played(explorer)
    box = root.locator("textarea")
    expect(box).to_be_enabled()
    box.fill("red kites 🪁")
    expect(column(root, 0)).to_contain_text(
        f"{len(GPT2.encode('red kites 🪁'))} tokens for 14 bytes"
    )
    hears(root.page, lambda: ids_in(root, 1), STORIES.encode("red kites 🪁"))
    box.fill("")
    expect(column(root, 0)).to_contain_text("0 tokens for 0 bytes")
    box.fill("again")
    expect(column(root, 0)).to_contain_text("for 5 bytes")
    hears(root.page, lambda: ids_in(root, 0), GPT2.encode("again"))


def test_it_opens_with_the_bytes_between_the_cuts_of_the_pre_tokens(played, page):
    root = played(TokenizerExplorer(GPT2, TEXT))
    expect(root).to_contain_text(f"0 of {len(replay(GPT2, GPT2.encode(TEXT)))} merges")
    words = root.locator(".tx-tokens .tx-word")
    labels = [word.replace(" ", "·").replace("\n", "⏎") for word in pre_tokenize(TEXT)]
    # What stands below each token is no part of its word.
    root.get_by_label("below each token").select_option("nothing")
    expect(words).to_have_text(labels)
    expect(words.nth(1).locator(".tx-token")).to_have_count(len(b" upon"))
    expect(root.locator(".tx-legend")).to_contain_text("a pre-token: no merge crosses its ends")
    page.set_viewport_size({"width": 460, "height": 700})  # many lines
    tops = "word => new Set([...word.children].map(n => n.getBoundingClientRect().top)).size"
    assert {words.nth(i).evaluate(tops) for i in range(len(labels))} == {1}
    assert len({words.nth(i).bounding_box()["y"] for i in range(len(labels))}) > 2


def test_ids_bytes_and_a_table(explorer, played):
    root = played(explorer)
    root.get_by_label("below each token").select_option("bytes")
    small = column(root, 0).locator(".tx-tokens small").first
    expect(small).to_have_text("4f 6e 63 65")
    root.get_by_label("show as table").check()
    rows = column(root, 0).locator("tbody tr")
    expect(rows).to_have_count(len(GPT2.encode(TEXT)))
    upon = GPT2.encode(" upon")[0]
    cells = rows.nth(1).locator("th, td").all_text_contents()
    assert cells == ["1", "·upon", str(upon), b" upon".hex(" "), str(upon - 256)]
    root.get_by_role("button", name="bytes").click()
    expect(rows).to_have_count(len(TEXT.encode()))
    root.get_by_label("show as table").uncheck()
    expect(rows).to_have_count(0)


HOSTILE = "<script>window.bad=1</script><img src=x onerror=window.bad=1>\u202eabc\x00\r\n🦊\tאב"


@pytest.mark.parametrize("text", [HOSTILE, HOSTILE * 120, "x" * 10_000, "\n" * 300])
def test_a_hostile_text_is_text(played, text, page):
    root = played(TokenizerExplorer({HOSTILE: GPT2}, text))
    expect(root.locator(".tx-side")).to_have_count(1)
    expect(root.locator("script, img")).to_have_count(0)
    assert page.evaluate("window.bad") is None
    shown = "".join(labels_in(root, 0))
    assert not set(shown) & set("\u202e\x00\r\n\t")
    assert ("\\x00" in shown) == ("\x00" in text)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    whole = len(GPT2.encode(text))
    if len(labels_in(root, 0)) < whole:
        expect(root).to_contain_text(f"of {whole:,}, the first")
    root.get_by_role("button", name="bytes").click()
    root.get_by_role("button", name="next").click()
    expect(root).to_contain_text("1 of ")


def test_a_page_of_its_own_plays_without_python(explorer, page, tmp_path):
    explorer.to_html(tmp_path / "page.html")
    page.set_viewport_size({"width": 1000, "height": 700})
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".xp")
    root.get_by_role("button", name="bytes").click()
    expect(column(root, 0)).to_contain_text(f"{len(TEXT.encode())} tokens for")
    expect(root.locator("textarea")).to_be_disabled()
    expect(root).to_contain_text("No kernel answers")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_dark_and_light_differ_and_both_are_legible(explorer, browser, tmp_path, photograph):
    explorer.step = len(explorer.steps) // 2
    explorer.to_html(tmp_path / "page.html")
    seen = set()
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1000, "height": 640})
        page.goto((tmp_path / "page.html").as_uri())
        first = page.locator(".tx-tokens .tx-token").first
        seen.add(first.evaluate("node => getComputedStyle(node).backgroundColor"))
        for part in ("bdi", "small"):
            assert contrast(first, part) >= 4.5, (scheme, part)
        if scheme == "light":
            photograph(page.locator(".xp"), "explorer_tokenizer")
        page.close()
    assert len(seen) == 2


def contrast(node, part):
    """The contrast of a part's ink with its token's ground (WCAG 2)."""
    ink = node.locator(part).evaluate("node => getComputedStyle(node).color")
    ground = node.evaluate("node => getComputedStyle(node).backgroundColor")

    def brightness(colour):
        shares = [int(x) / 255 for x in re.findall(r"\d+", colour)[:3]]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([brightness(ink), brightness(ground)])
    return (high + 0.05) / (low + 0.05)


CELL = f"""
from minigpt import Tokenizer
from minigpt.viz import TokenizerExplorer
TokenizerExplorer({{"GPT-2": Tokenizer.gpt2(), "bytes": Tokenizer([])}}, {TEXT!r})
"""


def test_in_jupyterlab_it_reads_a_text_keeps_its_keys_follows_the_theme_and_is_kept(page, lab):
    path = lab.write("tokens", CELL)
    lab.open(page, "tokens")
    lab.run_all(page, "tokens")
    root = page.locator(".jp-Notebook .tx")
    expect(root).to_have_count(1)
    expect(root.locator("textarea")).to_be_enabled()
    cells = page.locator(".jp-Notebook .jp-Cell").count()

    root.get_by_role("button", name="tokens").click()
    box = column(root, 0).get_by_role("listbox")
    box.focus()
    page.keyboard.press("ArrowRight")
    expect(box.locator("[aria-selected=true]")).to_have_text(re.compile("·upon"))
    page.keyboard.type("abj")
    root.locator("textarea").fill("")
    root.locator("textarea").press_sequentially("a b j")
    expect(column(root, 0)).to_contain_text("3 tokens for 5 bytes")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(cells)
    slider = root.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    expect(column(root, 0)).to_contain_text("5 tokens for 5 bytes")

    token = root.locator(".tx-tokens .tx-token").first
    light = token.evaluate("node => getComputedStyle(node).backgroundColor")
    lab.choose_from_menu(page, "Settings", "Theme", "JupyterLab Dark")
    expect(root).to_have_attribute("data-theme", "dark")
    expect(token).not_to_have_css("background-color", light)
    lab.choose_from_menu(page, "Settings", "Theme", "JupyterLab Light")
    expect(root).to_have_attribute("data-theme", "light")

    lab.save(page, "tokens")
    lab.choose_from_menu(page, "Kernel", "Restart Kernel…")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    expect(root).to_contain_text("No kernel answers")
    page.get_by_text(re.compile(r"\| Idle$")).wait_for()
    lab.open(page, "tokens")  # with a new kernel, which knows nothing: what is there was saved
    expect(column(root, 0)).to_contain_text("5 tokens for 5 bytes")
    expect(root).to_contain_text("No kernel answers")
    expect(root.locator("textarea")).to_be_disabled()
    # Somebody else's notebook is not trusted: its picture is shown, and nothing of it runs.
    (lab.folder / "others.ipynb").write_bytes(path.read_bytes().replace(b'"cell-0"', b'"cell-9"'))
    lab.open(page, "others")
    expect(page.locator(".jp-OutputArea img[src^='data:image/png']")).to_be_visible()
    expect(root).to_have_count(0)
