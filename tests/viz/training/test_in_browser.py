"""The training monitor in a real browser: in a page of its own, and live in JupyterLab."""

import math
import os

import pytest
import torch

from minigpt import GPT, GPTConfig, generate, load_data, train
from minigpt.training import Record, lr_schedule
from minigpt.viz import TrainingMonitor

expect = pytest.importorskip(
    "playwright.sync_api", reason="No Playwright here. Get it with: pip install playwright"
).expect

PLAN = dict(max_lr=5e-3, min_lr=0.0, warmup_steps=50, max_steps=350)
HOSTILE = "<script>window.bad=1</script><img src=x onerror=window.bad=1>\u202eabc\x00\n🦊\tאב"


def record(step):
    """A step of a run as lesson 06 has it: down, a rest, and down again."""
    rest = 0.27 / (1 + math.exp((step - 200) / 20))
    loss = 0.48 + rest + 6.2 * math.exp(-step / 14) + 0.02 * math.sin(7 * step)
    val_loss = loss if (step + 1) % 50 == 0 else None
    return Record(
        step, loss, lr_schedule(step, **PLAN), 3 * math.exp(-step / 30) + 0.2, 17e3, val_loss
    )


def watched(steps, told="It was red.", levels=(("forgetful", 0.74), ("floor", 0.47))):
    monitor = TrainingMonitor(350, dict(levels), sample=lambda: told)
    for step in range(steps):
        monitor(record(step))
    monitor.draw()
    return monitor


@pytest.fixture
def opened(page, tmp_path):
    """Open a monitor in a page of its own."""

    def open_page(monitor):
        monitor.to_html(tmp_path / "page.html")
        page.set_viewport_size({"width": 1000, "height": 760})
        page.goto((tmp_path / "page.html").as_uri())
        return page.locator(".tm")

    return open_page


def tile(root, name):
    return root.locator(".tm-tile", has=root.page.get_by_text(name, exact=True)).locator("b")


def test_it_shows_where_the_run_stands(opened):
    root = opened(watched(260))
    expect(tile(root, "step")).to_have_text("260 of 350")
    last, look = record(259), record(249)
    expect(tile(root, "loss")).to_have_text(f"{last.loss:.3f}")
    expect(tile(root, "held out")).to_have_text(f"{look.loss:.3f}")
    expect(tile(root, "× floor")).to_have_text(f"{look.loss / 0.47:.2f}")
    expect(tile(root, "tokens/s")).to_have_text("17,000")
    expect(root.locator("progress")).to_have_js_property("value", 260)
    expect(root).to_contain_text("floor 0.47")
    expect(root.locator(".tm-plot .tm-look")).to_have_count(5)
    assert root.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def heights(root, mark):
    """Where the middle of each mark of the large diagram is, in pixels from the top."""
    middle = "nodes => nodes.map((node) => node.getBBox()).map((box) => box.y + box.height / 2)"
    return root.locator(f".tm-plot .{mark}").evaluate_all(middle)


@pytest.mark.parametrize("logarithmic", [True, False])
def test_curves_and_levels_are_drawn_where_their_numbers_are(opened, logarithmic):
    monitor, scale = watched(260), math.log if logarithmic else float
    monitor.logarithmic = logarithmic
    root = opened(monitor)
    floor, memory = heights(root, "tm-level")  # the lowest is drawn first
    assert 0 < memory < floor < 260  # within the axes
    pixels = (floor - memory) / (scale(0.74) - scale(0.47))
    looks = heights(root, "tm-look")
    assert len(looks) == 5
    for step, y in zip(range(49, 260, 50), looks):
        assert y == pytest.approx(
            floor - pixels * (scale(record(step).loss) - scale(0.47)), abs=0.5
        )


def test_the_scale_can_be_changed(opened):
    root = opened(watched(260))
    before = heights(root, "tm-look")
    root.get_by_label("logarithmic").uncheck()
    expect(root.locator(".tm-plot svg text").first).to_have_text("0")
    assert heights(root, "tm-look") != before


def test_the_pointer_reads_all_curves_at_one_step_and_a_click_keeps_it(opened, page):
    root = opened(watched(350))
    plot = root.locator(".tm-plot")
    plot.hover(position={"x": 300, "y": 100})
    here = root.locator(".tm-here")
    step = int(here.text_content().split(":")[0].removeprefix("Step "))
    expect(here).to_contain_text(f"Step {step}: loss {record(step - 1).loss:.3g}")
    expect(root.locator(".tm-cursor")).to_have_count(4)  # in each of the diagrams
    plot.click(position={"x": 300, "y": 100})
    page.mouse.move(5, 5)
    expect(here).to_contain_text(f"Step {step}: ")
    root.get_by_role("button", name="newest step").click()
    expect(here).to_contain_text("Step 350: ")
    expect(root.locator(".tm-cursor")).to_have_count(0)


def test_keys_go_from_step_to_step_and_letters_do_nothing(opened, page):
    root = opened(watched(100))
    plot, here = root.get_by_role("slider", name="Step of the run"), root.locator(".tm-here")
    plot.focus()
    for key, step in (
        ("Home", 1),
        ("ArrowRight", 2),
        ("PageUp", 12),
        ("End", 100),
        ("ArrowLeft", 99),
    ):
        page.keyboard.press(key)
        expect(here).to_contain_text(f"Step {step}: ")
        expect(plot).to_have_attribute("aria-valuenow", str(step))
    before = root.inner_text()
    page.keyboard.type("abj")
    assert root.inner_text() == before
    expect(root.locator(".xp-spoken")).to_contain_text("Step 99: ")


