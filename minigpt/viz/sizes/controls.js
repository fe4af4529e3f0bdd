// The sizes, each a slider and a number. `place` and `value` turn a size into the slider's place
// and back.

const same = (x) => x;
const SIZES = [
  { name: "n_layer", text: "layers", slider: { min: 1, max: 96, step: 1 }, place: same, value: same },
  { name: "n_embd", text: "width", slider: { min: 16, max: 3200, step: 16 }, place: same, value: same },
  { name: "block_size", text: "context", slider: { min: 4, max: 17, step: 1 },
    place: Math.log2, value: (x) => 2 ** x },
  { name: "vocab_size", text: "vocabulary", slider: { min: 8, max: 18, step: 0.25 },
    place: Math.log2, value: (x) => Math.round(2 ** x) },
];
const exact = (n) => n.toLocaleString("en-US");

// The heads that can share a width equally.
const sharing = (C) => Array.from({ length: C }, (_, i) => i + 1).filter((n) => C % n === 0);

// About 64 channels each, as heads_for() in size_explorer.py.
function headsFor(C) {
  const off = (n) => Math.abs(n - C / 64);
  return sharing(C).reduce((best, n) => (off(n) < off(best) ? n : best));
}

function makeSize(ui, { name, text, slider, place, value }) {
  const element = make("div", "sz-size", null, undefined, { role: "group", "aria-label": text });
  make("span", "", element, text);
  make("code", "xp-soft", element, name);
  const range = make("input", "", element, undefined, {
    type: "range", ...slider, "aria-label": `${text}, slider`,
  });
  const most = ui.state.most[name];
  const typed = make("input", "", element, undefined, {
    type: "number", min: 1, max: most, step: 1, "aria-label": text,
  });
  const set = (size) => {
    const change = { [name]: clamp(Math.round(size), 1, most) };
    if (name === "n_embd") change.n_head = headsFor(change.n_embd);
    ui.set(change);
  };
  range.addEventListener("input", () => set(value(Number(range.value))));
  typed.addEventListener("input", () => { if (typed.value !== "") set(Number(typed.value)); });
  typed.addEventListener("blur", ui.redraw); // what was typed may have been out of range
  return part(element, [always, ({ [name]: size }) => {
    range.value = place(size);
    range.setAttribute("aria-valuetext", exact(size));
    if (!typed.matches(":focus")) typed.value = size;
  }]);
}

function makeHeads(ui) {
  const element = make("div", "sz-size");
  const list = select(element, "heads", [], (n) => ui.set({ n_head: Number(n) }));
  return part(element, [({ n_embd }) => [n_embd], ({ n_embd }) => {
    list.replaceChildren(...sharing(n_embd).map((n) => new Option(`${n} of ${n_embd / n}`, n)));
  }], [({ n_embd, n_head }) => [n_embd, n_head], ({ n_head }) => { list.value = n_head; }]);
}

// A button for each released model, pressed while it is what is set.
function makePresets(ui) {
  const element = make("div", "xp-row", null, undefined, { role: "group", "aria-label": "presets" });
  const buttons = Object.entries(ui.state.presets).map(([name, sizes]) =>
    [button(element, name, () => ui.set({ ...sizes, bias: true })), sizes]);
  return part(element, [always, (s) => {
    for (const [node, sizes] of buttons) {
      const pressed = s.bias && Object.entries(sizes).every(([key, size]) => s[key] === size);
      node.setAttribute("aria-pressed", pressed);
    }
  }]);
}
