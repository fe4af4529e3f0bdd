"""The sizes explorer: its numbers are the package's and PyTorch's, in Python and in the script."""

import json
import random
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import minigpt.viz
from minigpt.config import PRESETS, GPTConfig
from minigpt.kv_cache import KVCache
from minigpt.model import GPT
from minigpt.pretrained import memory_needed
from minigpt.viz import SizeExplorer
from minigpt.viz.sizes.accounts import activations, flops, memory, parameters
from minigpt.viz.sizes.size_explorer import MOST, heads_for
from tests.browser.explorers import hears

FOLDER = Path(minigpt.viz.__file__).parent / "sizes"


def drawn(n, largest, seed=0):
    """Configurations of all kinds, none larger than (layers, width, context, vocabulary)."""
    pick = random.Random(seed)
    for _ in range(n):
        layers, width, context, vocabulary = (round(most ** pick.random()) or 1 for most in largest)
        heads = pick.choice([h for h in range(1, width + 1) if width % h == 0])
        yield GPTConfig(vocabulary, context, layers, heads, width, bias=pick.random() < 0.7)


LARGE = [GPTConfig.preset(name) for name in PRESETS]
SMALL = [*drawn(25, (12, 300, 500, 2_000)), *LARGE]


@pytest.mark.parametrize("config", SMALL, ids=str)
def test_parameters_weights_and_cache_are_the_packages_and_flops_are_pytorchs(config):
    with torch.device("meta"):
        model = GPT(config)
        held = KVCache(config, device="meta").layers
    assert sum(parameters(config).values()) == model.num_parameters()
    weights = memory(config)["weights"]
    assert weights["fp32"] == memory_needed(config)
    assert weights["bf16"] == memory_needed(config, torch.bfloat16)
    assert memory(config)["KV cache"]["fp32"] == sum(
        layer.keys.nbytes + layer.values.nbytes for layer in held
    )
    T = config.block_size
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, T, dtype=torch.long, device="meta"))
    assert counter.get_total_flops() == T * sum(flops(config).values())


def test_each_part_of_the_parameters_is_where_its_name_says():
    config = GPTConfig(99, 30, 3, 2, 16)
    names = {"tokens (wte)": "wte", "positions (wpe)": "wpe", "attention": "attn", "MLP": "mlp"}
    found = dict.fromkeys(parameters(config), 0)
    for name, parameter in GPT(config).named_parameters():
        part = next((p for p, sign in names.items() if sign in name.split(".")), "LayerNorms")
        found[part] += parameter.numel()
    assert found == parameters(config)


def test_sixteen_bytes_a_parameter_are_what_adamw_takes():
    config = GPTConfig(99, 30, 3, 2, 16)
    model = GPT(config)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.zeros(1, 8, dtype=torch.long)).sum().backward()
    optimizer.step()
    averages = [t for state in optimizer.state.values() for t in state.values() if t.dim()]
    held = memory(config)["training"]
    assert held["weights"] == sum(p.nbytes for p in model.parameters())
    assert held["gradients"] == sum(p.grad.nbytes for p in model.parameters())
    assert held["AdamW's averages"] == sum(t.nbytes for t in averages)


@pytest.mark.parametrize("config", [GPTConfig(500, 128, 3, 4, 64), GPTConfig(99, 96, 2, 8, 128)])
def test_activations_are_what_pytorch_keeps(config):
    model, T = GPT(config), config.block_size
    own = {parameter.data_ptr() for parameter in model.parameters()}
    kept = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.is_floating_point():
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    text = torch.zeros(1, T, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = F.cross_entropy(model(text)[0], text[0])
    assert loss.requires_grad
    assert memory(config)["training"]["activations"] == 4 * T * activations(config)
    assert sum(kept.values()) == pytest.approx(4 * T * activations(config), rel=0.05)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"n_layer": 2}, "config is a dict; give a GPTConfig"),
        (GPT, "config is a type"),
        (GPTConfig(n_layer=201), "n_layer is 201; the explorer goes to 200"),
        (GPTConfig(vocab_size=2_000_000), "vocab_size is 2,000,000"),
    ],
)
def test_what_is_no_configuration_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        SizeExplorer(config)


def test_another_librarys_configuration_is_refused_in_words():
    theirs = pytest.importorskip("transformers").GPT2Config()
    with pytest.raises(ValueError, match="config is a GPT2Config; give a GPTConfig of minigpt"):
        SizeExplorer(theirs)


def test_heads_follow_the_width_and_the_configuration_can_be_taken_on():
    widget = SizeExplorer(GPTConfig(1024, 128, 4, 4, 128, bias=False))
    assert widget.config == GPTConfig(1024, 128, 4, 4, 128, bias=False)
    widget.n_embd = 256  # four heads can share it: they stay
    assert widget.config.n_head == 4
    widget.n_embd = 270
    assert widget.config.n_head == heads_for(270) == 5
    with pytest.raises(ValueError, match="n_embd is 0"):
        widget.n_embd = 0
    for name, sizes in PRESETS.items():
        assert heads_for(sizes["n_embd"]) == sizes["n_head"], name


