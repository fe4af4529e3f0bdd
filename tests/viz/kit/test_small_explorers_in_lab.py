"""The explorers that have no test of their own in JupyterLab, in one notebook: themes and keys."""

import pytest

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
CELLS = (
    "from minigpt import from_pretrained, viz\n"
    "from minigpt.verification import verify\n"
    "model, tokenizer = from_pretrained('storyteller', verbose=False)\n"
    "prompt = '<|endoftext|>Once upon a time there was a shy fox named'\n"
    "ids = tokenizer.encode(prompt, {'<|endoftext|>'})",
    "window = viz.StreamWindow(ids, tokenizer, 4)\nwindow",
    "viz.CoinFloor({'kite': 0.5, 'hat': 0.5})",
    "viz.SizeExplorer(model.config)",
    "viz.VerifyStrip(verify(model, model))",
    "viz.StreamParts(model, tokenizer, prompt)",
    "patches = viz.PatchMap(model, tokenizer, prompt + ' Max. Max', prompt + ' Leo. Leo',\n"
    "    answers=(' was', '.'))\npatches",
)
ROOTS = (".sw", ".cf", ".sz", ".vs", ".sp", ".pm")


def test_each_plays_in_jupyterlab_in_both_themes_and_is_there_when_reopened(page, lab, request):
    expect.set_options(timeout=30_000)  # milliseconds: the machine may be busy
    name = request.node.name
    lab.write(name, *CELLS)
    lab.open(page, name)
    lab.run_all(page, name)
    for selector in ROOTS:
        expect(page.locator(selector)).to_have_count(1)
    cells = page.locator(".jp-Notebook .jp-Cell").count()

    page.locator(".sw input[type=range]").focus()
    page.keyboard.type("abj")  # commands of the notebook, elsewhere
    page.keyboard.press("End")
    expect(page.locator(".sw .sw-warning")).to_contain_text("last window that fits")
    page.get_by_role("slider", name="guessed probability of kite").fill("0.9")
    expect(page.locator(".cf-verdict")).to_contain_text("loss 1.204 = floor 0.693 + gap 0.511")
    page.locator(".sz").get_by_role("button", name="gpt2-xl").click()
    expect(page.locator(".sz-sum")).to_contain_text("1,557,611,200 parameters")
    page.locator(".vs-strip button").last.click()
    expect(page.locator(".vs-details h4")).to_have_text("logits")
    said = page.locator(".sp-said")
    for part in ("attn 0", "mlp 2"):  # both off: Python is asked
        page.locator(".sp").get_by_label(part).click()
    expect(said).to_contain_text("Without attn 0, mlp 2: ")
    expect(said).to_contain_text("long. With all:")
    page.locator(".pm-cell").first.focus()
    page.keyboard.type("abj")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".pm-said")).to_contain_text("residual stream after block 0")
    page.locator(".pm-cell").last.click()
    expect(page.locator(".pm-said")).to_contain_text("moved +100 % of the way")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(cells)

    for theme in ("Dark", "Light"):
        lab.set_theme(page, theme)
        for selector in ROOTS:
            expect(page.locator(selector)).to_have_attribute("data-theme", theme.lower())

    lab.save(page, name)
    # Elsewhere a kernel knows nothing of them: what is shown was saved.
    again = f"{name}_again"
    lab.folder.joinpath(f"{again}.ipynb").write_bytes(
        lab.folder.joinpath(f"{name}.ipynb").read_bytes()
    )
    lab.open(page, again)
    for selector in ROOTS:
        expect(page.locator(selector)).to_have_count(1)
    expect(page.locator(".sw .sw-warning")).to_contain_text("last window that fits")
    expect(page.locator(".cf-verdict")).to_contain_text("loss 1.204 = floor 0.693 + gap 0.511")
    expect(page.locator(".sz-sum")).to_contain_text("1,557,611,200 parameters")
    expect(page.locator(".vs-details h4")).to_have_text("logits")
    expect(said).to_contain_text("Without attn 0, mlp 2: ")
    expect(page.locator(".sp .xp-alone")).to_contain_text("No kernel answers")
    expect(page.locator(".pm-said")).to_contain_text("moved +100 % of the way")
