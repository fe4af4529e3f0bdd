"""What passes becomes part of the learner's own GPT; what breaks later blocks nothing."""

import linecache

import pytest
import torch

from minigpt import GPTConfig
from minigpt.course.learner import keeping, using
from minigpt.course.learner.home import home
from minigpt.course.learner.keeping import keep
from minigpt.course.learner.reporting import check
from minigpt.course.learner.sources import CannotKeep, parsed
from minigpt.course.learner.standalone import standalone_source
from minigpt.course.learner.using import my_parts, part
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
from itertools import count
from math import floor
start = 0

def rows(T):
    assert next(count()) == 0
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
    for line in ("import torch as t", "from math import floor", "from itertools import count"):
        assert line in text
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
        (
            "net = t.nn.Linear(1, 1)\ndef causal_mask(T):\n    return net\n",
            "uses net, a Linear that lives in the notebook; make it inside causal_mask",
        ),
        (
            "text = list(range(9_999))\ndef causal_mask(T):\n    return text\n",
            "uses text, a list of 58,884 characters; make it inside",
        ),
        (
            "made = [t.arange(T) for T in range(3)]\ndef causal_mask(T):\n    return made[T]\n",
            "uses made, a list that lives in the notebook",
        ),
        (
            "def outer(n):\n    return lambda T: T + n\ncausal_mask = outer(1)\n",
            "source of a lambda cannot be found; write it with def",
        ),
    ],
)
def test_why_a_part_cannot_be_kept_is_said(source, words):
    with pytest.raises(CannotKeep, match=words):
        standalone_source("causal_mask", notebook("import torch as t\n" + source)["causal_mask"])


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


@pytest.mark.parametrize(
    "source",
    [
        # decorators: PyTorch's, Python's and the learner's own
        "@t.no_grad()\ndef causal_mask(T):\n    return t.ones(T, T).tril().bool()\n",
        "@lru_cache\ndef row(T):\n    return t.arange(T)\n"
        "def causal_mask(T):\n    return row(T) <= row(T)[:, None]\n",
        "def loud(f):\n    @wraps(f)\n    def g(*args):\n        return f(*args)\n    return g\n"
        "@loud\ndef causal_mask(T):\n    return t.ones(T, T).tril().bool()\n",
        # the notebook has other things under the names of local variables
        "x = t.ones(3)\ndef causal_mask(T):\n    x = t.arange(T)\n    return x <= x[:, None]\n",
        # functions written in C, and constants whose repr is no Python
        "from torch import ones, tril\ndef causal_mask(T):\n    return tril(ones(T, T)).bool()\n",
        "never = float('-inf')\nkind = t.bool\ndef causal_mask(T):\n"
        "    return (t.full((T, T), never).triu(1) == 0).to(kind)\n",
        # constants of the notebook: plain ones, and what one quick call makes
        "TURNED = ('a', ('b', 2.5, float('inf')))\nSIZES = {'T': [1, 2], 0: {3}}\n"
        "def causal_mask(T):\n    assert TURNED[1][2] > SIZES['T'][1] and 3 in SIZES[0]\n"
        "    return t.ones(T, T).tril().bool()\n",
        "import re\nWORD = re.compile(r'\\w+')\nzero = t.tensor([0, 1], dtype=t.int32)[:1]\n"
        "def causal_mask(T):\n    assert WORD.match('ab') and zero.dtype == t.int32\n"
        "    return t.ones(T, T).tril().bool()\n",
        "def low(x, k):\n    return x.tril(k)\nlower = partial(low, k=0)\n"
        "def causal_mask(T):\n    return lower(t.ones(T, T)).bool()\n",
        # lambdas, as a helper and as the answer
        "rows = lambda T: t.arange(T)[:, None]\ncolumns = lambda T: t.arange(T)\n"
        "def causal_mask(T):\n    return columns(T) <= rows(T)\n",
        "one = 1\ncausal_mask = lambda T: t.ones(T, T).tril().bool() & (one == 1)\n",
        # classes whose methods were generated, and one without any
        "@dataclass(frozen=True)\nclass Size:\n    T: int\n    more: int = 0\n"
        "def causal_mask(T):\n    return t.ones(Size(T).T, T).tril().bool()\n",
        "@dataclass\nclass Size:\n    T: int\n\n    def ones(self):\n"
        "        return t.ones(self.T, self.T)\n"
        "def causal_mask(T):\n    return Size(T).ones().tril().bool()\n",
        "class Size(NamedTuple):\n    T: int\n"
        "def causal_mask(T):\n    return t.ones(Size(T).T, T).tril().bool()\n",
        "Size = namedtuple('Size', 'T')\n"
        "def causal_mask(T):\n    return t.ones(Size(T).T, T).tril().bool()\n",
        "class Kind(Enum):\n    LOWER = 0\n"
        "def causal_mask(T):\n    return t.ones(T, T).tril(Kind.LOWER.value).bool()\n",
        # a helper with the name of one of Python's own, and a counter
        "def sorted(x):\n    return x\ndef causal_mask(T):\n"
        "    return sorted(t.arange(T)) <= t.arange(T)[:, None]\n",
        "calls = 0\ndef causal_mask(T):\n    global calls\n    calls += 1\n"
        "    return t.ones(T, T).tril().bool()\n",
    ],
)
def test_honest_code_of_many_kinds_is_kept(mygpt, source):
    start = (
        "import torch as t\nfrom functools import lru_cache, partial, wraps\n"
        "from collections import namedtuple\nfrom dataclasses import dataclass\n"
        "from enum import Enum\nfrom typing import NamedTuple\n"
    )
    keep("causal_mask", notebook(start + source)["causal_mask"])
    assert part("causal_mask").__module__ == "mygpt.causal_mask"


