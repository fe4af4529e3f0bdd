"""An explorer in a page of its own, with Python behind it and without Jupyter: quick."""

# In place of the page's own lines: what was chosen and what is asked goes to Python, and what
# Python answers and changed comes back.
ALONE = """  save_changes() {},
  send() {}, // nobody answers
"""
PYTHON_BEHIND = """  save_changes() { model.send(null); },
  async send(message) {
    const isView = (value) => value instanceof DataView;
    const view = (bytes) => new DataView(Uint8Array.from(bytes).buffer);
    model.sent ??= { ...content.state };
    const chosen = Object.entries(state).filter(([name, value]) =>
      !isView(value) && value !== model.sent[name]);
    Object.assign(model.sent, Object.fromEntries(chosen));
    const { replies, changed } = await window.ask(message, Object.fromEntries(chosen));
    for (const [name, value] of Object.entries(changed)) {
      model.sent[name] = isView(state[name]) ? view(value) : value;
      model.set(name, model.sent[name]);
    }
    for (const [reply, buffers] of replies) {
      listeners.get("msg:custom")?.forEach((listener) => listener(reply, buffers.map(view)));
    }
  },
"""


def play(widget, page, path):
    """Write the explorer to a page, open that, and answer what the page asks; return its root."""

    def ask(message, chosen):
        replies = []
        widget.send = lambda reply, buffers=(): replies.append([reply, [*map(list, buffers)]])
        known.update(chosen)
        widget.set_state(chosen)
        if message:
            widget._answer(widget, message, [])
        changed = {name: v for name, v in widget._state().items() if known[name] != v}
        known.update(changed)
        for name, value in changed.items():
            changed[name] = list(value) if isinstance(value, bytes) else value
        return {"replies": replies, "changed": changed}

    known = widget._state()
    widget.to_html(path)
    html = path.read_text(encoding="utf-8")
    assert ALONE in html
    path.write_text(html.replace(ALONE, PYTHON_BEHIND), encoding="utf-8", newline="\n")
    page.expose_function("ask", ask)
    page.goto(path.as_uri())
    root = page.locator(".xp")
    root.locator(".xp-state").wait_for(state="attached")  # the page's script comes after its load
    return root


def hears(page, ask, value):
    """Wait until ask() gives value: page and Python hear of one another after a pause."""
    for _ in range(100):
        if ask() == value:
            return
        page.wait_for_timeout(50)
    assert ask() == value