def test_the_picture_and_the_words_follow_the_sizes():
    widget = SizeExplorer()
    assert "124,439,808 parameters; weights 0.498 GB in fp32, training 2.81 GB" in repr(widget)
    first = widget.picture()
    widget.n_layer = 24
    assert widget.picture() != first
    assert "24 layers" in repr(widget)


# --- The script ---


@pytest.fixture
def expect():
    return pytest.importorskip("playwright.sync_api").expect


def test_the_script_has_the_same_formulas_and_heads(page):
    largest = GPTConfig(*(MOST[n] for n in ("vocab_size", "block_size", "n_layer")), 1, 20_000)
    configs = [*SMALL, *drawn(300, (200, 20_000, 200_000, 1_000_000), seed=1), largest]
    script = "".join((FOLDER / f"{name}.js").read_text() for name in ("accounts", "controls"))
    text = page.evaluate(
        f"(all) => {{ {script} return JSON.stringify(all.map((s) => [accounts(s),"
        " headsFor(s.n_embd)])); }",
        [vars(config) for config in configs],
    )
    for config, (told, heads) in zip(configs, json.loads(text), strict=True):
        assert told == {
            "parameters": parameters(config),
            "memory": memory(config),
            "flops": flops(config),
        }
        assert heads == heads_for(config.n_embd)


def numbers(root, section):
    """The exact numbers of a table, by what stands before them."""
    rows = root.locator(".sz-whole").nth(section).locator("tbody tr").all()
    cells = [row.locator("th, td").all_inner_texts() for row in rows]
    return {name.strip(): int(number.replace(",", "")) for name, number, *_ in cells}


def shows(root, config):
    """Whether every table of the page has the numbers of a configuration."""
    wholes = [parameters(config), memory(config)["training"], flops(config)]
    for section, parts in enumerate(wholes):
        hears(
            root.page,
            lambda section=section: numbers(root, section),
            parts | {"sum": sum(parts.values())},
        )
    held = memory(config)
    assert list(numbers(root, 3).values()) == [
        *held["weights"].values(),
        *held["KV cache"].values(),
    ]


def test_the_released_models_are_a_click_away(page, played, expect):
    widget = SizeExplorer(GPTConfig(1024, 128, 4, 4, 128, bias=False))
    root = played(widget)
    shows(root, widget.config)
    pressed = root.locator("[aria-pressed=true]")
    expect(pressed).to_have_count(0)
    for name in PRESETS:
        root.get_by_role("button", name=name, exact=True).click()
        expect(pressed).to_have_text(name)
        shows(root, GPTConfig.preset(name))
    hears(page, lambda: widget.config, GPTConfig.preset("gpt2-xl"))


def test_the_keyboard_alone_sets_every_size(page, played, expect):
    widget = SizeExplorer()
    root = played(widget)
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")  # 13 layers
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")  # 16 wider; heads follow
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")  # half the context
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("1000")
    hears(page, lambda: widget.config, GPTConfig(1000, 512, 13, 14, 784))
    shows(root, widget.config)
    root.get_by_label("heads").select_option("7")
    hears(page, lambda: widget.n_head, 7)
    shows(root, widget.config)


def test_what_is_typed_out_of_range_is_brought_back(page, played, expect):
    widget = SizeExplorer()
    root = played(widget)
    typed = root.get_by_role("spinbutton", name="layers")
    typed.fill("9999")
    typed.press("Tab")
    expect(typed).to_have_value("200")
    root.get_by_role("spinbutton", name="width").fill("77")  # 7 heads of 11, or 1 of 77
    hears(page, lambda: (widget.n_layer, widget.n_embd, widget.n_head), (200, 77, 1))


def test_without_python_sizes_are_compared_with_those_one_began_with(page, tmp_path, expect):
    SizeExplorer(GPTConfig(100, 64, 2, 2, 64)).to_html(tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    root = page.locator(".sz")
    root.get_by_role("spinbutton", name="layers").fill("4")
    attention = root.locator(".sz-whole").first.locator("tbody tr").nth(2)
    expect(attention).to_contain_text("× 2")
    root.get_by_role("button", name="Compare with this").click()
    expect(attention).to_contain_text("× 1")
    expect(root.locator(".xp-alone")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_theme_and_stays_within_the_page(page, tmp_path, scheme, expect):
    SizeExplorer(GPTConfig.preset("gpt2-xl")).to_html(tmp_path / "page.html")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 420, "height": 700})
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".sz")).to_have_attribute("data-theme", scheme)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 420
