// What the state says of heads and patterns, and what can be chosen. The state has the traits of
// AttentionExplorer, and of this view: `hover` (layer and head, or row and column, under the
// pointer) and `exact` (a row of a head as Python has it). What follows from these stands in `at`
// (layer, head, row: what is shown) and `looks` (the weights of that row).

const has = (s, part) => s.parts.includes(part); // whether that part is there
const spotOf = (s, i) => ({ layer: Math.floor(i / s.shape[1]), head: i % s.shape[1] });
const indexOf = (s, { layer, head }) => layer * s.shape[1] + head;
const isHeld = (s, layer) => layer >= s.held[0] && layer < s.held[0] + s.held[1];
const isOut = (s, { layer, head }) => s.ablated.some(([l, h]) => l === layer && h === head);
const nameOf = ({ layer, head }) => `Layer ${layer}, head ${head}`;
// Whether what Python found out is about the heads that are out now, and in this way.
const isFound = ({ without, ablated, by_mean: byMean }) =>
  String(without.heads) === String(ablated) && without.by_mean === byMean;
const shownName = (s) => s.only ?? nameOf(s.at); // a map may have one pattern and no heads

// What is pointed at, or else chosen.
function shownPlace(s) {
  const { hover } = s;
  const { layer, head } = hover.head !== undefined && isHeld(s, hover.layer) ? hover : s;
  return { layer, head, row: s.locked ? s.row : hover.row ?? s.row };
}

// How many tokens a row can look at; without a mask the future too.
const seenOf = (s, row) => (s.open ? s.shape[2] : row + 1);

// A pattern, in bytes, by row and column; head null is the rollout to that layer. `of` is
// "other_weights" for those of the text to compare with.
function patternOf(s, layer, head, hidden = s.hide_first, of = "weights") {
  const [, heads, T] = s.shape;
  if (s.exactly) return (row, column) => s.weights[(head * T + row) * T + column];
  const bytes = bytesOf(s[(head === null ? "rollout" : of) + (hidden ? "_hidden" : "")]);
  const first = layer - s.held[0];
  const start = ((head === null ? first : first * heads + head) * T * (T + 1)) / 2;
  return (row, column) => bytes[start + (row * (row + 1)) / 2 + column];
}

const rowKey = ({ at, hide_first, text }) => [at.layer, at.head, at.row, hide_first, text].join();
const isExact = (s) => s.exactly || s.exact?.key === rowKey(s) && s.exact.of === s.weights;

// The weights of the row that is shown, 0 to 1: Python's own once they have come.
function weightsOf(s, head = s.at.head) {
  const { layer, row } = s.at;
  const T = s.shape[2];
  if (s.exactly) return s.exactly.subarray((head * T + row) * T).subarray(0, seenOf(s, row));
  if (head !== null && isExact(s)) return s.exact.weights;
  if (!isHeld(s, layer)) return Array.from({ length: row + 1 }, () => 0);
  const cell = patternOf(s, layer, head);
  return Array.from({ length: row + 1 }, (_, i) => cell(row, i) / 255);
}

// The parts to show before all others: from what is chosen and pointed at, to what is shown.
function makeView(ui) {
  Object.assign(ui.state, { hover: {}, exact: null });
  const reset = (s) => {
    s.hover = {};
    const last = s.shape[2] - 1;
    if (s.row > last) ui.set({ row: last }); // chosen in a longer text, meanwhile
  };
  return [
    part(null, [(s) => [s.tokens, s.shape], reset]),
    follows("at", (s) => Object.values(shownPlace(s)), shownPlace),
    follows("looks", (s) => [s.at, s.exact, s.weights, s.hide_first, s.text, s.held],
      (s) => weightsOf(s)),
  ];
}

// What can be done with a pointer or with keys.
function choosing(ui) {
  const { state: s } = ui;
  const can = {
    point: (hover) => ui.keep({ hover }),
    choose(change) {
      ui.keep({ hover: {} });
      ui.set(change);
    },
    lock: (row) => ui.set({ row, locked: !(s.locked && s.row === row) }),
    lockKeys(event) {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        can.lock(s.row);
      } else if (event.key === "Escape") ui.set({ locked: false });
    },
  };
  return can;
}

// A part of the explorer under a heading.
function makeBox(title, className) {
  const box = make("section", className);
  make("h4", "xp-title", box, title);
  return box;
}

// Draw a pattern, `size` pixels a side, at the place of a layer and head. What is hidden stays
// transparent: hatching shows.
function paint(canvas, T, cell, size, { open, hideFirst, layer = 0, head = 0 }) {
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(size, size);
  const pixels = new Uint32Array(image.data.buffer);
  const index = Array.from({ length: size }, (_, i) => Math.floor((i * T) / size));
  index.forEach((row, i) => index.forEach((column, j) => {
    if ((column > row && !open) || (hideFirst && column === 0)) return;
    pixels[i * size + j] = PIXELS[cell(row, column)];
  }));
  pen.putImageData(image, head * size, layer * size);
}
