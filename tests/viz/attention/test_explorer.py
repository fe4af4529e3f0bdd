"""The head explorer without Jupyter: its numbers, and its script in a page of its own."""

import base64
import gc
import math
import re
import time
import weakref
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from torch.nn import functional as F

import minigpt.viz
from minigpt.config import GPTConfig
from minigpt.interpret import attention_patterns, hide_first_token
from minigpt.model import GPT
from minigpt.tokenizer import Tokenizer
from minigpt.viz import AttentionExplorer
from minigpt.viz.attention.reading import (
    MOST_WEIGHTS,
    Reading,
    lower_triangle,
    patterns_of,
    thumbnails,
)

VIZ = Path(minigpt.viz.__file__).parent
TEXT = "the red kite fell. the red kite rose."
HOSTILE = "<script>alert(1)</script>\u202egnol <b>&amp;</b> 🦊 a\x00b\n'\" $\\frac{1}$ \u2028 狐"


@pytest.fixture(scope="module")
def tokenizer():
    # Without a mark that would come first: what is typed is what is read.
    return Tokenizer.train(TEXT * 4, vocab_size=274, special_tokens=[])


def make_model(tokenizer, block_size=320, n_layer=3, n_head=2, n_embd=32):
    torch.manual_seed(0)
    model = GPT(GPTConfig(tokenizer.vocab_size, block_size, n_layer, n_head, n_embd))
    with torch.no_grad():  # as it starts, a model attends evenly: no head differs from another
        for block in model.transformer.h:
            block.attn.c_attn.weight.mul_(12)
            block.attn.c_proj.weight.mul_(20)
    return model.eval()


@pytest.fixture(scope="module")
def model(tokenizer):
    return make_model(tokenizer)


@pytest.fixture
def explorer(model, tokenizer):
    return AttentionExplorer(model, tokenizer, TEXT)


def planted(tokenizer):
    """A model whose head 1 of layer 0 looks at the token before, by its position alone."""
    model = make_model(tokenizer, block_size=32, n_layer=1, n_head=2, n_embd=64)
    places = torch.linalg.qr(torch.randn(64, 32))[0].T  # (32, 64), orthonormal rows
    with torch.no_grad():
        model.transformer.wte.weight.mul_(0.01)
        model.transformer.wpe.weight.copy_(places)
        weight = model.transformer.h[0].attn.c_attn.weight  # (3 * 64, 64): q, k, v of both heads
        weight[32:64] = 2 * places.roll(-1, dims=0)  # the query of position p is the key of p - 1
        weight[96:128] = 2 * places
    return model


def unpacked(explorer, name):
    """The triangles that are sent, as full patterns (layers held, heads, T, T)."""
    _, heads, T = explorer.shape
    packed = np.frombuffer(getattr(explorer, name), dtype=np.uint8).astype(np.float32) / 255
    rows, columns = np.tril_indices(T)
    full = np.zeros((explorer.held[1], heads if "weights" in name else 1, T, T), np.float32)
    full[..., rows, columns] = packed.reshape(*full.shape[:2], -1)
    return torch.from_numpy(full)


def ids_of(explorer, tokenizer):
    return torch.tensor([tokenizer.encode(explorer.text)])


# --- Numbers ---


def test_every_weight_arrives_to_a_fifth_of_a_percent(explorer, model, tokenizer):
    patterns = attention_patterns(model, ids_of(explorer, tokenizer))[:, 0]
    torch.testing.assert_close(unpacked(explorer, "weights"), patterns, atol=0.002, rtol=0)
    hidden = hide_first_token(patterns)[0]
    torch.testing.assert_close(unpacked(explorer, "weights_hidden"), hidden, atol=0.002, rtol=0)


def test_the_rollout_is_the_product_of_half_attention_and_half_staying(explorer, model, tokenizer):
    patterns = attention_patterns(model, ids_of(explorer, tokenizer))[:, 0].double()
    T = patterns.size(-1)
    flow, expected = torch.eye(T, dtype=torch.float64), []
    for layer in patterns:
        flow = (layer.mean(0) + torch.eye(T)) / 2 @ flow
        expected.append(flow)
    received = unpacked(explorer, "rollout")[:, 0]
    torch.testing.assert_close(received, torch.stack(expected).float(), atol=0.002, rtol=0)


def test_a_thumbnail_keeps_the_largest_weight_of_each_pixel():
    patterns = torch.zeros(1, 80, 80)
    patterns[0, 41, 7] = 0.8
    small = thumbnails(patterns)
    assert small.shape == (1, 40, 40)
    assert small[0, 20, 3] == 204
    assert small.count_nonzero() == 1


def test_surprisal_is_the_loss_token_by_token(explorer, model, tokenizer):
    idx = ids_of(explorer, tokenizer)
    with torch.no_grad():
        expected = F.cross_entropy(model(idx)[0, :-1], idx[0, 1:], reduction="none")
    torch.testing.assert_close(torch.tensor(explorer.surprisal), expected, atol=1e-5, rtol=0)


