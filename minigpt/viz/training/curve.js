// The loss: each batch, smoothed, held out, and the levels to compare it with.

const DASHES = ["6 4", "2 3", "8 3 2 3"]; // levels differ in their lines, not in colour
const UNREAD = { "aria-hidden": "true" }; // the plot says in words what its drawing shows

function makeLegend() {
  const element = make("div", "xp-row xp-soft tm-legend", null, undefined, UNREAD);
  for (const [text, look, d] of [
    ["each batch", "tm-raw", "M0 8L7 3L14 9L21 4L28 8"],
    ["smoothed", "tm-smooth", "M0 6H28"],
    ["held out", "tm-look", "M14 1l5 5l-5 5l-5 -5z"],
  ]) {
    const entry = make("span", "", element);
    makeSvg("path", look, makeSvg("svg", "", entry, { viewBox: "0 0 28 12" }), { d });
    entry.append(text);
  }
  return part(element);
}

function makeCurve(ui) {
  const element = make("div", "tm-plot", null, undefined, { tabindex: 0, role: "slider" });
  element.setAttribute("aria-label", "Step of the run: use the arrow keys");
  element.setAttribute("aria-valuemin", 0);
  const svg = makeSvg("svg", "", element, UNREAD);
  let plane = null;
  const stepOf = (event) => {
    if (!plane) return -1;
    const step = plane.stepAt(event.clientX - element.getBoundingClientRect().left);
    return clamp(Math.round(step), 0, ui.state.max_steps);
  };
  element.addEventListener("pointermove", (event) => ui.keep({ over: stepOf(event) }));
  element.addEventListener("pointerleave", () => ui.keep({ over: -1 }));
  element.addEventListener("click", (event) => ui.set({ at: stepOf(event) }));
  element.addEventListener("keydown", (event) => walk(event, ui));
  ui.life.observe(new ResizeObserver(ui.redraw), element);
  return part(element,
    [(s) => [element.clientWidth, s.max_steps, s.data, s.levels, s.looks, s.logarithmic, s.smooth,
      s.at, s.over], (s) => { plane = showLoss(svg, element.clientWidth, s); }],
    [(s) => [s.data, s.looks, s.at, s.over], (s) => {
      const at = lookedAt(s);
      element.setAttribute("aria-valuemax", s.data.step.at(-1) ?? 0);
      element.setAttribute("aria-valuenow", at < 0 ? 0 : s.data.step[at]);
      element.setAttribute("aria-valuetext", describe(s));
    }]);
}

function walk(event, ui) {
  const { state: s } = ui;
  const [at, last] = [lookedAt(s), countOf(s) - 1];
  const page = Math.max(1, Math.round((last + 1) / 10));
  const to = {
    ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1,
    PageDown: at - page, PageUp: at + page, Home: 0, End: last,
  }[event.key];
  if (event.key === "Escape") ui.set({ at: -1 });
  if (to === undefined || last < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  ui.keep({ over: -1 });
  ui.set({ at: s.data.step[clamp(to, 0, last)] });
}

const nameOf = ([name, loss]) => `${cut(name, 20)} ${number(loss)}`;

function showLoss(svg, room, s) {
  const levels = Object.entries(s.levels);
  const values = [...s.data.lowest, ...s.data.highest];
  values.push(...[...levels, ...s.looks].map(([, loss]) => loss));
  const longest = Math.max(0, ...levels.map((level) => nameOf(level).length));
  const plane = showAxes(svg, {
    width: Math.max(320, room), height: 280, right: 24 + 6.5 * longest,
    steps: s.max_steps, values, logarithmic: s.logarithmic, most: 6,
  });
  showLevels(svg, plane, levels);
  showBatches(svg, plane, s.data, s.smooth);
  for (const [step, loss] of s.looks) {
    const [x, y] = [plane.x(step), plane.y(loss)];
    makeSvg("path", "tm-look", svg, { d: `M${x} ${y - 5}l5 5l-5 5l-5 -5z` });
  }
  showCursor(svg, plane, s, s.data.loss);
  return plane;
}

// From below, for their names must not overlap.
function showLevels(svg, plane, levels) {
  let free = Infinity;
  const dashes = levels.map((_, i) => DASHES[i % DASHES.length]);
  const rising = [...levels.entries()].sort(([, a], [, b]) => a[1] - b[1]);
  for (const [i, level] of rising) {
    const y = plane.y(level[1]);
    free = Math.min(y + 4, free - 13);
    const d = `M${plane.left} ${y}H${plane.right}`;
    makeSvg("path", "tm-level", svg, { "stroke-dasharray": dashes[i], d });
    makeSvg("text", "tm-name", svg, { x: plane.right + 10, y: free }, nameOf(level));
  }
}

function showBatches(svg, plane, { step, loss, lowest, highest }, weight) {
  const wide = lowest.some((low, i) => low < highest[i]); // a row stands for several steps
  if (wide) {
    const back = pathOf(plane, [...step].reverse(), [...highest].reverse()).replace("M", "L");
    makeSvg("path", "tm-band", svg, { d: `${pathOf(plane, step, lowest)}${back}Z` });
  } else makeSvg("path", "tm-raw", svg, { d: pathOf(plane, step, loss) });
  makeSvg("path", "tm-smooth", svg, { d: pathOf(plane, step, smoothed(loss, weight)) });
}