def test_samples_are_listed_and_lead_to_their_step(opened, page):
    root = opened(watched(160))
    rows = root.locator(".tm-sample")
    expect(rows).to_have_count(3)
    rows.nth(0).click()
    expect(root.locator(".tm-here")).to_contain_text("Step 50: ")
    page.keyboard.press("Tab")
    rows.nth(0).focus()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    expect(root.locator(".tm-here")).to_contain_text("Step 100: ")


def test_a_table_tells_the_same(opened):
    root = opened(watched(350))
    root.get_by_label("show as table").check()
    lines = root.locator("tbody tr")
    expect(lines.first).to_be_visible()
    assert 80 <= lines.count() <= 110
    last = lines.last.locator("th, td").all_text_contents()
    assert last[:3] == ["350", f"{record(349).loss:.3f}", f"{record(349).loss:.3f}"]


def test_before_the_first_step_it_waits(opened):
    root = opened(TrainingMonitor(10))
    expect(root.locator(".tm-here")).to_have_text("Waiting for the first step.")
    expect(tile(root, "step")).to_have_text("0 of 10")


def test_hostile_samples_and_names_are_text(opened, page):
    root = opened(watched(50, told=HOSTILE + "x" * 10_000, levels=[(HOSTILE, 0.5)]))
    expect(root.locator("script, img")).to_have_count(0)
    assert page.evaluate("window.bad") is None
    expect(root.locator(".tm-sample bdi")).to_contain_text("\\u202eabc\\x00")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_dark_and_light_differ(browser, tmp_path):
    watched(350, "Once upon a time there was a shy bear named Otto, who lived in a boat.").to_html(
        tmp_path / "page.html"
    )
    seen = set()
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1000, "height": 760})
        page.goto((tmp_path / "page.html").as_uri())
        curve = page.locator(".tm-plot .tm-smooth")
        seen.add(curve.evaluate("node => getComputedStyle(node).stroke"))
        page.close()
    assert len(seen) == 2


def test_few_and_round_numbers_stand_beside_each_axis(opened):
    for monitor in watched(350), watched(60), watched(3), TrainingMonitor(10):
        root = opened(monitor)
        diagrams = root.locator(".tm-plot svg, .tm-three svg")
        expect(diagrams).to_have_count(4)
        expect(diagrams.last.locator(".tm-axis")).to_have_count(1)
        for svg in diagrams.all():
            numbers = svg.locator("text[text-anchor=end]").all_text_contents()
            assert 2 <= len(numbers) <= 9 and len(set(numbers)) == len(numbers)


if os.environ.get("MINIGPT_SCREENSHOTS") == "1":  # of a real run, so it takes minutes

    def test_a_picture_for_the_readme(opened, photograph):
        data = load_data("stories")
        tokenizer, end = data.tokenizer, data.tokenizer.end_of_text
        opening = torch.tensor([[end, *tokenizer.encode("Once upon a time there was")]])

        def sample():
            dice = torch.Generator().manual_seed(1)
            ids = generate(model, opening, 40, generator=dice, stop_token=end)[0, 1:]
            return tokenizer.decode(ids[ids != end])

        torch.manual_seed(1337)
        shape = dict(block_size=128, n_layer=4, n_head=4, n_embd=128)
        model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, **shape))
        monitor = TrainingMonitor(350, {"floor": data.floor}, sample=sample)
        recipe = dict(optimizer="muon", batch_size=32, eval_interval=50, device="cpu", **PLAN)
        train(model, data, on_step=monitor, progress=False, **recipe)
        photograph(opened(monitor), "training_monitor")


CELL = """
import time
from minigpt.training import Record
from minigpt.viz import TrainingMonitor
monitor = TrainingMonitor(40, {"floor": 0.5}, sample=lambda: "<b>red</b>", sample_every=10)
for step in range(40):
    monitor(Record(step, 3 - 0.05 * step, 0.001, 0.5, 1000.0, None))
    time.sleep(0.25)
"""


def test_in_jupyterlab_it_grows_while_python_works_and_leaves_a_picture(page, lab):
    lab.write("training", CELL)
    lab.open(page, "training")
    lab.choose_from_menu(page, "Run", "Run All Cells")
    root = page.locator(".jp-Notebook .tm")
    expect(root).to_have_count(1, timeout=60_000)
    steps = set()
    for _ in range(200):
        steps.add(tile(root, "step").text_content())
        if len(steps) > 3:
            break
        page.wait_for_timeout(100)
    assert len(steps) > 3  # while the cell was running
    expect(page.locator(".jp-CodeCell .jp-InputPrompt", has_text="*")).to_have_count(1)
    expect(page.locator(".jp-CodeCell .jp-InputPrompt", has_text="*")).to_have_count(
        0, timeout=60_000
    )
    expect(root).to_have_count(1)
    expect(tile(root, "step")).to_have_text("40 of 40")
    expect(root.locator(".tm-sample")).to_have_count(4)
    saved = lab.save(page, "training")
    (output,) = saved.cells[0].outputs
    assert output.data["text/plain"].startswith("Training, step 40 of 40")
    assert "image/png" in output.data
