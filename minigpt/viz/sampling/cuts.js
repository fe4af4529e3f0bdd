// The whole vocabulary: how probable the likeliest tokens are together, and where the cuts are.

const CHART = { width: 460, height: 250, left: 40, right: 14, top: 22, bottom: 36 };
const END = CHART.width - CHART.right;

// Where a rank of V is: each has the room from half a rank before it to half a rank behind it.
const acrossOf = (V) => (rank) =>
  CHART.left + ((END - CHART.left) * Math.log(2 * rank)) / Math.log(2 * V + 1);
const up = (mass) =>
  CHART.height - CHART.bottom - (CHART.height - CHART.top - CHART.bottom) * mass;
const FLOOR = up(0);

// The line of these sums from a rank to another: steps as long as they can be seen.
function lineOf(across, sums, from, to) {
  let path = "";
  for (let rank = from; ; rank = Math.min(to, Math.max(rank + 1, Math.floor(rank * 1.03)))) {
    const [start, level] = [fixed(across(rank - 0.5), 1), fixed(up(sums[rank - 1]), 1)];
    path += `${path ? "L" : "M"}${start} ${level}`;
    if (rank < 40 || rank === to) path += `H${fixed(across(rank + 0.5), 1)}`;
    if (rank === to) return path;
  }
}

function makeCuts() {
  const element = make("div");
  make("h3", "xp-title", element, "All tokens, the likeliest first");
  const { width, height, left, top } = CHART;
  const svg = makeSvg("svg", "sx-chart", element, { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const hatching = makeHatching(svg);
  const axes = makeSvg("g", "sx-axes", svg);
  const middle = { x: (left + END) / 2, y: height - 3, "text-anchor": "middle" };
  makeSvg("text", "", svg, middle, "rank");
  const paths = { cut: makeSvg("path", "", svg, { fill: hatching }) };
  for (const name of ["kept", "plain", "curve", "k", "p", "edge"]) {
    paths[name] = makeSvg("path", `sx-${name}`, svg);
  }
  const kText = makeSvg("text", "sx-strong", svg, { y: top - 7 });
  const pText = makeSvg("text", "sx-strong", svg);
  const dot = makeSvg("circle", "sx-dot", svg, { r: 4 });
  makeLegend(element);
  return part(element,
    [({ next }) => [next.V], ({ next }) => showAxes(axes, next.V)],
    [({ next }) => [next], ({ next }) => {
      showCurves(paths, next);
      showTopK(paths.k, kText, next);
      showTopP(paths.p, pText, next);
      svg.setAttribute("aria-label", "Probability of the likeliest tokens together; "
        + `${count(next.kept)} kept with ${percent(next.mass, 1)}`);
    }],
    [({ next, over }) => [next, over], (state) => showDot(dot, state)]);
}

// Returns what to fill with; its id must differ between views.
function makeHatching(svg) {
  const id = `sx-${Math.random().toString(36).slice(2)}`;
  const pattern = makeSvg("pattern", "", makeSvg("defs", "", svg), {
    id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
  });
  makeSvg("line", "sx-hatch", pattern, { x1: 0, y1: 0, x2: 0, y2: 6 });
  return `url(#${id})`;
}

function makeLegend(parent) {
  const legend = make("div", "xp-row xp-soft", parent);
  for (const [name, text, d] of [
    ["curve", "their probability together", "M0 5H22"],
    ["plain", "at temperature 1", "M0 5H22"],
    ["kept", "kept", "M0 0H22V10H0Z"],
  ]) {
    const entry = make("span", "sx-entry", legend);
    makeSvg("path", `sx-${name}`, makeSvg("svg", "", entry, { width: 22, height: 10 }), { d });
    entry.append(text);
  }
}

function showAxes(axes, V) {
  const across = acrossOf(V);
  axes.textContent = "";
  for (const mass of [0, 0.25, 0.5, 0.75, 1]) {
    makeSvg("path", "sx-grid", axes, { d: `M${CHART.left} ${up(mass)}H${END}` });
    const place = { x: CHART.left - 6, y: up(mass) + 4, "text-anchor": "end" };
    makeSvg("text", "", axes, place, `${100 * mass} %`);
  }
  const ticks = [1, 10, 100, 1000, 10000, 100000].filter((tick) => tick * 6 < V);
  for (const tick of [...ticks, V]) {
    const place = { x: across(tick), y: FLOOR + 15, "text-anchor": tick === V ? "end" : "middle" };
    makeSvg("text", "", axes, place, count(tick));
  }
}

function showCurves(paths, { V, kept, mass, together, plain }) {
  const across = acrossOf(V);
  const area = (from, to) =>
    `${lineOf(across, together, from, to)}V${FLOOR}H${across(from - 0.5)}Z`;
  paths.curve.setAttribute("d", lineOf(across, together, 1, V));
  paths.plain.setAttribute("d", lineOf(across, plain, 1, V));
  paths.kept.setAttribute("d", area(1, kept));
  paths.cut.setAttribute("d", kept < V ? area(kept + 1, V) : "");
  paths.edge.setAttribute("d", `M${across(kept + 0.5)} ${up(mass)}V${FLOOR}`);
}

function showTopK(path, text, { V, cutsK, byK }) {
  const x = acrossOf(V)(byK + 0.5);
  path.setAttribute("d", cutsK ? `M${x} ${CHART.top}V${FLOOR}` : "");
  text.textContent = cutsK ? `top-k ${count(byK)}` : "";
  text.setAttribute("x", x);
  text.setAttribute("text-anchor", x > CHART.width / 2 ? "end" : "start");
}

const LETTER = 6.4; // pixels of a letter, about

// Whether one of the curves goes through this box.
function isCrossed({ V, together, plain }, [from, to], [above, below]) {
  const across = acrossOf(V);
  for (let rank = 1; rank <= V; rank = Math.max(rank + 1, Math.floor(rank * 1.03))) {
    const x = across(rank);
    const at = [together, plain].map((sums) => up(sums[rank - 1]));
    if (x >= from - 4 && x <= to + 4 && at.some((y) => y >= above && y <= below)) return true;
  }
  return false;
}

// The words of top-p stand at their line, where no curve goes through them: left or right, above
// or below.
function showTopP(path, text, next) {
  const { V, cutsK, cutsP, byK, massK, topP } = next;
  const y = up((topP ?? 1) * massK);
  const end = cutsK ? acrossOf(V)(byK + 0.5) : END;
  path.setAttribute("d", cutsP ? `M${CHART.left} ${y}H${end}` : "");
  const of = cutsK ? " of top-k's" : "";
  text.textContent = cutsP ? `top-p ${topP}${of}` : "";
  const long = LETTER * text.textContent.length;
  const lefts = [CHART.left + 6, END - 4 - long, end - 4 - long, end + 6];
  const places = lefts.flatMap((x) => [[x, -5], [x, 14]]);
  const isFree = ([x, down]) => {
    const inside = x + long <= END && y + down > CHART.top + 8 && y + down < FLOOR;
    const onEdge = cutsK && x < end && x + long > end;
    return inside && !onEdge && !isCrossed(next, [x, x + long], [y + down - 11, y + down + 3]);
  };
  const [x, down] = places.find(isFree) ?? places[0];
  text.setAttribute("x", x);
  text.setAttribute("y", y + down);
}

function showDot(dot, { next, over }) {
  dot.setAttribute("visibility", over === null ? "hidden" : "visible");
  if (over === null) return;
  dot.setAttribute("cx", acrossOf(next.V)(over + 1));
  dot.setAttribute("cy", up(next.together[over]));
}
