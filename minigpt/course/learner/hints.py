"""Three hints an exercise, from a nudge to pseudocode: opened one by one, and remembered.

An answer in words has three texts to mark it by in their place: a checklist and two answers.
"""

from __future__ import annotations

from minigpt.course.learner.home import events, record
from minigpt.course.lessons import find
from minigpt.viz.kit.tables import Shown

NAMES = ("a nudge", "the shapes", "in pseudocode")
MARKING = ("a checklist to mark yours by", "a weak answer, marked", "a good answer")
_unrecorded: dict[str, int] = {}  # hints opened where the log cannot be written


def opened_hints(name: str, log: list[dict] | None = None) -> int:
    """Return how many hints of an exercise were opened, by the log (read it once for many)."""
    log = events() if log is None else log
    opened = [e for e in log if e["event"] == "hint" and e["exercise"] == name]
    return max((int(e.get("number", 0)) for e in opened), default=_unrecorded.get(name, 0))


def open_hint(name: str) -> int:
    """Open the next hint, if there is one more, and return how many are open now."""
    number = opened_hints(name)
    if number < len(find(name).hints):
        number += 1
        try:
            record("hint", name, number=number)
        except OSError:  # a learner without a place to write may still ask for help
            _unrecorded[name] = number
    return number


def hint(name: str) -> Shown:
    """Open the next hint of an exercise and show all that are open.

    There are three: a nudge, a trace of the shapes, pseudocode. For an answer in words: a
    checklist to mark it by, a weak answer, a good one. What you opened is remembered.
    """
    return show_hints(name, open_hint(name))


def show_hints(name: str, number: int) -> Shown:
    """Show the first `number` hints of an exercise."""
    from html import escape

    hints = [*zip(_titles(name), find(name).hints)][:number]
    lines = [f"{title}:\n{text}" for title, text in hints]
    if not find(name).hints:
        lines = [f"{name} has no hints: it is answered in your own words."]
    html = "".join(f'<p style="white-space:pre-wrap;margin:.4em 0">{escape(x)}</p>' for x in lines)
    return Shown(html, "\n\n".join(lines))


def _titles(name: str) -> list[str]:
    if find(name).marking:
        return [title.capitalize() for title in MARKING]
    return [f"Hint {number}, {title}" for number, title in enumerate(NAMES, 1)]


def marking(name: str):
    """Show how to mark an answer in words, step by step. Write yours first.

    In a notebook each step waits for a click, so that running all cells opens nothing.
    """
    if not find(name).marking:
        raise ValueError(f"{name} is not marked by hand: run its check")
    return hint_buttons(name)


def hint_buttons(name: str):
    """Return a widget that opens the hints one by one."""
    import ipywidgets

    body, button = ipywidgets.HTML(), ipywidgets.Button()
    button.style.button_width = "max-content"
    button.layout.width = "max-content"

    def show(number: int) -> None:
        body.value = show_hints(name, number).html if number else ""
        if number < len(find(name).hints):
            names = MARKING if find(name).marking else NAMES
            word = "Step" if find(name).marking else "Hint"
            button.description = f"{word} {number + 1} of 3: {names[number]}"
        else:
            button.layout.display = "none"

    button.on_click(lambda _: show(open_hint(name)))
    show(opened_hints(name))
    return ipywidgets.VBox([body, button], layout={"margin": "0 0 6px"})
