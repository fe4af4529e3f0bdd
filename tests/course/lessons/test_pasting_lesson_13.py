"""The lesson's own code, pasted into an exercise of lesson 13, is refused, and told why."""

import ast
from pathlib import Path

import jupytext
import pytest
import torch
from torch import nn

from minigpt.course.checking import diagnose

LESSON = Path(__file__).parents[3] / "notebooks" / "src" / "13_today.py"


def of_the_lesson(name):
    """The function or class of that name, as the lesson's cells define it."""
    cells = jupytext.read(LESSON).cells
    nodes = (n for c in cells if c.cell_type == "code" for n in ast.parse(c.source).body)
    [found] = [node for node in nodes if getattr(node, "name", None) == name]
    names = {"torch": torch, "nn": nn}
    exec(compile(ast.Module([found], []), str(LESSON), "exec"), names)
    return names[name]


def pasted_norm(x, weight, eps):
    norm = of_the_lesson("RMSNorm")(x.size(-1), eps)
    norm.weight.data = weight
    return norm(x).detach()


def pasted_rotation(x, positions):
    rotate = of_the_lesson("rotate")
    return torch.stack([rotate(*text) for text in zip(x, positions)])  # text by text: it fits


@pytest.mark.parametrize(
    ("exercise", "pasted", "told"),
    [
        ("rms_norm", pasted_norm, "You square in float16"),
        ("rotate_packed", pasted_rotation, "You pair channel i with channel i + hs/2"),
    ],
)
def test_what_the_lesson_has_does_not_pass(exercise, pasted, told):
    diagnosis = diagnose(exercise, pasted)
    assert not diagnosis.passed and told in diagnosis.message, diagnosis.message
