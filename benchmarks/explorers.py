"""How quickly an explorer answers a key, beside interactive_output with matplotlib.

Both play in one notebook, in a real JupyterLab and a real Chromium, on the same patterns: 12 layers
of 12 heads over 128 tokens. Both show the head's map and where the last token looks. Timed is from
the key to the end of the frame that shows the change; a frame comes every 17 ms.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Result, publish
from tests.browser.chromium import FLAGS, find_chromium  # the tests' own way to a browser
from tests.browser.lab import running_lab

SETUP = """
import torch
from minigpt import GPT, GPTConfig, from_pretrained
from minigpt.stories import Stories

_, tokenizer = from_pretrained("storyteller")
torch.manual_seed(0)
model = GPT(GPTConfig(tokenizer.vocab_size, 256, n_layer=12, n_head=12, n_embd=192)).eval()
with torch.no_grad():
    for block in model.transformer.h:
        block.attn.c_attn.weight.mul_(20)
stories = iter(Stories(0))
ids = []
while len(ids) < 128:
    ids += tokenizer.encode(next(stories))
text = tokenizer.decode(ids[:128])
"""
OURS = """
from minigpt.viz import AttentionExplorer
explorer = AttentionExplorer(model, tokenizer, text)
explorer
"""
THEIRS = """
%matplotlib inline
import matplotlib.pyplot as plt
from ipywidgets import IntSlider, VBox, interactive_output
from minigpt.interpret import attention_patterns
from minigpt.viz.figures.plots import plot_attention, plot_bars
patterns = attention_patterns(model, torch.tensor([tokenizer.encode(text)]))[:, 0]
tokens = explorer.tokens
sliders = {name: IntSlider(max=11, description=name) for name in ("layer", "head")}

def show(layer, head):
    _, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.6))
    plot_attention(patterns[layer, head], tokens, f"layer {layer}, head {head}", left)
    best = patterns[layer, head, -1].topk(6)
    plot_bars([tokens[i] for i in best.indices], best.values.tolist(), "looks at", right)
    plt.show()

VBox([*sliders.values(), interactive_output(show, sliders)])
"""
# Resolve with the milliseconds from the next key to the end of the first frame in which `seen()`
# gives another text. A message posted from a frame's callback arrives when the frame is painted.
WATCH = """
seen => new Promise(resolve => {
  const before = seen();
  addEventListener("keydown", event => {
    const look = () => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => seen() === before
        ? requestAnimationFrame(look) : resolve(performance.now() - event.timeStamp);
      channel.port2.postMessage(0);
    };
    requestAnimationFrame(look);
  }, { capture: true, once: true });
})
"""
HEADING = "() => document.querySelector('.ae-map h4').textContent"
CHOSEN = ".ae-head[tabindex='0']"  # the arrow keys move from here
SETTLE = 300  # milliseconds between keys, so that none waits for the one before
IMAGE = "() => document.querySelector('.widget-output img, .jupyter-widgets-output-area img')?.src"
# A page of its own: milliseconds from the call of render() to the end of its first frame.
DRAWN = """
const started = performance.now();
widget.render({ model, el: document.getElementById("here") });
requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => { window.drawn = performance.now() - started; };
  channel.port2.postMessage(0);
});
"""


@contextmanager
def browser() -> Iterator:
    """Open a Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        path = find_chromium()
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def key_to_paint(page, seen: str, key: str) -> float:
    """Press a key and return the seconds until what `seen` looks at has changed and is painted."""
    watch = page.evaluate_handle(f"() => ({{ ready: ({WATCH})({seen}) }})")
    page.keyboard.press(key)
    return watch.evaluate("watch => watch.ready") / 1000


