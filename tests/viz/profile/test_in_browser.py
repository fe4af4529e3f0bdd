"""The bars of a profile in JupyterLab: mouse, keyboard, both themes, and reopened elsewhere."""

import re

import pytest

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
CELLS = (
    "from minigpt import viz\n"
    "from minigpt.speed.profiling import Part\n"
    "def step(ms):\n"
    "    block = Part('block 0', ms / 1000, (Part('attention', ms / 2000),))\n"
    "    return Part('step', (ms + 10) / 1000, (block, Part('optimizer', 0.01)))",
    "profile = viz.StepProfile(step(40), step(20), labels=('fp32', 'bf16'))\nprofile",
    "profile.opened",
)


def test_it_plays_in_jupyterlab_in_both_themes_and_is_there_when_reopened(page, lab, request):
    expect.set_options(timeout=30_000)  # milliseconds: the machine may be busy
    name = request.node.name
    lab.write(name, *CELLS)
    lab.open(page, name)
    lab.run_all(page, name)
    root = page.locator(".pf")
    expect(root).to_have_count(1)
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    part = root.locator('.pf-part[aria-label^="bf16, block 0: "]')
    part.click()
    expect(root.locator(".pf-bar")).to_have_count(2)
    expect(root.locator(".pf-said")).to_contain_text("fp32 40.0 ms, 80.0 % of the step")
    page.keyboard.press("Escape")
    expect(root.locator(".pf-bar")).to_have_count(1)
    page.keyboard.type("abj")  # commands of the notebook, elsewhere
    page.keyboard.press("Enter")
    expect(root.locator(".pf-bar")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    inner = re.compile("^fp32, attention: 20.0 ms")
    expect(root.locator(".pf-part:focus")).to_have_attribute("aria-label", inner)
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(cells)
    for theme in ("Dark", "Light"):
        lab.set_theme(page, theme)
        expect(root).to_have_attribute("data-theme", theme.lower())
        paper = root.evaluate("n => getComputedStyle(n).backgroundColor")
        bright = [int(x) for x in re.findall(r"\d+", paper)[:3]]
        assert max(bright) < 60 if theme == "Dark" else min(bright) > 200

    lab.save(page, name)
    # Elsewhere a kernel knows nothing of it: what is shown was saved.
    again = f"{name}_again"
    saved = lab.folder.joinpath(f"{name}.ipynb").read_bytes()
    lab.folder.joinpath(f"{again}.ipynb").write_bytes(saved)
    assert saved.count(b"image/png") == 2  # the picture and its words, once
    lab.open(page, again)
    expect(root).to_have_count(1)
    expect(root.locator(".pf-bar")).to_have_count(2)
    expect(root.locator(".pf-said")).to_contain_text("block 0: fp32 40.0 ms")
    part.click()  # it plays on without Python
    expect(root.locator(".pf-bar")).to_have_count(1)
