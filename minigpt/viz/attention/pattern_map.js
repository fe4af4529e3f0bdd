// The attention map: choose a head, choose a token, see where it looks.
// It stands behind kit.js, which has the colours and makes the elements.

const SMALL = 16; // up to this many tokens there is room for words beside, and numbers inside
const SHOWN = 5; // tokens listed in the readout
const VISIBLE = 0.01; // weights below this leave the text uncoloured

let views = 0; // ids on the page must differ between views

// The patterns as they come from Python: one byte a weight, (layers, heads, T, T).
function reader(model) {
  const [layers, heads, T] = model.get("shape");
  const bytes = bytesOf(model.get("weights"));
  const at = (layer, head, row, column) =>
    bytes[((layer * heads + head) * T + row) * T + column] / 255;
  return { layers, heads, T, at };
}

// Draw one head, a pixel a cell. The future stays transparent: the hatching behind shows through.
function paint(canvas, data, layer, head) {
  const T = data.T;
  canvas.width = canvas.height = T;
  const context = canvas.getContext("2d");
  const image = context.createImageData(T, T);
  for (let row = 0; row < T; row++) {
    for (let column = 0; column <= row; column++) {
      const [r, g, b] = colour(data.at(layer, head, row, column));
      image.data.set([r, g, b, 255], 4 * (row * T + column));
    }
  }
  context.putImageData(image, 0, 0);
}