def in_turn(page, contenders: dict[str, tuple], rounds: int) -> dict[str, list[float]]:
    """Press a key in each contender, round by round, and return the seconds of each.

    A contender is what gets the focus, what to look at, and two keys: there and back.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_number in range(-1, rounds):  # the first is to warm up
        for name, (place, seen, keys) in contenders.items():
            place.focus()
            page.wait_for_timeout(SETTLE)
            took = key_to_paint(page, seen, keys[round_number % 2])
            if round_number >= 0:
                seconds[name].append(took)
    return seconds


def time_keys(chromium, rounds: int) -> dict[str, list[float]]:
    """Time the change of layer and head in a notebook, in ours and in theirs."""
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        (home / "notebooks").mkdir()
        with running_lab(home, home / "notebooks") as lab:
            lab.write("explorers", SETUP, OURS, THEIRS)
            page = chromium.new_page(viewport={"width": 1280, "height": 1000})
            lab.open(page, "explorers")
            lab.run_all(page, "explorers")
            page.locator(".ae textarea:enabled").wait_for()
            page.wait_for_function(f"({IMAGE})()")
            sliders = page.locator(".noUi-handle")
            across, down = ("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown")
            seconds = {}
            for name, i, keys in (("layer", 0, down), ("head", 1, across)):
                contenders = {
                    f"interactive_output, {name}": (sliders.nth(i), IMAGE, across),
                    f"minigpt, {name}": (page.locator(CHOSEN), HEADING, keys),
                }
                seconds |= in_turn(page, contenders, rounds)
            page.close()
    return seconds


def time_creation(chromium, rounds: int) -> dict[str, float]:
    """Return the median seconds that each part of creating the explorer takes."""
    from minigpt.viz import AttentionExplorer

    scope: dict = {}
    exec(SETUP, scope)
    parts: dict[str, list[float]] = {
        "made in Python": [],
        "picture": [],
        "drawn in the browser": [],
    }
    for _ in range(rounds):
        started = time.perf_counter()
        explorer = AttentionExplorer(scope["model"], scope["tokenizer"], scope["text"])
        made = time.perf_counter()
        explorer.picture()
        parts["made in Python"].append(made - started)
        parts["picture"].append(time.perf_counter() - made)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "page.html"
            explorer.to_html(path)
            call = 'widget.render({ model, el: document.getElementById("here") });'
            html = path.read_text(encoding="utf-8")
            assert call in html
            path.write_text(html.replace(call, DRAWN), encoding="utf-8")
            page = chromium.new_page(viewport={"width": 1280, "height": 1000})
            page.goto(path.as_uri())
            while not (drawn := page.evaluate("window.drawn")):  # the page forbids eval
                page.wait_for_timeout(20)
            parts["drawn in the browser"].append(drawn / 1000)
            page.close()
    return {name: statistics.median(seconds) for name, seconds in parts.items()}


def late(seconds: list[float]) -> str:
    """Hold the 95th percentile against 50 ms."""
    percentile = 1000 * sorted(seconds)[int(0.95 * len(seconds))]
    return f"{percentile:.1f} ms: {'met' if percentile < 50 else 'NOT met'}"


def run(peers: dict[str, Path], quick: bool) -> None:
    """Time keys in both, and how long the grid of 144 heads takes to appear."""
    with browser() as chromium:
        seconds = time_keys(chromium, 5 if quick else 50)
        creation = time_creation(chromium, 3 if quick else 9)
    shown = creation["drawn in the browser"]
    notes = {
        "144 heads drawn, 95th percentile of keys (goals: 0.3 s, 50 ms)": {
            "first frame": f"{1000 * shown:.0f} ms: {'met' if shown < 0.3 else 'NOT met'}",
            **{name: late(times) for name, times in seconds.items() if name.startswith("minigpt")},
        },
        "before it is drawn, ms": {
            name: f"{1000 * took:.0f}" for name, took in creation.items() if took is not shown
        },
    }
    for name in ("layer", "head"):
        theirs, ours = f"interactive_output, {name}", f"minigpt, {name}"
        title = f"From a key to the change of {name} on the screen, 144 heads over 128 tokens"
        pair = {theirs: seconds[theirs], ours: seconds[ours]}
        publish(
            Result(
                f"explorers_{name}",
                title,
                theirs,
                pair,
                goals={ours: 10},
                notes=notes if name == "layer" else {},
            )
        )
