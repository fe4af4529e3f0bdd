// A page of its own for an explorer: the part of anywidget's `model` that the scripts use.
const content = JSON.parse(document.getElementById("content").textContent);
const state = { ...content.state };
for (const [name, text] of Object.entries(content.bytes)) {
  state[name] = new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}
const listeners = new Map(); // event -> functions
const call = (event) => listeners.get(event)?.forEach((listener) => listener());
const model = {
  get: (name) => state[name],
  set(name, value) {
    if (state[name] === value) return;
    state[name] = value;
    call(`change:${name}`);
    call("change");
  },
  save_changes() {},
  send() {}, // nobody answers
  on(events, listener) {
    for (const event of events.split(" ")) {
      if (!listeners.has(event)) listeners.set(event, new Set());
      listeners.get(event).add(listener);
    }
  },
  off(events, listener) {
    for (const event of events.split(" ")) listeners.get(event)?.delete(listener);
  },
};
const address = URL.createObjectURL(new Blob([content.script], { type: "text/javascript" }));
const { default: widget } = await import(address);
widget.render({ model, el: document.getElementById("here") });
