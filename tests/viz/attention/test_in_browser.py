"""The head explorer in a real JupyterLab, in a real browser, unplugged."""

import json
import re

import pytest

from minigpt import from_pretrained
from minigpt.viz import AttentionExplorer

playwright = pytest.importorskip(
    "playwright.sync_api", reason="No Playwright here. Get it with: pip install playwright"
)
expect = playwright.expect
expect.set_options(timeout=20_000)  # milliseconds: the machine may be busy

STORY = (
    "In a faraway town there was a polite mole named Hugo. Every night he sang to his white bucket."
)
CELLS = (
    "from minigpt import from_pretrained\n"
    "from minigpt.viz import AttentionExplorer\n"
    "model, tokenizer = from_pretrained('storyteller')",
    f"explorer = AttentionExplorer(model, tokenizer, {STORY!r})\nexplorer",
    "1 + 1",
)


@pytest.fixture
def shown(page, lab, request):
    """A notebook that has run, and in it the explorer."""
    name = request.node.name
    lab.write(name, *CELLS)
    lab.open(page, name)
    lab.run_all(page, name)
    element = page.locator(".ae")
    expect(element).to_have_count(1)
    expect(element.locator("textarea")).to_be_enabled()  # Python has answered
    element.scroll_into_view_if_needed()
    return element


def says(shown, words):
    expect(shown.locator(".ae-readout")).to_contain_text(words)


def test_everything_that_can_be_done_with_the_mouse(shown):
    chosen = shown.locator(".ae-from .ae-chosen")
    shown.locator(".ae-lines").scroll_into_view_if_needed()
    expect(chosen).to_be_in_viewport()  # the list has scrolled to where its lines begin
    shown.locator(".ae-head").nth(4).click()
    says(shown, "Layer 1, head 0.")
    tokens = shown.locator(".ae-token")
    count = tokens.count()
    tokens.nth(5).hover()
    says(shown, "Token 5, ")
    tokens.nth(16).click()
    tokens.nth(2).hover()
    says(shown, "Token 16, ")
    says(shown, "(locked)")
    expect(shown.locator(".ae-readout .ae-number").first).to_have_text(re.compile(r"\.\d\d %"))
    expect(shown.locator(".ae-panel")).to_contain_text("expects after token 16,")

    shown.get_by_text("Take out layer 1, head 0").click()
    expect(shown.locator(".ae-panel")).to_contain_text("Without 1.0: the loss goes from")
    shown.get_by_label("colour by").select_option("surprise")
    shown.get_by_label("hide the first token").check()
    expect(shown.locator(".ae-caption").first).to_contain_text("Hidden: the first token")

    shown.locator("textarea").fill("Mia saw a blue hat.")
    expect(tokens).not_to_have_count(count)
    expect(shown.locator(".ae-panel")).to_contain_text("Without 1.0: the loss goes from")
    shown.get_by_text("All heads back").click()
    expect(shown.locator(".ae-panel")).to_contain_text("All heads are in place")


def test_the_keyboard_alone_and_letters_stay_inside(page, shown):
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    shown.locator("textarea").focus()
    page.keyboard.press("End")
    page.keyboard.type(" a b j")
    expect(shown.locator(".ae-text")).to_contain_text("·b·")
    heads = shown.locator(".ae-head")
    heads.first.focus()
    page.keyboard.type("abj")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(heads.nth(5)).to_be_focused()
    expect(heads.nth(5)).to_have_attribute("aria-checked", "true")
    says(shown, "Layer 1, head 1.")
    page.keyboard.press("x")
    expect(shown.locator(".ae-panel")).to_contain_text("Without 1.1: the loss goes from")
    shown.locator(".ae-token[tabindex='0']").focus()
    page.keyboard.type("abj")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    says(shown, "Token 1, ")
    page.keyboard.press("Enter")
    says(shown, "(locked)")
    shown.locator(".ae-square").first.focus()
    page.keyboard.type("abj")
    page.keyboard.press("ArrowDown")
    says(shown, "Token 2, ")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(cells)
    assert page.locator(".jp-Notebook .jp-InputArea-editor").last.inner_text().strip() == "1 + 1"


def test_the_theme_is_jupyters_and_changes_are_followed(page, lab, shown):
    colours = "n => [getComputedStyle(n).color, getComputedStyle(n).backgroundColor]"
    light = shown.evaluate(colours)
    lab.set_theme(page, "Dark")
    expect(shown).to_have_attribute("data-theme", "dark")
    page.wait_for_function(
        f"([node, light]) => ({colours})(node).every((colour, i) => colour !== light[i])",
        arg=[shown.element_handle(), light],
    )
    lab.set_theme(page, "Light")
    expect(shown).to_have_attribute("data-theme", "light")


def test_reopened_it_shows_its_state_if_trusted_and_its_picture_if_not(page, lab, shown, request):
    name = request.node.name
    shown.locator(".ae-head").nth(6).click()
    shown.locator(".ae-token").nth(4).click()
    shown.get_by_text("Take out layer 1, head 2").click()
    expect(shown.locator(".ae-panel")).to_contain_text("Without 1.2: the loss")
    saved = lab.save(page, name)

    lab.choose_from_menu(page, "Kernel", "Shut Down Kernel")
    page.get_by_text(re.compile(r"No Kernel")).first.wait_for()
    lab.open(page, name)
    expect(shown).to_have_count(1)
    says(shown, "Layer 1, head 2. Token 4, ")
    says(shown, "(locked)")
    expect(shown.locator(".ae-panel")).to_contain_text("Without 1.2: the loss")
    expect(shown).to_contain_text("No kernel answers")
    expect(shown.locator("textarea")).to_be_disabled()

    # A notebook from elsewhere is signed by nobody here.
    saved.metadata["title"] = "sent by somebody"
    path = lab.folder / f"{name}_untrusted.ipynb"
    path.write_text(json.dumps(saved), encoding="utf-8")
    lab.open(page, path.stem)
    picture = page.locator(".jp-OutputArea img[src^='data:image/png']")
    expect(picture).to_have_count(1)
    assert picture.evaluate("image => image.naturalWidth") > 800
    expect(shown).to_have_count(0)


KITE = (  # lesson 00's
    "<|endoftext|>Once upon a time there was a curious fox named Ruby, who lived in a teapot. "
    "Every night she sang to her purple kite. "
    "Next door lived Otto, a sleepy bear who snored like thunder. "
    "One windy Sunday a seagull stole the kite. "
    "First Ruby looked under the bed and found three kings. "
    '"What colour is it?" asked Otto. "It is purple," sobbed Ruby. '
    "In the end it was up the chimney. The moon was shining on it. "
    "Nobody ever explained the three kings. And what colour was the kite? It was"
)


def test_without_the_head_that_remembers_the_storyteller_guesses(played, photograph):
    model, tokenizer = from_pretrained("storyteller")
    explorer = AttentionExplorer(model, tokenizer, KITE, layer=1, head=0)
    root = played(explorer)
    says(root, "·purple")
    root.locator(".ae-token").last.click()
    expect(root.locator(".ae-panel")).to_contain_text("·purple")
    root.get_by_text("Take out layer 1, head 0").click()
    expect(root.locator(".ae-panel")).to_contain_text("Without 1.0: the loss goes from")
    first = root.locator(".ae-panel tbody tr").first
    expect(first).to_contain_text("·purple")  # what it said with all heads; then without
    shares = [float(x) for x in re.findall(r"([\d.]+) %", first.inner_text())]
    assert shares[0] > 90 and shares[1] < 50
    photograph(root, "explorer_attention")