def test_ablation_is_a_pass_with_that_heads_output_zeroed(explorer, model, tokenizer):
    size = model.config.head_size
    gone = [(0, 1), (2, 0)]

    def zeroed(layer):
        def hook(module, given):
            x = given[0].clone()
            for _, head in (pair for pair in gone if pair[0] == layer):
                x[..., head * size : (head + 1) * size] = 0
            return x

        return hook

    idx = ids_of(explorer, tokenizer)
    blocks = model.transformer.h
    hooks = [blocks[i].attn.c_proj.register_forward_pre_hook(zeroed(i)) for i in (0, 2)]
    with torch.no_grad():
        logits = model(idx)[0]
    for hook in hooks:
        hook.remove()
    losses = F.cross_entropy(logits[:-1], idx[0, 1:], reduction="none")

    explorer.ablate(gone)
    after = torch.tensor(explorer.without["surprisal"])
    torch.testing.assert_close(after, losses, atol=1e-5, rtol=0)
    assert (after - torch.tensor(explorer.surprisal)).abs().max() > 0.01
    expected = explorer.expected
    ids = [token_id(tokenizer, label) for label in expected["tokens"]]
    probabilities = logits[expected["row"]].softmax(-1)[ids]
    torch.testing.assert_close(
        torch.tensor(expected["shares"][1]), probabilities, atol=1e-5, rtol=0
    )
    assert explorer.ablated == [[0, 1], [2, 0]]
    assert "Without 2 of the heads the loss changes" in explorer.sentence()

    explorer.ablate([])
    assert len(explorer.expected["shares"]) == 1


def token_id(tokenizer, label):
    from minigpt.viz import token_labels

    return token_labels(tokenizer, range(tokenizer.vocab_size)).index(label)


def test_the_last_line_of_the_lens_is_the_model_itself(explorer, model, tokenizer):
    explorer.row = 4
    lines = explorer.lens["layers"]
    assert explorer.lens["row"] == 4
    assert len(lines) == model.config.n_layer + 1
    idx = ids_of(explorer, tokenizer)
    with torch.no_grad():
        logits = model(idx)[0, 4]
    best = logits.softmax(-1).topk(4)
    assert lines[-1]["shares"] == pytest.approx(best.values.tolist(), abs=1e-5)
    true = int(idx[0, 5])
    assert lines[-1]["true"] == pytest.approx(float(logits.softmax(-1)[true]), abs=1e-5)
    assert lines[-1]["rank"] == logits.argsort(descending=True).tolist().index(true) + 1


def test_a_planted_head_has_its_badge_and_noise_has_none(tokenizer, model):
    text = "the red kite fell. the red kite"
    scores = AttentionExplorer(planted(tokenizer), tokenizer, text).scores
    assert scores["previous token"][1] > 0.9
    assert max(scores["previous token"][0], scores["first token"][1]) < 0.4
    torch.manual_seed(1)
    even = GPT(GPTConfig(tokenizer.vocab_size, 320, 3, 2, 32))  # fresh: it attends evenly
    noise = AttentionExplorer(even, tokenizer, text).scores
    assert all(value is None or value < 0.4 for values in noise.values() for value in values)


def test_scores_of_random_tokens_do_not_depend_on_the_text(model, tokenizer):
    found = []
    for text in (TEXT, "a kite"):
        explorer = AttentionExplorer(model, tokenizer, text)
        explorer.answer_scores(on="random")
        found.append(explorer.scores)
        assert explorer.scored_on == "random"
        assert None not in explorer.scores["induction"]
    assert found[0] == found[1]


def test_a_row_that_is_asked_for_comes_exactly(explorer, model, tokenizer):
    answer = explorer.answer_exact(layer=1, head=0, row=6, hide_first=False)
    pattern = attention_patterns(model, ids_of(explorer, tokenizer))[1, 0, 0]
    weights = torch.frombuffer(bytearray(answer["weights"]), dtype=torch.float32)
    assert torch.equal(weights, pattern[6, :7])


def test_above_256_tokens_one_layer_comes_at_a_time(model, tokenizer):
    explorer = AttentionExplorer(model, tokenizer, "kite " * 300, layer=1)
    T = explorer.shape[2]
    assert T > 256
    assert explorer.held == [1, 1]
    assert len(explorer.weights) == 2 * T * (T + 1) // 2
    before = explorer._reading.patterns.clone()
    explorer.answer_layer(layer=2)
    assert explorer.held == [2, 1]
    reading = Reading(model, tokenizer, "kite " * 300)
    assert explorer.weights == lower_triangle(reading.patterns[2:])
    assert torch.equal(explorer._reading.patterns, before)


def test_a_text_that_is_too_long_is_cut_and_says_so(model, tokenizer):
    explorer = AttentionExplorer(model, tokenizer, "kite " * 3000)
    assert explorer.shape[2] == 320
    assert re.fullmatch(r"The text has [\d,]+ tokens; the first 320 are shown\.", explorer.notice)


def test_the_patterns_of_a_text_stay_within_a_gigabyte(tokenizer):
    from minigpt.viz.attention.reading import most_tokens

    with torch.device("meta"):
        large = GPT(GPTConfig.preset("gpt2-xl"))
    most = most_tokens(large)
    assert 256 < most < 1024
    assert 48 * 25 * most**2 <= MOST_WEIGHTS < 48 * 25 * (most + 1) ** 2


