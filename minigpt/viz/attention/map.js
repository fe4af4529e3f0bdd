// One pattern as a square of colours: rows look, columns are looked at.

const NUMBERED = 12; // tokens up to which a map has room for numbers
const LABELLED = 26; // and for words at its sides

// The square, and where a pointer is in it.
function makeSquare(title, { state }, { choose, point, lock, lockKeys }) {
  const square = make("div", "ae-square xp-hatched", null, "", {
    tabindex: 0, role: "group", "aria-roledescription": "heatmap",
    "aria-label": `${title}: arrow keys move, Enter locks`,
  });
  const inside = (index) => clamp(Math.floor(index), 0, state.shape[2] - 1);
  const under = (event) => {
    const edge = square.getBoundingClientRect();
    const cells = state.shape[2] / edge.width;
    return {
      row: inside((event.clientY - edge.top) * cells),
      column: inside((event.clientX - edge.left) * cells),
    };
  };
  square.addEventListener("pointermove", (event) => point(under(event)));
  square.addEventListener("pointerleave", () => point({}));
  square.addEventListener("click", (event) => lock(under(event).row));
  square.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    if (!step) return lockKeys(event);
    event.preventDefault();
    const column = inside((state.hover.column ?? state.row) + step[1]);
    choose({ row: inside(state.row + step[0]) });
    point({ column });
  });
  return square;
}

// The square with its tokens above and to the left.
function makeFrame(square) {
  const frame = make("div", "ae-frame");
  const sides = ["ae-across", "ae-down"].map((name) =>
    make("div", name, frame, "", { "aria-hidden": "true" }));
  frame.append(square);
  return { frame, sides };
}

function makeLegend() {
  const bar = make("div", "ae-legend", null, "", { "aria-hidden": "true" });
  for (const weight of [0, 0.1, 0.5, 1]) {
    make("span", "", bar, percent(weight)).style.left = `${100 * Math.sqrt(weight)}%`;
  }
  return bar;
}

// Numbers in the cells, where there is room.
function writeNumbers(canvas, s, cell, sharp) {
  const pen = canvas.getContext("2d");
  const T = s.shape[2];
  const step = canvas.width / T;
  pen.font = `${Math.min(12 * sharp, step / 2.4)}px sans-serif`;
  [pen.textAlign, pen.textBaseline] = ["center", "middle"];
  for (let row = 0; row < T; row++) {
    for (let column = s.hide_first ? 1 : 0; column < seenOf(s, row); column++) {
      const weight = cell(row, column) / 255;
      pen.fillStyle = ink(weight);
      pen.fillText(Math.round(100 * weight), (column + 0.5) * step, (row + 0.5) * step);
    }
  }
}

// One cell in words, and what the first token had, if it is hidden.
function sayCell(caption, s, head) {
  const { layer, row } = s.at;
  const { column } = s.hover;
  if (column !== undefined) {
    caption.append(`token ${row} → ${column} `);
    token(caption, cut(s.tokens[column], 20));
    const hidden = column >= seenOf(s, row);
    const share = hidden ? "" : fixed(100 * weightsOf(s, head)[column], 1);
    caption.append(hidden ? ": hidden, the future. " : `: ${share} %. `);
    if (s.sayScore && !hidden) caption.append(s.sayScore(s, { row, column }));
  } else if (!s.hide_first && !s.open) caption.append("Hatched: hidden, the future.");
  if (s.hide_first) {
    const mass = percent(patternOf(s, layer, head, false)(row, 0) / 255);
    caption.append(`Hidden: the first token, which had ${mass} of this row.`);
  }
}

// The map of a head, or of the rollout to its layer.
function makeMap(ui, can, title, isRollout = false) {
  const element = makeBox(title, "ae-map");
  const square = makeSquare(title, ui, can);
  const { frame, sides } = makeFrame(square);
  const canvas = make("canvas", "", square);
  make("div", "ae-band", square);
  const cell = make("div", "ae-cell", square);
  element.append(frame);
  const caption = make("p", "xp-soft ae-caption", element);
  if (!isRollout) element.append(makeLegend());
  const headOf = (s) => (isRollout ? null : s.at.head);

  function label({ tokens }) {
    for (const box of sides) {
      box.hidden = tokens.length > LABELLED || (isRollout && box === sides[1]);
      const names = box.hidden ? [] : tokens;
      box.replaceChildren(...names.map((name) => make("bdi", "", null, cut(name, 10))));
    }
  }

  function draw(s) {
    const T = s.shape[2];
    const pixels = s.beside ? 240 : 300;
    ui.root.style.setProperty("--side", `${pixels}px`);
    ui.root.style.setProperty("--T", T);
    if (!isHeld(s, s.at.layer)) return;
    const sharp = Math.max(1, Math.round(devicePixelRatio));
    canvas.width = canvas.height = pixels * sharp;
    const pattern = patternOf(s, s.at.layer, headOf(s));
    paint(canvas, T, pattern, canvas.width, { open: s.open, hideFirst: s.hide_first });
    if (T <= NUMBERED) writeNumbers(canvas, s, pattern, sharp);
  }

  function say(s) {
    element.firstChild.textContent = isRollout ? `Rollout to layer ${s.at.layer}`
      : shownName(s) + (isOut(s, s.at) ? " (taken out)" : "");
    const { column } = s.hover;
    square.style.setProperty("--row", s.at.row);
    square.style.setProperty("--seen", seenOf(s, s.at.row));
    square.style.setProperty("--column", column);
    cell.hidden = column === undefined;
    caption.textContent = "";
    if (isHeld(s, s.at.layer)) sayCell(caption, s, headOf(s));
    else caption.append("This layer has to come from Python.");
  }

  return part(element,
    [(s) => [s.tokens], label],
    [(s) => [s.shape, s.at.layer, headOf(s), s.hide_first, s.weights, s.open, s.held, s.beside], draw],
    [(s) => [s.at, s.hover, s.looks, s.ablated], say]);
}
