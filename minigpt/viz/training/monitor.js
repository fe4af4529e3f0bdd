// The training monitor: curves that grow while Python trains, on one scale of steps.
// Python only sends; whatever is chosen here (a step, a scale, smoothing) needs no answer.

const COLUMNS = ["step", "loss", "lowest", "highest", "lr", "grad_norm", "tokens_per_second"];
const NARROW = [
  ["lr", "learning rate"], ["grad_norm", "gradient norm"], ["tokens_per_second", "tokens/s"],
];
const MOST_LINES = 100; // of the table
const DASHES = ["6 4", "2 3", "8 3 2 3"]; // levels differ in their lines, not in colour

function svgNode(tag, parent, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

const number = (x) => {
  if (!Number.isFinite(x)) return "—";
  if (x === 0) return "0";
  if (Math.abs(x) >= 1000) return Math.round(x).toLocaleString("en");
  if (Math.abs(x) < 0.001) return x.toExponential(1).replace("e-", "e−");
  return String(Number(x.toPrecision(3)));
};

// The rows that Python sent, as an array for each column.
function columnsOf(view) {
  const floats = new Float32Array(view ? bytesOf(view).slice().buffer : 0);
  const n = floats.length / COLUMNS.length;
  return Object.fromEntries(COLUMNS.map((name, j) =>
    [name, Array.from({ length: n }, (_, i) => floats[i * COLUMNS.length + j])]));
}

// Each value mixed with those before it, as Adam's averages are: unbiased from the first on.
function smoothed(values, weight) {
  let sum = 0;
  let share = 0;
  return values.map((value) => {
    if (!Number.isFinite(value)) return NaN;
    sum = weight * sum + (1 - weight) * value;
    share = weight * share + (1 - weight);
    return sum / share;
  });
}

// Round numbers between two ends, about `most` of them.
function ticks(low, high, most, logarithmic) {
  if (logarithmic) {
    const powers = [];
    for (let x = 10 ** Math.floor(Math.log10(low)); x <= high; x *= 10) powers.push(x);
    const choices = [[1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]].map((digits) =>
      powers.flatMap((power) => digits.map((digit) => digit * power))
        .filter((x) => x >= low && x <= high));
    const found = choices.find((choice) => choice.length <= 1.5 * most) ?? choices.at(-1);
    if (found.length > 1) return found;
  }
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough);
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  if (count < 2) return ticks(low, high, 2 * most, false);
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

// The place of a value between two ends, from 0 to 1.
const scale = (low, high, logarithmic) => (x) =>
  logarithmic ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low);

// The index of the value nearest to x, in ascending values.
function nearest(values, x) {
  let best = -1;
  values.forEach((value, i) => {
    if (best < 0 || Math.abs(value - x) <= Math.abs(values[best] - x)) best = i;
  });
  return best;
}

// One diagram: its axes, then whatever `fill(plane)` draws. Returns from a pixel to a step.
function diagram(svg, { width, height, right, steps, values, logarithmic, most, fill }) {
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  const [left, top, bottom] = [46, 8, height - 20];
  const finite = values.filter((x) => Number.isFinite(x) && (!logarithmic || x > 0));
  let [low, high] = [Math.min(...finite), Math.max(...finite)];
  if (!finite.length) [low, high] = [0.5, 1];
  if (logarithmic) [low, high] = [low / 1.08, high * 1.08];
  else [low, high] = [Math.min(0, low), high * 1.05 || 1];
  const across = scale(0, steps, false);
  const up = scale(low, high, logarithmic);
  const plane = {
    x: (step) => left + (width - left - right) * across(step),
    y: (value) => bottom - (bottom - top) * up(value),
    left, right: width - right, top, bottom,
  };
  for (const tick of ticks(low, high, most, logarithmic)) {
    const y = plane.y(tick);
    svgNode("path", svg, { class: "tm-tick", d: `M${left} ${y}H${plane.right}` });
    svgNode("text", svg, { x: left - 6, y: y + 4, "text-anchor": "end" }, number(tick));
  }
  for (const tick of ticks(0, steps, width > 400 ? 8 : 3, false)) {
    const place = { x: plane.x(tick), y: height - 5, "text-anchor": "middle" };
    if (Number.isInteger(tick)) svgNode("text", svg, place, number(tick));
  }
  svgNode("path", svg, { class: "tm-axis", d: `M${left} ${top}V${bottom}H${plane.right}` });
  fill(plane);
  return (x) => ((x - left) / (width - left - right)) * steps;
}

