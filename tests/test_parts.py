"""What passes becomes part of the learner's own GPT; what breaks later blocks nothing."""

import linecache

import pytest
import torch

from minigpt import GPTConfig
from minigpt.course.home import home
from minigpt.course.parts import CannotKeep, keep, my_parts, part, standalone_source
from minigpt.course.reporting import check
from minigpt.model import GPT

CONFIG = GPTConfig(vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=8)


@pytest.fixture(autouse=True)
def mygpt(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_MYGPT", str(tmp_path / "mygpt"))
    return tmp_path / "mygpt"


def notebook(source: str) -> dict:
    """Run source as cells of a notebook would run: its functions live in `__main__`."""
    file = f"<cell {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    names = {"__name__": "__main__"}
    exec(compile(source, file, "exec"), names)
    return names


MASK = """import torch as t
from math import floor
start = 0

def rows(T):
    return t.arange(start, floor(T))[:, None]

def causal_mask(T):
    return t.arange(T) <= rows(T)
"""


def test_a_passed_part_is_kept_and_used(mygpt):
    mask = notebook(MASK)["causal_mask"]
    check("causal_mask", mask)
    assert (mygpt / "causal_mask.py").is_file()
    mine = part("causal_mask")
    assert mine.__module__ == "mygpt.causal_mask"
    assert torch.equal(mine(3), mask(3))
    assert "yours" in repr(my_parts())


def test_the_file_stands_alone_and_tells_its_version(mygpt):
    keep("causal_mask", notebook(MASK)["causal_mask"])
    text = (mygpt / "causal_mask.py").read_text(encoding="utf-8")
    assert text.startswith("# causal_mask, version 1: passed its check on ")
    assert "import torch as t\nfrom math import floor\n" in text
    assert "start = 0" in text
    assert text.index("def rows") < text.index("def causal_mask")
    names = {}
    exec(text, names)
    assert torch.equal(names["causal_mask"](4), torch.ones(4, 4).tril().bool())


def test_the_same_again_is_no_new_version_and_another_puts_the_old_one_away(mygpt):
    keep("causal_mask", notebook(MASK)["causal_mask"])
    keep("causal_mask", notebook(MASK)["causal_mask"])
    assert not (mygpt / "older").exists()
    other = MASK.replace("t.arange(T) <= rows(T)", "rows(T) >= t.arange(T)")
    keep("causal_mask", notebook(other)["causal_mask"])
    assert "t.arange(T) <= rows(T)" in (mygpt / "older/causal_mask.1.py").read_text("utf-8")
    assert "version 2" in (mygpt / "causal_mask.py").read_text(encoding="utf-8")


def test_a_part_under_another_name_is_kept_under_the_exercises_name(mygpt):
    mine = notebook("import torch\ndef my_mask(T):\n    return torch.ones(T, T).tril().bool()\n")
    check("causal_mask", mine["my_mask"])
    assert torch.equal(part("causal_mask")(2), torch.tensor([[True, False], [True, True]]))


def test_a_class_is_kept_with_the_parts_it_uses(mygpt):
    source = """import torch
from torch import nn
from minigpt.course import part

gelu = part("gelu")

class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):
        return self.dropout(self.c_proj(gelu(self.c_fc(x))))
"""
    check("MLP", notebook(source)["MLP"])
    text = (mygpt / "MLP.py").read_text(encoding="utf-8")
    assert 'gelu = part("gelu")' in text
    assert "class MLP(nn.Module)" in text
    assert part("MLP").__module__ == "mygpt.MLP"


def test_what_cannot_stand_alone_passes_but_is_not_kept(mygpt, capsys):
    far = [0]  # a variable of this function, not of a notebook

    def causal_mask(T):
        return torch.arange(T) <= torch.arange(T)[:, None] + far[0]

    check("causal_mask", causal_mask)
    out = capsys.readouterr().out
    assert "passed" in out or "Right in all" in out
    assert "was not kept" in out
    assert not (mygpt / "causal_mask.py").exists()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("table = [1]\ndef causal_mask(T):\n    return table\n", "uses table, a list"),
        ("causal_mask = lambda T: T\n", "source of <lambda> cannot be found"),
    ],
)
def test_why_a_part_cannot_be_kept_is_said(source, words):
    with pytest.raises(CannotKeep, match=words):
        standalone_source("causal_mask", notebook(source)["causal_mask"])


@pytest.mark.parametrize(
    "edit",
    ["\ndef causal_mask(T):\n    return torch.zeros(T, T).bool()\n", "\n)(\n", "\n1 / 0\n"],
)
def test_a_part_that_breaks_later_falls_back_and_says_so(mygpt, capsys, edit):
    keep("causal_mask", notebook(MASK)["causal_mask"])
    with open(mygpt / "causal_mask.py", "a", encoding="utf-8") as file:
        file.write(edit)
    ours = part("causal_mask")
    assert "Your causal_mask no longer passes its check" in capsys.readouterr().out
    assert torch.equal(ours(2), torch.tensor([[True, False], [True, True]]))
    assert "ours, yours fails its check" in repr(my_parts())


def test_without_any_part_of_the_learners_the_gpt_is_ours_and_computes_the_same():
    torch.manual_seed(0)
    ours, assembled = GPT(CONFIG).eval(), part("GPT")(CONFIG).eval()
    assembled.load_state_dict(ours.state_dict())
    idx = torch.randint(11, (2, 8))
    torch.testing.assert_close(assembled(idx), ours(idx))


def test_a_learners_mlp_is_inside_the_gpt_that_is_otherwise_ours(mygpt):
    torch.manual_seed(0)
    test_a_class_is_kept_with_the_parts_it_uses(mygpt)
    gpt = part("GPT")(CONFIG)
    modules = [type(block.mlp).__module__ for block in gpt.transformer.h]
    assert modules == ["mygpt.MLP"] * 2
    ours = GPT(CONFIG).eval()
    gpt.eval().load_state_dict(ours.state_dict())
    idx = torch.randint(11, (2, 8))
    torch.testing.assert_close(gpt(idx), ours(idx))


def test_what_is_no_part_cannot_be_asked_for():
    with pytest.raises(ValueError, match="is not a part of the GPT"):
        part("uniform_loss")


def test_the_folder_can_be_named(mygpt):
    assert home() == mygpt
