"""Parts of the residual stream that are switched off: as if computed by hand, step by step."""

import itertools

import pytest
import torch
from torch import nn

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained
from minigpt.tokenizer import Tokenizer
from minigpt.viz import StreamParts
from minigpt.viz.stream.ablation import run_without, writers_of
from tests.browser.explorers import hears

TEXT = "the red kite fell. the red kite rose."
PROMPT = "<|endoftext|>Once upon a time there was a"


@pytest.fixture(scope="module")
def tokenizer():
    # Without a mark that would come first: what is typed is what is read.
    return Tokenizer.train(TEXT * 4, vocab_size=269, special_tokens=[])


def make_model(tokenizer, seed=0, n_layer=2, **settings):
    torch.manual_seed(seed)
    model = GPT(GPTConfig(tokenizer.vocab_size, 24, n_layer, 2, 16, **settings))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


@pytest.fixture(scope="module")
def model(tokenizer):
    return make_model(tokenizer).eval()


@pytest.fixture
def widget(model, tokenizer):
    return StreamParts(model, tokenizer, "the red kite")


@torch.no_grad()
def by_hand(model, idx, off):
    """Writes at the last position and the next logits: the model's own layers, no hooks."""
    parts, writes = model.transformer, []

    def add(name, stream, write):
        write = torch.zeros_like(write) if name in off else write
        writes.append(write[0, -1])
        return stream + write

    start = parts.wte(idx) + parts.wpe(torch.arange(idx.size(1)))
    stream = add("start", torch.zeros_like(start), start)
    for i, block in enumerate(parts.h):
        stream = add(f"attn {i}", stream, block.attn(block.ln_1(stream)))
        stream = add(f"mlp {i}", stream, block.mlp(block.ln_2(stream)))
    return torch.stack(writes), model.lm_head(parts.ln_f(stream))[0, -1]


def close(found, expected):
    return all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, expected, strict=True))


def test_every_choice_of_parts_is_as_computed_by_hand(model):
    idx = torch.tensor([[5, 260, 9, 80]])
    names = list(writers_of(model))
    assert names == ["start", "attn 0", "mlp 0", "attn 1", "mlp 1"]
    seen = []
    for n in range(len(names) + 1):
        for off in itertools.combinations(names, n):
            found = run_without(model, idx, off)
            assert close(found, by_hand(model, idx, off)), off
            seen.append(found[1])
    assert len(seen) == 32
    alone = torch.stack(seen[:6])
    assert torch.pdist(alone).min() > 1e-3  # each part matters


def test_later_parts_are_computed_again(model):
    """Ablation: direct contribution would leave what they write as it was."""
    idx = torch.tensor([[5, 260, 9, 80]])
    before, after = (run_without(model, idx, off)[0] for off in ([], ["attn 0"]))
    assert torch.equal(before[0], after[0])
    assert not after[1].any()
    assert all((before[i] - after[i]).norm() > 1e-3 for i in (2, 3, 4))


def test_with_all_parts_it_is_the_model_which_stays_as_it_was(tokenizer):
    model = make_model(tokenizer, dropout=0.5)  # training: dropout is active
    idx = torch.tensor([[5, 260, 9, 80]])
    _, logits = run_without(model, idx)
    again = run_without(model, idx, ["mlp 1"])[1]
    assert model.training
    assert not torch.equal(logits, again)
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    assert sum(hooks) == 0
    with torch.no_grad():
        assert torch.allclose(model.eval()(idx)[0, -1], logits)


class InPlace(nn.Module):
    """A block as a learner may write it."""

    def __init__(self, block):
        super().__init__()
        self.ln_1, self.attn, self.ln_2, self.mlp = block.ln_1, block.attn, block.ln_2, block.mlp

    def forward(self, x, cache=None):
        x = x + 0
        x += self.attn(self.ln_1(x))
        x += self.mlp(self.ln_2(x))
        return x