function render({ model, el }) {
  const data = reader(model);
  const { layers, heads, T } = data;
  const tokens = model.get("tokens");
  const name = `attention-map-${++views}`;
  let column = null; // the cell looked at within the row, if any
  let pinned = false;
  let painted = ""; // the head that the large canvas shows

  const state = () => ["layer", "head", "row"].map((key) => model.get(key));
  let due = 0;
  const redraw = () => { // at most once a frame
    due ||= requestAnimationFrame(() => {
      due = 0;
      update();
    });
  };
  const root = make("div", "attention-map", el, undefined, { role: "group" });
  root.setAttribute("aria-label", model.get("description"));
  // JupyterLab listens for plain keys: an `a` here would insert a cell.
  root.dataset.lmSuppressShortcuts = "true";
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });

  // --- The parts ---
  const top = make("div", "am-top", root);
  const chooser = layers * heads > 1 ? makeChooser() : null;
  const map = makeMap();
  const side = make("div", "am-side", top);
  const readout = make("div", "am-readout", side, undefined, { "aria-live": "polite" });
  makeLegend();
  const help = "Point at a token or use the arrow keys. Click or Enter pins it, Escape lets go.";
  make("p", "am-help", side, help);
  const text = makeText();

  function makeChooser() {
    const box = make("div", "am-chooser", top);
    make("div", "am-caption", box, "head →", { "aria-hidden": "true" });
    const grid = make("div", "am-heads", box, undefined, { role: "radiogroup" });
    grid.setAttribute("aria-label", "Layer and head: use the arrow keys");
    grid.style.gridTemplateColumns = `auto repeat(${heads}, auto)`;
    grid.classList.toggle("am-many", heads > 8);
    grid.classList.toggle("am-few", T <= SMALL);
    make("span", "", grid);
    for (let head = 0; head < heads; head++) make("span", "am-caption", grid, head);
    const buttons = [];
    for (let layer = 0; layer < layers; layer++) {
      make("span", "am-caption", grid, layer ? layer : "layer 0");
      for (let head = 0; head < heads; head++) {
        const button = make("button", "am-head", grid, undefined, { role: "radio", type: "button" });
        button.setAttribute("aria-label", `layer ${layer}, head ${head}`);
        paint(make("canvas", "", button), data, layer, head);
        button.addEventListener("click", () => choose({ layer, head }));
        buttons.push(button);
      }
    }
    grid.addEventListener("keydown", (event) => {
      const [layer, head] = state();
      const moves = {
        ArrowLeft: { head: head - 1 }, ArrowRight: { head: head + 1 },
        ArrowUp: { layer: layer - 1 }, ArrowDown: { layer: layer + 1 },
      };
      if (!moves[event.key]) return;
      event.preventDefault();
      choose(moves[event.key]);
      const [l, h] = state();
      buttons[l * heads + h].focus();
    });
    return buttons;
  }

  function makeMap() {
    const box = make("div", "am-map", top);
    const roomy = T <= SMALL;
    box.classList.toggle("am-roomy", roomy);
    const size = roomy ? Math.max(T * 44, 130) : 300;
    make("div", "am-caption am-across", box, "looks at →");
    make("div", "am-caption am-down", box, "token ↓");
    const square = make("div", "am-square", box, undefined, { tabindex: 0, role: "group" });
    square.setAttribute("aria-roledescription", "heatmap");
    square.setAttribute("aria-label", "Pattern: the arrow keys move from cell to cell");
    square.style.width = square.style.height = `${size}px`;
    const canvas = make("canvas", "", square);
    const band = make("div", "am-band", square);
    const cell = make("div", "am-cell", square);
    const numbers = [];
    if (roomy) {
      const across = make("div", "am-labels am-across-labels", box);
      const down = make("div", "am-labels am-down-labels", box);
      for (const [i, token] of tokens.entries()) {
        make("span", "", across, token);
        make("span", "", down, token);
        for (let j = 0; j <= i; j++) {
          const number = make("span", "am-number", square, undefined, { "aria-hidden": "true" });
          number.style.left = `${(100 * j) / T}%`;
          number.style.top = `${(100 * i) / T}%`;
          number.style.width = number.style.height = `${100 / T}%`;
          numbers.push(number);
        }
      }
    }
    const place = (event) => {
      const frame = square.getBoundingClientRect();
      const index = (offset) => clamp(Math.floor((offset / size) * T), 0, T - 1);
      return [index(event.clientY - frame.top), index(event.clientX - frame.left)];
    };
    square.addEventListener("pointermove", (event) => {
      if (pinned) return;
      const [row, over] = place(event);
      column = over;
      choose({ row });
    });
    square.addEventListener("pointerleave", () => {
      column = null;
      redraw();
    });
    square.addEventListener("click", (event) => pin({ row: place(event)[0] }));
    square.addEventListener("keydown", (event) => {
      const row = model.get("row");
      const from = column ?? row;
      const moves = {
        ArrowUp: [row - 1, from], ArrowDown: [row + 1, from],
        ArrowLeft: [row, from - 1], ArrowRight: [row, from + 1],
      };
      if (moves[event.key]) {
        event.preventDefault();
        column = clamp(moves[event.key][1], 0, T - 1);
        choose({ row: moves[event.key][0] });
      } else pinKeys(event);
    });
    return { canvas, band, cell, numbers };
  }

  function makeLegend() {
    const box = make("div", "am-legend", side);
    const bar = make("div", "am-bar", box);
    const stops = CIVIDIS.map((_, i) => css((i / (CIVIDIS.length - 1)) ** 2));
    bar.style.background = `linear-gradient(to right, ${stops.join(",")})`;
    for (const weight of [0, 0.1, 0.5, 1]) {
      const tick = make("span", "", bar, percent(weight));
      tick.style.left = `${100 * Math.sqrt(weight)}%`;
    }
    const key = make("span", "am-key", box);
    make("span", "am-hatched", key);
    make("span", "", key, "hidden: the future");
  }

  function makeText() {
    const box = make("div", "am-text", root, undefined, { role: "listbox", tabindex: 0 });
    box.setAttribute("aria-label", "The text, token by token: use the arrow keys");
    // Tokens bring their own spaces; loose words have none.
    box.classList.toggle("am-spread", !tokens.some((token) => token.includes("·")));
    const spans = tokens.map((token, row) => {
      const span = make("span", "am-token", box, token, { role: "option", id: `${name}-${row}` });
      if (token.includes("⏎")) make("br", "", box);
      span.addEventListener("pointerenter", () => {
        column = null;
        if (!pinned) choose({ row });
      });
      span.addEventListener("click", () => pin({ row }));
      return span;
    });
    box.addEventListener("keydown", (event) => {
      const row = model.get("row");
      const moves = {
        ArrowLeft: row - 1, ArrowRight: row + 1, Home: 0, End: T - 1,
        ArrowUp: nextLine(spans, row, -1), ArrowDown: nextLine(spans, row, 1),
      };
      column = null;
      if (event.key in moves) {
        event.preventDefault();
        choose({ row: moves[event.key] });
      } else pinKeys(event);
    });
    return { box, spans };
  }

  // --- What happens ---
  function choose(change) {
    const limits = { layer: layers - 1, head: heads - 1, row: T - 1 };
    for (const [key, value] of Object.entries(change)) model.set(key, clamp(value, 0, limits[key]));
    model.save_changes();
    redraw();
  }

  function pin(change) {
    pinned = !pinned || change.row !== model.get("row");
    choose(change);
  }

  function pinKeys(event) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      pinned = !pinned;
    } else if (event.key === "Escape") pinned = false;
    redraw();
  }

  // --- What is seen ---
  function update() {
    const [layer, head, row] = state();
    const weights = tokens.map((_, i) => (i <= row ? data.at(layer, head, row, i) : 0));
    root.classList.toggle("am-pinned", pinned);
    showHead(layer, head);
    showPlace(row);
    showText(row, weights);
    showReadout(layer, head, row, weights);
  }

  function showHead(layer, head) {
    if (painted === `${layer}.${head}`) return;
    painted = `${layer}.${head}`;
    paint(map.canvas, data, layer, head);
    let next = 0;
    for (let i = 0; i < T && map.numbers.length; i++) {
      for (let j = 0; j <= i; j++) {
        const weight = data.at(layer, head, i, j);
        const number = map.numbers[next++];
        number.textContent = Math.round(100 * weight);
        number.style.color = ink(weight);
      }
    }
    chooser?.forEach((button, i) => {
      const chosen = i === layer * heads + head;
      button.setAttribute("aria-checked", chosen);
      button.tabIndex = chosen ? 0 : -1;
    });
  }

  function showPlace(row) {
    const part = 100 / T;
    Object.assign(map.band.style, { top: `${row * part}%`, height: `${part}%` });
    map.band.style.width = `${(row + 1) * part}%`;
    map.cell.hidden = column === null;
    Object.assign(map.cell.style, { top: `${row * part}%`, left: `${(column ?? 0) * part}%` });
    map.cell.style.width = map.cell.style.height = `${part}%`;
  }

  function showText(row, weights) {
    const labelled = new Set();
    for (const i of strongest(weights)) {
      // Side by side two figures would not find room.
      if (weights[i] >= 0.05 && !labelled.has(i - 1) && !labelled.has(i + 1)) labelled.add(i);
    }
    text.spans.forEach((span, i) => {
      // Away from the page's own colour, whichever that is: the style sheet knows the theme.
      const strength = weights[i] >= VISIBLE ? Math.sqrt(weights[i]) : 0;
      span.style.setProperty("--strength", `${Math.round(100 * strength)}%`);
      span.classList.toggle("am-strong", strength > 0.53);
      span.classList.toggle("am-from", i === row);
      span.classList.toggle("am-hatched", i > row);
      span.setAttribute("aria-selected", i === row);
      if (labelled.has(i)) span.dataset.weight = percent(weights[i]);
      else delete span.dataset.weight;
    });
    text.box.setAttribute("aria-activedescendant", `${name}-${row}`);
  }

  function showReadout(layer, head, row, weights) {
    readout.textContent = "";
    const where = layers * heads > 1 ? `Layer ${layer}, head ${head}. ` : "";
    const first = make("p", "", readout, `${where}Token ${row}, `);
    make("b", "", first, tokens[row]);
    first.append(pinned ? " (pinned), looks at:" : ", looks at:");
    const list = make("ul", "", readout);
    for (const i of strongest(weights)) addLine(list, i, weights[i]);
    if (column !== null) {
      const last = make("p", "", readout, `Under the pointer: token ${column}, `);
      make("b", "", last, tokens[column]);
      last.append(column > row ? ", is the future: hidden." : `, gets ${percent(weights[column])}.`);
    }
  }

  function addLine(list, i, weight) {
    const line = make("li", "", list);
    const bar = make("span", "am-weight", line);
    bar.style.setProperty("--weight", weight);
    bar.style.background = css(weight);
    make("span", "am-percent", line, percent(weight));
    make("b", "", line, tokens[i]);
    make("span", "am-place", line, ` token ${i}`);
  }

  const strongest = (weights) =>
    [...weights.keys()]
      .filter((i) => weights[i] > 0)
      .sort((a, b) => weights[b] - weights[a] || b - a)
      .slice(0, SHOWN);

  const changes = "change:layer change:head change:row";
  model.on(changes, redraw);
  update();
  return () => model.off(changes, redraw);
}

// The token above (-1) or below (1) in the wrapped text, for the arrow keys.
function nextLine(spans, row, direction) {
  const here = spans[row].getBoundingClientRect();
  let best = row;
  let distance = Infinity;
  for (let i = row; i >= 0 && i < spans.length; i += direction) {
    const there = spans[i].getBoundingClientRect();
    const lines = Math.abs(there.top - here.top) / here.height;
    if (lines < 0.5) continue;
    if (lines > 2.5 && best !== row) break;
    const away = Math.abs(there.left - here.left) + 1000 * Math.round(lines);
    if (away < distance) [best, distance] = [i, away];
  }
  return best;
}

export default { render };
