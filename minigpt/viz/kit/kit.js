// What all explorers share. Nothing is loaded from anywhere; text goes in as text only.

// matplotlib's cividis at 0, 1/16 ... 1: the same to colour-blind and other eyes.
const CIVIDIS = ("00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 8c8878 9b9476 "
  + "aba072 bcae6c cdbb63 dec958 f0d846 fee838").split(" ")
  .map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
const PAUSE = 150; // milliseconds without a change, before Python is asked
const ROUND_TRIP = 2000; // milliseconds that an idle kernel takes at most

// Brightness is the square root of the weight, so that 1 % can still be told from nothing.
function colour(weight) {
  const place = Math.sqrt(weight) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(place), CIVIDIS.length - 2);
  return CIVIDIS[low].map((c, i) => Math.round(c + (place - low) * (CIVIDIS[low + 1][i] - c)));
}

const css = (weight) => `rgb(${colour(weight).join(" ")})`;
const ink = (weight) => (weight > 0.22 ? "#000" : "#fff"); // readable on that colour
// Each byte's colour as a pixel of a canvas (red is the lowest byte).
const PIXELS = Uint32Array.from({ length: 256 }, (_, byte) => {
  const [r, g, b] = colour(byte / 255);
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
});

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
const percent = (share) => `${share > 0 && share < 0.005 ? "<1" : Math.round(100 * share)} %`;
const signed = (x, digits = 2) => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(digits)}`;
const cut = (text, most = 60) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

function make(tag, className, parent, text, attributes = {}) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent?.append(node);
  return node;
}

// A token: text that must not turn around what stands beside it.
const token = (parent, text) =>
  make("bdi", "xp-code", parent, cut(text), { title: cut(text, 400) });

function button(parent, text, onClick, attributes = {}) {
  const node = make("button", "xp-button", parent, text, { type: "button", ...attributes });
  node.addEventListener("click", onClick);
  return node;
}

function field(parent, text, node, textFirst = true) {
  const label = make("label", "xp-field", parent);
  const name = make("span", "", null, text);
  label.append(...(textFirst ? [name, node] : [node, name]));
  return node;
}

// A control with its label: type is "range", "text", "checkbox" ...
function input(type, parent, text, onInput, attributes = {}) {
  const check = type === "checkbox";
  const node = field(parent, text, make("input", "", null, "", { type, ...attributes }), !check);
  node.addEventListener("input", () => onInput(check ? node.checked : node.value));
  return node;
}

// A list to choose from: options are [value, text] pairs.
function select(parent, text, options, onChange) {
  const node = field(parent, text, make("select"));
  node.append(...options.map(([value, name]) => new Option(name, value)));
  node.addEventListener("change", () => onChange(node.value));
  return node;
}

// Whether any value has changed since this part was asked about.
function renewed(memory, part, ...values) {
  const before = memory.get(part);
  memory.set(part, values);
  return !before || values.some((value, i) => value !== before[i]);
}

// A table; a cell is a text, or a function that fills it.
function tabulate(parent, caption, head, rows) {
  const table = make("table", "xp-table", parent);
  if (caption) make("caption", "", table, caption);
  const top = make("tr", "", make("thead", "", table));
  const fill = (tag, line, cell, scope) => {
    const node = make(tag, "", line, "", scope);
    if (typeof cell === "function") cell(node);
    else node.append(make("bdi", "", null, String(cell)));
  };
  for (const cell of head) fill("th", top, cell, { scope: "col" });
  const body = make("tbody", "", table);
  for (const row of rows) {
    const line = make("tr", "", body);
    row.forEach((cell, i) => fill(i ? "td" : "th", line, cell, i ? {} : { scope: "row" }));
  }
  return table;
}

// Roving focus: Tab reaches one item, arrow keys the others. `go(index)` chooses; the function
// returned has to be called whenever the choice changes.
function rove(box, items, columns, go) {
  let current = 0;
  const mark = (index) => {
    if (items[current]) items[current].tabIndex = -1;
    current = clamp(index, 0, items.length - 1);
    if (items[current]) items[current].tabIndex = 0;
  };
  items.forEach((item) => { item.tabIndex = -1; });
  mark(0);
  box.onkeydown = (event) => { // in place of the one for earlier items
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns,
      Home: -current, End: items.length - 1 - current,
    };
    const next = current + (steps[event.key] ?? NaN);
    if (Number.isNaN(next) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (next < 0 || next >= items.length) return;
    mark(next);
    items[next].focus();
    go(next);
  };
  return mark;
}

// Light or dark as Jupyter's theme, or else the system's, as they change.
function followTheme(root, changed) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    const { jpThemeLight } = document.body.dataset;
    const dark = jpThemeLight ? jpThemeLight === "false" : system.matches;
    root.dataset.theme = dark ? "dark" : "light";
    changed();
  };
  const observer = new MutationObserver(set);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  system.addEventListener("change", set);
  set();
  return () => {
    observer.disconnect();
    system.removeEventListener("change", set);
  };
}

// Questions to Python. Of each kind one is on its way and the newest waits; answers to older ones
// are dropped.
function connect(model, changed, { fail, save }) {
  const view = Math.random().toString(36).slice(2); // other views hear the same answers
  const lanes = new Map();
  const kernel = { live: false };
  let revision = 0;
  let heard = 0; // a timer

  function send(kind) {
    const lane = lanes.get(kind);
    if (lane.flying || !lane.ready) return;
    [lane.flying, lane.next, lane.ready] = [lane.next, null, false];
    if (kernel.live) save(); // Python answers from what is shown
    try {
      model.send({ view, kind, revision: lane.flying.revision, payload: lane.flying.payload });
    } catch { // the kernel has gone
      lane.flying = null;
      kernel.live = false;
      changed(true);
    }
  }

  kernel.ask = (kind, payload, then = () => {}, delay = PAUSE) => {
    if (!lanes.has(kind)) lanes.set(kind, { flying: null, next: null, ready: false, timer: 0 });
    const lane = lanes.get(kind);
    clearTimeout(lane.timer);
    lane.next = { payload, then, revision: ++revision };
    lane.timer = setTimeout(() => {
      lane.ready = true;
      send(kind);
    }, delay);
    changed();
  };

  kernel.busy = (kind) =>
    [...lanes].some(([name, lane]) =>
      (kind ? name === kind : name !== "hello") && (lane.next || lane.flying));

  function hear(message, buffers) {
    if (message.view !== view) return;
    const lane = lanes.get(message.kind);
    if (lane?.flying?.revision !== message.revision) return;
    const { then } = lane.flying;
    lane.flying = null;
    if (lane.next) send(message.kind);
    else if (message.error) fail(message.error);
    else {
      message.bytes.forEach((name, i) => { message.answer[name] = buffers[i]; });
      fail("");
      then(message.answer);
    }
    changed();
  }

  // A kernel that answers lives; a busy one answers late.
  function hello() {
    lanes.clear();
    kernel.live = false;
    kernel.ask("hello", {}, () => {
      clearTimeout(heard);
      kernel.live = true;
    }, 0);
    clearTimeout(heard);
    heard = setTimeout(() => changed(true), ROUND_TRIP);
  }

  model.on("msg:custom", hear);
  model.on("comm_live_update", hello);
  kernel.hello = hello;
  kernel.close = () => {
    model.off("msg:custom", hear);
    model.off("comm_live_update", hello);
    lanes.forEach((lane) => clearTimeout(lane.timer));
    clearTimeout(heard);
  };
  return kernel;
}

// The frame of an explorer. `draw()` runs at most once a frame, after ui.redraw() or any change.
function start({ model, el }, className, description, draw) {
  const root = make("div", `xp ${className}`, el, "", {
    role: "group", "aria-label": description,
    "data-lm-suppress-shortcuts": "true", // for JupyterLab: an `a` here would insert a cell
  });
  root.addEventListener("keydown", (event) => event.stopPropagation());
  const bar = make("div", "xp-state", root);
  const busy = make("span", "xp-busy", bar, "working…", { hidden: "" });
  const alone = make("span", "xp-alone", bar,
    "No kernel answers: what needs Python is switched off. Run the cell for it.", { hidden: "" });
  const problem = make("span", "xp-problem", bar, "", { role: "alert" });
  const spoken = make("div", "xp-spoken", root, "", { "aria-live": "polite" });
  const needy = new Set();
  let due = 0;
  let speech = 0;
  let saving = 0;

  const ui = { root };
  ui.redraw = () => {
    due ||= requestAnimationFrame(() => {
      due = 0;
      draw();
    });
  };
  ui.save = () => {
    clearTimeout(saving);
    model.save_changes();
  };
  // A held key must not wait for Python: it hears of changes when they pause.
  ui.set = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    clearTimeout(saving);
    saving = setTimeout(ui.save, PAUSE);
    ui.redraw();
  };
  // For screen readers, once the changes pause.
  ui.say = (sentence) => {
    clearTimeout(speech);
    speech = setTimeout(() => { spoken.textContent = sentence; }, 300);
  };
  ui.fail = (text) => { problem.textContent = cut(text, 400); };
  // A control of no use without Python.
  ui.needsKernel = (control) => {
    needy.add(control);
    control.disabled = !ui.kernel.live;
    return control;
  };
  const showState = (late = false) => {
    const { kernel } = ui;
    busy.hidden = !(kernel.live && kernel.busy());
    root.setAttribute("aria-busy", !busy.hidden);
    alone.hidden = kernel.live || (alone.hidden && !late);
    for (const control of needy) control.disabled = !kernel.live;
    ui.redraw();
  };
  ui.kernel = connect(model, showState, ui);
  // To be called once the widget's parts are there.
  ui.open = () => {
    root.append(bar);
    model.on("change", ui.redraw);
    ui.kernel.hello();
    draw();
    return () => {
      ui.save();
      leaveTheme();
      model.off("change", ui.redraw);
      ui.kernel.close();
      cancelAnimationFrame(due);
    };
  };
  const leaveTheme = followTheme(root, ui.redraw);
  return ui;
}