def test_a_block_of_ones_own_that_adds_in_place_is_read_rightly(tokenizer):
    model, own = make_model(tokenizer).eval(), make_model(tokenizer).eval()
    own.transformer.h = nn.ModuleList(InPlace(block) for block in own.transformer.h)
    own.transformer.h[0].forward = lambda x, cache=None, h=own.transformer.h[0]: x.add_(
        h.attn(h.ln_1(x))
    ).add_(h.mlp(h.ln_2(x)))
    idx = torch.tensor([[5, 260, 9, 80]])
    for off in ([], ["start"], ["mlp 0", "attn 1"]):
        assert close(run_without(own, idx, off), by_hand(model, idx, off)), off


def test_the_widget_shows_lengths_and_the_next_token(widget, model, tokenizer):
    idx = torch.tensor([tokenizer.encode("the red kite")])
    for off in ([], [0], [2, 3], [0, 1, 2, 3, 4]):
        widget.off = off
        writes, logits = by_hand(model, idx, [widget.parts[i] for i in off])
        result = widget.result()
        assert result["writes"] == pytest.approx(writes.norm(dim=1).tolist(), abs=1e-4)
        lengths = [writes[: i + 1].sum(dim=0).norm().item() for i in range(5)]
        assert result["lengths"] == pytest.approx(lengths, abs=1e-4)
        best = logits.softmax(-1).topk(6)
        assert result["shares"] == pytest.approx(best.values.tolist(), abs=1e-5)


def test_the_storyteller_without_parts_says_what_it_says_by_hand():
    model, tokenizer = from_pretrained("storyteller", verbose=False)
    widget = StreamParts(model, tokenizer, PROMPT.removeprefix("<|endoftext|>"))
    idx = torch.tensor([tokenizer.encode(PROMPT, {"<|endoftext|>"})])  # as generate reads it
    widget.off = [2, 4]
    _, logits = by_hand(model, idx, ["mlp 0", "mlp 1"])
    assert widget.result()["shares"][0] == pytest.approx(logits.softmax(-1).max().item())
    assert "with mlp 0, mlp 1 off" in repr(widget)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "the text is empty"),
        (None, "prompt is a NoneType"),
        ("x" * 40, "40 tokens; .* 24"),
    ],
)
def test_a_prompt_that_is_none_is_refused(model, tokenizer, prompt, message):
    with pytest.raises(ValueError, match=message):
        StreamParts(model, tokenizer, prompt)


def test_another_librarys_model_or_tokenizer_is_refused_in_words(model, tokenizer):
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(vocab_size=270, n_positions=24, n_layer=1, n_head=2, n_embd=16)
    theirs = transformers.GPT2LMHeadModel(config)
    for wrong in (theirs, nn.Linear(2, 2), None):
        with pytest.raises(
            ValueError, match=f"model is a .*{type(wrong).__name__}; it must be a GPT"
        ):
            StreamParts(wrong, tokenizer, "the")
    with pytest.raises(ValueError, match="tokenizer is a str; give a Tokenizer of minigpt"):
        StreamParts(model, "gpt2", "the")
    small = GPT(GPTConfig(20, 24, 1, 2, 16))
    with pytest.raises(ValueError, match="tokens that the model does not know"):
        StreamParts(small, tokenizer, "the")


def test_a_part_that_is_not_there_and_a_model_gone_wrong_are_refused(widget, tokenizer):
    with pytest.raises(ValueError, match="parts are 0 to 4"):
        widget.off = [5]
    broken = make_model(tokenizer)
    broken.transformer.ln_f.weight.data[0] = torch.nan
    with pytest.raises(ValueError, match="did training diverge"):
        StreamParts(broken, tokenizer, "the")


def test_the_picture_follows_what_is_off(widget):
    first = widget.picture()
    assert first.startswith(b"\x89PNG")
    widget.off = [1]
    assert widget.picture() != first


# --- The script, in a page of its own with Python behind it ---


@pytest.fixture
def expect():
    return pytest.importorskip("playwright.sync_api").expect


