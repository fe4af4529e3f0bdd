"""What Python refuses is told beside the control that asked."""

import re
from pathlib import Path

import pytest

import minigpt.viz

ROOMS = [
    room
    for room in sorted(Path(minigpt.viz.__file__).parent.iterdir())
    if room.name != "kit" and [*room.glob("*.js")]
]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_each_question_has_a_place_where_its_error_stands(room):
    scripts = "".join(path.read_text(encoding="utf-8") for path in room.glob("*.js"))
    asked = set(re.findall(r'\bask\("(\w+)"', scripts))
    placed = {
        kind
        for kinds in re.findall(r"ui\.failAt\(([^;]*)\);", scripts)
        for kind in re.findall(r'"(\w+)"', kinds)
    }
    assert asked <= placed
