"""When a view of an explorer is closed, nothing of it is left: no listener, observer or timer."""

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.speed.profiling import Part
from minigpt.tokenizer import Tokenizer
from minigpt.verification import verify
from minigpt.viz import (
    AttentionExplorer,
    CoinFloor,
    PatchMap,
    PatternMap,
    SamplingExplorer,
    ScoreMap,
    SizeExplorer,
    StepProfile,
    StreamParts,
    StreamWindow,
    TokenizerExplorer,
    VerifyStrip,
)
from minigpt.viz.training.monitor import TrainingMonitor

TEXT = "the red kite fell. the red kite rose."
OTHER = "the red kite fel.. the red kite rose."  # of as many tokens
# What outlives the nodes of a view, counted by what it is: begun adds one, ended takes it away.
COUNTING = """
window.left = new Map();
const count = (key, by) => left.set(key, (left.get(key) ?? 0) + by);
// The page has the script as a blob; what drives the page listens too.
const ours = () => new Error().stack.includes("blob:");
for (const name of ["ResizeObserver", "IntersectionObserver", "MutationObserver"]) {
  window[name] = class extends window[name] {
    observe(...all) {
      if (!this.begun && ours()) {
        count(name, 1);
        this.begun = true;
      }
      super.observe(...all);
    }
    disconnect() {
      if (this.begun) count(name, -1);
      this.begun = false;
      super.disconnect();
    }
  };
}
const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype;
const outside = (target) => !(target instanceof Element) && ours();
EventTarget.prototype.addEventListener = function (name, ...all) {
  if (outside(this ?? window)) count(`listener ${name}`, 1);
  add.call(this, name, ...all);
};
EventTarget.prototype.removeEventListener = function (name, ...all) {
  if (outside(this ?? window)) count(`listener ${name}`, -1);
  remove.call(this, name, ...all);
};
for (const [begin, end, repeats] of [["setTimeout", "clearTimeout"],
  ["requestAnimationFrame", "cancelAnimationFrame"], ["setInterval", "clearInterval", true]]) {
  const [start, stop] = [window[begin].bind(window), window[end].bind(window)];
  const waiting = new Set();
  const done = (id) => waiting.delete(id) && count(begin, -1);
  window[begin] = (act, ...all) => {
    const id = start((...values) => {
      if (!repeats) done(id);
      act(...values);
    }, ...all);
    if (ours()) {
      waiting.add(id);
      count(begin, 1);
    }
    return id;
  };
  window[end] = (id) => { done(id); stop(id); };
}
"""
LEFT = "() => Object.fromEntries([...left].filter(([, count]) => count))"
HELD = "() => [...held].filter(([, all]) => all.size).map(([name]) => name)"  # by the model


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXT * 4, vocab_size=270)


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    return GPT(GPTConfig(tokenizer.vocab_size, 64, n_layer=2, n_head=2, n_embd=16)).eval()


def explorer(name, model, tokenizer):
    pattern = torch.full((5, 5), 0.2).tril()
    return {
        "attention": lambda: AttentionExplorer(model, tokenizer, TEXT),
        "compared": lambda: AttentionExplorer(model, tokenizer, TEXT, compare=OTHER),
        "coin": lambda: CoinFloor({"kite": 0.5, "hat": 0.5}),
        "map": lambda: PatternMap(pattern, list("abcde")),
        "patches": lambda: PatchMap(model, tokenizer, TEXT, OTHER, answers=("t", "r")),
        "profile": lambda: StepProfile(Part("step", 1.0, (Part("forward", 0.4),))),
        "scores": lambda: ScoreMap(torch.eye(3), list("abc"), torch.eye(3), torch.eye(3)),
        "sampling": lambda: SamplingExplorer(model, tokenizer, "the red"),
        "sizes": lambda: SizeExplorer(),
        "stream": lambda: StreamParts(model, tokenizer, "the red"),
        "tokenizer": lambda: TokenizerExplorer({"ours": tokenizer}, TEXT),
        "training": lambda: TrainingMonitor(10),
        "verify": lambda: VerifyStrip(verify(model, model)),
        "window": lambda: StreamWindow(tokenizer.encode(TEXT), tokenizer, 4),
    }[name]()


def open_view(page, widget, path):
    """Open the widget in a page that counts, and keeps the function that ends the view."""
    widget.to_html(path)
    html = path.read_text(encoding="utf-8")
    for before, after in (
        ("widget.render(", "window.leave = await widget.render("),
        ("const listeners = new Map();", "const listeners = window.held = new Map();"),
    ):
        assert before in html
        html = html.replace(before, after)
    path.write_text(html, encoding="utf-8", newline="\n")
    page.add_init_script(COUNTING)
    page.goto(path.as_uri())
    page.wait_for_function("() => window.leave")


NAMES = ["attention", "coin", "map", "sampling", "scores", "sizes", "stream", "tokenizer"]
NAMES += ["training", "verify", "window", "compared", "patches", "profile"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_of_a_view_that_is_closed(page, tmp_path, model, tokenizer, name):
    open_view(page, explorer(name, model, tokenizer), tmp_path / "page.html")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")  # a choice, so that timers and frames are under way
    before = page.evaluate(LEFT)
    assert before["MutationObserver"] == 1
    assert before["listener change"] >= 1
    assert page.evaluate(HELD)
    after = page.evaluate(f"() => {{ leave(); return [({LEFT})(), ({HELD})()]; }}")
    assert after == [{}, []]
