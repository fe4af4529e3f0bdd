// One head in two texts: what it gives each cell in this one, less what it gives it in the other.

// The difference in bytes, -255 to 255, by row and column.
function differenceOf(s) {
  const { layer, head } = s.at;
  const [here, there] = ["weights", "other_weights"].map((of) =>
    patternOf(s, layer, head, s.hide_first, of));
  return (row, column) => here(row, column) - there(row, column);
}

// Draw it in the colours of the style sheet; the future stays transparent.
function paintDifference(canvas, T, difference, pixels, hideFirst) {
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  const [more, less] = ["--better", "--worse"].map((name) => style.getPropertyValue(name));
  const step = pixels / T;
  pen.clearRect(0, 0, pixels, pixels);
  for (let row = 0; row < T; row++) {
    for (let column = hideFirst ? 1 : 0; column <= row; column++) {
      const value = difference(row, column) / 255;
      pen.fillStyle = style.getPropertyValue("--paper");
      pen.globalAlpha = 1;
      const [x, y] = [column, row].map((i) => Math.floor(i * step));
      const [right, below] = [column + 1, row + 1].map((i) => Math.floor(i * step));
      pen.fillRect(x, y, right - x, below - y);
      pen.fillStyle = value < 0 ? less : more;
      pen.globalAlpha = Math.sqrt(Math.abs(value));
      pen.fillRect(x, y, right - x, below - y);
    }
  }
}

// The cell with the largest difference.
function largestOf(s, difference) {
  let best = { row: 0, column: 0, size: -1 };
  for (let row = 0; row < s.shape[2]; row++) {
    for (let column = s.hide_first ? 1 : 0; column <= row; column++) {
      const size = Math.abs(difference(row, column));
      if (size > best.size) best = { row, column, size };
    }
  }
  return best;
}

// A cell in words: what it has here and there.
function sayDifference(caption, s, { row, column }) {
  const { layer, head } = s.at;
  const shares = ["weights", "other_weights"].map((of) =>
    percent(patternOf(s, layer, head, s.hide_first, of)(row, column) / 255));
  caption.append(`token ${row} → ${column} `);
  token(caption, cut(s.tokens[column], 20));
  caption.append(`: ${shares[0]} here, ${shares[1]} in the other text`);
  if (s.tokens[column] !== s.other_tokens[column]) {
    caption.append(", where it is ");
    token(caption, cut(s.other_tokens[column], 20));
  }
  caption.append(". ");
}

function makeComparison(ui, can) {
  const element = makeBox("Less the other text", "ae-compare");
  const square = makeSquare("Difference of two texts", ui, can);
  const canvas = make("canvas", "", square);
  make("div", "ae-band", square);
  const cell = make("div", "ae-cell", square);
  element.append(square);
  const caption = make("p", "xp-soft ae-caption", element);
  make("p", "xp-soft", element, "Blue: more in this text. Orange: more in the other.");

  function draw(s) {
    if (!isHeld(s, s.at.layer)) return;
    const pixels = (s.beside ? 240 : 300) * Math.max(1, Math.round(devicePixelRatio));
    canvas.width = canvas.height = pixels;
    paintDifference(canvas, s.shape[2], differenceOf(s), pixels, s.hide_first);
  }

  function say(s) {
    const { column } = s.hover;
    square.style.setProperty("--row", s.at.row);
    square.style.setProperty("--seen", seenOf(s, s.at.row));
    square.style.setProperty("--column", column);
    cell.hidden = column === undefined;
    caption.textContent = "";
    if (!isHeld(s, s.at.layer)) caption.append("This layer has to come from Python.");
    else if (column === undefined) {
      caption.append("Largest: ");
      sayDifference(caption, s, largestOf(s, differenceOf(s)));
    } else if (column > s.at.row) caption.append("Hidden, the future.");
    else sayDifference(caption, s, { row: s.at.row, column });
  }

  const reads = (s) => [s.at.layer, s.at.head, s.hide_first, s.weights, s.other_weights, s.held];
  return part(element,
    [({ tokens }) => [tokens], ({ tokens }) =>
      element.classList.toggle("ae-labelled", tokens.length <= LABELLED)],
    [(s) => [...reads(s), s.beside, s.theme], draw],
    [(s) => [...reads(s), s.at, s.hover], say]);
}
