// What patches do, as a map. The state has the traits of PatchMap, and of this view `cells`: how far
// the answer moved in each cell of the chosen part, and what the model says then.

const NAMES = { stream: "residual stream", attn: "attention output", mlp: "MLP output" };
const NUMBERED = 24; // positions up to which a cell has room for its number

const floatsOf = (bytes) => new Float32Array(bytesOf(bytes).slice().buffer);
const rowsOf = (s, part) => s.layers + (part === "stream" ? 1 : 0);
const differs = (s, position) => s.clean[position] !== s.corrupt[position];
const inWords = ({ part }, layer) => {
  if (part !== "stream") return `${NAMES[part]} of block ${layer}`;
  return layer ? `residual stream after block ${layer - 1}` : "embedding";
};
const rowName = ({ part }, layer) => {
  if (part !== "stream") return `block ${layer}`;
  return layer ? `after block ${layer - 1}` : "embeddings";
};
const inPercent = (share) => `${fixed(100 * share, 1)} %`;
const signedPercent = (moved) => `${signed(100 * moved, 0)} %`;

// The cells of the chosen part: by layer and position, as Python packed them.
function cellsOf(s) {
  const columns = s.clean.length - s.first;
  let start = 0;
  for (const part of Object.keys(NAMES)) {
    if (part === s.part) break;
    start += rowsOf(s, part) * columns;
  }
  const [moved, shares] = [s.moved, s.shares].map(floatsOf);
  const said = new Uint16Array(bytesOf(s.said).slice().buffer);
  const each = shares.length / moved.length;
  return Array.from({ length: rowsOf(s, s.part) * columns }, (_, i) => {
    const from = each * (start + i);
    const tokens = new Map(); // label -> probability; an answer that is likely too comes once
    for (let j = from; j < from + each; j++) tokens.set(said[j], shares[j]);
    return {
      layer: Math.floor(i / columns), position: s.first + (i % columns),
      moved: moved[start + i], tokens, best: said[from + 2],
    };
  });
}

const chosenOf = (s) =>
  s.cells.find((cell) => cell.layer === s.layer && cell.position === s.position);

// Some tokens of a prompt; those that differ are marked.
function addTokens(text, s, run, from, to) {
  s[run].slice(from, to).forEach((label, i) => {
    token(text, label).classList.toggle("pm-other", differs(s, from + i));
  });
}

// Both prompts around their first difference and at their end, and what the model says after each.
function makeTexts(s) {
  const element = make("div", "pm-texts");
  const T = s.clean.length;
  const [from, end] = [Math.max(0, s.first - 6), Math.max(s.first + 6, T - 8)];
  ["clean", "corrupt"].forEach((run, i) => {
    make("span", "xp-soft", element, run);
    const text = make("p", "pm-text", element, from ? "…" : "");
    addTokens(text, s, run, from, s.first + 6);
    if (end > s.first + 6) text.append("…");
    addTokens(text, s, run, end, T);
    text.append(" → ");
    token(text, s.labels[i]);
    text.append(` ${inPercent(s.plain[i][i])}`);
  });
  return { element, show() {} };
}

function makeControls(ui) {
  const element = make("div", "xp-row");
  const parts = select(element, "put in", Object.entries(NAMES), (part) =>
    ui.set({ part, layer: Math.min(ui.state.layer, rowsOf(ui.state, part) - 1) }));
  const legend = make("div", "pm-legend", element, "", { "aria-hidden": "true" });
  make("span", "", legend, "−100 %, away from it");
  make("span", "pm-scale", legend);
  const end = make("span", "", legend, "100 %, as in the clean run: ");
  token(end, ui.state.labels[0]);
  return part(element, [always, (s) => { parts.value = s.part; }]);
}

