"""Numbers as people read them: what rounds to nothing has no sign, in scripts and in tables."""

from pathlib import Path

import pytest
import torch

import minigpt.viz
from minigpt.viz import table
from minigpt.viz.kit.labels import signed

VIZ = Path(minigpt.viz.__file__).parent


def test_only_the_kit_rounds_so_that_no_script_writes_minus_zero():
    rounding = [path.name for path in VIZ.rglob("*.js") if ".toFixed(" in path.read_text("utf-8")]
    assert rounding == ["kit.js"]


@pytest.mark.parametrize(
    ("call", "written"),
    [
        ("fixed(-0.004)", "0.00"),
        ("fixed(-0)", "0.00"),
        ("fixed(-0.04, 1)", "0.0"),
        ("fixed(-0.4, 0)", "0"),
        ("fixed(-0.006)", "-0.01"),
        ("fixed(-10)", "-10.00"),
        ("signed(-0.004)", "0.00"),
        ("signed(0.0004, 3)", "0.000"),
        ("signed(-0.3, 1)", "−0.3"),
        ("signed(2)", "+2.00"),
        ("percent(0)", "0 %"),
        ("percent(0.004)", "<1 %"),
        ("percent(0.006)", "1 %"),
        ("percent(0.0004, 1)", "<0.1 %"),
        ("percent(0.0006, 1)", "0.1 %"),
    ],
)
def test_the_kit_writes_numbers(page, call, written):
    script = (VIZ / "kit" / "kit.js").read_text(encoding="utf-8")
    assert page.evaluate(f"() => {{ {script}\nreturn {call}; }}") == written


@pytest.mark.parametrize("digits", [0, 1, 3])
def test_a_change_that_rounds_to_nothing_has_no_sign(digits):
    tiny = 10.0 ** -(digits + 1)
    assert signed(-tiny, digits) == signed(tiny, digits) == signed(0.0, digits)
    assert signed(-20 * tiny, digits).startswith("-")


def test_a_table_has_no_minus_zero():
    shown = str(table(torch.tensor([[-0.0, -0.004], [2.0, -0.006]]), ["whole", "not"]))
    assert shown.split() == ["whole", "not", "0", "0.00", "2", "-0.01"]
