// The numbers of a run: as Python sent them, smoothed, written, and on an axis.

const COLUMNS = ["step", "loss", "lowest", "highest", "lr", "grad_norm", "tokens_per_second"];
const NARROW = [
  ["lr", "learning rate"], ["grad_norm", "gradient norm"], ["tokens_per_second", "tokens/s"],
];

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

// The index of the value nearest to x, in ascending values.
function nearest(values, x) {
  let best = -1;
  values.forEach((value, i) => {
    if (best < 0 || Math.abs(value - x) <= Math.abs(values[best] - x)) best = i;
  });
  return best;
}

// How many rows there are, and which of them is looked at: the one under the pointer, or else the
// one that was chosen, or else the newest; -1 while there is none.
const countOf = (s) => s.data.step.length;
const isLooking = (s) => s.over >= 0 || s.at >= 0;
function lookedAt(s) {
  const last = countOf(s) - 1;
  const step = s.over >= 0 ? s.over : s.at;
  return last < 0 || step < 0 ? last : nearest(s.data.step, step);
}
