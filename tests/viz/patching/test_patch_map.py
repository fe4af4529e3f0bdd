"""The map of patches: each cell as if the blocks were run by hand, and in a page of its own."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from minigpt.config import GPTConfig
from minigpt.interpret import activations, patched
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained
from minigpt.tokenizer import Tokenizer
from minigpt.viz import PatchMap, token_labels

TEXT = "the red kite fell. the tan kite rose."
CLEAN, CORRUPT = "the red kite fell", "the tan kite fell"
# Until a block is run, and after it: layers of the map, and the modules' own names for them.
PARTS = {"stream": 3, "attn": 2, "mlp": 2}
STORY = (
    "<|endoftext|>Once upon a time there was a curious fox named Ruby, who lived in a teapot. "
    "Every night she sang to her {0} kite. "
    "Next door lived Otto, a sleepy bear who snored like thunder. "
    "One windy Sunday a seagull stole the kite. "
    "First Ruby looked under the bed and found three kings. "
    '"What colour is it?" asked Otto. "It is {0}," sobbed Ruby. '
    "In the end it was up the chimney. The moon was shining on it. "
    "Nobody ever explained the three kings. And what colour was the kite? It was"
)


@pytest.fixture(scope="module")
def tokenizer():
    # Without a mark that would come first: what is typed is what is read.
    return Tokenizer.train(TEXT * 4, vocab_size=269, special_tokens=[])


def make_model(tokenizer, seed=7):
    torch.manual_seed(seed)
    model = GPT(GPTConfig(tokenizer.vocab_size, 24, 2, 2, 16))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model.eval()


@pytest.fixture(scope="module")
def model(tokenizer):
    return make_model(tokenizer)


@pytest.fixture
def widget(model, tokenizer):
    return PatchMap(model, tokenizer, CLEAN, CORRUPT)


@torch.no_grad()
def patched_logits(model, tokenizer, part, layer, position):
    clean, corrupt = (torch.tensor([tokenizer.encode(text)]) for text in (CLEAN, CORRUPT))
    with patched(model, activations(model, clean), layer, position, part):
        return model(corrupt)[0, -1].double()


def answers_of(model, tokenizer):
    """The ids of both answers, and the difference of their logits in the two runs."""
    with torch.no_grad():
        ends = [model(torch.tensor([tokenizer.encode(t)]))[0, -1] for t in (CLEAN, CORRUPT)]
    red, tan = (int(end.argmax()) for end in ends)
    return red, tan, [float(end[red] - end[tan]) for end in ends]


def cells(widget):
    """What the script gets, cell by cell: how far it moved, and the tokens said by label."""
    moved = np.frombuffer(widget.moved, np.float32)
    shares = np.frombuffer(widget.shares, np.float32).reshape(len(moved), -1)
    said = np.frombuffer(widget.said, np.uint16).reshape(len(moved), -1)
    return moved, shares, said


# --- Numbers ---


def test_every_cell_is_the_run_with_that_patch(widget, model, tokenizer):
    red, tan, (there, here) = answers_of(model, tokenizer)
    assert red != tan
    moved, shares, said = cells(widget)
    names, T = token_labels(tokenizer, range(tokenizer.vocab_size)), len(widget.clean)
    assert widget.labels[:2] == [names[red], names[tan]]
    i = 0
    for part, layers in PARTS.items():
        widget.part = part
        for layer in range(layers):
            for position in range(widget.first, T):
                logits = patched_logits(model, tokenizer, part, layer, position)
                expected = (float(logits[red] - logits[tan]) - here) / (there - here)
                assert moved[i] == pytest.approx(expected, abs=1e-4), (part, layer, position)
                assert float(widget.effects()[layer, position]) == pytest.approx(moved[i])
                best = logits.softmax(-1).topk(3)
                wanted = [*logits.softmax(-1)[[red, tan]].tolist(), *best.values.tolist()]
                assert shares[i] == pytest.approx(wanted, abs=1e-5)
                labels = [widget.labels[j] for j in said[i]]
                assert labels == [names[j] for j in (red, tan, *best.indices.tolist())]
                i += 1
    assert i == len(moved)
    assert moved.min() < -0.02 and moved.max() > 0.3  # orange and blue are both there


def test_what_is_said_without_a_patch_stands_beside(widget, model, tokenizer):
    names = token_labels(tokenizer, range(tokenizer.vocab_size))
    ids = [names.index(label) for label in widget.labels]
    for text, plain in zip((CLEAN, CORRUPT), widget.plain):
        with torch.no_grad():
            shares = model(torch.tensor([tokenizer.encode(text)]))[0, -1].softmax(-1)
        assert plain == pytest.approx(shares[ids].tolist(), abs=1e-5)


def test_other_answers_can_be_named(model, tokenizer):
    widget = PatchMap(model, tokenizer, CLEAN, CORRUPT, answers=(" kite", "t"))
    assert widget.labels[:2] == ["·kite", "t"]
    assert float(widget.effects()[-1, -1]) == pytest.approx(1, abs=1e-5)


def test_the_storytellers_colour_goes_from_its_word_to_the_end_by_one_attention():
    model, tokenizer = from_pretrained("storyteller", verbose=False)
    widget = PatchMap(model, tokenizer, STORY.format("purple"), STORY.format("green"))
    assert widget.labels[:2] == ["·purple", "·green"]
    effects, word, end = widget.effects(), widget.first, len(widget.clean) - 1
    assert widget.clean[word] == "·purple"
    assert (effects[:2, word] > 0.9).all() and (effects[2:, word] < 0.1).all()
    assert (effects[:2, end] < 0.1).all() and (effects[2:, end] > 0.9).all()
    widget.part = "attn"
    assert widget.effects().argmax() == 1 * len(widget.clean) + end  # block 1, the last token


# --- What is refused ---


@pytest.mark.parametrize(
    ("clean", "corrupt", "answers", "words"),
    [
        (CLEAN, CORRUPT + ".", None, r"clean has \d+ tokens and corrupt \d+; .* equally long"),
        (CLEAN, CLEAN, None, "the same text"),
        (CLEAN, None, None, "corrupt is a NoneType; give a text"),
        (CLEAN, CORRUPT, (" red kite", "t"), "two texts of one token each"),
        (CLEAN, CORRUPT, ("t", "t"), "the answer to both prompts is t;"),
        (CLEAN * 5, CORRUPT * 5, None, "positions do not fit"),
    ],
)
def test_prompts_that_cannot_be_compared_are_refused(
    model, tokenizer, clean, corrupt, answers, words
):
    with pytest.raises(ValueError, match=words):
        PatchMap(model, tokenizer, clean, corrupt, answers=answers)


def test_two_prompts_with_one_answer_ask_for_answers(tokenizer):
    model = make_model(tokenizer)
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()  # it says the same after every text
    with pytest.raises(ValueError, match="the answer to both prompts is .*; end them where"):
        PatchMap(model, tokenizer, CLEAN, CORRUPT)
    with pytest.raises(ValueError, match="as likely after clean as after corrupt"):
        PatchMap(model, tokenizer, CLEAN, CORRUPT, answers=("t", "r"))
    model.transformer.ln_f.weight.data[0] = torch.nan
    with pytest.raises(ValueError, match="did training diverge"):
        PatchMap(model, tokenizer, CLEAN, CORRUPT)


def test_a_place_can_be_set_and_must_be_there(widget):
    widget.layer, widget.position = -1, -1
    assert (widget.layer, widget.position) == (2, len(widget.clean) - 1)
    assert "stream after block 1 at token" in repr(widget)
    assert "moved 100% of the way" in repr(widget)
    widget.part = "mlp"
    assert widget.layer == 1  # an MLP has one layer less
    assert "MLP output of block 1" in repr(widget)
    with pytest.raises(ValueError, match="layer is 2; here are layers 0 to 1 of mlp"):
        widget.layer = 2
    with pytest.raises(ValueError, match="position is 99; here are positions 0 to"):
        widget.position = 99


def test_the_picture_follows_what_was_chosen(widget):
    pictures = [widget.picture()]
    widget.position = -1
    pictures.append(widget.picture())
    widget.part = "attn"
    pictures.append(widget.picture())
    assert len(set(pictures)) == 3
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    data, metadata = widget._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == data["text/plain"] == widget.sentence()


# --- The script ---


@pytest.fixture
def expect():
    return pytest.importorskip("playwright.sync_api").expect


def says(root, expect, widget, part, layer, position):
    """Whether the page says of this cell what Python knows of it."""
    widget.part, widget.layer, widget.position = part, layer, position
    moved = float(widget.effects()[layer, position])
    label, share = widget._next()[0]
    said = root.locator(".pm-said")
    expect(said).to_contain_text(f"At token {position} ")
    expect(said).to_contain_text(f"The model now says {label} {100 * share:.1f} %.")
    sign = "" if round(100 * abs(moved)) == 0 else "−" if moved < 0 else "+"
    expect(said).to_contain_text(f"moved {sign}{abs(100 * moved):.0f} % of the way")
    rows = root.locator(".pm-said tbody tr")
    found = {row[0]: row[1:] for row in (r.split("\t") for r in rows.all_inner_texts())}
    for name, share in widget._next():
        i = widget.labels.index(name)
        shares = widget.plain[1][i], share, widget.plain[0][i]  # corrupt, with the patch, clean
        assert found[name] == [f"{100 * each:.1f} %" for each in shares]


def test_a_click_says_what_was_put_where_and_what_the_model_says(played, page, widget, expect):
    root = played(widget)
    T, first = len(widget.clean), widget.first
    cells = root.locator(".pm-cell")
    expect(cells).to_have_count(3 * (T - first))
    says(root, expect, widget, "stream", 0, first)
    expect(root.locator(".pm-said")).to_contain_text(f"that run has {widget.clean[first]} there")
    cells.nth((T - first) + 2).click()
    says(root, expect, widget, "stream", 1, first + 2)
    expect(root.locator(".pm-said")).to_contain_text("residual stream after block 0")
    assert widget.position == first + 2
    root.get_by_label("put in").select_option("mlp")
    expect(cells).to_have_count(2 * (T - first))
    cells.last.click()
    says(root, expect, widget, "mlp", 1, T - 1)
    page.wait_for_timeout(400)
    assert (widget.part, widget.layer, widget.position) == ("mlp", 1, T - 1)
    numbers = [float(text.replace("−", "-")) for text in cells.all_inner_texts()]
    wanted = (100 * widget.effects()[:, first:]).flatten().tolist()
    assert numbers == pytest.approx(wanted, abs=0.51)


def test_the_keyboard_alone_chooses(played, page, widget, expect):
    root = played(widget)
    first = widget.first
    page.keyboard.press("Tab")  # the part
    page.keyboard.press("Tab")  # the chosen cell
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    chosen = root.locator(".pm-cell[aria-pressed=true]")
    expect(chosen).to_be_focused()
    expect(chosen).to_have_attribute("aria-label", re.compile(rf"after block 0, token {first + 1}"))
    says(root, expect, widget, "stream", 1, first + 1)
    page.keyboard.press("End")
    says(root, expect, widget, "stream", 2, len(widget.clean) - 1)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    expect(root.get_by_label("put in")).to_have_value("attn")
    says(root, expect, widget, "attn", 1, len(widget.clean) - 1)  # kept within its layers


def test_it_follows_python_up_to_the_common_beginning(played, widget, expect):
    root = played(widget)
    says(root, expect, widget, "stream", 0, widget.first)
    widget.position = 0
    root.get_by_label("put in").select_option("attn")  # what Python changed comes along
    expect(root.locator(".pm-said")).to_contain_text("up to here both texts are the same")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_python_it_plays_in_the_systems_theme(page, tmp_path, widget, scheme, expect):
    widget.to_html(tmp_path / "page.html")
    page.emulate_media(color_scheme=scheme)
    page.context.set_offline(True)
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".pm")
    expect(root).to_have_attribute("data-theme", scheme)
    root.locator(".pm-cell").last.click()
    says(root, expect, widget, "stream", 2, len(widget.clean) - 1)
    strong = root.locator(".pm-strong").first
    ink, paper = (
        strong.evaluate(f"n => getComputedStyle(n).{name}") for name in ("color", "backgroundColor")
    )
    assert abs(brightness(ink) - brightness(paper)) > 0.25
    page.set_viewport_size({"width": 420, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 420


def brightness(colour):
    """How bright a CSS colour is, 0 to 1; rgb() counts to 255, color() to 1."""
    numbers = [float(x) for x in re.findall(r"[\d.]+", colour.replace("srgb", ""))[:3]]
    return sum(numbers) / 3 / (255 if colour.startswith("rgb") else 1)


def test_a_hostile_text_is_text(played, page, model, tokenizer, expect):
    widget = PatchMap(model, tokenizer, "<b>&</b>", "<i>&</i>", answers=("t", "r"))
    root = played(widget)
    assert page.locator("main b, main i").count() == 0
    expect(root.locator(".pm-text").first).to_contain_text("<b>&</b>")


def test_a_story_stays_within_the_page(page, tmp_path, expect):
    model, tokenizer = from_pretrained("storyteller", verbose=False)
    widget = PatchMap(model, tokenizer, STORY.format("purple"), STORY.format("green"))
    widget.to_html(tmp_path / "page.html")
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".pm")
    root.locator(".pm-cell").last.click()
    expect(root.locator(".pm-now")).to_contain_text("·purple")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    for part in (".pm-map", ".pm-now", ".pm-said table"):
        expect(root.locator(part)).to_be_in_viewport(ratio=1)