// A row for each layer, a column for each position from the first difference on.
function makeMap(ui) {
  const element = make("div", "pm-box");
  const map = make("div", "pm-map", element, "", {
    role: "group", "aria-label": "Map of layers and positions: arrow keys choose",
  });
  const choose = ({ layer, position }) => ui.set({ layer, position });
  let heads;
  let names;
  let nodes;
  let mark;
  const columnsOf = (s) => s.clean.length - s.first;

  function build(s) {
    const columns = columnsOf(s);
    map.style.gridTemplateColumns = `max-content repeat(${columns}, minmax(11px, 36px))`;
    map.replaceChildren(make("span"));
    heads = Array.from({ length: columns }, (_, i) => {
      const position = s.first + i;
      const other = differs(s, position) ? ` ← ${cut(s.clean[position], 12)}` : "";
      const head = make("bdi", "pm-head xp-code", map, `${cut(s.corrupt[position], 12)}${other}`);
      head.classList.toggle("pm-other", Boolean(other));
      return head;
    });
    names = [];
    nodes = s.cells.map((cell, i) => {
      if (i % columns === 0) names.push(make("span", "pm-name", map, rowName(s, cell.layer)));
      return makeCell(s, cell);
    });
    mark = rove(map, nodes, columns, (i) => choose(s.cells[i]));
  }

  function makeCell(s, cell) {
    const { moved, layer, position } = cell;
    const node = button(map, columnsOf(s) > NUMBERED ? "" : fixed(100 * moved, 0).replace("-", "−"),
      () => choose(cell));
    node.className = `pm-cell ${moved < 0 ? "pm-away" : "pm-toward"}`;
    const strength = Math.min(1, Math.abs(moved));
    node.classList.toggle("pm-strong", strength > 0.5);
    node.style.setProperty("--strength", `${Math.round(100 * strength)}%`);
    node.title = `${inWords(s, layer)}, token ${position} ${cut(s.corrupt[position], 20)}: `
      + signedPercent(moved);
    node.setAttribute("aria-label", node.title);
    return node;
  }

  return part(element, [(s) => [s.cells], build], [(s) => [s.cells, s.layer, s.position], (s) => {
    const chosen = s.cells.indexOf(chosenOf(s));
    nodes.forEach((node, i) => node.setAttribute("aria-pressed", i === chosen));
    names.forEach((node, layer) => node.classList.toggle("pm-here", layer === s.layer));
    heads.forEach((node, i) => node.classList.toggle("pm-here", i === s.position - s.first));
    mark(Math.max(0, chosen));
  }]);
}

// What was put where, and what the model says then.
function makeReadout(ui) {
  const element = make("div", "pm-said");
  return part(element, [(s) => [s.cells, s.layer, s.position], (s) => {
    element.replaceChildren();
    const { layer, position, clean, corrupt, labels, plain } = s;
    const where = make("p", "", element, `At token ${position} `);
    token(where, corrupt[position]);
    where.append(` the corrupt run got the clean run's ${inWords(s, layer)}`);
    if (differs(s, position)) {
      where.append("; that run has ");
      token(where, clean[position]);
      where.append(" there");
    }
    where.append(".");
    const says = make("p", "pm-now", element, "The model now says ");
    const cell = chosenOf(s);
    if (!cell) { // Python may choose a position of the common beginning
      token(says, labels[1]);
      says.append(" as before: up to here both texts are the same.");
    } else {
      token(says, labels[cell.best]);
      says.append(` ${inPercent(cell.tokens.get(cell.best))}. The answer moved `
        + `${signedPercent(cell.moved)} of the way from `);
      token(says, labels[1]);
      says.append(` ${inPercent(plain[1][1])} to `);
      token(says, labels[0]);
      says.append(` ${inPercent(plain[0][0])}.`);
      addTable(element, s, cell);
    }
    ui.say(`${where.textContent} ${says.textContent}`);
  }]);
}

const bar = (share) => (cell) => {
  cell.className = "pm-share";
  cell.style.setProperty("--share", share);
  cell.textContent = inPercent(share);
};

function addTable(parent, { labels, plain }, { tokens }) {
  const rows = [...tokens].sort((a, b) => b[1] - a[1]).map(([i, share]) =>
    [(cell) => token(cell, labels[i]), bar(plain[1][i]), bar(share), bar(plain[0][i])]);
  tabulate(parent, "", ["next token", "corrupt run", "with the patch", "clean run"], rows);
}

const HELP = "Each cell is a run of the corrupt text with one activation of the clean run put in; "
  + "its colour is how far the difference of the two answers' logits moved. ";

function render(context) {
  const ui = start(context, "pm", "Map of patches");
  const { first } = ui.state;
  const cells = follows("cells", (s) => [s.part, s.moved], cellsOf);
  const parts = [makeTexts(ui.state), makeControls(ui), makeMap(ui), makeReadout(ui)];
  const common = first ? `Tokens 0 to ${first - 1} are the same in both: a patch there does nothing.`
    : "";
  ui.root.append(make("p", "xp-soft", null, HELP + common), ...parts.map(({ element }) => element));
  return ui.open(cells, ...parts);
}

export default { render };
