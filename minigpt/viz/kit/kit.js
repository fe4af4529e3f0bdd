// Colours, words and elements, as all explorers share them. Nothing is loaded from anywhere; text
// goes in as text only.

// matplotlib's cividis at 0, 1/16 ... 1: the same to colour-blind and other eyes.
const CIVIDIS = ("00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 8c8878 9b9476 "
  + "aba072 bcae6c cdbb63 dec958 f0d846 fee838").split(" ")
  .map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));

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
// A number with so many digits; what they round to 0 has no sign: no "-0.00".
const fixed = (x, digits = 2) => x.toFixed(digits).replace(/^-(?=[0.]*$)/, "");
// A share in percent; what would be written as 0 and is more is "<1 %", or "<0.1 %".
const percent = (share, digits = 0) => {
  const least = 10 ** -digits; // per cent
  return share > 0 && 100 * share < least / 2 ? `<${least} %` : `${fixed(100 * share, digits)} %`;
};
const signed = (x, digits = 2) => {
  const size = fixed(Math.abs(x), digits);
  return `${Number(size) ? (x < 0 ? "−" : "+") : ""}${size}`;
};
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