def shows(root, expect, widget, off):
    """Whether the page has the numbers that Python has for these parts off."""
    expect(root.locator(".sp-stale")).to_have_count(0)
    result = widget._result(widget._idx, widget.parts, off)
    numbers = [f"{x:.1f}" for pair in zip(result["writes"], result["lengths"]) for x in pair]
    shown = root.locator(".sp-parts .sp-number")
    expect(shown).to_contain_text(numbers)
    expect(root.locator(".sp-bars .sp-number")).to_have_text(
        [f"{100 * share:.1f} %" for share in result["shares"]]
    )
    boxes = root.get_by_role("checkbox").all()
    assert [i for i, box in enumerate(boxes) if not box.is_checked()] == off
    expect(root.locator(".sp-said")).to_contain_text(f"{100 * result['shares'][0]:.1f} %")


def test_parts_are_switched_off_and_on_by_mouse(page, played, widget, expect):
    root = played(widget)
    shows(root, expect, widget, [])
    expect(root.get_by_role("textbox")).to_be_enabled()
    for part, off in (("mlp 0", [2]), ("attn 1", [2, 3]), ("mlp 0", [3])):
        root.get_by_label(part).click()
        shows(root, expect, widget, off)
        hears(page, lambda: widget.off, off)
    expect(root.locator(".sp-said")).to_contain_text("Without attn 1")
    expect(root.locator(".sp-said")).to_contain_text("With all:")
    for name, off in (("Attention off", [1, 3]), ("MLPs off", [2, 4]), ("All on", [])):
        root.get_by_role("button", name=name).click()
        shows(root, expect, widget, off)


def test_the_keyboard_alone_switches_and_reads(page, played, widget, expect):
    root = played(widget)
    expect(root.get_by_role("textbox")).to_be_enabled()
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("the red")
    page.keyboard.press("Enter")
    expect(root.locator(".xp-busy")).to_be_hidden()
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")  # the first switch
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # and the second
    hears(page, lambda: (widget.prompt, widget.off), ("the red", [0, 1]))
    shows(root, expect, widget, [0, 1])


def test_a_model_that_goes_wrong_meanwhile_is_told(page, played, tokenizer, expect):
    model = make_model(tokenizer)
    root = played(StreamParts(model, tokenizer, "the red"))
    expect(root.get_by_role("textbox")).to_be_enabled()
    model.transformer.ln_f.weight.data[0] = torch.nan
    root.get_by_label("attn 0").click()  # known from before
    expect(root.locator(".sp-said")).to_contain_text("Without attn 0: ")
    root.get_by_label("mlp 1").click()
    expect(root.locator(".sp-said")).to_have_text("Without attn 0, mlp 1: not worked out yet.")
    expect(root.get_by_role("alert")).to_contain_text("did training diverge")


def test_a_prompt_that_is_refused_changes_nothing_and_says_why(page, played, widget, expect):
    root = played(widget)
    expect(root.get_by_role("textbox")).to_be_enabled()
    root.get_by_role("textbox").fill("x" * 40)
    root.get_by_role("button", name="Read").click()
    expect(root.get_by_role("alert")).to_contain_text("40 tokens")
    expect(root.locator("form").get_by_role("alert")).to_have_count(1)  # beside the field
    shows(root, expect, widget, [])
    assert widget.prompt == "the red kite"


def test_without_python_what_was_worked_out_is_there_and_the_rest_says_so(
    page, tmp_path, widget, expect
):
    widget.to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".sp")
    root.get_by_label("mlp 1").click()
    shows(root, expect, widget, [4])
    expect(root.get_by_label("mlp 0")).to_be_enabled()  # with mlp 1 off: all MLPs, known
    expect(root.get_by_label("attn 0")).to_be_disabled()
    root.get_by_role("button", name="Attention off").click()
    shows(root, expect, widget, [1, 3])
    expect(root.locator(".xp-alone")).to_contain_text("No kernel answers", timeout=4000)
    expect(root.get_by_role("textbox")).to_be_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_theme_and_stays_within_the_page(page, tmp_path, widget, scheme, expect):
    widget.to_html(tmp_path / "page.html")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 420, "height": 700})
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".sp")).to_have_attribute("data-theme", scheme)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 420
