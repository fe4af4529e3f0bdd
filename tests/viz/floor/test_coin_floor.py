"""Coins against the floor: the numbers are torch's, in Python and in the script."""

import math
import re

import pytest
import torch
from torch.nn import functional as F

from minigpt.viz import CoinFloor
from minigpt.viz.floor.coin_floor import nats
from tests.browser.explorers import hears

COIN = {"kite": 0.5, "hat": 0.5}
DIE = dict(zip("123456", [0.1, 0.15, 0.05, 0.2, 0.1, 0.4]))
GUESS = dict(zip("123456", [0.3, 0.1, 0.2, 0.1, 0.25, 0.05]))


def by_torch(truth, guess):
    """Loss, floor and gap as PyTorch has them."""
    p, q = (torch.tensor(each, dtype=torch.float64) for each in (truth, guess))
    loss = F.cross_entropy(q.log()[None], p[None])  # log q are logits of q
    floor = torch.distributions.Categorical(p).entropy()
    gap = F.kl_div(q.log(), p, reduction="sum")
    return loss.item(), floor.item(), gap.item()


def drawn(n, seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.rand(2, n, generator=generator, dtype=torch.float64) ** 3
    return (rows / rows.sum(dim=1, keepdim=True)).tolist()


@pytest.mark.parametrize("n", [2, 3, 8])
def test_loss_floor_and_gap_are_torchs(n):
    for seed in range(50):
        truth, guess = drawn(n, seed)
        assert nats(truth, guess) == pytest.approx(by_torch(truth, guess), abs=1e-9)


def test_a_side_that_never_comes_costs_nothing_and_one_given_no_chance_costs_all():
    assert nats([1, 0], [1, 0]) == (0, 0, 0)
    assert nats([1, 0], [0.5, 0.5]) == pytest.approx((math.log(2), 0, math.log(2)))
    assert nats([0.5, 0.5], [1, 0]) == (math.inf, pytest.approx(math.log(2)), math.inf)


def test_who_knows_nothing_pays_ln_v_whatever_the_truth_is():
    for truth, V in ((COIN, 2), (DIE, 6)):
        assert CoinFloor(truth).nats()[0] == pytest.approx(math.log(V))


@pytest.mark.parametrize(
    ("truth", "guess", "message"),
    [
        ({"kite": 1.0}, None, "give from 2 to 8 sides"),
        (dict.fromkeys("123456789", 1 / 9), None, "give from 2 to 8 sides"),
        ([0.5, 0.5], None, r"truth is \[0.5, 0.5\]"),
        ({1: 0.5, 2: 0.5}, None, "truth is"),
        ({"kite": 0.5, "hat": 0.4}, None, "of truth sum to 0.9"),
        ({"kite": 1.5, "hat": -0.5}, None, "truth holds 1.5"),
        ({"kite": math.nan, "hat": 1}, None, "truth holds nan"),
        ({"kite": "0.5", "hat": 0.5}, None, "truth holds '0.5'"),
        ({"kite": True, "hat": 0}, None, "truth holds True"),
        (COIN, {"kite": 0.5, "cap": 0.5}, "guess has the sides"),
        (COIN, {"kite": 0.5, "hat": 0.6}, "of guess sum to 1.1"),
    ],
)
def test_what_is_no_coin_is_refused(truth, guess, message):
    with pytest.raises(ValueError, match=message):
        CoinFloor(truth, guess)


def test_the_guess_goes_by_the_names_of_the_sides():
    widget = CoinFloor({"kite": 0.9, "hat": 0.1}, {"hat": 0.1, "kite": 0.9})
    assert widget.nats()[2] == 0
    with pytest.raises(ValueError, match="3 probabilities for 2 sides"):
        widget.guess = [0.5, 0.25, 0.25]


def test_the_picture_and_the_words_follow_the_guess():
    widget = CoinFloor(COIN, {"kite": 0.9, "hat": 0.1})
    assert "Loss 1.204 nats, floor 0.693, gap 0.511." in repr(widget)
    first = widget.picture()
    widget.guess = [1, 0]
    assert "gap inf" in repr(widget)
    assert widget.picture() != first
    assert first.startswith(b"\x89PNG")


# --- The script, in a page of its own with Python behind it ---


@pytest.fixture
def expect():
    return pytest.importorskip("playwright.sync_api").expect


FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def told(root):
    """Loss, floor and gap as the page says them; the table says the same."""
    root.page.evaluate(FRAMES)  # what was chosen is drawn in the next frame
    words = root.locator(".cf-verdict").inner_text()
    loss, floor, gap = re.match(r"loss (.+) = floor (.+) \+ gap (.+) nats", words).groups()
    assert root.locator("tr:last-child td").nth(3).inner_text() == f"loss {loss}"
    assert root.locator("tr:last-child td").nth(4).inner_text() == f"floor {floor}"
    return [float(x.replace("∞", "inf")) for x in (loss, floor, gap)]


def column(root, number):
    """The probabilities (0 truth, 1 guess) that the page shows."""
    texts = root.locator(f"tbody td:nth-child({number + 2}) output").all_inner_texts()
    return [float(text.split()[0]) / 100 for text in texts]


def test_the_page_says_what_torch_says(page, played, expect):
    widget = CoinFloor(DIE, GUESS)
    root = played(widget)
    for change in (None, ("true probability of 6", 0.9), ("guessed probability of 1", 0.02)):
        if change:
            root.get_by_role("slider", name=change[0]).fill(str(change[1]))
        hears(
            page,
            lambda: told(root) == pytest.approx(by_torch(widget.truth, widget.guess), abs=6e-4),
            True,
        )
        assert sum(widget.truth) == pytest.approx(1)
    hears(root.page, lambda: column(root, 0), pytest.approx(widget.truth, abs=6e-4))
    hears(root.page, lambda: column(root, 1), pytest.approx(widget.guess, abs=6e-4))
    # The others share what is left as they did before.
    assert widget.truth[3] / widget.truth[0] == pytest.approx(DIE["4"] / DIE["1"])
    assert (widget.truth[5], widget.guess[0]) == (0.9, 0.02)


def test_the_keyboard_alone_loads_a_coin_and_the_gap_closes(page, played, expect):
    widget = CoinFloor(COIN)
    root = played(widget)
    hears(root.page, lambda: told(root), pytest.approx([0.693, 0.693, 0]))
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    hears(root.page, lambda: told(root), pytest.approx([0.693, 0, 0.693]))
    hears(root.page, lambda: column(root, 0), [1, 0])
    page.keyboard.press("ArrowLeft")
    hears(root.page, lambda: column(root, 0), [0.99, 0.01])
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Guess the truth
    loss, floor, gap = told(root)
    assert (loss, gap) == (floor, 0)
    expect(root.locator(".cf-verdict")).to_contain_text("no model pays less")
    hears(page, lambda: widget.guess == widget.truth == [0.99, pytest.approx(0.01)], True)


def test_a_side_that_was_given_no_chance_is_named(page, tmp_path, expect):
    widget = CoinFloor({"<b>kite</b>": 0.5, "hat": 0.5}, {"<b>kite</b>": 0, "hat": 1})
    widget.to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())  # without Python
    root = page.locator(".cf")
    hears(root.page, lambda: told(root), pytest.approx([math.inf, 0.693, math.inf]))
    expect(root.locator(".cf-verdict")).to_contain_text("“<b>kite</b>” does come")
    root.get_by_role("button", name="Know nothing").click()
    hears(root.page, lambda: told(root), pytest.approx([0.693, 0.693, 0]))
    expect(root.locator(".xp-alone")).to_be_hidden()


def test_the_axis_stays_and_the_bars_have_their_lengths(page, played, expect):
    root = played(CoinFloor(COIN, {"kite": 0.9, "hat": 0.1}))

    def width(selector, line=1):
        return root.locator(selector).nth(line).bounding_box()["width"]

    whole = width(".cf-track") - 2
    nats_of = (2 * math.log(2) + 1) / whole
    assert width(".cf-floor") * nats_of == pytest.approx(0.693, abs=0.02)
    assert width(".cf-gap") * nats_of == pytest.approx(0.511, abs=0.02)
    root.get_by_role("slider", name="guessed probability of kite").fill("1")
    assert width(".cf-track") - 2 == whole
    assert width(".cf-floor") * nats_of == pytest.approx(0.693, abs=0.02)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_theme_and_stays_within_the_page(page, tmp_path, scheme, expect):
    CoinFloor(DIE).to_html(tmp_path / "page.html")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 420, "height": 700})
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".cf")).to_have_attribute("data-theme", scheme)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 420
