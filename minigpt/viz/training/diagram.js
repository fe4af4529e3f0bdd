// A diagram: axes with round numbers, and lines.

// Round numbers of a logarithmic axis, about `most` of them; too few if the ends are near.
function powers(low, high, most) {
  const tens = [];
  for (let x = 10 ** Math.floor(Math.log10(low)); x <= high; x *= 10) tens.push(x);
  const choices = [[1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]].map((digits) =>
    tens.flatMap((ten) => digits.map((digit) => digit * ten))
      .filter((x) => x >= low && x <= high));
  return choices.find((choice) => choice.length <= 1.5 * most) ?? choices.at(-1);
}

// Round numbers between two ends, about `most` of them.
function ticks(low, high, most, logarithmic) {
  const found = logarithmic ? powers(low, high, most) : [];
  if (found.length > 1) return found;
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

// The ends of an axis that has room for all of these values.
function endsOf(values, logarithmic) {
  const finite = values.filter((x) => Number.isFinite(x) && (!logarithmic || x > 0));
  const [low, high] = finite.length ? [Math.min(...finite), Math.max(...finite)] : [0.5, 1];
  return logarithmic ? [low / 1.08, high * 1.08] : [Math.min(0, low), high * 1.05 || 1];
}

// Where things are, in pixels: `stepAt` goes from a pixel back to a step.
function planeOf({ width, height, right, steps, low, high, logarithmic }) {
  const [left, top, bottom, end] = [46, 8, height - 20, width - right];
  const across = scale(0, steps, false);
  const up = scale(low, high, logarithmic);
  return {
    left, right: end, top, bottom,
    x: (step) => left + (end - left) * across(step),
    y: (value) => bottom - (bottom - top) * up(value),
    stepAt: (x) => ((x - left) / (end - left)) * steps,
  };
}

// Empties a diagram and draws its axes; returns its plane.
function showAxes(svg, { width, height, right, steps, values, logarithmic, most }) {
  const [low, high] = endsOf(values, logarithmic);
  const plane = planeOf({ width, height, right, steps, low, high, logarithmic });
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  for (const tick of ticks(low, high, most, logarithmic)) {
    const y = plane.y(tick);
    makeSvg("path", "tm-tick", svg, { d: `M${plane.left} ${y}H${plane.right}` });
    makeSvg("text", "", svg, { x: plane.left - 6, y: y + 4, "text-anchor": "end" }, number(tick));
  }
  for (const tick of ticks(0, steps, width > 400 ? 8 : 3, false)) {
    const place = { x: plane.x(tick), y: height - 5, "text-anchor": "middle" };
    if (Number.isInteger(tick)) makeSvg("text", "", svg, place, number(tick));
  }
  makeSvg("path", "tm-axis", svg, { d: `M${plane.left} ${plane.top}V${plane.bottom}H${plane.right}` });
  return plane;
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
    const point = `${pen}${fixed(plane.x(step), 1)} ${fixed(y, 1)}`;
    pen = "L";
    return point;
  }).join("");
}

function showCursor(svg, plane, s, values) {
  const at = lookedAt(s);
  if (at < 0 || !isLooking(s)) return;
  const x = plane.x(s.data.step[at]);
  makeSvg("path", "tm-cursor", svg, { d: `M${x} ${plane.top}V${plane.bottom}` });
  const y = plane.y(values[at]);
  if (Number.isFinite(y)) makeSvg("circle", "tm-dot", svg, { cx: x, cy: y, r: 3.5 });
}
