"""`minigpt verify`: prove on your machine that a model computes what it should."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch.nn.utils.rnn import pad_sequence

from minigpt.config import PRESETS, GPTConfig
from minigpt.data import NO_TARGET
from minigpt.devices import memory_available
from minigpt.model import GPT
from minigpt.pretrained import find_file, from_pretrained, memory_needed
from minigpt.sampling import generate
from minigpt.stories import Stories
from minigpt.tokenizer import Tokenizer
from minigpt.training import cross_entropy
from minigpt.verification import verify

PARAMETERS = {
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
}
# What others got from the same weights, taking the likeliest token each time. Source: picoGPT.
PROMPT = "Alan Turing theorized that computers would one day become"
PUBLISHED = {"gpt2": " the most powerful machines on the planet."}
WITHIN = 1.05  # how far above the exact floor the storyteller's loss may be
TEST_SEED, TEST_STORIES = 3, 300  # stories to measure on, from a seed that nothing is trained on


class Line(NamedTuple):
    """One thing checked: "pass", "FAIL" or "----" (not checked), and why."""

    verdict: str
    name: str
    words: str


def verdict(passed: bool) -> str:
    return "pass" if passed else "FAIL"


def size_name(config: GPTConfig) -> str | None:
    """Return which of the four released sizes this is, if it is one.

    >>> size_name(GPTConfig())
    'gpt2'
    """
    same = (name for name in PRESETS if GPTConfig.preset(name) == replace(config, dropout=0.0))
    return next(same, None)


def check_parameters(model: GPT) -> Line:
    """Count the parameters and compare with what was published."""
    count, size = model.num_parameters(), size_name(model.config)
    if size is None:
        return Line("----", "parameters", f"{count:,}; a size of your own, nothing to compare with")
    words = f"{count:,}; {size} has {PARAMETERS[size]:,}"
    return Line(verdict(count == PARAMETERS[size]), "parameters", words)


def check_continuation(model: GPT, tokenizer: Tokenizer) -> Line:
    """Continue a prompt greedily and compare with what others got."""
    published = PUBLISHED.get(size_name(model.config))
    if published is None:
        return Line("----", "continuation", f"published for {', '.join(PUBLISHED)} only")
    idx = torch.tensor([tokenizer.encode(PROMPT)])
    new = len(tokenizer.encode(published))
    text = tokenizer.decode(generate(model, idx, new, temperature=0)[0, idx.size(1) :])
    if text == published:
        return Line("pass", "continuation", f"{PROMPT}{text}")
    return Line("FAIL", "continuation", f"{text!r}, published: {published!r}. Was it fine-tuned?")


def reference_model(file: Path, config: GPTConfig):
    """Return the same weights as the transformers library reads and runs them."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {key: getattr(config, key) for key in ("vocab_size", "n_layer", "n_head", "n_embd")}
    ids = {"bos_token_id": None, "eos_token_id": None}  # GPT-2's own are beyond a small vocabulary
    model = GPT2LMHeadModel(GPT2Config(n_positions=config.block_size, **sizes, **ids))
    weights = load_file(file)
    prefixed = any(name.startswith("transformer.") for name in weights)
    (model if prefixed else model.transformer).load_state_dict(weights, strict=False)
    return model.eval()


def check_against_transformers(model: GPT, file: Path) -> Line:
    """Compare every module's output with the transformers library's."""
    name = "transformers"
    if find_spec("transformers") is None:
        return Line("----", name, "not installed; to compare with it: pip install transformers")
    if not model.config.bias:
        return Line("----", name, "its GPT-2 always has biases, this model has none")
    if memory_available() < memory_needed(model.config):
        return Line("----", name, "not enough memory for a second copy of the weights")
    result = verify(model, reference_model(file, model.config))
    return Line(verdict(result.ok), name, str(result.message))


@torch.no_grad()
def check_stories(model: GPT, tokenizer: Tokenizer) -> Line:
    """Compare the loss on held-out stories with the best possible on the very same stories."""
    stories = list(islice(Stories(TEST_SEED), TEST_STORIES))
    end = tokenizer.end_of_text
    rows = [torch.tensor([end, *tokenizer.encode(story), end]) for story in stories]
    x = pad_sequence([row[:-1] for row in rows], batch_first=True, padding_value=end)
    y = pad_sequence([row[1:] for row in rows], batch_first=True, padding_value=NO_TARGET)
    loss = cross_entropy(model(x), y).item()  # nats per token
    floor = -sum(map(Stories.log_prob, stories)) / int((y != NO_TARGET).sum())
    words = f"{loss:.4f} nats a token, {loss / floor:.3f} of the best possible, {floor:.4f}"
    return Line(verdict(loss <= WITHIN * floor), "stories", f"{words}; allowed: {WITHIN}")


def checks(name: str, file: Path) -> Iterator[Line]:
    """Yield the checks of a model, one after another."""
    try:
        model, tokenizer = from_pretrained(name, dtype=torch.float32, verbose=False)
    except ValueError as error:
        yield Line("FAIL", "file", str(error))
        return
    yield Line("pass", "file", f"{file}, {file.stat().st_size / 1e6:,.1f} MB")
    yield check_parameters(model)
    if name == "storyteller":
        yield check_stories(model, tokenizer)
    else:
        yield check_continuation(model, tokenizer)
    yield check_against_transformers(model, file)


def run(args: argparse.Namespace) -> int:
    """Print one line a check; return 1 if one failed."""
    verdicts = []
    for line in checks(args.name, find_file(args.name)):
        print(f"{line.verdict}  {line.name:<12}  {line.words}", flush=True)
        verdicts.append(line.verdict)
    counts = {"passed": "pass", "failed": "FAIL", "not checked": "----"}
    print("\n" + ", ".join(f"{verdicts.count(v)} {words}" for words, v in counts.items()) + ".")
    return 1 if "FAIL" in verdicts else 0