def test_another_text_keeps_the_choice_and_the_ablation(explorer):
    explorer.layer, explorer.head, explorer.row = 2, 1, 3
    explorer.ablate([(0, 0)])
    explorer.read("the kite rose")
    assert (explorer.layer, explorer.head) == (2, 1)
    assert explorer.row == explorer.shape[2] - 1 == len(explorer.tokens) - 1
    assert explorer.ablated == [[0, 0]]
    assert len(explorer.without["surprisal"]) == len(explorer.surprisal) == explorer.shape[2] - 1


@pytest.mark.parametrize(
    ("text", "start", "message"),
    [
        ("", {}, "text is empty"),
        ("kite", {"layer": 3}, "layer is 3; here are layers 0 to 2"),
        ("kite", {"head": -3}, "head is -3"),
        ("kite", {"row": 99}, "row is 99"),
    ],
)
def test_what_is_not_there_is_refused(model, tokenizer, text, start, message):
    with pytest.raises(ValueError, match=message):
        AttentionExplorer(model, tokenizer, text, **start)


@pytest.mark.parametrize("parts", [["lines", "grid"], "line", ["Lens"]])
def test_a_part_that_is_not_there_is_named_with_those_that_are(model, tokenizer, parts):
    names = "patterns, lines, take out, lens, scores, rollout, first token, table"
    with pytest.raises(ValueError, match=f"there is no part '(grid|line|Lens)'; .*{names}"):
        AttentionExplorer(model, tokenizer, TEXT, parts=parts)


def test_a_place_can_be_set_from_python_and_must_be_there(explorer):
    explorer.row = explorer.layer = explorer.head = -1
    assert (explorer.layer, explorer.head, explorer.row) == (2, 1, explorer.shape[2] - 1)
    with pytest.raises(ValueError, match="layer is 3; here are layers 0 to 2"):
        explorer.layer = 3
    explorer.row = 999  # as when a script chose it in a longer text
    assert explorer.layer == 2 and explorer.row == explorer.lens["row"] == explorer.shape[2] - 1


def test_a_model_may_know_more_ids_than_the_tokenizer(tokenizer):
    model = GPT(GPTConfig(tokenizer.vocab_size + 30, 32, n_layer=1, n_head=1, n_embd=8))
    torch.nn.init.zeros_(model.transformer.ln_f.weight)
    model.lm_head.weight.data[-1] = 1  # the id without a token is the likeliest
    torch.nn.init.ones_(model.transformer.ln_f.bias)
    explorer = AttentionExplorer(model, tokenizer, "kite")
    unknown = f"(no token {model.config.vocab_size - 1})"
    assert explorer.expected["tokens"][0] == explorer.lens["layers"][0]["tokens"][0] == unknown


def test_a_model_that_has_gone_wrong_is_named(tokenizer):
    model = make_model(tokenizer)
    model.transformer.wte.weight.data[5] = math.nan
    with pytest.raises(ValueError, match="did training diverge"):
        AttentionExplorer(model, tokenizer, "kite")


def test_the_patterns_of_cells_that_ran_before_are_let_go_and_found_again(model, tokenizer):
    first = Reading(model, tokenizer, TEXT)
    held, expected = weakref.ref(first.patterns), first.patterns.clone()
    for _ in range(5):
        assert Reading(model, tokenizer, "the kite").patterns.size(1) == 2  # heads
    gc.collect()
    assert held() is None
    assert first.patterns.equal(expected)


def test_an_interrupted_question_is_answered(explorer):
    def interrupted():
        raise KeyboardInterrupt

    replies = []
    explorer.send = lambda reply, buffers=(): replies.append(reply)
    explorer.answer_hello = interrupted
    question = {"view": "v", "kind": "hello", "revision": 1, "payload": {}}
    explorer._answer(explorer, question, [])
    assert "KeyboardInterrupt" in replies[0]["error"]


def test_a_single_token_is_a_text(model, tokenizer):
    explorer = AttentionExplorer(model, tokenizer, "k")
    assert explorer.surprisal == []
    explorer.ablate([(0, 0)])
    explorer.hide_first = True
    assert explorer.picture().startswith(b"\x89PNG")


# --- Answers ---


def test_an_error_is_an_answer(explorer):
    sent = []
    explorer.send = lambda reply, buffers: sent.append(reply)
    for kind, payload in [
        ("read", {"text": ""}),
        ("nonsense", {}),
        ("ablate", {"heads": [[9, 9]]}),
        ("layer", {"layer": None}),
    ]:
        question = {"view": "v", "kind": kind, "revision": 7, "payload": payload}
        explorer._answer(explorer, question, [])
    assert [reply["revision"] for reply in sent] == [7] * 4
    assert "empty" in sent[0]["error"]
    assert "no answer to 'nonsense'" in sent[1]["error"]
    assert "there is no head (9, 9)" in sent[2]["error"]
    assert sent[3]["error"].startswith("TypeError")


# --- What stays without a kernel ---


def test_the_picture_follows_the_state_and_has_words(explorer):
    data, metadata = explorer._repr_mimebundle_()
    first = base64.b64decode(data["image/png"])
    assert first.startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == data["text/plain"] == repr(explorer)
    explorer.head = 1
    second = explorer.picture()
    explorer.hide_first = True
    assert len({first, second, explorer.picture()}) == 3