def test_blank_lines_beside_a_magic_are_no_obstacle():
    cell = "%matplotlib inline\ndef f(x):\n\n    y = x\n\n    return y\n"
    assert [node.name for node in parsed(cell).body if hasattr(node, "name")] == ["f"]


def test_a_kept_file_that_is_no_utf8_is_put_away_as_it_is(mygpt):
    mygpt.mkdir()
    (mygpt / "causal_mask.py").write_bytes(b"# mine\n# \xff\n")
    check("causal_mask", notebook(MASK)["causal_mask"])
    assert part("causal_mask").__module__ == "mygpt.causal_mask"
    assert (mygpt / "older/causal_mask.1.py").read_bytes() == b"# mine\n# \xff\n"


def test_a_full_disk_loses_no_kept_part(mygpt, monkeypatch):
    keep("causal_mask", notebook(MASK)["causal_mask"])
    before = (mygpt / "causal_mask.py").read_bytes()
    write = keeping._write

    def full(path, text):
        if path.name == "causal_mask.py":
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(keeping, "_write", full)
    with pytest.raises(OSError, match="No space"):
        keep("causal_mask", notebook(MASK.replace("T):", "T):  # another"))["causal_mask"])
    assert (mygpt / "causal_mask.py").read_bytes() == before


def test_a_kept_part_takes_our_names_from_the_shortest_public_face():
    source = (
        "from minigpt.config import GPTConfig\nfrom minigpt.model import causal_mask as ours\n"
        "from minigpt.pretrained.empty_models import memory_needed\n"
        "def causal_mask(T):\n    assert memory_needed(GPTConfig())\n    return ours(T, T)\n"
    )
    kept = standalone_source("causal_mask", notebook(source)["causal_mask"])
    assert "from minigpt import GPTConfig" in kept
    assert "from minigpt.pretrained import memory_needed" in kept
    assert "from minigpt.model import causal_mask as ours" in kept, "which no face hands on"


def test_a_part_is_checked_once_until_a_file_that_it_rests_on_changes(mygpt, monkeypatch):
    test_a_class_is_kept_with_the_parts_it_uses(mygpt)
    checks = []
    diagnose = using.diagnose
    monkeypatch.setattr(using, "diagnose", lambda n, o: checks.append(n) or diagnose(n, o))
    part("GPT")(CONFIG), part("MLP")
    assert checks == ["MLP"] or checks == []
    checks.clear()
    part("MLP"), my_parts()
    assert checks == []
    gelu = "import torch\n\n\ndef gelu(x):\n    return torch.nn.functional.gelu(x)\n"
    (mygpt / "gelu.py").write_text("# gelu\n" + gelu, encoding="utf-8")
    part("MLP")
    assert checks == ["gelu", "MLP"]


def test_parts_that_use_each_other_in_a_circle_end(mygpt):
    mygpt.mkdir()
    for one, other in (("gelu", "layer_norm"), ("layer_norm", "gelu")):
        text = f'from minigpt.course import part\n{one} = part("{other}")\n'
        (mygpt / f"{one}.py").write_text(text, encoding="utf-8")
    assert torch.equal(part("gelu")(torch.zeros(2)), torch.zeros(2))
