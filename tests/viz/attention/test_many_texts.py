"""The head explorer with several texts: scores and means over them, and one to compare with."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from minigpt.interpret import attention_patterns, head_scores, hide_first_token
from minigpt.viz import AttentionExplorer
from tests.viz.attention.test_explorer import TEXT, make_model, planted
from tests.viz.attention.test_explorer import tokenizer as tokenizer  # a fixture

TEXTS = [
    "the red kite fell. the red kite rose. the red kite.",
    "red",  # cannot tell
    "the kite fell and the kite rose and the kite fell",
]
OTHER = TEXT.replace("red", "fel")  # a word of as many tokens


@pytest.fixture(scope="module")
def model(tokenizer):
    return make_model(tokenizer)


@pytest.fixture
def explorer(model, tokenizer):
    return AttentionExplorer(model, tokenizer, TEXT, texts=TEXTS, compare=OTHER)


def rows(tokenizer):
    return [torch.tensor(tokenizer.encode(text)) for text in TEXTS]


# --- Means ---


@torch.no_grad()
def loss_by_edited_weights(model, tokenizer, layer, head):
    """The loss where a head's channels are gone from c_proj, and its mean has become a bias."""
    size, given = model.config.head_size, []
    channels = slice(head * size, (head + 1) * size)
    c_proj = model.transformer.h[layer].attn.c_proj
    hook = c_proj.register_forward_pre_hook(lambda module, x: given.append(x[0][0, :, channels]))
    for ids in rows(tokenizer):
        model(ids[None])
    hook.remove()
    edited = copy.deepcopy(model)
    c_proj = edited.transformer.h[layer].attn.c_proj
    c_proj.bias += c_proj.weight[:, channels] @ torch.cat(given).mean(dim=0)
    c_proj.weight[:, channels] = 0
    ids = torch.tensor(tokenizer.encode(TEXT))
    return F.cross_entropy(edited(ids[None])[0, :-1], ids[1:], reduction="none")


@pytest.mark.parametrize("head", [(0, 1), (2, 0)])
def test_taken_out_by_its_mean_a_head_is_a_bias_of_edited_weights(explorer, model, tokenizer, head):
    explorer.ablate([head])
    by_zero = torch.tensor(explorer.without["surprisal"])
    explorer.by_mean = True
    by_mean = torch.tensor(explorer.without["surprisal"])
    expected = loss_by_edited_weights(model, tokenizer, *head)
    torch.testing.assert_close(by_mean, expected, atol=1e-4, rtol=0)
    assert (by_mean - by_zero).abs().max() > 0.01
    assert "(their mean over 3 texts instead)" in explorer.sentence()
    explorer.by_mean = False
    assert explorer.without["surprisal"] == by_zero.tolist()


# --- Scores ---


def test_scores_over_texts_are_means_over_those_that_can_tell(explorer, model, tokenizer):
    explorer.answer_scores(on="texts")
    assert explorer.scored_on == "texts"
    found = [
        head_scores(attention_patterns(model, ids[None])[:, 0], ids) for ids in rows(tokenizer)
    ]
    for name, scores in explorer.scores.items():
        each = np.array([one[name].flatten().numpy() for one in found])
        assert scores == pytest.approx(np.nanmean(each, axis=0).tolist(), abs=1e-6)
    assert found[1]["duplicate"].isnan().all() and None not in explorer.scores["duplicate"]


def test_without_texts_there_is_nothing_to_go_over(model, tokenizer):
    explorer = AttentionExplorer(model, tokenizer, TEXT)
    assert explorer.texts == 0
    with pytest.raises(ValueError, match="open the explorer with texts="):
        explorer.answer_scores(on="texts")
    with pytest.raises(ValueError, match="open the explorer with texts="):
        explorer.by_mean = True
    assert not explorer.by_mean
    with pytest.raises(ValueError, match="texts is empty"):
        AttentionExplorer(model, tokenizer, TEXT, texts=[])


# --- A text to compare with ---


def triangles(explorer, name, layers=3):
    """The bytes of a trait as full patterns (layers, heads, T, T), 0 to 255."""
    _, heads, T = explorer.shape
    full = np.zeros((layers, heads, T, T), int)
    packed = np.frombuffer(getattr(explorer, name), np.uint8)
    rows, columns = np.tril_indices(T)
    full[..., rows, columns] = packed.reshape(layers, heads, -1)
    return full


def test_the_other_texts_patterns_arrive(explorer, model, tokenizer):
    ids = torch.tensor([tokenizer.encode(OTHER)])
    patterns = attention_patterns(model, ids)[:, 0]
    for name, wanted in (("", patterns), ("_hidden", hide_first_token(patterns)[0])):
        found = triangles(explorer, f"other_weights{name}") / 255
        assert np.abs(found - wanted.numpy()).max() < 0.002
    assert explorer.other_tokens != explorer.tokens
    assert len(explorer.other_tokens) == len(explorer.tokens)


def test_a_text_of_another_length_is_refused_or_not_compared(explorer, model, tokenizer):
    with pytest.raises(ValueError, match="10 tokens and the one to compare with 2; "):
        AttentionExplorer(model, tokenizer, TEXT, compare="kite")
    explorer.read("the kite")
    assert explorer.other_tokens == [] and explorer.other_weights == b""
    explorer.read(TEXT)
    assert explorer.other_tokens


# --- The script ---