def test_a_picture_and_a_page_are_written(explorer, tmp_path):
    explorer.to_png(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == explorer.picture()
    explorer.to_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "http:" not in page
    assert "https:" not in page


def test_the_script_is_small_and_loads_nothing_and_writes_no_html():
    script = AttentionExplorer._esm
    assert len(script.encode()) < 48_000
    for forbidden in ("http:", "https:", "import ", "innerHTML", "outerHTML", "eval("):
        assert forbidden not in script
    assert "http" not in AttentionExplorer._css


def test_the_kit_has_the_colours_of_the_figures():
    script = (VIZ / "kit" / "kit.js").read_text(encoding="utf-8")
    block = re.search(r"const CIVIDIS = \((.*?)\)", script, re.DOTALL)[1]
    stops = [list(bytes.fromhex(stop)) for stop in re.findall(r"[0-9a-f]{6}", block)]
    assert len(stops) == 17
    cividis = matplotlib.colormaps["cividis"]
    for i, stop in enumerate(stops):
        expected = [255 * c for c in cividis(i / (len(stops) - 1))[:3]]
        assert stop == pytest.approx(expected, abs=0.51)


def test_the_script_draws_the_line_for_badges_where_python_does():
    from minigpt.interpret.heads import CLEAR, DETECTORS

    script = (VIZ / "attention" / "grid.js").read_text(encoding="utf-8")
    assert float(re.search(r"const CLEAR = ([\d.]+)", script)[1]) == CLEAR
    named = re.search(r"const BADGES = \{(.*?)\};", script)[1]
    assert re.findall(r"([a-z][a-z ]*)\"?:", named) == list(DETECTORS)


# --- The script, in a page of its own with Python behind it ---


@pytest.fixture
def expect():
    return pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def shown(played, explorer):
    """The explorer of a short text, as a learner has it before them."""
    return played(explorer)


def says(shown, expect, words):
    expect(shown.locator(".ae-readout")).to_contain_text(words)


def pixels(shown, selector):
    """The pixels of a canvas as rows of [red, green, blue, alpha]."""
    values = shown.locator(selector).first.evaluate(
        "c => [c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(values[1:]).reshape(-1, values[0], 4)


def test_the_map_has_the_colours_of_the_weights_and_hides_the_future(shown, explorer):
    T = explorer.shape[2]
    image = pixels(shown, ".ae-square canvas")
    step = image.shape[0] / T
    weights = unpacked(explorer, "weights")[0, 0].numpy()
    cividis = matplotlib.colormaps["cividis"]
    for row in range(T):
        for column in range(T):
            seen = image[int((row + 0.1) * step), int((column + 0.1) * step)]  # beside the number
            if column > row:
                assert seen[3] == 0
            else:
                colour = 255 * np.array(cividis(math.sqrt(weights[row, column]))[:3])
                assert np.abs(seen[:3] - colour).max() < 6


def test_hiding_the_first_token_shows_what_is_left_and_says_how_much_went(shown, explorer, expect):
    shown.get_by_label("hide the first token").check()
    mass = 100 * unpacked(explorer, "weights")[0, 0, -1, 0]
    had = f"{mass:.0f} %" if mass >= 0.5 else "<1 %"
    expect(shown.locator(".ae-caption").first).to_contain_text(
        f"Hidden: the first token, which had {had} of this row"
    )
    image = pixels(shown, ".ae-square canvas")
    assert not image[:, 3, 3].any()  # the first column is hidden too
    answer = explorer.answer_exact(layer=0, head=0, row=explorer.row, hide_first=True)
    weights = np.frombuffer(answer["weights"], dtype=np.float32)
    says(shown, expect, f"{100 * weights.max():.2f} %")
    assert weights.sum() == pytest.approx(1, abs=1e-6)


def test_hover_shows_and_leaving_returns_and_a_click_locks(shown, page, expect):
    tokens = shown.locator(".ae-token")
    tokens.nth(2).hover()
    says(shown, expect, "Token 2, ")
    expect(tokens.nth(2)).to_have_attribute("aria-selected", "true")
    expect(shown.locator(".ae-from bdi").nth(2)).to_have_class("ae-chosen")
    page.mouse.move(5, 5)
    says(shown, expect, f"Token {tokens.count() - 1}, ")
    tokens.nth(3).click()
    tokens.nth(1).hover()
    says(shown, expect, "Token 3, ")
    says(shown, expect, "(locked)")
    shown.locator(".ae-from bdi").nth(3).click()  # the same lock, from the lines
    tokens.nth(1).hover()
    says(shown, expect, "Token 1, ")
    square = shown.locator(".ae-square").first
    box = square.bounding_box()
    square.hover(position={"x": box["width"] - 3, "y": 3})
    says(shown, expect, "Token 0, ")
    expect(shown.locator(".ae-caption").first).to_contain_text("hidden, the future")


def test_a_head_is_previewed_by_the_pointer_and_chosen_by_a_click(shown, page, expect, explorer):
    heads = shown.locator(".ae-head")
    expect(heads).to_have_count(6)
    heads.nth(3).hover()
    says(shown, expect, "Layer 1, head 1.")
    expect(heads.nth(0)).to_have_attribute("aria-checked", "true")
    heads.nth(5).click()
    page.mouse.move(5, 5)
    says(shown, expect, "Layer 2, head 1.")
    expect(heads.nth(5)).to_have_attribute("aria-checked", "true")


def test_the_keyboard_alone_chooses_moves_locks_and_takes_out(shown, page, expect):
    heads = shown.locator(".ae-head")
    heads.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(heads.nth(3)).to_be_focused()
    says(shown, expect, "Layer 1, head 1.")
    expect(shown.locator(".ae-head[tabindex='0']")).to_have_count(1)
    expect(shown.locator(".ae-tools button").first).to_be_enabled()
    page.keyboard.press("x")
    expect(heads.nth(3)).to_have_attribute("aria-label", re.compile("taken out"))
    expect(shown.locator(".ae-panel")).to_contain_text("Without 1.1: the loss goes from")

    tokens = shown.locator(".ae-token")
    tokens.last.focus()
    page.keyboard.press("Home")
    says(shown, expect, "Token 0, ")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    says(shown, expect, "(locked)")
    page.keyboard.press("Escape")
    expect(shown.locator(".ae-readout")).not_to_contain_text("(locked)")
    square = shown.locator(".ae-square").first
    square.focus()
    page.keyboard.press("ArrowDown")
    says(shown, expect, "Token 2, ")
    page.keyboard.press("ArrowLeft")
    expect(shown.locator(".ae-caption").first).to_contain_text("token 2 → 0")
    expect(shown.locator(".xp-spoken")).to_contain_text("Token 2, ")


def test_taking_heads_out_tells_the_loss_and_the_next_token(shown, explorer, expect):
    shown.get_by_text("Take out layer 0, head 0").click()
    shown.locator(".ae-head").nth(1).click()
    shown.get_by_text("Take out layer 0, head 1").click()
    panel = shown.locator(".ae-panel")
    expect(panel).to_contain_text("Without 0.0, 0.1:")
    before = sum(explorer.surprisal) / len(explorer.surprisal)
    explorer.ablate([(0, 0), (0, 1)])
    after = sum(explorer.without["surprisal"]) / len(explorer.surprisal)
    expect(panel).to_contain_text(f"from {before:.3f} to {after:.3f} nats per token")
    share = f"{100 * explorer.expected['shares'][1][0]:.1f} %"
    expect(panel.locator("tbody tr").first.locator(".ae-after")).to_have_text(share)
    shown.get_by_label("colour by").select_option("change")
    expect(shown.locator(".ae-token[data-kind='up']")).not_to_have_count(0)
    shown.get_by_text("All heads back").click()
    expect(panel).to_contain_text("All heads are in place")
    expect(shown.locator(".ae-out")).to_have_count(0)


# What belongs to each part, and is not there without it.
OF_A_PART = {
    "patterns": ".ae-grid",
    "lines": ".ae-lines",
    "take out": ".ae-tools button, option[value=change]",
    "lens": "option[value=surprise]",
    "scores": ".ae-list",
    "rollout": ".ae-tools :text('rollout beside')",
    "first token": ".ae-tools :text('hide the first token')",
    "table": ".ae-tools :text('show as table')",
}


@pytest.mark.parametrize("part", OF_A_PART)
def test_one_part_alone_is_there_and_no_other(page, model, tokenizer, tmp_path, part, expect):
    explorer = AttentionExplorer(model, tokenizer, TEXT, parts=[part])
    explorer.to_html(tmp_path / "a.html")
    page.goto((tmp_path / "a.html").as_uri())
    shown = page.locator(".ae")
    says(shown, expect, "Layer 0, head 0.")
    found = [name for name, what in OF_A_PART.items() if shown.locator(what).count()]
    assert found == [part]
    expect(shown.locator(".ae-panel")).to_have_count(int(part in ("take out", "lens")))
    shown.locator(".ae-token").nth(2).click()
    says(shown, expect, "Token 2, ")


def test_what_a_lesson_has_explained_is_enough_to_take_a_head_out(played, model, tokenizer, expect):
    parts = ("take out", "lines", "patterns")
    shown = played(AttentionExplorer(model, tokenizer, TEXT, parts=parts))
    shown.locator(".ae-head").nth(3).click()
    shown.get_by_text("Take out layer 1, head 1").click()
    panel = shown.locator(".ae-panel")
    expect(panel).to_contain_text("Without 1.1: the loss goes from")
    expect(panel.get_by_role("button")).to_have_count(0)  # no tabs where there is one view
    words = shown.inner_text().lower()
    for unexplained in ("lens", "rollout", "induction", "duplicate", "surprise"):
        assert unexplained not in words
    expect(shown.locator(".ae-badge:not(:empty)")).to_have_count(0)


def test_what_comes_of_taking_a_head_out_stands_beside_the_button(shown, explorer, expect):
    effect = shown.locator(".ae-effect")
    expect(effect).to_have_text("All heads are in place.")
    button = shown.get_by_text("Take out layer 0, head 0")
    button.click()
    expect(effect).to_contain_text("After token")
    explorer.ablate([(0, 0)])
    before, after = (
        sum(nats) / len(nats) for nats in (explorer.surprisal, explorer.without["surprisal"])
    )
    expect(effect).to_contain_text(f"Loss {before:.3f} → {after:.3f}")
    first, (was, now) = explorer.expected["tokens"][0], explorer.expected["shares"]
    expect(effect).to_contain_text(f"{first} {percent(was[0])} → {percent(now[0])}")
    row, line = button.bounding_box(), effect.bounding_box()
    assert abs(row["y"] - line["y"]) < 12
    assert line["x"] > row["x"] + row["width"]


def percent(share):
    """As the kit writes a share."""
    return "<1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def test_the_line_stays_in_sight_while_heads_are_taken_out_below(shown, page, expect):
    page.set_viewport_size({"width": 1000, "height": 420})
    last = shown.locator(".ae-list tbody button").last
    last.click()
    page.keyboard.press("x")
    expect(shown.locator(".ae-effect")).to_contain_text("Loss")
    expect(last).to_be_in_viewport()
    expect(shown.locator(".ae-effect")).to_be_in_viewport()


def test_the_lines_show_the_token_that_is_locked_and_its_number_is_near(
    played, model, tokenizer, expect
):
    shown = played(AttentionExplorer(model, tokenizer, "the red kite fell. " * 12))
    tokens = shown.locator(".ae-token")
    assert tokens.count() > 40
    lines = shown.locator(".ae-lines")
    in_sight = (
        "(n, box) => { const [a, b] = [n, box].map(x => x.getBoundingClientRect()); "
        "return a.top >= b.top && a.bottom <= b.bottom; }"
    )
    for row in (3, 30):
        tokens.nth(row).click()  # the pointer stays on it
        says(shown, expect, f"Token {row}, ")
        line = lines.locator(".ae-from .ae-chosen")
        expect(line).to_have_attribute("data-row", str(row))
        assert line.evaluate(in_sight, lines.element_handle())
        number = tokens.nth(row).evaluate("n => getComputedStyle(n, '::before').content")
        assert number.strip('"') == str(row)
        tokens.nth(row).click()


@pytest.mark.parametrize("width", [1320, 1000, 950, 740, 700])
def test_no_column_of_the_lens_is_cut(page, tmp_path, model, tokenizer, width):
    page.set_viewport_size({"width": width, "height": 800})
    AttentionExplorer(model, tokenizer, TEXT, row=3).to_html(tmp_path / "a.html")
    page.goto((tmp_path / "a.html").as_uri())
    table = page.locator(".ae-panel .xp-scroll")
    table.wait_for()
    # Labels as long as they are ever shown.
    fill = "all => all.forEach(n => { n.textContent = '0123456789'; })"
    page.locator(".ae-guess bdi").evaluate_all(fill)
    assert table.evaluate("n => n.scrollWidth - n.clientWidth") <= 0


def test_an_error_stands_beside_what_asked_until_that_is_answered(shown, explorer, expect):
    prompt, problem = shown.locator("textarea"), shown.locator(".xp-problem")
    expect(prompt).to_be_enabled()
    prompt.fill("")
    expect(problem).to_contain_text("the text is empty")
    below, beside = problem.bounding_box(), prompt.bounding_box()
    assert 0 <= below["y"] - (beside["y"] + beside["height"]) < 12
    shown.locator(".ae-head").nth(1).click()  # another question, which is answered
    says(shown, expect, "Layer 0, head 1.")
    expect(shown.locator(".xp-busy")).to_be_hidden()
    expect(problem).to_contain_text("the text is empty")

    def refuse(heads):
        raise ValueError("no head is taken out today")

    explorer.answer_ablate = refuse
    button = shown.get_by_text("Take out layer 0, head 1")
    button.click()
    expect(problem).to_have_text("no head is taken out today")
    below, beside = problem.bounding_box(), button.bounding_box()
    assert abs(below["y"] - beside["y"]) < 40


def test_a_model_that_was_changed_since_is_told_beside_the_button(played, tokenizer, expect):
    model = make_model(tokenizer)
    explorer = AttentionExplorer(model, tokenizer, TEXT)
    shown = played(explorer)
    model.transformer.h[1].attn = torch.nn.Identity()  # as in lesson 03: a layer of one's own
    shown.get_by_text("Take out layer 0, head 0").click()
    problem = shown.locator(".ae-tools .xp-problem")
    expect(problem).to_contain_text("transformer.h.1.attn is another one now")
    expect(problem).to_contain_text("copy.deepcopy(model)")
    expect(problem).to_be_in_viewport()


@pytest.mark.parametrize("what", ["ablate", "scores", "patterns"])
def test_nothing_is_told_of_another_model_than_was_read(tokenizer, what):
    model = make_model(tokenizer)
    explorer = AttentionExplorer(model, tokenizer, TEXT)
    model.transformer.h[2].mlp = torch.nn.Identity()
    patterns_of.cache_clear()
    with pytest.raises(ValueError, match="transformer.h.2.mlp is another one now"):
        {
            "ablate": lambda: explorer.ablate([(0, 0)]),
            "scores": lambda: explorer.answer_scores(on="random"),
            "patterns": explorer.picture,
        }[what]()
    explorer.read(TEXT)  # as it is now
    explorer.ablate([(0, 0)])
    assert explorer.ablated == [[0, 0]]


def test_a_new_text_is_read_as_it_is_typed(shown, explorer, expect):
    prompt = shown.locator("textarea")
    expect(prompt).to_be_enabled()
    prompt.fill("the kite rose")
    expect(shown.locator(".ae-token").last).not_to_have_text(".")
    assert explorer.text == "the kite rose"
    expect(shown.locator(".ae-token")).to_have_count(explorer.shape[2])
    shown.locator(".ae-token").last.focus()
    shown.page.keyboard.press("ArrowLeft")  # one token, however often another text was read
    says(shown, expect, f"Token {explorer.shape[2] - 2}, ")
    prompt.fill("")
    expect(shown.locator(".xp-problem")).to_contain_text("the text is empty")
    assert explorer.text == "the kite rose"
    prompt.fill("a red kite")
    expect(shown.locator(".xp-problem")).to_be_empty()
    expect(prompt).to_have_value("a red kite")


def test_an_answer_that_comes_too_late_is_dropped(shown, page, explorer, expect):
    expect(shown.locator("textarea")).to_be_enabled()
    asked = []
    real = explorer.answer_ablate
    explorer.answer_ablate = lambda heads: asked.append(heads) or real(heads)
    heads = shown.locator(".ae-head")
    heads.first.focus()
    for key in ("x", "ArrowRight", "x", "ArrowDown", "x"):
        page.keyboard.press(key)
    expect(shown.locator(".ae-panel")).to_contain_text("Without 0.0, 0.1, 1.1:")
    assert asked[-1] == [[0, 0], [0, 1], [1, 1]]
    assert len(asked) < 3  # those in between were not worth asking


def test_a_token_chosen_while_a_shorter_text_is_read_is_where_that_ends(
    played, page, model, tokenizer, expect
):
    explorer = AttentionExplorer(model, tokenizer, TEXT, row=1)
    shown = played(explorer)
    expect(shown.locator("textarea")).to_be_enabled()
    real = explorer.answer_read
    explorer.answer_read = lambda text: (time.sleep(1), real(text))[1]
    shown.evaluate("""root => {
        const box = root.querySelector("textarea");
        box.value = "re";  // is read after 400 ms
        box.dispatchEvent(new Event("input"));
        setTimeout(() => [...root.querySelectorAll(".ae-token")].at(-1).click(), 700);
    }""")
    expect(shown.locator(".ae-token")).to_have_count(2)
    says(shown, expect, "Token 1, e")
    expect(shown.locator(".xp-busy")).to_be_hidden()
    assert explorer.row == 1


def test_a_text_read_again_after_more_training_has_its_new_rows(played, tokenizer, expect):
    model = make_model(tokenizer)
    explorer = AttentionExplorer(model, tokenizer, TEXT)
    shown = played(explorer)
    number = shown.locator(".ae-number").first
    expect(number).to_have_text(re.compile(r"\.\d\d %"))  # Python's own
    model.transformer.h[0].attn.c_attn.weight.data.mul_(-0.1)
    explorer.read(TEXT)
    shown.get_by_label("rollout beside").click()  # the change comes with an answer
    most = explorer._shown(0, 0, False)[-1].max()
    expect(number).to_have_text(f"{most:.2%}".replace("%", " %"))


def test_in_high_contrast_what_was_chosen_and_what_is_hidden_can_be_seen(shown, page, expect):
    page.emulate_media(forced_colors="active")
    chosen = shown.locator(".ae-head[aria-checked=true]")
    band = shown.locator(".ae-band").first
    for part in (chosen, band):
        assert part.evaluate("n => getComputedStyle(n).boxShadow") != "none"
    hatched = shown.locator(".ae-square").first
    assert "gradient" in hatched.evaluate("n => getComputedStyle(n).backgroundImage")


def test_surprise_colours_the_text_and_opens_the_lens(shown, explorer, expect):
    shown.get_by_label("colour by").select_option("surprise")
    strengths = shown.locator(".ae-token").evaluate_all(
        "all => all.map(t => parseInt(t.style.getPropertyValue('--strength')))"
    )
    wanted = [0, *(round(100 * min(nats / 8, 1)) for nats in explorer.surprisal)]
    assert strengths == pytest.approx(wanted, abs=1)
    shown.get_by_text("Without the heads").click()
    shown.locator(".ae-token").nth(4).click()
    panel = shown.locator(".ae-panel")
    expect(panel).to_contain_text("What each layer expects after token 4,")
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(4)  # the embedding and three layers
    explorer.row = 4
    best = explorer.lens["layers"][-1]
    expect(rows.last.locator("td").nth(1)).to_contain_text(best["tokens"][0])
    expect(rows.last.locator("td").first).to_contain_text(f"no. {best['rank']}")


def test_the_list_of_heads_sorts_by_score_and_wears_badges(played, tokenizer, expect):
    explorer = AttentionExplorer(planted(tokenizer), tokenizer, "the red kite fell. the red kite")
    shown = played(explorer)
    expect(shown.locator(".ae-badge")).to_have_text(["", "P"])
    names = shown.locator(".ae-list tbody th")
    expect(names).to_have_text(["0.0", "0.1"])
    shown.locator(".ae-list").get_by_text("previous").click()
    expect(names.first).to_have_text("0.1")
    column = shown.locator(".ae-list th[aria-sort='descending']")
    expect(column).to_contain_text("previous")
    score = explorer.scores["previous token"][1]
    expect(shown.locator(".ae-list tbody td").first).to_have_text(f"{score:.2f}P")
    expect(shown.locator(".ae-list select")).to_be_enabled()
    shown.locator(".ae-list select").select_option("random")
    expect(names.first).to_have_text("0.1")
    expect(shown.locator(".ae-list select")).to_have_value("random")


def test_the_rollout_stands_beside_the_head(shown, explorer, expect):
    expect(shown.locator(".ae-map").nth(1)).to_be_hidden()
    shown.get_by_label("rollout beside").check()
    left, right = (shown.locator(".ae-map").nth(i).bounding_box() for i in (0, 1))
    assert left["y"] == right["y"]
    assert right["x"] > left["x"] + left["width"]
    square = shown.locator(".ae-square").nth(1)
    square.hover(position={"x": 3, "y": 237})
    weight = unpacked(explorer, "rollout")[0, 0, -1, 0]
    expect(shown.locator(".ae-caption").nth(1)).to_contain_text(f"{100 * weight:.1f} %")


def test_all_of_it_is_there_as_a_table(shown, explorer, expect):
    sheet = shown.locator(".ae-sheet")
    expect(sheet).to_be_hidden()
    shown.get_by_label("show as table").check()
    T = explorer.shape[2]
    expect(sheet.locator("tbody tr")).to_have_count(T)
    weights = unpacked(explorer, "weights")[0, 0, -1]
    cells = sheet.locator("tbody tr td:nth-child(3)").all_text_contents()
    seen = [float(cell.removesuffix(" %")) / 100 for cell in cells]
    assert seen == pytest.approx(weights.tolist(), abs=0.003)


def test_letters_stay_inside(shown, page):
    page.evaluate("window.heard = []; addEventListener('keydown', e => heard.push(e.key))")
    for selector in (".ae-head", ".ae-token[tabindex='0']", ".ae-square", "textarea"):
        shown.locator(selector).first.focus()
        page.keyboard.type("abj")
    assert page.evaluate("heard") == []


def test_a_hostile_text_is_text(played, page, model, tokenizer, expect):
    explorer = AttentionExplorer(model, tokenizer, HOSTILE)
    shown = played(explorer)
    assert "".join(shown.locator(".ae-token").all_text_contents()) == "".join(explorer.tokens)
    assert "<script>alert(1)</script>" in "".join(explorer.tokens)
    expect(page.locator("main script, main b")).to_have_count(0)
    expect(shown.locator("textarea")).to_have_value(HOSTILE)
    shown.get_by_label("show as table").check()
    shown.locator(".ae-token").first.click()
    says(shown, expect, "Token 0, ")


def test_ten_thousand_characters_are_cut_and_nothing_breaks(played, page, model, tokenizer, expect):
    text = "kite\u202e 🦊" * 1500
    explorer = AttentionExplorer(model, tokenizer, text, layer=1)
    shown = played(explorer)
    expect(shown).to_contain_text("the first 320 are shown")
    expect(shown.locator(".ae-token")).to_have_count(320)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    heads = shown.locator(".ae-head")
    heads.nth(4).click()  # a layer that has to be fetched
    page.mouse.move(5, 5)
    says(shown, expect, "Layer 2, head 0.")
    # A busy machine takes its time over 300,000 weights.
    expect(shown.locator(".ae-caption").first).to_contain_text("Hatched", timeout=20_000)
    assert explorer.held == [2, 1]


def test_without_python_it_plays_on_and_says_what_it_cannot(page, explorer, tmp_path, expect):
    explorer.ablate([(1, 0)])
    explorer.to_html(tmp_path / "a.html")
    page.context.set_offline(True)
    page.goto((tmp_path / "a.html").as_uri())
    shown = page.locator(".ae")
    expect(shown).to_contain_text("No kernel answers", timeout=5000)
    expect(shown.locator("textarea")).to_be_disabled()
    expect(shown.get_by_text("Take out layer 0, head 0")).to_be_disabled()
    assert "taken out" in shown.locator(".ae-head").nth(2).get_attribute("aria-label")
    shown.locator(".ae-head").nth(4).click()
    page.keyboard.press("x")  # does nothing, and breaks nothing
    says(shown, expect, "Layer 2, head 0.")
    expect(shown.locator(".ae-out")).to_have_count(2)  # in the grid and in the list


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_systems_colours(page, explorer, tmp_path, expect, scheme):
    explorer.to_html(tmp_path / "a.html")
    page.emulate_media(color_scheme=scheme)
    page.goto((tmp_path / "a.html").as_uri())
    ink = page.locator(".ae").evaluate("n => getComputedStyle(n).color")
    brightness = sum(int(c) for c in re.findall(r"\d+", ink)[:3]) / 3
    assert (brightness > 128) == (scheme == "dark")
    other = "light" if scheme == "dark" else "dark"
    page.emulate_media(color_scheme=other)
    expect(page.locator(f".ae[data-theme={other}]")).to_have_count(1)


@pytest.mark.parametrize("beside", [False, True])
def test_nothing_is_wider_than_the_page(page, model, tokenizer, tmp_path, beside):
    explorer = AttentionExplorer(model, tokenizer, TEXT)
    explorer.beside = explorer.as_table = beside
    explorer.ablate([(0, 0)])
    explorer.panel = "ablation"
    explorer.to_html(tmp_path / "a.html")
    for width in (1000, 700):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto((tmp_path / "a.html").as_uri())
        page.locator(".ae-token").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
