"""Three hints an exercise, from a nudge to pseudocode: opened one by one, and remembered."""

from __future__ import annotations

from minigpt.course.learner.home import events, record
from minigpt.course.lessons import find
from minigpt.viz.kit.tables import Shown

NAMES = ("a nudge", "the shapes", "in pseudocode")
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

    There are three: a nudge, a trace of the shapes, pseudocode. What you opened is remembered.
    """
    return show_hints(name, open_hint(name))


def show_hints(name: str, number: int) -> Shown:
    """Show the first `number` hints of an exercise."""
    from html import escape

    hints = list(zip(NAMES, find(name).hints))[:number]
    lines = [f"Hint {n}, {title}:\n{text}" for n, (title, text) in enumerate(hints, 1)]
    if not find(name).hints:
        lines = [f"{name} has no hints: it is answered in your own words."]
    html = "".join(f'<p style="white-space:pre-wrap;margin:.4em 0">{escape(x)}</p>' for x in lines)
    return Shown(html, "\n\n".join(lines))


def hint_buttons(name: str):
    """Return a widget that opens the hints one by one."""
    import ipywidgets

    body, button = ipywidgets.HTML(), ipywidgets.Button()
    button.style.button_width = "max-content"
    button.layout.width = "max-content"

    def show(number: int) -> None:
        body.value = show_hints(name, number).html if number else ""
        if number < len(find(name).hints):
            button.description = f"Hint {number + 1} of 3: {NAMES[number]}"
        else:
            button.layout.display = "none"

    button.on_click(lambda _: show(open_hint(name)))
    show(opened_hints(name))
    return ipywidgets.VBox([body, button], layout={"margin": "0 0 6px"})
