"""What every explorer shares: its script, its talk with the browser, its picture and its page.

An explorer is a widget whose state lives in traits, so that Python, every view of it, a saved
notebook and a page of its own all show the same. Its script is the kit's followed by files of its
own, as one module: nothing is loaded from anywhere.
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import anywidget

from minigpt.viz.kit.shown import Shown

HERE = Path(__file__).parent
KIT = [HERE / name for name in ("kit.js", "parts.js", "frame.js")]
SVG = HERE / "svg.js"  # of those explorers that draw with it
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;
  script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 16px; }}
{style}
</style>
<noscript><img alt="{title}" src="data:image/png;base64,{picture}"></noscript>
<main id="here"></main>
<script type="application/json" id="content">{content}</script>
<script type="module">
{page_script}
</script>
</html>
"""


def script(*files: Path) -> str:
    """Return the script of an explorer: the kit and files of its own, as one module.

    Every notebook with an explorer in it carries the script. So comments and indentation stay
    behind, and a line says where each file begins.
    """
    lines = []
    for file in (*KIT, *files):
        lines += [f"// {file.parent.name}/{file.name}", *(line for _, line in lines_of(file))]
    return "\n".join(lines) + "\n"


def lines_of(file: Path) -> list[tuple[int, str]]:
    """Return the lines of a file that are code, each with its number."""
    lines = enumerate(file.read_text(encoding="utf-8").split("\n"), start=1)
    stripped = ((number, line.strip()) for number, line in lines)
    return [(number, line) for number, line in stripped if line and not line.startswith("//")]


def style(*files: Path) -> str:
    """Return the style sheet of an explorer: the kit's and its own."""
    return "\n".join(path.read_text(encoding="utf-8") for path in (HERE / "kit.css", *files))


SHOWN = Shown()  # in this kernel


class Explorer(anywidget.AnyWidget):
    """A widget that can be asked, drawn, and saved as a page.

    A subclass gives `_esm = script(files)` and `_css = style(files)`, its traits, `sentence()`,
    `picture()`, and for each kind of question of its script a method `answer_<kind>(**payload)`,
    which returns a dict of JSON values and bytes.
    """

    def __init__(self, **traits) -> None:
        super().__init__(**traits)
        self.on_msg(self._answer)

    def sentence(self) -> str:
        """Say in words what the explorer shows: for those who cannot see it, and for terminals."""
        raise NotImplementedError

    def picture(self) -> bytes:
        """Return a PNG of what the explorer shows now."""
        raise NotImplementedError

    def answer_hello(self) -> dict:
        """Let the script know that Python is there to be asked."""
        return {}

    def _answer(self, _widget, message: dict, _buffers) -> None:
        """Answer one question of the script; an error is an answer too."""
        reply = {key: message[key] for key in ("view", "kind", "revision")}
        method = getattr(self, f"answer_{message['kind']}", None)
        try:
            if method is None:
                raise ValueError(f"this explorer has no answer to {message['kind']!r}")
            answer = method(**message["payload"])
        except ValueError as error:
            answer, reply["error"] = {}, str(error)
        # Shown in the widget: a learner does not see the kernel's log. Interrupted, too, it has to
        # answer, or the script would wait for ever.
        except (Exception, KeyboardInterrupt) as error:
            answer, reply["error"] = {}, f"{type(error).__name__}: {error}"
        names = [name for name, value in answer.items() if isinstance(value, bytes)]
        reply["bytes"] = names
        reply["answer"] = {name: value for name, value in answer.items() if name not in names}
        self.send(reply, buffers=[answer[name] for name in names])

    def __repr__(self) -> str:
        return self.sentence()

    def retire(self) -> None:
        """Leave the browser and the notebook's file; shown again, it comes back."""
        self.layout.close()
        self.close()
        del self._repr_mimebundle_  # close() has hidden it

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        if self.comm is None:
            self.layout.open()
            self.open()
        for old in SHOWN.now(self):
            old.retire()
        data, metadata = super()._repr_mimebundle_(**kwargs)
        data["text/plain"] = self.sentence()
        data["image/png"] = b64encode(self.picture()).decode("ascii")
        return data, {**metadata, "image/png": {"alt": self.sentence()}}

    def to_png(self, path: str | Path) -> None:
        """Write a picture of what the explorer shows now."""
        Path(path).write_bytes(self.picture())

    def to_html(self, path: str | Path) -> None:
        """Write a page of one file that plays without Python and without a network.

        What needs the model, such as a new text, is switched off in it and says so.
        """
        content = {"script": self._esm, "state": self._state(), "bytes": {}}
        for name, value in content["state"].items():
            if isinstance(value, bytes):
                content["bytes"][name] = b64encode(value).decode("ascii")
                content["state"][name] = None
        page = PAGE.format(
            title=type(self).__name__,
            style=self._css,
            picture=b64encode(self.picture()).decode("ascii"),
            # A text may hold "</script>": no tag may open inside the data.
            content=json.dumps(content).replace("<", "\\u003c"),
            page_script=(HERE / "page.js").read_text(encoding="utf-8"),
        )
        Path(path).write_text(page, encoding="utf-8", newline="\n")

    def _state(self) -> dict:
        """Return the traits that a subclass shares with its script."""
        own = set(self.trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names())
        return {name: getattr(self, name) for name in sorted(own) if not name.startswith("_")}
