"""The browser's sampler keeps the same tokens as minigpt.sampling, with the same probabilities."""

import base64
import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import torch

import minigpt.viz
from minigpt.sampling import apply_temperature, next_token_distribution, top_k_filter, top_p_filter

pytest.importorskip("playwright.sync_api")
SCRIPT = (Path(minigpt.viz.__file__).parent / "sampling" / "sampler.js").read_text(encoding="utf-8")
TEMPERATURES = (0, 0.1, 0.5, 0.7, 1, 1.3, 2, 10)
KS = (None, 1, 2, 40, 1000, 10**6)
PS = (None, 0.01, 0.5, 0.9, 0.999999, 1)
SETTINGS = list(itertools.product(TEMPERATURES, KS, PS))
# Runs the sampler over all settings; returns by setting the ids kept and their probabilities.
RUN = """async ([script, logits, settings]) => {
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { rank, distribution } = await import(address);
  const bytes = Uint8Array.from(atob(logits), (c) => c.charCodeAt(0));
  const floats = new Float32Array(bytes.buffer);
  const ranked = rank(floats);
  const packed = (array) => {
    const bytes = new Uint8Array(array.buffer);
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) {
      text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    }
    return btoa(text);
  };
  return settings.map(([temperature, topK, topP]) => {
    const d = distribution(floats, ranked, { temperature, topK, topP });
    const { order, probabilities, kept, mass, massK, byK, before, after } = d;
    return {
      ids: packed(order.slice(0, kept)),
      shares: packed(probabilities.slice(0, kept).map((share) => share / mass)),
      kept, mass, massK, byK, before, after,
    };
  });
}"""


def in_browser(page, logits, settings):
    data = base64.b64encode(logits.numpy().astype("<f4").tobytes()).decode("ascii")
    return page.evaluate(RUN, [SCRIPT, data, settings])


def logits_of(kind):
    generator = torch.Generator().manual_seed(7)
    if kind == "GPT-2's vocabulary":
        return 3 * torch.randn(50257, generator=generator) - 30
    if kind == "ties":
        return (2 * torch.randn(1024, generator=generator)).round()
    if kind == "all equal":
        return torch.full((1000,), -1.5)
    if kind == "zeros of both signs":
        return torch.tensor([-1.0, -0.0, 0.0, -0.0, 0.0, -1.0])
    # Neighbours among the floats: a temperature above 1 makes pairs of them equal.
    steps = torch.randperm(1024, generator=generator).to(torch.int32)
    return (torch.tensor(1.9).view(torch.int32) + steps).view(torch.float32)


KINDS = ["GPT-2's vocabulary", "ties", "all equal", "zeros of both signs", "neighbours"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_kept_set_is_equal_and_probabilities_agree_to_a_millionth(page, kind):
    logits = logits_of(kind)
    settings = SETTINGS if len(logits) < 2000 else random.Random(1).sample(SETTINGS, 48)
    for setting, found in zip(settings, in_browser(page, logits, settings)):
        expected = next_token_distribution(logits, *setting)
        ids = np.frombuffer(base64.b64decode(found["ids"]), "<u4").astype(np.int64)
        # Rare ones may be too small for a float32 and are kept all the same: count -inf instead.
        kept = torch.from_numpy(np.sort(ids))
        assert torch.equal(kept, kept_by_python(logits, *setting)), setting
        shares = torch.zeros(len(logits), dtype=torch.float64)
        shares[torch.from_numpy(ids)] = torch.from_numpy(
            np.frombuffer(base64.b64decode(found["shares"]), "<f8").copy()
        )
        assert (shares - expected).abs().max() < 1e-6, setting


def kept_by_python(logits, temperature, k, p):
    """The ids that sampling.py leaves a chance, found by its own filters."""
    if temperature == 0:
        return logits.argmax()[None]
    logits = apply_temperature(logits - logits.max(), temperature)  # as the sampler does
    logits = logits if k is None else top_k_filter(logits, k)
    logits = logits if p is None else top_p_filter(logits, p)
    return logits.isfinite().nonzero().flatten()


def test_masses_and_entropies_are_those_of_the_whole_vocabulary(page):
    logits = logits_of("GPT-2's vocabulary")
    setting = (0.8, 500, 0.9)
    (found,) = in_browser(page, logits, [setting])
    full = (logits.double() / 0.8).softmax(-1)
    by_k = next_token_distribution(logits, 0.8, 500) > 0
    kept = next_token_distribution(logits, *setting) > 0
    cut = full.where(kept, 0) / full[kept].sum()
    assert found["byK"] == 500 and found["kept"] == int(kept.sum()) < 500
    assert found["massK"] == pytest.approx(float(full[by_k].sum()), abs=1e-6)
    assert found["mass"] == pytest.approx(float(full[kept].sum()), abs=1e-6)
    assert found["before"] == pytest.approx(float(torch.special.entr(full).sum()), abs=1e-4)
    assert found["after"] == pytest.approx(float(torch.special.entr(cut).sum()), abs=1e-4)
