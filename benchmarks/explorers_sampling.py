"""How quickly the sampling explorer answers a key, beside interactive_output with matplotlib.

Both play in one notebook, in a real JupyterLab and a real Chromium, on the same logits over GPT-2's
vocabulary of 50,257. Timed as in benchmarks/explorers.py.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.explorers import IMAGE, browser, in_turn, late
from benchmarks.harness import Result, publish
from tests.browser.lab import running_lab

SETUP = """
import torch
from minigpt import GPT, GPTConfig, Tokenizer
from minigpt.sampling import next_token_distribution

tokenizer = Tokenizer.gpt2()
torch.manual_seed(0)
model = GPT(GPTConfig(block_size=64, n_layer=1, n_head=2, n_embd=64)).eval()
text = "Once upon a time"
# A head of its own, as sure of itself as a trained one: tied, it would only echo the last token.
model.lm_head.weight = torch.nn.Parameter(0.3 * torch.randn(50257, 64))
with torch.no_grad():
    logits = model(torch.tensor([tokenizer.encode(text)]))[0, -1]
"""
OURS = """
from minigpt.viz import SamplingExplorer
explorer = SamplingExplorer(model, tokenizer, text, temperature=1.0, top_k=200, top_p=0.8)
explorer
"""
THEIRS = """
%matplotlib inline
import matplotlib.pyplot as plt
from ipywidgets import FloatSlider, IntSlider, VBox, interactive_output
from minigpt.viz import plot_next_token
sliders = {
    "temperature": FloatSlider(1.0, min=0.05, max=2, step=0.05),
    "top_k": IntSlider(200, min=1, max=50257),
    "top_p": FloatSlider(0.8, min=0.01, max=1, step=0.01),
}

def show(temperature, top_k, top_p):
    left = next_token_distribution(logits, temperature, top_k, top_p)
    plot_next_token(left, tokenizer, title=f"{temperature}, {top_k}, {top_p}")
    plt.show()

VBox([*sliders.values(), interactive_output(show, sliders)])
"""
FACTS = "() => document.querySelector('.sx-facts').textContent"
SETTINGS = {"temperature": "Temperature", "top-k": "Top-k", "top-p": "Top-p"}
KEYS = ("ArrowLeft", "ArrowRight")


def time_keys(chromium, rounds: int) -> dict[str, list[float]]:
    """Time the change of each setting in a notebook, in ours and in theirs."""
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        (home / "notebooks").mkdir()
        with running_lab(home, home / "notebooks") as lab:
            lab.write("sampling", SETUP, OURS, THEIRS)
            page = chromium.new_page(viewport={"width": 1280, "height": 1000})
            lab.open(page, "sampling")
            lab.run_all(page, "sampling")
            page.locator(".sampling textarea:enabled").wait_for()
            page.wait_for_function(f"({IMAGE})()")
            contenders = {}
            for i, (name, label) in enumerate(SETTINGS.items()):
                theirs = page.locator(".noUi-handle").nth(i)
                ours = page.get_by_role("slider", name=f"{label}, slider")
                contenders[f"interactive_output, {name}"] = (theirs, IMAGE, KEYS)
                contenders[f"minigpt, {name}"] = (ours, FACTS, KEYS)
            seconds = in_turn(page, contenders, rounds)
            page.close()
    return seconds


def run(peers: dict[str, Path], quick: bool) -> None:
    """Time keys in both, for each of the three settings."""
    with browser() as chromium:
        seconds = time_keys(chromium, 5 if quick else 50)
    for name in SETTINGS:
        theirs, ours = f"interactive_output, {name}", f"minigpt, {name}"
        publish(
            Result(
                f"explorers_{name.replace('-', '_')}",
                f"From a key to the change of {name} on the screen, 50,257 tokens",
                theirs,
                {theirs: seconds[theirs], ours: seconds[ours]},
                goals={ours: 10},
                notes={"95th percentile (goal: 50 ms)": {ours: late(seconds[ours])}},
            )
        )
