"""Progress: a local log that survives a crash, moves by copying, and says what comes next."""

import html
import json
import shutil
import subprocess
import sys

import pytest

from minigpt.course.learner import hints
from minigpt.course.learner.hints import hint, hint_buttons, marking, opened_hints
from minigpt.course.learner.home import events, log_path, record
from minigpt.course.learner.progress import ProgressWidget, my_progress
from minigpt.course.learner.reporting import check
from minigpt.course.lessons import all_exercises, find


@pytest.fixture(autouse=True)
def mygpt(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_MYGPT", str(tmp_path / "mygpt"))
    return tmp_path / "mygpt"


def standing(name):
    return next(s for s in my_progress().standings if s.exercise.name == name)


def test_nothing_done_yet():
    progress = my_progress()
    assert all(s.state in ("open", "written") for s in progress.standings)
    assert progress.points()[0] == 0
    assert progress.next.name == "count_pairs"
    assert "Next: count_pairs in exercises/01_tokenizer.ipynb" in progress.summary()
    written = sum(e.kind == "written" for e in all_exercises().values())
    assert f"0 of {len(all_exercises()) - written} exercises passed" in progress.summary()
    assert f"{written} more are answered in words." in progress.summary()


def test_tries_points_and_what_comes_next():
    for event in ("failed", "failed", "passed", "failed"):
        record(event, "count_pairs")
    assert standing("count_pairs").state == "passed"
    assert standing("count_pairs").tries == 3
    assert my_progress().points()[0] == all_exercises()["count_pairs"].points
    assert my_progress().next.name != "count_pairs"


def test_hints_open_one_by_one_and_are_remembered():
    hints = all_exercises()["merge"].hints
    for number in (1, 2, 3):
        shown = repr(hint("merge"))
        assert opened_hints("merge") == number
        assert [text in shown for text in hints] == [n < number for n in range(3)]
    assert repr(hint("merge")) == shown  # there is no fourth
    assert standing("merge").hints == 3


def test_an_answer_in_words_is_marked_step_by_step_and_running_the_cell_opens_nothing():
    told = all_exercises()["why_bytes"].marking
    body, button = marking("why_bytes").children
    assert not body.value and button.description == "Step 1 of 3: a checklist to mark yours by"
    texts = [told.checklist[0][1][:30], told.weak[:30], told.good[:30]]
    for number in range(1, 4):
        button.click()
        assert [html.escape(text) in body.value for text in texts] == [n < number for n in range(3)]
    assert button.layout.display == "none" and opened_hints("why_bytes") == 3
    assert "hints: 0." in my_progress().summary()  # it is no help with a check
    with pytest.raises(ValueError, match="run its check"):
        marking("merge")


def test_the_buttons_open_the_same_hints():
    box = hint_buttons("merge")
    body, button = box.children
    assert body.value == ""
    assert button.description == "Hint 1 of 3: a nudge"
    button.click()
    assert "a nudge" in body.value
    assert opened_hints("merge") == 1
    button.click(), button.click()
    assert button.layout.display == "none"


def test_a_line_torn_by_a_crash_loses_only_itself():
    record("passed", "count_pairs")
    with open(log_path(), "ab") as file:
        file.write(b'{"time": 1, "event": "pas')
    record("passed", "merge")
    assert [event["exercise"] for event in events()] == ["count_pairs", "merge"]


@pytest.mark.parametrize("junk", [b"\x00\xff\n", b"[]\n", b'"text"\n', b"{}\n", b"\n\n"])
def test_junk_in_the_log_is_passed_over(junk):
    record("passed", "count_pairs")
    with open(log_path(), "ab") as file:
        file.write(junk)
    record("passed", "no_longer_an_exercise")
    assert my_progress().points()[0] == all_exercises()["count_pairs"].points


def test_it_moves_by_copying(mygpt, tmp_path, monkeypatch):
    record("passed", "count_pairs")
    before = repr(my_progress())
    shutil.copytree(mygpt, tmp_path / "stick")
    monkeypatch.setenv("MINIGPT_MYGPT", str(tmp_path / "stick"))
    assert repr(my_progress()) == before


def test_two_notebooks_may_write_at_the_same_time():
    code = "from minigpt.course.learner.home import record\n"
    code += "for _ in range(200): record('hint', 'merge')"
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(events()) == 600


def test_the_log_is_json_line_by_line():
    record("failed", "gelu", misconception="relu")
    [line] = log_path().read_text(encoding="utf-8").splitlines()
    entry = json.loads(line)
    assert entry.pop("time") > 1_700_000_000
    assert entry == {"event": "failed", "exercise": "gelu", "misconception": "relu"}


def test_the_command_shows_it():
    record("passed", "count_pairs")
    command = [sys.executable, "-m", "minigpt", "progress"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stdout.rstrip() == repr(my_progress())
    assert "count_pairs" in done.stdout


def test_the_widget_reads_again_and_has_a_table_for_where_no_widget_lives():
    widget = ProgressWidget()
    body, again = widget.children
    assert "0 of 103" in body.outputs[0]["data"]["text/html"]
    record("passed", "count_pairs")
    again.click()
    html = body.outputs[0]["data"]["text/html"]
    assert "1 of 103" in html
    bundle = widget._repr_mimebundle_()
    assert bundle["text/html"] == html
    assert bundle["text/plain"] == my_progress().summary()
    assert '<a href="../exercises/01_tokenizer.ipynb">' in html


@pytest.mark.parametrize("name", ["mygpt", "mygpt/progress.jsonl"])
def test_where_nothing_can_be_written_hints_and_checks_go_on(mygpt, monkeypatch, capsys, name):
    monkeypatch.setattr(hints, "_unrecorded", {})
    if name == "mygpt":
        mygpt.write_text("a file where the folder should be", encoding="utf-8")
    else:
        (mygpt / "progress.jsonl").mkdir(parents=True)  # a folder where the file should be
    check("causal_mask", find("causal_mask").reference)
    assert "could not be written down" in capsys.readouterr().out
    assert [opened_hints("merge"), *(hint("merge") and opened_hints("merge") for _ in "12")] == [
        0, 1, 2
    ]  # fmt: skip
    assert my_progress().points()[0] == 0
