// The bars of a profile: a part that was opened is a bar of its own below. Each is one of `bars` of
// the state: the `node` whose parts it shows, the `path` of names to it, and `open`: which of its
// parts the next bar shows.

const HUES = 6;
const NO_PART = "(in no part)"; // as tree.py names what no part accounts for
const same = (a, b) => a.length === b.length && a.every((name, i) => name === b[i]);
const partAt = (tree, path) =>
  path.reduce((node, name) => node.parts.find((each) => each.name === name), tree);
const longest = ({ seconds }) => Math.max(...seconds.map((each) => each ?? 0));
const barsOf = ({ tree, opened }) => Array.from({ length: opened.length + 1 }, (_, i) => {
  const path = opened.slice(0, i);
  return { path, node: partAt(tree, path), open: opened[i] };
});

// A time with three digits.
function milliseconds(seconds) {
  const ms = 1000 * seconds;
  let digits = 3;
  for (const least of [1, 10, 100]) if (ms >= least) digits -= 1;
  return `${digits ? fixed(ms, digits) : Math.round(ms).toLocaleString("en")} ms`;
}

// A part's time in one profile: its share of the step, and what it calculates in a second.
function timesOf(s, path, i) {
  const node = partAt(s.tree, path);
  const seconds = node.seconds[i];
  if (seconds === null) return { time: "not there", share: "", rate: "" };
  const flops = node.flops[i];
  return {
    time: milliseconds(seconds),
    share: path.length ? percent(seconds / s.tree.seconds[i], 1) : "",
    rate: flops && seconds ? `${fixed(flops / seconds / 1e9, 1)} GFLOP/s` : "",
  };
}

const inWords = ({ time, share, rate }) =>
  [time, share && `${share} of the step`, rate].filter(Boolean).join(", ");

// Round steps on a scale of milliseconds.
function ticksOf(end) {
  const rough = end / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const last = Math.floor(end / step + 1e-9);
  return Array.from({ length: last + 1 }, (_, i) =>
    ({ at: (i * step) / end, label: `${fixed(i * step, digits)}${i < last ? "" : " ms"}` }));
}

function makeScale(parent, end) {
  const scale = make("div", "pf-scale", parent, undefined, { "aria-hidden": "true" });
  for (const { at, label } of ticksOf(end)) {
    const tick = make("span", "pf-tick", scale, label);
    tick.style.left = `${100 * at}%`;
    tick.classList.toggle("pf-last", at > 0.95);
  }
}

// One part in one profile, as a button that opens it.
function makePart(s, bar, node, i, toggle) {
  const path = [...bar.path, node.name];
  const kind = bar.node.parts.indexOf(node) % HUES;
  const button = make("button", `pf-part pf-hue-${kind}`, null, undefined, { type: "button" });
  if (node.name === NO_PART) button.classList.add("xp-hatched");
  const said = timesOf(s, path, i);
  make("bdi", "pf-name", button, cut(node.name));
  const time = make("span", "pf-time", button, said.time);
  make("span", "pf-share", time, `, ${said.share}`);
  const label = s.labels.length > 1 ? `${s.labels[i]}, ` : "";
  const { length } = node.parts;
  const parts = length ? `; opens into ${length} part${length > 1 ? "s" : ""}` : "";
  button.setAttribute("aria-label", `${label}${node.name}: ${inWords(said)}${parts}`);
  button.classList.toggle("pf-opens", length > 0);
  button.addEventListener("click", () => toggle(path));
  return { button, path, i };
}

// The parts of one part, side by side: a row for each profile, on one scale.
function makeBar(s, bar, toggle) {
  const end = longest(bar.node);
  const title = [s.tree.name, ...bar.path].join(" › ");
  const element = make("div", "pf-bar", null, undefined, {
    role: "group", "aria-label": `Parts of ${title}`,
  });
  const rows = s.labels.map((label, i) => {
    const name = s.labels.length > 1 ? cut(label, 24) : "";
    make("bdi", "pf-label", element, name, { title: label });
    const line = make("div", "pf-row", element);
    let from = 0;
    const items = [];
    for (const node of bar.node.parts) {
      if (node.seconds[i] === null) continue;
      const item = makePart(s, bar, node, i, toggle);
      item.button.style.left = `${(100 * from) / end}%`;
      item.button.style.width = `${(100 * node.seconds[i]) / end}%`;
      line.append(item.button);
      items.push(item);
      from += node.seconds[i];
    }
    return items;
  });
  makeScale(element, 1000 * end);
  const link = make("div", "pf-link", element, undefined, { "aria-hidden": "true" });
  return { element, rows, path: bar.path, link };
}

// Which part is open, and the wedge from it to the bar below.
function markOpen({ rows, link }, { node, open }) {
  for (const { button, path } of rows.flat()) {
    const isOpen = path.at(-1) === open;
    button.classList.toggle("pf-open", isOpen);
    if (button.classList.contains("pf-opens")) button.setAttribute("aria-expanded", isOpen);
  }
  link.hidden = open === undefined;
  if (link.hidden) return;
  const last = rows.length - 1;
  const end = longest(node);
  let from = 0;
  for (const part of node.parts) {
    const width = part.seconds[last] ?? 0;
    if (part.name === open) {
      const [left, right] = [from, from + width].map((x) => `${fixed((100 * x) / end, 3)}%`);
      link.style.clipPath = `polygon(${left} 0, ${right} 0, 100% 100%, 0 100%)`;
    }
    from += width;
  }
}