// A path through the points that are numbers; it breaks where one is not.
function pathOf(plane, steps, values) {
  let pen = "M";
  return steps.map((step, i) => {
    const y = plane.y(values[i]);
    if (!Number.isFinite(y)) {
      pen = "M";
      return "";
    }
    const point = `${pen}${plane.x(step).toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
    return point;
  }).join("");
}

function render(context) {
  const { model } = context;
  const ui = start(context, "tm", "Training monitor", draw);
  const get = (key) => model.get(key);
  let over = -1; // the step under the pointer
  let data = columnsOf(null);
  let read = null; // the bytes that `data` was made from
  let stepAt = null; // from a pixel of the large diagram to a step
  let tabled = "";

  // --- The parts ---
  const tiles = make("div", "tm-tiles", ui.root);
  const tile = (name) => {
    const node = make("div", "tm-tile", tiles);
    const value = make("b", "", node, "—");
    make("span", "", node, name);
    return value;
  };
  const shown = Object.fromEntries(
    ["step", "loss", "held out", "× floor", "learning rate", "gradient norm", "tokens/s", "left"]
      .map((name) => [name, tile(name)]));
  const bar = make("progress", "", ui.root, undefined, { "aria-label": "steps done" });
  const controls = make("div", "xp-row", ui.root);
  make("span", "xp-title", controls, "Loss (nats per token)");
  const log = input("checkbox", controls, "logarithmic", (on) => ui.set({ logarithmic: on }));
  const smooth = input("range", controls, "smoothing", (value) => ui.set({ smooth: Number(value) }),
    { min: 0, max: 0.98, step: 0.02 });
  const asTable = input("checkbox", controls, "show as table", (on) => ui.set({ as_table: on }));
  const newest = button(controls, "newest step", () => ui.set({ at: -1 }));
  const unread = { "aria-hidden": "true" };
  const legend = make("div", "xp-row xp-soft tm-legend", ui.root, undefined, unread);
  const plot = make("div", "tm-plot", ui.root, undefined, { tabindex: 0, role: "slider" });
  plot.setAttribute("aria-label", "Step of the run: use the arrow keys");
  plot.setAttribute("aria-valuemin", 0);
  const large = svgNode("svg", plot, unread);
  const here = make("div", "tm-here", ui.root);
  const three = make("div", "tm-three", ui.root);
  const small = NARROW.map(([, title]) => {
    const box = make("div", "", three);
    make("div", "xp-soft", box, title);
    return svgNode("svg", box, unread);
  });
  const samples = make("div", "tm-samples", ui.root);
  make("div", "xp-title", samples, "Samples");
  const list = make("div", "tm-list", samples, undefined, { role: "listbox" });
  list.setAttribute("aria-label", "Samples: use the arrow keys");
  const table = make("div", "", ui.root);
  let rows = []; // of the list of samples
  let mark = () => {};
  makeLegend();

  function makeLegend() {
    const entry = (text, look, d) => {
      const node = make("span", "", legend);
      svgNode("path", svgNode("svg", node, { viewBox: "0 0 28 12" }), { class: look, d });
      node.append(text);
    };
    entry("each batch", "tm-raw", "M0 8L7 3L14 9L21 4L28 8");
    entry("smoothed", "tm-smooth", "M0 6H28");
    entry("held out", "tm-look", "M14 1l5 5l-5 5l-5 -5z");
  }

  const count = () => data.step.length;
  const chosen = () => {
    if (!count()) return -1;
    const step = over >= 0 ? over : get("at");
    return step < 0 ? count() - 1 : nearest(data.step, step);
  };
  const stepOf = (event) => {
    const frame = plot.getBoundingClientRect();
    return stepAt ? clamp(Math.round(stepAt(event.clientX - frame.left)), 0, get("max_steps")) : -1;
  };
  plot.addEventListener("pointermove", (event) => { over = stepOf(event); ui.redraw(); });
  plot.addEventListener("pointerleave", () => { over = -1; ui.redraw(); });
  plot.addEventListener("click", (event) => ui.set({ at: stepOf(event) }));
  plot.addEventListener("keydown", (event) => {
    const at = chosen();
    const page = Math.max(1, Math.round(count() / 10));
    const to = {
      ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1,
      PageDown: at - page, PageUp: at + page, Home: 0, End: count() - 1,
    }[event.key];
    if (event.key === "Escape") ui.set({ at: -1 });
    if (to === undefined || !count() || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    over = -1;
    ui.set({ at: data.step[clamp(to, 0, count() - 1)] });
  });

  // --- What is seen ---
  function draw() {
    if (read !== get("rows")) {
      read = get("rows");
      data = columnsOf(read);
    }
    log.checked = get("logarithmic");
    asTable.checked = get("as_table");
    smooth.value = get("smooth");
    newest.disabled = get("at") < 0;
    showTiles();
    showLoss();
    NARROW.forEach(showNarrow);
    showHere();
    showSamples();
    showTable();
  }

  function showTiles() {
    const last = count() - 1;
    const look = get("looks").at(-1);
    const { floor } = get("levels");
    const done = count() ? data.step[last] : 0;
    const text = {
      step: `${number(done)} of ${number(get("max_steps"))}`,
      loss: number(data.loss[last]),
      "held out": look ? number(look[1]) : "—",
      "× floor": look && floor ? (look[1] / floor).toFixed(2) : "—",
      "learning rate": number(data.lr[last]),
      "gradient norm": number(data.grad_norm[last]),
      "tokens/s": number(data.tokens_per_second[last]),
      left: get("left") || "—",
    };
    for (const [name, node] of Object.entries(shown)) node.textContent = text[name];
    shown["× floor"].parentNode.hidden = floor === undefined;
    bar.max = get("max_steps");
    bar.value = done;
    bar.title = get("words");
  }

  function showLoss() {
    const levels = Object.entries(get("levels"));
    const looks = get("looks");
    const values = [...data.lowest, ...data.highest, ...levels.map(([, loss]) => loss),
      ...looks.map(([, loss]) => loss)];
    const longest = Math.max(0, ...levels.map((level) => nameOf(...level).length));
    stepAt = diagram(large, {
      width: Math.max(320, plot.clientWidth), height: 280, right: 24 + 6.5 * longest,
      steps: get("max_steps"), values, logarithmic: get("logarithmic"), most: 6,
      fill(plane) {
        let free = Infinity; // names are written from below, and must not overlap
        [...levels.entries()].sort(([, a], [, b]) => a[1] - b[1]).forEach(([i, [name, loss]]) => {
          free = Math.min(plane.y(loss) + 4, free - 13);
          drawLevel(plane, name, loss, i, free);
        });
        drawCurve(plane, data);
        for (const [step, loss] of looks) {
          const [x, y] = [plane.x(step), plane.y(loss)];
          svgNode("path", large, { class: "tm-look", d: `M${x} ${y - 5}l5 5l-5 5l-5 -5z` });
        }
        drawCursor(large, plane, data.loss);
      },
    });
  }

  const nameOf = (name, loss) => `${cut(name, 20)} ${number(loss)}`;

  function drawLevel(plane, name, loss, i, line) {
    const y = plane.y(loss);
    const look = { class: "tm-level", "stroke-dasharray": DASHES[i % DASHES.length] };
    svgNode("path", large, { ...look, d: `M${plane.left} ${y}H${plane.right}` });
    const place = { class: "tm-name", x: plane.right + 10, y: line };
    svgNode("text", large, place, nameOf(name, loss));
  }

  function drawCurve(plane, { step, loss, lowest, highest }) {
    const wide = lowest.some((low, i) => low < highest[i]); // a row stands for several steps
    if (wide) {
      const back = pathOf(plane, [...step].reverse(), [...highest].reverse()).replace("M", "L");
      svgNode("path", large, { class: "tm-band", d: `${pathOf(plane, step, lowest)}${back}Z` });
    } else svgNode("path", large, { class: "tm-raw", d: pathOf(plane, step, loss) });
    const line = pathOf(plane, step, smoothed(loss, get("smooth")));
    svgNode("path", large, { class: "tm-smooth", d: line });
  }

  function drawCursor(svg, plane, values) {
    const at = chosen();
    if (at < 0 || (over < 0 && get("at") < 0)) return;
    const x = plane.x(data.step[at]);
    svgNode("path", svg, { class: "tm-cursor", d: `M${x} ${plane.top}V${plane.bottom}` });
    const y = plane.y(values[at]);
    if (Number.isFinite(y)) svgNode("circle", svg, { class: "tm-dot", cx: x, cy: y, r: 3.5 });
  }

  function showNarrow([name], i) {
    const svg = small[i];
    diagram(svg, {
      width: Math.max(140, svg.parentNode.clientWidth), height: 110, right: 20,
      steps: get("max_steps"), values: data[name], most: 3,
      logarithmic: name === "grad_norm" && data[name].some((x) => x > 0),
      fill(plane) {
        svgNode("path", svg, { class: "tm-smooth", d: pathOf(plane, data.step, data[name]) });
        drawCursor(svg, plane, data[name]);
      },
    });
  }

  function showHere() {
    const at = chosen();
    const max = count() ? data.step.at(-1) : 0;
    plot.setAttribute("aria-valuemax", max);
    plot.setAttribute("aria-valuenow", at < 0 ? 0 : data.step[at]);
    here.textContent = at < 0 ? "Waiting for the first step." : describe(at);
    plot.setAttribute("aria-valuetext", here.textContent);
    if (over >= 0 || get("at") >= 0) ui.say(here.textContent);
  }

  function describe(at) {
    const look = get("looks").find(([step]) => step === data.step[at]);
    const wide = data.lowest[at] < data.highest[at];
    const span = wide ? ` (${number(data.lowest[at])} to ${number(data.highest[at])})` : "";
    return `Step ${number(data.step[at])}: loss ${number(data.loss[at])}${span}`
      + `${look ? `, held out ${number(look[1])}` : ""}, learning rate ${number(data.lr[at])}, `
      + `gradient norm ${number(data.grad_norm[at])}, `
      + `${number(data.tokens_per_second[at])} tokens/s`;
  }

  function showSamples() {
    const told = get("samples");
    samples.hidden = !told.length;
    if (list.dataset.state !== JSON.stringify(told)) {
      list.dataset.state = JSON.stringify(told);
      list.replaceChildren();
      rows = told.map(([step, text]) => {
        const row = make("div", "tm-sample", list, undefined, { role: "option" });
        make("span", "xp-soft", row, `step ${number(step)}`);
        make("bdi", "", row, text);
        row.addEventListener("click", () => ui.set({ at: step }));
        return row;
      });
      mark = rove(list, rows, 1, (i) => ui.set({ at: told[i][0] }));
      list.scrollTop = list.scrollHeight;
    }
    const at = told.findIndex(([step]) => step === get("at"));
    mark(at < 0 ? told.length - 1 : at);
    rows.forEach((row, i) => row.setAttribute("aria-selected", i === at));
  }

  function showTable() {
    const state = get("as_table") ? `${count()} ${data.step.at(-1)}` : "";
    if (tabled === state) return;
    tabled = state;
    table.replaceChildren();
    if (!state) return;
    const scroll = make("div", "xp-scroll", table, undefined, { tabindex: 0, role: "region" });
    scroll.setAttribute("aria-label", "The run as a table");
    const every = Math.ceil(count() / MOST_LINES);
    const held = new Map(get("looks"));
    const lines = [...data.step.keys()].filter((i) =>
      i % every === every - 1 || i === count() - 1 || held.has(data.step[i]));
    const head = ["step", "loss", "held out", ...NARROW.map(([, title]) => title)];
    tabulate(scroll, "", head, lines.map((i) => [
      number(data.step[i]), number(data.loss[i]),
      held.has(data.step[i]) ? number(held.get(data.step[i])) : "",
      ...NARROW.map(([name]) => number(data[name][i])),
    ]));
  }

  const resized = new ResizeObserver(ui.redraw);
  resized.observe(plot);
  const close = ui.open();
  return () => {
    resized.disconnect();
    close();
  };
}

export default { render };
