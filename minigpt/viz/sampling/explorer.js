
// The sampling explorer: kit.js and sampler.js stand before this file, in one module.
const LONGEST_TEXT = 1200; // characters of the text that are shown, the newest ones
const MOST_STEPS = 100;
const SVG = "http://www.w3.org/2000/svg";
const CHART = { width: 460, height: 250, left: 40, right: 14, top: 22, bottom: 36 };

const count = (n) => n.toLocaleString("en");
const share = (x, digits = 1) => {
  const least = 10 ** -digits; // per cent
  return x > 0 && 100 * x < least / 2 ? `<${least} %` : `${(100 * x).toFixed(digits)} %`;
};

function draw(tag, className, parent, attributes = {}, text) {
  const node = document.createElementNS(SVG, tag);
  if (className) node.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  parent?.append(node);
  return node;
}

function render(context) {
  const { model } = context;
  const ui = start(context, "sampling", "Sampling explorer", update);
  const { kernel, root } = ui;
  let logits = null; // the bytes that `floats` and `ranked` were made of
  let floats;
  let ranked;
  let plain; // the distribution at temperature 1 without filters
  let now; // and as it is set
  let names = new Map(); // id -> label, of the most likely ones
  let seen = ""; // the settings that `now` was made for
  let over = null; // the rank that is pointed at
  let grown = null; // the nodes that the tree shows
  let picked = false; // the next list was asked for from within this one

  const prompt = makePrompt();
  const controls = makeControls();
  const main = make("div", "sx-main", root);
  const list = makeList();
  const side = make("div", "sx-side", main);
  const chart = makeChart();
  const facts = make("dl", "sx-facts", side);
  const actions = makeActions();
  const tree = makeTree();

  // --- The parts ---
  function makePrompt() {
    const label = make("label", "sx-ask", root);
    make("span", "xp-title", label, "Prompt");
    const area = make("textarea", "xp-code", label, undefined, { rows: 2, spellcheck: "false" });
    area.title = "Another prompt starts another tree; Undo brings this one back.";
    const ask = (delay) => kernel.ask("prompt", { prompt: area.value }, sayText, delay);
    area.addEventListener("input", () => ask(400));
    area.addEventListener("change", () => kernel.busy("prompt") && ask(0)); // on to the next control
    ui.needsKernel(area);
    const text = make("div", "sx-text", root, undefined, { role: "group", "aria-label": "Text so far" });
    const note = make("div", "xp-soft", root);
    return { area, text, note };
  }

  // A slider with a number beside it. `place` and `value` turn a setting into the slider's place
  // and back; `within` brings a typed number into its limits. Returns what shows the setting.
  function control(box, { name, text, slider, number, place, value, within, off = "" }) {
    const field = make("div", "sx-control", box, undefined, { role: "group", "aria-label": text });
    make("span", "xp-title", field, text);
    const range = make("input", "", field, undefined, { type: "range", ...slider });
    range.setAttribute("aria-label", `${text}, slider`);
    range.addEventListener("input", () => ui.set({ [name]: value(Number(range.value)) }));
    const typed = make("input", "", field, undefined, { type: "number", ...number });
    typed.setAttribute("aria-label", text);
    typed.placeholder = off;
    typed.addEventListener("input", () => {
      if (typed.value !== "") ui.set({ [name]: within(Number(typed.value)) });
      else if (off) ui.set({ [name]: null });
    });
    typed.addEventListener("blur", ui.redraw); // what was typed may have been out of range
    return () => {
      const chosen = model.get(name);
      // Several places may stand for one setting: then the slider stays where it is.
      if (value(Number(range.value)) !== chosen) range.value = place(chosen);
      range.setAttribute("aria-valuetext", chosen ?? off);
      if (!typed.matches(":focus")) typed.value = chosen === null ? "" : Number(chosen.toFixed(4));
    };
  }

  function makeControls() {
    const box = make("div", "sx-controls", root);
    const V = () => floats.length;
    const shows = [
      control(box, {
        name: "temperature", text: "Temperature",
        slider: { min: 0, max: 2, step: 0.05 }, number: { min: 0, max: 100, step: 0.05 },
        place: (x) => x, value: (x) => x, within: (x) => (x <= 0 ? 0 : clamp(x, 0.01, 100)),
      }),
      control(box, {
        name: "top_k", text: "Top-k", off: "off",
        slider: { min: 0, max: 100, step: 1 }, number: { min: 1, step: 1 },
        place: (k) => (k === null ? 100 : (100 * Math.log(Math.min(k, V()))) / Math.log(V())),
        value: (x) => (x >= 100 ? null : Math.round(V() ** (x / 100))),
        within: (x) => clamp(Math.round(x), 1, 1e9),
      }),
      control(box, {
        name: "top_p", text: "Top-p", off: "off",
        slider: { min: 0.01, max: 1, step: 0.01 }, number: { min: 0.01, max: 1, step: 0.01 },
        place: (p) => p ?? 1, value: (x) => (x >= 1 ? null : x), within: (x) => clamp(x, 0.001, 1),
      }),
    ];
    const reset = { temperature: 1, top_k: null, top_p: null };
    button(box, "Reset", () => ui.set(reset), { title: "Temperature 1, no filter" });
    return () => shows.forEach((show) => show());
  }

  function makeList() {
    const box = make("section", "sx-next", main);
    const head = make("div", "xp-row", box);
    make("h3", "xp-title", head, "Next token");
    make("span", "xp-soft", head, "click one to choose it");
    const asTable = input("checkbox", head, "as table", () => ui.redraw());
    const view = make("div", "sx-list xp-scroll", box, undefined, { role: "listbox" });
    view.setAttribute("aria-label", "Next token: arrow keys move, Enter chooses");
    const rows = model.get("labels").map((_, place) => {
      const row = make("div", "sx-row", view, undefined, { role: "option" });
      const parts = {
        row,
        name: make("span", "sx-name", row),
        bar: make("span", "sx-bar", row),
        share: make("span", "sx-share", row),
      };
      parts.before = make("span", "sx-before", parts.bar);
      parts.after = make("span", "sx-after", parts.bar);
      row.addEventListener("pointerenter", () => point(place));
      row.addEventListener("focus", () => point(place));
      row.addEventListener("click", () => pick(place));
      return parts;
    });
    const mark = rove(view, rows.map(({ row }) => row), 1, point);
    view.addEventListener("pointerleave", () => point(null));
    view.addEventListener("focusout", () => point(null));
    view.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      if (over !== null) pick(over);
    });
    const rest = make("div", "sx-rest xp-soft", box);
    const table = make("div", "xp-scroll sx-list", box);
    make("div", "xp-soft", box, "Filled: drawn from. Outline: before the filters. Hatched: cut.");
    return { view, rows, mark, rest, table, asTable };
  }

  function makeChart() {
    make("h3", "xp-title", side, "All tokens, the likeliest first");
    const { width, height, left, right, top, bottom } = CHART;
    const svg = draw("svg", "sx-chart", side, { viewBox: `0 0 ${width} ${height}`, role: "img" });
    const id = `sx-${Math.random().toString(36).slice(2)}`;
    const pattern = draw("pattern", "", draw("defs", "", svg), {
      id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
    });
    draw("line", "sx-hatch", pattern, { x1: 0, y1: 0, x2: 0, y2: 6 });
    const axes = draw("g", "sx-axes", svg);
    const middle = (left + width - right) / 2;
    draw("text", "", svg, { x: middle, y: height - 3, "text-anchor": "middle" }, "rank");
    const parts = { svg, axes, V: 0 };
    parts.cut = draw("path", "", svg, { fill: `url(#${id})` });
    for (const name of ["kept", "plain", "curve", "k", "p", "edge"]) {
      parts[name] = draw("path", `sx-${name}`, svg);
    }
    parts.kText = draw("text", "sx-strong", svg, { y: top - 7 });
    parts.pText = draw("text", "sx-strong", svg);
    parts.dot = draw("circle", "sx-dot", svg, { r: 4 });
    const legend = make("div", "xp-row xp-soft", side);
    for (const [name, text] of [
      ["curve", "their probability together"], ["plain", "at temperature 1"], ["kept", "kept"],
    ]) {
      const entry = make("span", "sx-entry", legend);
      draw("path", `sx-${name}`, draw("svg", "", entry, { width: 22, height: 10 }), {
        d: name === "kept" ? "M0 0H22V10H0Z" : "M0 5H22",
      });
      entry.append(text);
    }
    // Each rank has the room from half a rank before it to half a rank behind it.
    parts.x = (rank) =>
      left + ((width - left - right) * Math.log(2 * rank)) / Math.log(2 * parts.V + 1);
    parts.y = (mass) => height - bottom - (height - top - bottom) * mass;
    return parts;
  }

  function makeActions() {
    const box = make("div", "xp-row sx-actions", root);
    const number = (text, limits, change) => {
      const node = input("number", box, text, (value) => {
        if (value !== "") change(clamp(Math.round(Number(value)), limits.min, limits.max));
      }, { ...limits, step: 1 });
      // What was typed may have been out of range.
      node.addEventListener("change", () => {
        if (node.value) node.value = clamp(Math.round(Number(node.value)), limits.min, limits.max);
      });
      return node;
    };
    let steps = 20;
    const sample = (n) => kernel.ask("sample", { steps: n }, sayText, 0);
    ui.needsKernel(button(box, "Step", () => sample(1), { title: "Draw one token" }));
    const many = button(box, "Sample 20", () => sample(steps));
    many.title = "Draw tokens up to the end of the text";
    ui.needsKernel(many);
    number("tokens", { min: 1, max: MOST_STEPS, value: steps }, (value) => {
      steps = value;
      many.textContent = `Sample ${steps}`;
    });
    const seed = number("seed", { min: 0, max: 2 ** 31 - 1 }, (value) => ui.set({ seed: value }));
    button(box, "Next seed", () => ui.set({ seed: model.get("seed") + 1 }), {
      title: "The same seed at the same place draws the same tokens",
    });
    const write = input("text", box, "or write on", () => {}, { placeholder: "text, then Enter" });
    write.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !write.value) return;
      kernel.ask("write", { text: write.value }, sayText, 0);
      write.value = "";
    });
    ui.needsKernel(write);
    const undo = ui.needsKernel(button(box, "Undo", () => kernel.ask("undo", {}, sayText, 0)));
    return { seed, undo };
  }

  function makeTree() {
    const head = make("div", "xp-row", root);
    make("h3", "xp-title", head, "Tried so far");
    const sum = make("span", "xp-soft", head);
    const box = make("div", "sx-tree", root, undefined, { role: "tree" });
    box.setAttribute("aria-label", "Tree of what was tried: arrow keys move, Enter goes there");
    make("div", "xp-soft", root, "Go back to any of them. Dotted: sampled. Solid line: chosen.");
    box.addEventListener("keydown", treeKeys);
    return { box, sum, chips: [] };
  }

  // --- What happens ---
  function point(place) {
    if (over === place) return;
    over = place;
    ui.redraw();
    if (place === null) return;
    const state = place < now.kept ? `drawn with ${share(drawn(place))}` : "cut";
    const before = share(now.probabilities[place]);
    ui.say(`${nameAt(place)}, rank ${place + 1}: ${before} before the filters, ${state}.`);
  }

  function pick(place) {
    if (!kernel.live || kernel.busy("prompt")) return;
    picked = list.view.contains(document.activeElement);
    kernel.ask("pick", { node: model.get("current"), token: now.order[place] }, sayText, 0);
  }

  function sayText() {
    const text = model.get("text");
    ui.say(`${text.length > 200 ? `…${text.slice(-200)}` : text} Next: ${nameAt(0)}`);
  }

  const go = (node) => kernel.live && kernel.ask("go", { node }, sayText, 0);

  function treeKeys(event) {
    const { chips } = tree;
    const nodes = model.get("nodes");
    const at = chips.findIndex((chip) => chip === document.activeElement);
    if (at < 0) return;
    const inOrder = [...tree.box.querySelectorAll(".sx-chip")];
    const firsts = inOrder.filter((chip) => chip.matches(":first-child"));
    const line = firsts.indexOf(chips[at].parentElement.querySelector(".sx-chip"));
    const next = {
      ArrowLeft: () => chips[nodes[at].parent],
      ArrowRight: () => chips[nodes.findIndex((node) => node.parent === at)],
      ArrowUp: () => (chips[at] === firsts[line] ? firsts[line - 1] : firsts[line]),
      ArrowDown: () => firsts[line + 1],
      Home: () => chips[0],
      End: () => inOrder.at(-1),
    }[event.key];
    if (event.key === "Enter" || event.key === " ") go(at);
    else if (!next) return;
    event.preventDefault();
    const chip = next?.();
    if (!chip) return;
    chips.forEach((one) => { one.tabIndex = one === chip ? 0 : -1; });
    chip.focus();
  }

  // --- What is seen ---
  function update() {
    const fresh = logits !== model.get("logits");
    if (fresh) read();
    const settings = ["temperature", "top_k", "top_p"].map((name) => model.get(name));
    const changed = fresh || seen !== settings.join();
    if (changed) {
      seen = settings.join();
      const [temperature, topK, topP] = settings;
      now = distribution(floats, ranked, { temperature, topK, topP });
      now.together = together(now);
      showFacts();
      showChart();
    }
    controls();
    if (changed || list.view.hidden !== list.asTable.checked) showList();
    showPointed();
    showText();
    showTree();
    if (!actions.seed.matches(":focus")) actions.seed.value = model.get("seed");
    const undoes = model.get("undoes");
    actions.undo.title = undoes ? `Take back: ${undoes}` : "Nothing to take back";
    if (fresh && picked) {
      picked = false;
      list.mark(0);
      list.rows[0].row.focus();
    }
  }

  function read() {
    logits = model.get("logits");
    const bytes = bytesOf(logits);
    floats = new Float32Array(bytes.slice().buffer);
    ranked = rank(floats);
    plain = distribution(floats, ranked, { temperature: 1, topK: null, topP: null });
    plain.together = together(plain);
    names = new Map(model.get("labels").map((label, place) => [ranked[place], label]));
    over = null;
  }

  function together({ probabilities }) {
    const sums = probabilities.slice();
    for (let rank = 1; rank < sums.length; rank++) sums[rank] += sums[rank - 1];
    return sums;
  }

  const nameAt = (place) => names.get(now.order[place]) ?? `(token ${now.order[place]})`;
  const drawn = (place) => (place < now.kept ? now.probabilities[place] / now.mass : 0);

  function showFacts() {
    const equal = (nats) => Math.exp(nats).toFixed(1);
    const entries = [
      ["kept", `${count(now.kept)} of ${count(floats.length)} tokens`],
      ["their probability", share(now.mass)],
      ["entropy", `${now.after.toFixed(2)} nats; ${now.before.toFixed(2)} before the filters`],
      ["as many as", `${equal(now.after)} equally likely tokens; ${equal(now.before)} before`],
    ];
    facts.textContent = "";
    for (const [name, value] of entries) {
      make("dt", "", facts, name);
      make("dd", "", facts, value);
    }
    ui.say(`Kept ${entries[0][1]}, ${entries[1][1]} of the probability. Entropy ${entries[2][1]}.`);
  }

  function cuts() {
    const [k, p] = [model.get("top_k"), model.get("top_p")];
    const greedy = model.get("temperature") === 0;
    return {
      k: !greedy && k !== null && now.byK < floats.length,
      p: !greedy && p !== null && p < 1,
    };
  }

  function showList() {
    const table = list.asTable.checked;
    list.view.hidden = list.rest.hidden = table;
    list.table.hidden = !table;
    if (table) return showTable();
    const { k, p } = cuts();
    const longest = Math.max(drawn(0), now.probabilities[0]);
    const shown = Math.min(list.rows.length, floats.length);
    list.rows.forEach(({ row, name, before, after, share: number }, place) => {
      row.hidden = place >= shown;
      const label = nameAt(place);
      if (name.dataset.label !== label) {
        name.dataset.label = label;
        name.textContent = "";
        token(name, label);
      }
      const cutAway = place >= now.kept;
      row.classList.toggle("sx-away", cutAway);
      before.style.width = `${(100 * now.probabilities[place]) / longest}%`;
      after.style.width = `${(100 * drawn(place)) / longest}%`;
      number.textContent = cutAway ? `cut (${share(now.probabilities[place])})` : share(drawn(place));
      const lines = [];
      if (k && place === now.byK) lines.push(`top-k ${model.get("top_k")}`);
      if (p && place === now.kept && now.kept < now.byK) lines.push(`top-p ${model.get("top_p")}`);
      if (lines.length) row.dataset.cut = lines.join(", ");
      else delete row.dataset.cut;
    });
    const left = 1 - now.together[shown - 1];
    const more = floats.length - shown;
    list.rest.textContent = more
      ? `and ${count(more)} more tokens with ${share(Math.max(0, left))} together before the filters`
      : "";
  }

  function showTable() {
    list.table.textContent = "";
    const rows = [...list.rows.keys()].filter((place) => place < floats.length);
    tabulate(
      list.table,
      `The ${rows.length} likeliest of ${count(floats.length)} tokens`,
      ["token", "id", "logit", "before", "drawn from", "kept"],
      rows.map((place) => [
        (cell) => token(cell, nameAt(place)),
        now.order[place], floats[now.order[place]].toFixed(2),
        share(now.probabilities[place], 2), share(drawn(place), 2), place < now.kept ? "yes" : "no",
      ]),
    );
  }

  function showChart() {
    const { width, height, left, right, top, bottom } = CHART;
    const V = floats.length;
    if (chart.V !== V) {
      chart.V = V;
      showAxes();
    }
    const { x, y } = chart;
    const [end, floor] = [width - right, y(0)];
    // Steps as long as they can be seen, then a line.
    const line = (sums, from, to) => {
      let path = "";
      for (let rank = from; ; rank = Math.min(to, Math.max(rank + 1, Math.floor(rank * 1.03)))) {
        const [start, level] = [x(rank - 0.5).toFixed(1), y(sums[rank - 1]).toFixed(1)];
        path += `${path ? "L" : "M"}${start} ${level}`;
        if (rank < 40 || rank === to) path += `H${x(rank + 0.5).toFixed(1)}`;
        if (rank === to) return path;
      }
    };
    const area = (from, to) => `${line(now.together, from, to)}V${floor}H${x(from - 0.5)}Z`;
    const { kept } = now;
    chart.curve.setAttribute("d", line(now.together, 1, V));
    chart.plain.setAttribute("d", line(plain.together, 1, V));
    chart.kept.setAttribute("d", area(1, kept));
    chart.cut.setAttribute("d", kept < V ? area(kept + 1, V) : "");
    chart.edge.setAttribute("d", `M${x(kept + 0.5)} ${y(now.mass)}V${floor}`);
    const { k, p } = cuts();
    const cutK = x(now.byK + 0.5);
    chart.k.setAttribute("d", k ? `M${cutK} ${top}V${floor}` : "");
    chart.kText.textContent = k ? `top-k ${count(now.byK)}` : "";
    const late = cutK > width / 2;
    chart.kText.setAttribute("x", cutK);
    chart.kText.setAttribute("text-anchor", late ? "end" : "start");
    const level = y((model.get("top_p") ?? 1) * now.massK);
    chart.p.setAttribute("d", p ? `M${left} ${level}H${k ? cutK : end}` : "");
    const of = k ? " of what top-k leaves" : "";
    chart.pText.textContent = p ? `top-p ${model.get("top_p")}${of}` : "";
    chart.pText.setAttribute("x", left + 6);
    chart.pText.setAttribute("y", level + (level < top + 16 ? 14 : -5));
    chart.svg.setAttribute(
      "aria-label",
      `Probability of the likeliest tokens together; ${count(kept)} kept with ${share(now.mass)}`,
    );
  }

  function showAxes() {
    const { width, right, left } = CHART;
    const { axes, x, y, V } = chart;
    axes.textContent = "";
    for (const mass of [0, 0.25, 0.5, 0.75, 1]) {
      draw("path", "sx-grid", axes, { d: `M${left} ${y(mass)}H${width - right}` });
      const place = { x: left - 6, y: y(mass) + 4, "text-anchor": "end" };
      draw("text", "", axes, place, `${100 * mass} %`);
    }
    const ticks = [1, 10, 100, 1000, 10000, 100000].filter((tick) => tick * 6 < V);
    for (const tick of [...ticks, V]) {
      const place = { x: x(tick), y: y(0) + 15, "text-anchor": tick === V ? "end" : "middle" };
      draw("text", "", axes, place, count(tick));
    }
  }

  function showPointed() {
    chart.dot.setAttribute("visibility", over === null ? "hidden" : "visible");
    list.rows.forEach(({ row }, place) => {
      row.classList.toggle("sx-over", place === over);
      row.setAttribute("aria-selected", place === over);
    });
    if (over === null) return;
    chart.dot.setAttribute("cx", chart.x(over + 1));
    chart.dot.setAttribute("cy", chart.y(now.together[over]));
  }

  function showText() {
    const { area, text, note } = prompt;
    const [given, chosen] = [model.get("prompt"), model.get("text")];
    if (!kernel.busy("prompt") && area.value !== given && !area.matches(":focus")) {
      area.value = given;
    }
    if (text.dataset.shown === given + chosen) return;
    text.dataset.shown = given + chosen;
    text.textContent = "";
    const newest = chosen.slice(-LONGEST_TEXT);
    const before = given.slice(-Math.max(80, LONGEST_TEXT - newest.length));
    const hidden = given.length + chosen.length - newest.length - before.length;
    if (hidden) make("span", "xp-soft", text, `(${count(hidden)} characters before) `);
    make("bdi", "sx-given", text, before);
    make("bdi", "sx-chosen", text, newest);
    text.scrollTop = text.scrollHeight;
    note.textContent = model.get("note");
  }

  function showTree() {
    const nodes = model.get("nodes");
    const current = model.get("current");
    if (grown !== nodes) {
      grown = nodes;
      growTree(nodes);
    }
    const path = new Set();
    let nats = 0;
    for (let at = current; at >= 0; at = nodes[at].parent) {
      path.add(at);
      nats -= Math.log(nodes[at].share);
    }
    const tokens = path.size - 1;
    tree.sum.textContent = tokens
      ? `${count(tokens)} ${tokens === 1 ? "token" : "tokens"} behind the prompt, ` +
        `${nats.toFixed(2)} nats of surprise in all`
      : nodes.length > 1 ? "standing at the prompt" : "nothing yet: sample, or choose a token";
    const focused = tree.box.contains(document.activeElement);
    tree.chips.forEach((chip, node) => {
      chip.classList.toggle("sx-path", path.has(node));
      chip.setAttribute("aria-selected", node === current);
      if (!focused) chip.tabIndex = node === current ? 0 : -1;
    });
  }

  // A line of chips runs on until it branches; each branch is then a line of its own.
  function growTree(nodes) {
    const at = tree.chips.findIndex((chip) => chip === document.activeElement);
    const children = nodes.map(() => []);
    nodes.forEach((node, i) => { if (node.parent >= 0) children[node.parent].push(i); });
    tree.box.textContent = "";
    tree.chips = [];
    const lines = [[0, tree.box, 1]];
    while (lines.length) {
      let [node, box, level] = lines.shift();
      const line = make("div", "sx-line", box, undefined, { role: "presentation" });
      for (; ; [node] = children[node]) {
        tree.chips[node] = makeChip(line, node, nodes[node], level);
        if (children[node].length !== 1) break;
      }
      const branches = children[node];
      if (!branches.length) continue;
      const group = make("div", "sx-branches", box, undefined, { role: "group" });
      for (const branch of branches) lines.push([branch, make("div", "", group), level + 1]);
    }
    if (at >= 0) (tree.chips[at] ?? tree.chips[0]).focus();
  }

  function makeChip(line, index, node, level) {
    const chip = make("span", `sx-chip sx-${node.how}`, line, undefined, { role: "treeitem" });
    chip.setAttribute("aria-level", level);
    chip.tabIndex = -1;
    if (index === 0) chip.append("prompt");
    else {
      token(chip, node.label).removeAttribute("title");
      chip.title = `${node.how}; the model gave it ${share(node.share)}`;
    }
    chip.addEventListener("click", () => go(index));
    return chip;
  }

  return ui.open();
}

export default { render };
