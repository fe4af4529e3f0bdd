// The head explorer. All that it shows follows one state: layer, head, token, lock, hover.

const BADGES = { "previous token": "P", induction: "I", duplicate: "D", "first token": "F" };
const CLEAR = 0.4; // as in interpret/heads.py
const NUMBERED = 12; // tokens up to which a map has room for numbers
const LABELLED = 26; // and for words at its sides
const LINE = 18; // pixels from token to token in the panel of lines
const WIDTH = 72; // pixels across

function render(context) {
  const { model } = context;
  const s = new Proxy({}, { get: (_, name) => model.get(name) }); // the state, by its traits
  const ui = start(context, "ae", "Attention explorer", draw);
  const memory = new Map();
  const fresh = (part, ...values) => renewed(memory, part, ...values);
  let hover = {}; // layer and head, or row and column, under the pointer
  let exact = null; // a row of a head as Python has it, and of which weights

  // --- What is there ---
  const size = () => {
    const [layers, heads, T] = s.shape;
    return { layers, heads, T };
  };
  const spot = (i) => ({ layer: Math.floor(i / size().heads), head: i % size().heads });
  const indexOf = ({ layer, head }) => layer * size().heads + head;
  const held = (layer) => layer >= s.held[0] && layer < s.held[0] + s.held[1];
  const out = ({ layer, head }) => s.ablated.some(([l, h]) => l === layer && h === head);

  // What is shown: what is pointed at, or else chosen.
  function place() {
    const previewed = hover.head !== undefined && held(hover.layer);
    return {
      layer: previewed ? hover.layer : s.layer,
      head: previewed ? hover.head : s.head,
      row: s.locked ? s.row : hover.row ?? s.row,
      column: hover.column ?? null,
    };
  }

  // A pattern, in bytes, by row and column; head null is the rollout to that layer.
  function pattern(layer, head, hidden = s.hide_first) {
    const { heads, T } = size();
    const bytes = bytesOf(s[(head === null ? "rollout" : "weights") + (hidden ? "_hidden" : "")]);
    const first = layer - s.held[0];
    const start = ((head === null ? first : first * heads + head) * T * (T + 1)) / 2;
    return (row, column) => bytes[start + (row * (row + 1)) / 2 + column];
  }

  // A row's weights, 0 to 1: Python's own once they have come.
  function weightsOf(at, head = at.head) {
    if (head !== null && isExact(at)) return exact.weights;
    if (!held(at.layer)) return new Array(at.row + 1).fill(0);
    const cell = pattern(at.layer, head);
    return Array.from({ length: at.row + 1 }, (_, i) => cell(at.row, i) / 255);
  }

  const exactKey = (at) => [at.layer, at.head, at.row, s.hide_first, s.text].join();
  const isExact = (at) => exact?.key === exactKey(at) && exact.of === s.weights;

  // --- What can be done ---
  function choose(change) {
    hover = {};
    ui.set(change);
  }

  function lock(row) {
    const locked = !(s.locked && s.row === row);
    ui.set({ row, locked, panel: s.colouring === "surprise" ? "lens" : s.panel });
  }

  function lockKeys(event) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      lock(s.row);
    } else if (event.key === "Escape") ui.set({ locked: false });
  }

  function point(place) {
    hover = place;
    ui.redraw();
  }

  function ablate(heads) {
    if (!ui.kernel.live) return;
    ui.set({ ablated: heads, panel: "ablation" });
    ui.kernel.ask("ablate", { heads });
  }

  function toggle({ layer, head }) {
    const others = s.ablated.filter(([l, h]) => l !== layer || h !== head);
    ablate(out({ layer, head }) ? others : [...others, [layer, head]].sort(byPlace));
  }

  const byPlace = (a, b) => a[0] - b[0] || a[1] - b[1];
  const chosen = () => ({ layer: s.layer, head: s.head });

  // What only Python knows.
  function ask(at) {
    const { kernel } = ui;
    if (!kernel.live || kernel.busy("read")) return;
    if (fresh("asked layer", s.layer, s.tokens) && !held(s.layer)) {
      kernel.ask("layer", { layer: s.layer });
    }
    const key = exactKey(at);
    const of = s.weights;
    if (fresh("asked row", key, of)) {
      const { layer, head, row } = at;
      kernel.ask("exact", { layer, head, row, hide_first: s.hide_first }, ({ weights }) => {
        exact = { key, of, weights: new Float32Array(bytesOf(weights).slice().buffer) };
      });
    }
  }

  // --- The parts, from top to bottom ---
  const prompt = make("textarea", "ae-prompt", ui.root, "", {
    "aria-label": "The text that the model reads", spellcheck: "false",
  });
  prompt.addEventListener("input", () =>
    ui.kernel.ask("read", { text: prompt.value }, () => {}, 400));
  ui.needsKernel(prompt);

  const tools = make("div", "xp-row ae-tools", ui.root);
  const ablateButton = ui.needsKernel(button(tools, "", () => toggle(chosen())));
  ui.needsKernel(button(tools, "All heads back", () => ablate([])));
  const boxes = [
    ["hide_first", "hide the first token"], ["beside", "rollout beside"],
    ["as_table", "show as table"],
  ].map(([name, text]) =>
    [name, input("checkbox", tools, text, (on) => ui.set({ [name]: on }))]);
  const colours = ["attention", "surprise", "change"].map((name) => [name, name]);
  const colourBox = select(tools, "colour by", colours, (colouring) =>
    ui.set({ colouring }));

  const notice = make("p", "xp-soft", ui.root);
  const text = make("div", "ae-text", ui.root, "", {
    role: "listbox", "aria-label": "The text: arrow keys move, Enter locks",
  });
  text.addEventListener("pointerleave", () => point({}));
  text.addEventListener("keydown", lockKeys);
  let spans = [];
  let markText = () => {};

  const middle = make("div", "ae-middle", ui.root);
  const gridBox = makeBox("All heads", "ae-grid-box");
  let grid = null;
  let heads = [];
  let markHead = () => {};
  const maps = [makeMap("One head", false), makeMap("Rollout", true)];
  const lines = makeLines();

  const readout = makeBox("Where it looks", "ae-readout");
  const list = makeBox("Heads by score", "ae-list");
  const scoredOn = select(list, "on", [
    ["", "this text"], ["random", "random tokens said twice"],
  ], (value) => ui.kernel.ask("scores", { random_text: value === "random" }, () => {}, 0));
  ui.needsKernel(scoredOn);
  const listed = make("div", "xp-scroll", list);
  const side = make("section", "ae-panel", middle);
  const tabs = make("div", "xp-row", side);
  const lensButton = button(tabs, "Logit lens", () => ui.set({ panel: "lens" }));
  const withoutButton = button(tabs, "Without the heads", () => ui.set({ panel: "ablation" }));
  const panel = make("div", "", side);
  const sheet = make("div", "xp-scroll ae-sheet", ui.root, "", { tabindex: 0 });

  function makeBox(title, className) {
    const box = make("section", className, middle);
    make("h4", "xp-title", box, title);
    return box;
  }

  function makeMap(title, isRollout) {
    const box = makeBox(title, "ae-map");
    const heading = box.firstChild;
    const frame = make("div", "ae-frame", box);
    const [across, down] = ["ae-across", "ae-down"].map((name) =>
      make("div", name, frame, "", { "aria-hidden": "true" }));
    const square = make("div", "ae-square xp-hatched", frame, "", {
      tabindex: 0, role: "group", "aria-roledescription": "heatmap",
      "aria-label": `${title}: arrow keys move, Enter locks`,
    });
    const canvas = make("canvas", "", square);
    make("div", "ae-band", square);
    const cell = make("div", "ae-cell", square);
    const caption = make("p", "xp-soft ae-caption", box);
    const bar = make("div", "ae-legend", isRollout ? null : box, "", { "aria-hidden": "true" });
    for (const weight of [0, 0.1, 0.5, 1]) {
      make("span", "", bar, percent(weight)).style.left = `${100 * Math.sqrt(weight)}%`;
    }
    const inside = (index) => clamp(Math.floor(index), 0, size().T - 1);
    const under = (event) => {
      const edge = square.getBoundingClientRect();
      const cells = size().T / edge.width;
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
      const column = inside((hover.column ?? s.row) + step[1]);
      choose({ row: inside(s.row + step[0]) });
      point({ column });
    });
    return { isRollout, box, heading, across, down, square, canvas, cell, caption };
  }

  function makeLines() {
    const box = makeBox("Lines: token → what it looks at", "ae-lines-box");
    const scroll = make("div", "ae-lines", box, "", {
      role: "img", "aria-label": "Lines between tokens; in words beside",
    });
    const canvas = make("canvas", "", scroll);
    const left = make("div", "ae-from", scroll);
    const right = make("div", "ae-to", scroll);
    const lines = { scroll, canvas, left, right, top: 0 };
    scroll.addEventListener("scroll", () => {
      lines.top = scroll.scrollTop; // asked in each frame it would cost a layout
      ui.redraw();
    });
    scroll.addEventListener("pointerleave", () => point({}));
    new ResizeObserver(() => { // what is out of sight cannot scroll
      memory.delete("scroll");
      ui.redraw();
    }).observe(scroll);
    return lines;
  }

  // --- What is seen ---
  function draw() {
    const at = place();
    if (fresh("text", s.tokens, s.shape)) {
      hover = {};
      if (s.row >= size().T) ui.set({ row: size().T - 1 }); // chosen meanwhile
      buildText();
      buildLines();
      return draw();
    }
    if (fresh("grid", s.thumbnails, s.shape, s.hide_first)) buildGrid();
    if (fresh("list", s.scores, s.sort, s.shape)) buildList();
    showTools();
    showGrid(at);
    maps.forEach((map) => showMap(map, at));
    showText(at);
    showLines(at);
    showReadout(at);
    showPanel();
    showSheet(at);
    if (fresh("scroll", lines.top)) lines.scroll.scrollTop = lines.top; // last: it needs a layout
    ask(at);
  }

  function showTools() {
    for (const [name, box] of boxes) box.checked = s[name];
    colourBox.value = s.colouring;
    scoredOn.value = s.random_text ? "random" : "";
    ablateButton.textContent = `Take out layer ${s.layer}, head ${s.head}`;
    ablateButton.setAttribute("aria-pressed", out(chosen()));
    notice.textContent = s.notice;
    // No answer may replace what is being typed.
    if (fresh("typed", s.text) && !ui.kernel.busy("read")) prompt.value = s.text;
  }

  function buildText() {
    text.replaceChildren();
    spans = s.tokens.map((name, row) => {
      const span = make("bdi", "ae-token xp-code", text, cut(name), { role: "option" });
      if (name.includes("⏎")) make("br", "", text);
      span.addEventListener("pointerenter", () => point({ row }));
      span.addEventListener("click", () => lock(row));
      return span;
    });
    markText = rove(text, spans, 10, (row) => choose({ row }));
  }

  function showText(at) {
    if (!fresh("words", at.row, at.layer, at.head, s.locked, s.colouring, s.hide_first, exact,
      s.tokens, s.without, s.held)) return;
    const { nats, changes } = surprise();
    const weights = weightsOf(at);
    const figure = {
      attention: (i) => [Math.sqrt(weights[i] ?? 0), percent(weights[i] ?? 0), ""],
      surprise: (i) => [nats[i] / 8, nats[i].toFixed(1), ""],
      change: (i) => [Math.abs(changes[i]) / 2, signed(changes[i]), changes[i] > 0 ? "up" : "down"],
    }[s.colouring];
    let room = 9; // characters since the last figure; two need four between
    spans.forEach((span, i) => {
      const [share, note, kind] = figure(i);
      const strength = Math.min(share, 1);
      span.style.setProperty("--strength", `${Math.round(100 * strength)}%`);
      span.dataset.kind = kind;
      span.classList.toggle("ae-strong", strength > 0.53 && !kind);
      span.classList.toggle("ae-chosen", i === at.row);
      span.classList.toggle("xp-hatched", s.colouring === "attention" && i > at.row);
      span.setAttribute("aria-selected", i === at.row);
      const worth = strength >= 0.22 && room >= 4;
      room = (worth ? 0 : room) + span.textContent.length;
      if (worth) span.dataset.note = note;
      else delete span.dataset.note;
    });
    text.classList.toggle("ae-locked", s.locked);
    markText(s.row);
  }

  // Each token's nats, and their change. The first is nobody's guess.
  function surprise() {
    const nats = [0, ...s.surprisal];
    const after = [0, ...(s.without.surprisal ?? [])];
    return { nats, changes: nats.map((x, i) => (after[i] ?? x) - x) };
  }

  function buildGrid() {
    const { layers, heads: count, T } = size();
    const side = s.side;
    const all = bytesOf(s.thumbnails);
    if (fresh("buttons", layers, count)) buildHeads(layers, count);
    // One picture: to compose hundreds would take longer.
    const atlas = grid.querySelector("canvas");
    atlas.style.imageRendering = side < 30 ? "pixelated" : "auto";
    [atlas.width, atlas.height] = [count * side, layers * side];
    heads.forEach((head, i) => {
      const start = ((s.hide_first ? layers * count : 0) + i) * side * side;
      const cell = (row, column) => all[start + row * side + column];
      paint(atlas, side, cell, T <= side && s.hide_first, side, spot(i));
    });
  }

  function buildHeads(layers, count) {
    grid?.remove();
    grid = make("div", "ae-grid", gridBox, "", {
      role: "radiogroup", "aria-label": "Layer and head: arrow keys choose, x takes a head out",
    });
    const pixels = clamp(Math.floor(276 / count) - 2, 10, 70);
    grid.style.gridTemplate = `auto repeat(${layers}, auto) / auto repeat(${count}, auto)`;
    grid.style.setProperty("--pixels", `${pixels}px`);
    make("canvas", "xp-hatched", grid);
    make("span", "xp-soft", grid);
    for (let head = 0; head < count; head++) make("span", "xp-soft", grid, head);
    heads = [];
    for (let i = 0; i < layers * count; i++) {
      if (i % count === 0) make("span", "xp-soft", grid, i / count);
      const cell = button(grid, "", () => choose(spot(i)), { role: "radio" });
      cell.className = "ae-head";
      make("span", "ae-badge", cell, "", { "aria-hidden": "true" });
      cell.addEventListener("pointerenter", () => point(spot(i)));
      heads.push(cell);
    }
    grid.addEventListener("pointerleave", () => point({}));
    grid.addEventListener("keydown", (event) => {
      if (event.key === "x") toggle(chosen());
    });
    markHead = rove(grid, heads, count, (i) => choose(spot(i)));
  }

  const badges = (i) =>
    Object.keys(s.scores).filter((name) => (s.scores[name][i] ?? 0) >= CLEAR);

  function showGrid(at) {
    if (fresh("marks", s.scores, s.ablated, heads)) {
      heads.forEach((cell, i) => {
        const names = badges(i);
        cell.lastChild.textContent = names.map((name) => BADGES[name]).join("");
        cell.classList.toggle("ae-out", out(spot(i)));
        if (out(spot(i))) names.push("taken out");
        cell.title = [`layer ${spot(i).layer}, head ${spot(i).head}`, ...names].join(", ");
        cell.setAttribute("aria-label", cell.title);
      });
    }
    if (!fresh("chosen head", at.layer, at.head, s.layer, s.head, heads)) return;
    heads.forEach((cell, i) => {
      cell.setAttribute("aria-checked", i === indexOf(chosen()));
      cell.classList.toggle("ae-hovered", i === indexOf(at));
    });
    markHead(indexOf(chosen()));
  }

  function showMap(map, at) {
    map.box.hidden = map.isRollout && !s.beside;
    if (map.box.hidden) return;
    const { T } = size();
    const head = map.isRollout ? null : at.head;
    const pixels = s.beside ? 240 : 300;
    map.heading.textContent = map.isRollout ? `Rollout to layer ${at.layer}`
      : `Layer ${at.layer}, head ${at.head}${out(at) ? " (taken out)" : ""}`;
    const there = held(at.layer);
    if (fresh(`map ${map.isRollout}`, at.layer, head, s.hide_first, s.weights, pixels)) {
      ui.root.style.setProperty("--side", `${pixels}px`);
      ui.root.style.setProperty("--T", T);
      if (there) paintMap(map.canvas, pattern(at.layer, head), T, pixels);
      sideLabels(map, T);
    }
    for (const name of ["row", "column"]) map.square.style.setProperty(`--${name}`, at[name]);
    map.cell.hidden = at.column === null;
    map.caption.textContent = "";
    if (there) sayCell(map.caption, at, head);
    else map.caption.append("This layer has to come from Python.");
  }

  function sideLabels(map, T) {
    for (const box of [map.across, map.down]) {
      box.hidden = T > LABELLED || (map.isRollout && box === map.down);
      const names = box.hidden ? [] : s.tokens;
      box.replaceChildren(...names.map((name) => make("bdi", "", null, cut(name, 10))));
    }
  }

  function paintMap(canvas, cell, T, pixels) {
    const sharp = Math.max(1, Math.round(devicePixelRatio));
    canvas.width = canvas.height = pixels * sharp;
    paint(canvas, T, cell, s.hide_first, canvas.width);
    if (T > NUMBERED) return;
    const pen = canvas.getContext("2d");
    const step = canvas.width / T;
    pen.font = `${Math.min(12 * sharp, step / 2.4)}px sans-serif`;
    [pen.textAlign, pen.textBaseline] = ["center", "middle"];
    for (let row = 0; row < T; row++) {
      for (let column = s.hide_first ? 1 : 0; column <= row; column++) {
        const weight = cell(row, column) / 255;
        pen.fillStyle = ink(weight);
        pen.fillText(Math.round(100 * weight), (column + 0.5) * step, (row + 0.5) * step);
      }
    }
  }

  // One cell in words, and what the first token had, if it is hidden.
  function sayCell(caption, at, head) {
    const mass = percent(pattern(at.layer, head, false)(at.row, 0) / 255);
    if (at.column !== null) {
      caption.append(`token ${at.row} → ${at.column} `);
      token(caption, cut(s.tokens[at.column], 20));
      const share = (100 * weightsOf(at, head)[at.column]).toFixed(1);
      caption.append(at.column > at.row ? ": hidden, the future. " : `: ${share} %. `);
    } else if (!s.hide_first) caption.append("Hatched: hidden, the future.");
    if (s.hide_first) caption.append(`Hidden: the first token, which had ${mass} of this row.`);
  }

  function buildLines() {
    for (const column of [lines.left, lines.right]) {
      column.replaceChildren();
      s.tokens.forEach((name, row) => {
        const line = make("bdi", "", column, cut(name, 30));
        if (column === lines.right) return;
        line.addEventListener("pointerenter", () => point({ row }));
        line.addEventListener("click", () => lock(row));
      });
    }
    lines.height = Math.min(304, LINE * size().T);
    lines.scroll.style.height = `${lines.height + 2}px`;
    lines.top = 0;
  }

  function showLines(at) {
    const { canvas, left, right, height } = lines;
    const { T } = size();
    if (fresh("line", at.row, s.row) && hover.row === undefined) {
      const [line, room] = [at.row * LINE, height - LINE];
      const away = Math.abs(line - lines.top - room / 2);
      if (away > room / 2) lines.top = clamp(line - room / 2, 0, LINE * T - height);
    }
    if (!fresh("lines", at.layer, at.head, at.row, s.hide_first, s.weights, exact, lines.top,
      ui.root.dataset.theme)) return;
    const weights = weightsOf(at);
    [...left.children].forEach((line, i) => line.classList.toggle("ae-chosen", i === at.row));
    [...right.children].forEach((line, i) => {
      line.classList.toggle("ae-future", i > at.row);
      if (weights[i] >= 0.03) line.dataset.note = percent(weights[i]);
      else delete line.dataset.note;
    });
    const sharp = Math.max(1, Math.round(devicePixelRatio));
    [canvas.width, canvas.height] = [WIDTH * sharp, height * sharp];
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    pen.translate(0, LINE / 2 - lines.top);
    if (!held(at.layer)) return;
    const cell = pattern(at.layer, at.head);
    const stroke = (row, column, weight, style, most) => {
      pen.globalAlpha = 0.15 + 0.85 * Math.sqrt(weight);
      pen.strokeStyle = style;
      pen.lineWidth = Math.max(0.6, most * weight);
      pen.beginPath();
      pen.moveTo(0, row * LINE);
      pen.bezierCurveTo(
        WIDTH / 2, row * LINE, WIDTH / 2, column * LINE, WIDTH, column * LINE);
      pen.stroke();
    };
    const [soft, mark] = ["--line", "--mark"].map((name) =>
      getComputedStyle(ui.root).getPropertyValue(name));
    for (let row = 0; row < T; row++) {
      for (let column = 0; column <= row && T <= 64; column++) {
        const weight = cell(row, column) / 255;
        if (weight > 0.1) stroke(row, column, weight, soft, 2);
      }
    }
    weights.forEach((weight, column) => {
      if (weight > 0.02) stroke(at.row, column, weight, mark, 7);
    });
  }

  function showReadout(at) {
    if (!fresh("readout", at.layer, at.head, at.row, s.hide_first, exact, s.weights,
      s.locked)) return;
    const weights = weightsOf(at);
    const digits = isExact(at) ? (x) => `${(100 * x).toFixed(2)} %` : percent;
    readout.replaceChildren(readout.firstChild);
    const first = make("p", "", readout, `Layer ${at.layer}, head ${at.head}. Token ${at.row}, `);
    token(first, cut(s.tokens[at.row], 20));
    first.append(s.locked ? " (locked), looks at" : ", looks at");
    const best = [...weights.keys()].filter((i) => weights[i] > 0)
      .sort((a, b) => weights[b] - weights[a] || b - a).slice(0, 6);
    const rows = make("ul", "", readout);
    for (const i of best) {
      const line = make("li", "", rows);
      const bar = make("span", "ae-bar", line);
      bar.style.width = `${60 * weights[i]}px`;
      bar.style.background = css(weights[i]);
      make("span", "ae-number", line, digits(weights[i]));
      token(line, cut(s.tokens[i], 14));
      make("span", "xp-soft", line, `token ${i}`);
    }
    if (!best.length) make("p", "", readout, held(at.layer) ? "nothing: all of it is hidden." : "…");
    const nats = s.surprisal[at.row - 1];
    if (at.row) make("p", "xp-soft", readout,
      `Its surprise: ${nats.toFixed(2)} nats, ${percent(Math.exp(-nats))} expected.`);
    const told = best.slice(0, 3).map((i) => `${s.tokens[i]} ${percent(weights[i])}`);
    ui.say(`${first.textContent}: ${told.join(", ")}`);
  }

  // --- The heads as a list ---
  function buildList() {
    const { scores } = s;
    const names = Object.keys(scores);
    const order = [...heads.keys()];
    const by = scores[s.sort];
    if (by) order.sort((a, b) => (by[b] ?? -2) - (by[a] ?? -2));
    const header = (name, title) => (cell) => {
      const sorted = s.sort === name;
      cell.setAttribute("aria-sort", sorted ? (by ? "descending" : "ascending") : "none");
      button(cell, sorted ? `${title} ▾` : title, () => ui.set({ sort: name }));
    };
    const buttons = [];
    const score = (name, i) => (cell) => {
      const value = scores[name][i];
      cell.textContent = value?.toFixed(2) ?? "–";
      if (value >= CLEAR) make("span", "ae-badge-inline", cell, BADGES[name]);
    };
    const rows = order.map((i) => [(cell) => {
      const { layer, head } = spot(i);
      const node = button(cell, `${layer}.${head}`, () => choose(spot(i)), {
        "aria-label": `layer ${layer}, head ${head}`, "data-index": i,
      });
      cell.parentNode.addEventListener("pointerenter", () => point(spot(i)));
      buttons.push(node);
    }, ...names.map((name) => score(name, i))]);
    listed.replaceChildren();
    const head = ["head", ...names].map((name) => header(name, name.split(" ")[0]));
    const table = tabulate(listed, "", head, rows);
    table.addEventListener("pointerleave", () => point({}));
    table.addEventListener("keydown", (event) => {
      if (event.key === "x" && event.target.dataset.index) toggle(spot(event.target.dataset.index));
    });
    rove(table.tBodies[0], buttons, 1, (i) => buttons[i].click());
    memory.delete("listed");
  }

  // --- Lens and ablation ---
  function showPanel() {
    if (fresh("listed", s.layer, s.head, s.ablated, s.scores, s.sort)) {
      for (const node of listed.querySelectorAll("tbody button")) {
        const i = Number(node.dataset.index);
        node.setAttribute("aria-pressed", i === indexOf(chosen()));
        node.classList.toggle("ae-out", out(spot(i)));
      }
    }
    lensButton.setAttribute("aria-pressed", s.panel === "lens");
    withoutButton.setAttribute("aria-pressed", s.panel === "ablation");
    if (!fresh("panel", s.panel, s.lens, s.expected, s.without, s.ablated,
      s.row, ui.kernel.live)) return;
    panel.replaceChildren();
    if (s.panel === "lens") showLens();
    else showWithout();
  }

  function after(row, words) {
    const line = make("p", "ae-line", panel, `${words} after token ${row}, `);
    token(line, cut(s.tokens[row], 20));
    return line;
  }

  function showLens() {
    const { row, layers } = s.lens;
    const line = after(row, "What each layer expects");
    if (row + 1 < size().T) {
      line.append("; in the text ");
      token(line, cut(s.tokens[row + 1], 20));
    }
    if (row !== s.row) line.append(" …");
    const guess = (share, name) => (cell) => {
      cell.className = "ae-guess";
      cell.style.background = css(share);
      cell.style.color = ink(share);
      make("bdi", "xp-code", cell, cut(name, 10));
      make("span", "", cell, ` ${percent(share)}`);
    };
    const rows = layers.map(({ tokens, shares, true: share, rank }, i) => [
      i ? `layer ${i - 1}` : "embedding",
      ...(rank ? [`${percent(share)}, no. ${rank}`] : []),
      ...shares.slice(0, 3).map((x, j) => guess(x, tokens[j])),
    ]);
    tabulate(make("div", "xp-scroll", panel), "",
      ["after", ...(layers[0].rank ? ["the true"] : []), "first guess", "second", "third"], rows);
  }

  function showWithout() {
    const { heads: gone, surprisal } = s.without;
    const line = make("p", "ae-line", panel);
    if (!s.ablated.length) {
      line.append("All heads are in place: x takes one out.");
    } else if (String(gone) !== String(s.ablated)) line.append("…");
    else {
      const mean = (nats) => nats.reduce((sum, x) => sum + x, 0) / Math.max(nats.length, 1);
      const [before, now] = [mean(s.surprisal), mean(surprisal)];
      const names = gone.map(([l, h]) => `${l}.${h}`).join(", ");
      line.append(`Without ${cut(names, 80)}: the loss goes from `
        + `${before.toFixed(3)} to ${now.toFixed(3)} nats per token, ${signed(now - before, 3)}.`);
    }
    const { row, tokens, shares } = s.expected;
    after(row, "Expected").append(":");
    const two = shares.length > 1;
    const bar = (share, kind) => (cell) => {
      cell.className = `ae-share ae-${kind}`;
      cell.style.setProperty("--share", share);
      cell.textContent = `${(100 * share).toFixed(1)} %`;
    };
    tabulate(panel, "", ["token", "all heads", ...(two ? ["without", "change"] : [])],
      tokens.map((name, i) => [(cell) => token(cell, cut(name, 20)), bar(shares[0][i], "before"),
        ...(two ? [bar(shares[1][i], "after"), signed(100 * (shares[1][i] - shares[0][i]), 1)]
          : [])]));
  }

  // --- The same as a table ---
  function showSheet(at) {
    sheet.hidden = !s.as_table;
    if (sheet.hidden || !fresh("sheet", at.layer, at.head, at.row, s.hide_first,
      s.weights, s.tokens, s.without, exact)) return;
    sheet.replaceChildren();
    const { nats, changes } = surprise();
    const shares = weightsOf(at);
    const flow = weightsOf(at, null);
    const hidden = (i) => i > at.row || (s.hide_first && i === 0);
    const share = (all, i) => (hidden(i) ? "hidden" : `${(100 * all[i]).toFixed(1)} %`);
    const head = ["token", "text", "weight", "rollout", "nats", "change"];
    tabulate(sheet, `Layer ${at.layer}, head ${at.head}: where token ${at.row} looks`, head,
      s.tokens.map((name, i) => [i, cut(name, 40), share(shares, i), share(flow, i),
        i ? nats[i].toFixed(2) : "–", changes[i] ? signed(changes[i]) : "–"]));
  }

  return ui.open();
}

// Draw a pattern, `size` pixels a side. What is hidden stays transparent: hatching shows.
function paint(canvas, T, cell, hideFirst, size, { layer, head } = { layer: 0, head: 0 }) {
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(size, size);
  const pixels = new Uint32Array(image.data.buffer);
  const index = Array.from({ length: size }, (_, i) => Math.floor((i * T) / size));
  index.forEach((row, i) => index.forEach((column, j) => {
    if (column > row || (hideFirst && column === 0)) return;
    pixels[i * size + j] = PIXELS[cell(row, column)];
  }));
  pen.putImageData(image, head * size, layer * size);
}

export default { render };
