"""How far a learner has come: what is passed, points, hints used, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import ipywidgets

from minigpt.course.exercise import Exercise
from minigpt.course.learner.hints import opened_hints
from minigpt.course.learner.home import events
from minigpt.course.lessons import all_exercises
from minigpt.viz.kit.tables import as_text

SIGNS = {"passed": "✓ passed", "tried": "… tried", "open": "○ open", "written": "✎ for a teacher"}
# The bar of a lesson: the browser's own <progress> looks full when it is empty in some themes.
TRACK = (
    "display:inline-block;width:8em;height:.7em;border-radius:3px;vertical-align:middle;"
    "background:rgba(128,128,128,.3)"
)
DONE = "display:block;height:100%;border-radius:3px;background:#009E73"


@dataclass(frozen=True)
class Standing:
    """One exercise as the learner stands with it."""

    exercise: Exercise
    state: str  # a key of SIGNS
    tries: int  # checks run, until the first that passed
    hints: int  # how many of the three were opened
    kept: bool = True  # False: it passed, but is no part of the learner's own GPT

    @property
    def words(self) -> str:
        return SIGNS[self.state] + ("" if self.kept else ", not kept")


def standings() -> list[Standing]:
    """Return how the learner stands with every exercise, in the order of the course."""
    log = events()
    found = []
    for name, exercise in all_exercises().items():
        own = [event["event"] for event in log if event["exercise"] == name]
        checks = [event for event in own if event in ("passed", "failed")]
        passed = "passed" in checks
        tries = checks.index("passed") + 1 if passed else len(checks)
        state = "passed" if passed else "tried" if checks else "open"
        state = "written" if exercise.kind == "written" else state
        last = [e for e in log if e["exercise"] == name and e["event"] == "passed"][-1:]
        kept = not last or last[0].get("kept", True) is not False
        found.append(Standing(exercise, state, tries, opened_hints(name, log), kept))
    return found


class Progress:
    """The learner's progress: a table in a terminal, bars and links in a notebook."""

    def __init__(self, found: list[Standing]) -> None:
        self.standings = found

    @property
    def next(self) -> Exercise | None:
        """The first exercise that a check can pass and has not."""
        left = (s.exercise for s in self.standings if s.state in ("tried", "open"))
        return next(left, None)

    def points(self, lesson: str | None = None) -> tuple[int, int]:
        """Return the points earned and those that checks can give, in one lesson or in all."""
        checked = [
            (s.exercise.points, s.state == "passed")
            for s in self.standings
            if s.state != "written" and lesson in (None, s.exercise.lesson)
        ]
        return sum(points for points, passed in checked if passed), sum(p for p, _ in checked)

    def summary(self) -> str:
        """Say where the learner stands and what comes next, in two sentences."""
        done = sum(s.state == "passed" for s in self.standings)
        count = sum(s.state != "written" for s in self.standings)
        earned, possible = self.points()
        hints = sum(s.hints for s in self.standings if s.state != "written")
        told = f"{done} of {count} exercises passed, {earned} of {possible} points, hints: {hints}."
        text = f"{told} {len(self.standings) - count} more are answered in words."
        if self.next is None:
            return f"{text} All done: the GPT is yours."
        return f"{text} Next: {self.next.name} in exercises/{self.next.lesson}.ipynb."

    def __repr__(self) -> str:
        head = ["exercise", "lesson", "points", "tries", "hints", "state"]
        rows = [
            [s.exercise.name, s.exercise.lesson, str(s.exercise.points), str(s.tries or ""),
             str(s.hints or ""), s.words]
            for s in self.standings
        ]  # fmt: skip
        return f"{as_text(head, rows)}\n\n{self.summary()}"

    def _repr_html_(self) -> str:
        lessons = dict.fromkeys(s.exercise.lesson for s in self.standings)
        bars = "".join(self._bar(lesson) for lesson in lessons)
        return (
            f'<div style="max-width:60em"><p>{escape(self.summary())}</p>'
            f'<table style="width:100%">{bars}</table></div>'
        )

    def _bar(self, lesson: str) -> str:
        """Return the row of one lesson: a link, a bar of points, and each exercise by its sign."""
        earned, possible = self.points(lesson)
        own = [s for s in self.standings if s.exercise.lesson == lesson]
        names = " ".join(
            f'<span title="{s.words}{f", hints: {s.hints}" if s.hints else ""}" '
            f'style="white-space:nowrap">{SIGNS[s.state][0]} {escape(s.exercise.name)}'
            f"{'' if s.kept else ' (not kept)'}</span>"
            for s in own
        )
        return (
            f'<tr><th scope="row" style="text-align:left;white-space:nowrap;width:9em">'
            f'<a href="../exercises/{lesson}.ipynb">{lesson}</a></th>'
            f'<td style="text-align:left;white-space:nowrap;width:14em"><span style="{TRACK}">'
            f'<span style="{DONE};width:{100 * earned / possible:.0f}%"></span></span> '
            f"{earned} of {possible}</td>"
            f'<td style="text-align:left">{names}</td></tr>'
        )


class ProgressWidget(ipywidgets.VBox):
    """The learner's progress in a notebook, with a button that reads it again."""

    def __init__(self) -> None:
        self._body = ipywidgets.Output()  # unlike HTML, it lets JupyterLab follow the links
        again = ipywidgets.Button(description="Look again", icon="refresh")
        again.on_click(lambda _: self.refresh())
        super().__init__([self._body, again])
        self.refresh()

    def refresh(self) -> None:
        """Show the progress as it is now: another notebook may have moved it."""
        self._shown = my_progress()
        data = {"text/html": self._shown._repr_html_(), "text/plain": repr(self._shown)}
        self._body.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """Without a kernel, as on a code host, the table as it was stands in."""
        return {
            **super()._repr_mimebundle_(**kwargs),
            "text/html": self._shown._repr_html_(),
            "text/plain": self._shown.summary(),
        }


def my_progress() -> Progress:
    """Return the learner's progress as it is now."""
    return Progress(standings())