@pytest.fixture
def expect():
    return pytest.importorskip("playwright.sync_api").expect


def test_heads_are_taken_out_by_their_mean_with_the_mouse(played, page, explorer, expect):
    shown = played(explorer)
    choice = shown.get_by_label("in its place")
    expect(choice).to_be_enabled()
    shown.get_by_text("Take out layer 0, head 0").click()
    effect, seen = shown.locator(".ae-effect"), []
    for value in ("zero", "mean", "zero"):
        choice.select_option(value)
        page.wait_for_timeout(600)
        assert explorer.by_mean == (value == "mean")
        loss = sum(explorer.without["surprisal"]) / len(explorer.surprisal)
        expect(effect).to_contain_text(f"→ {loss:.3f} (")
        seen.append(loss)
    assert seen[0] == seen[2] and abs(seen[0] - seen[1]) > 0.001


def test_what_was_found_in_another_way_is_not_told(page, explorer, tmp_path, expect):
    explorer.ablate([(0, 0)])
    zero = explorer.without
    explorer.by_mean = True
    explorer.without = zero  # as while Python works out the other
    explorer.to_html(tmp_path / "a.html")
    page.goto((tmp_path / "a.html").as_uri())
    expect(page.locator(".ae-effect")).to_have_text("…")


def test_the_list_of_heads_shows_the_means_over_texts(played, tokenizer, expect):
    model = planted(tokenizer)
    explorer = AttentionExplorer(model, tokenizer, "the red kite fell.", texts=TEXTS[:2])
    shown = played(explorer)
    choice = shown.locator(".ae-list select")
    expect(choice).to_be_enabled()
    choice.select_option(label="2 texts, the mean")
    expect(choice).to_have_value("texts")
    cells = shown.locator(".ae-list tbody tr").nth(1).locator("td")
    expect(cells.first).to_have_text(f"{explorer.scores['previous token'][1]:.2f}P")
    assert explorer.scored_on == "texts"


def test_without_several_texts_nothing_is_offered(played, model, tokenizer, expect):
    shown = played(AttentionExplorer(model, tokenizer, TEXT))
    expect(shown.locator(".ae-list option")).to_have_count(2)
    expect(shown.get_by_label("in its place")).to_be_hidden()
    expect(shown.locator(".ae-compare")).to_be_hidden()


def says(shown, expect, explorer, row, column):
    """Whether the comparison says of a cell what both texts have there."""
    caption = shown.locator(".ae-compare .ae-caption")
    here, there = (
        triangles(explorer, name)[explorer.layer, explorer.head, row, column] / 255
        for name in ("weights", "other_weights")
    )
    expect(caption).to_contain_text(f"token {row} → {column} {explorer.tokens[column]}: ")
    for share, words in ((here, " here"), (there, " in the other text")):
        percent = "<1" if 0 < share < 0.005 else f"{round(100 * share)}"
        expect(caption).to_contain_text(f"{percent} %{words}")
    if explorer.tokens[column] != explorer.other_tokens[column]:
        expect(caption).to_contain_text(f"where it is {explorer.other_tokens[column]}")


def test_the_difference_is_said_cell_by_cell_with_mouse_and_keys(played, page, explorer, expect):
    shown = played(explorer)
    difference = triangles(explorer, "weights") - triangles(explorer, "other_weights")
    row, column = np.unravel_index(np.abs(difference[0, 0]).argmax(), difference[0, 0].shape)
    expect(shown.locator(".ae-compare .ae-caption")).to_contain_text("Largest: ")
    says(shown, expect, explorer, row, column)

    T, square = explorer.shape[2], shown.locator(".ae-compare .ae-square")
    step = square.bounding_box()["width"] / T
    changed = next(
        i for i, (a, b) in enumerate(zip(explorer.tokens, explorer.other_tokens)) if a != b
    )
    square.hover(position={"x": (changed + 0.5) * step, "y": (changed + 2.5) * step})
    says(shown, expect, explorer, changed + 2, changed)
    page.mouse.move(1, 1)
    square.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    says(shown, expect, explorer, T - 2, T - 3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_blue_is_more_here_and_orange_more_there(page, explorer, tmp_path, scheme, expect):
    explorer.to_html(tmp_path / "a.html")
    page.emulate_media(color_scheme=scheme)
    page.goto((tmp_path / "a.html").as_uri())
    expect(page.locator(f".ae[data-theme={scheme}]")).to_have_count(1)
    page.locator(".ae-compare canvas").wait_for()
    difference = triangles(explorer, "weights") - triangles(explorer, "other_weights")
    difference, T = difference[0, 0], explorer.shape[2]
    for value in (difference.max(), difference.min()):
        assert abs(value) > 10
        row, column = np.argwhere(difference == value)[0].tolist()
        red, _, blue, alpha = page.locator(".ae-compare canvas").evaluate(
            "(canvas, [x, y]) => [...canvas.getContext('2d').getImageData("
            "Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data]",
            [(column + 0.5) / T, (row + 0.5) / T],
        )
        assert alpha == 255
        assert (blue > red) == (value > 0)


def test_a_text_of_another_length_hides_the_comparison(played, explorer, expect):
    shown = played(explorer)
    box = shown.locator(".ae-compare")
    expect(box).to_be_visible()
    shown.locator("textarea").fill("the kite")
    expect(box).to_be_hidden()
    shown.locator("textarea").fill(TEXT)
    expect(box).to_be_visible()
