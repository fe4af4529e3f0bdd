// A coin or a die, a model's guess, and its loss against the floor. The state has the traits of
// CoinFloor.

const LOADS = [["truth", "true"], ["guess", "guessed"]];
const surprise = (q) => (q > 0 ? -Math.log(q) : Infinity);
const total = (terms) => terms.reduce((sum, x) => sum + x, 0);
const each = (p, worth) => p.map((x, i) => (x > 0 ? x * worth(i) : 0)); // 0 ln 0 counts as 0

// As nats() in coin_floor.py, and side by side.
function nats({ truth: p, guess: q }) {
  const paid = each(p, (i) => surprise(q[i]));
  const least = each(p, (i) => surprise(p[i]));
  const gap = total(each(p, (i) => (q[i] > 0 ? Math.log(p[i] / q[i]) : Infinity)));
  return { paid, least, loss: total(paid), floor: total(least), gap: Math.max(gap, 0) };
}

// One side is set; the others share what is left as they did before.
function shared(p, side, value) {
  const rest = total(p) - p[side];
  const left = 1 - value;
  return p.map((x, i) => {
    if (i === side) return value;
    return rest > 0 ? (x / rest) * left : left / (p.length - 1);
  });
}

const number = (x, digits = 3) => (Number.isFinite(x) ? fixed(x, digits) : "∞");
const watched = (s) => [s.sides, s.truth, s.guess, s.theme];

function makeSlider(ui, side, load, adjective) {
  const element = make("span", "cf-load");
  const range = make("input", "", element, undefined, { type: "range", min: 0, max: 1, step: 0.01 });
  const shown = make("output", "", element);
  range.setAttribute("aria-label", `${adjective} probability of ${ui.state.sides[side]}`);
  range.addEventListener("input", () => {
    ui.set({ [load]: shared(ui.state[load], side, Number(range.value)) });
  });
  return part(element, [(s) => [s[load]], (s) => {
    const p = s[load][side];
    range.value = p;
    shown.textContent = percent(p, 1);
    range.setAttribute("aria-valuetext", shown.textContent);
  }]);
}

// For each side its two sliders, and what it adds to the loss and to the floor.
function makeSides(ui) {
  const element = make("div", "cf-sides");
  const { sides } = ui.state;
  const sliders = [];
  const cells = [];
  const rows = sides.map((name, side) => [
    (cell) => token(cell, name),
    ...LOADS.map(([load, adjective]) => (cell) => {
      const slider = makeSlider(ui, side, load, adjective);
      cell.append(slider.element);
      sliders.push(slider);
    }),
    ...[0, 1, 2].map((i) => (cell) => { (cells[side] ??= [])[i] = cell; }),
  ]);
  const sums = [];
  rows.push(["sum", "100 %", "100 %", "", (cell) => { sums[0] = cell; },
    (cell) => { sums[1] = cell; }]);
  tabulate(element, "", ["side", "truth p", "guess q", "surprise −ln q", "paid p × −ln q",
    "least p × −ln p"], rows);
  return part(element, [always, (s) => sliders.forEach((slider) => slider.show(s))],
    [watched, (s) => {
      const { paid, least, loss, floor } = nats(s);
      cells.forEach((row, side) => {
        [surprise(s.guess[side]), paid[side], least[side]].forEach((x, i) => {
          row[i].textContent = number(x);
        });
      });
      sums[0].textContent = `loss ${number(loss)}`;
      sums[1].textContent = `floor ${number(floor)}`;
    }]);
}

function makeButtons(ui) {
  const element = make("div", "xp-row");
  const V = ui.state.sides.length;
  const even = () => Array.from({ length: V }, () => 1 / V);
  button(element, "Guess the truth", () => ui.set({ guess: [...ui.state.truth] }));
  button(element, "Know nothing", () => ui.set({ guess: even() }));
  button(element, "A fair die", () => ui.set({ truth: even() }));
  return { element, show() {} };
}

// The floor, and the loss as the floor and a gap, on an axis that stays as it is.
function makeBars() {
  const element = make("div", "cf-bars", null, undefined, { "aria-hidden": "true" });
  const lines = ["floor", "loss"].map((name) => {
    make("span", "", element, name);
    const track = make("span", "cf-track", element);
    return {
      floor: make("span", "cf-floor", track), gap: make("span", "cf-gap", track),
      blind: make("span", "cf-blind", track), text: make("span", "cf-number", element),
    };
  });
  make("span", "", element);
  const axis = make("span", "cf-axis", element);
  return part(element, [watched, (s) => {
    const uniform = Math.log(s.sides.length);
    const longest = 2 * uniform + 1; // nats
    const wide = (x) => `${100 * clamp(x / longest, 0, 1)}%`;
    const { loss, floor, gap } = nats(s);
    for (const line of lines) {
      line.floor.style.width = wide(floor);
      line.gap.style.left = wide(floor);
      line.gap.style.width = wide(Math.min(gap, longest - floor));
      line.gap.hidden = line === lines[0] || gap < 5e-7;
      line.blind.style.left = wide(uniform);
    }
    lines[0].text.textContent = `${number(floor)} nats`;
    lines[1].text.textContent = `${number(loss)} nats${loss > longest ? " ›" : ""}`;
    axis.textContent = `0 to ${fixed(longest, 1)} nats. The dotted line is knowing nothing: `
      + `ln ${s.sides.length} = ${fixed(uniform, 3)}`;
  }]);
}

function makeVerdict(ui) {
  const element = make("p", "cf-verdict");
  return part(element, [watched, (s) => {
    const { loss, floor, gap } = nats(s);
    const lost = s.sides.find((_, i) => s.truth[i] > 0 && s.guess[i] === 0);
    const last = lost !== undefined
      ? `“${lost}” does come, and the guess gives it 0: the surprise is infinite.`
      : gap < 5e-7 ? "The guess is the truth: no model pays less."
        : `Perplexity ${fixed(Math.exp(loss), 2)}; the best possible is ${fixed(Math.exp(floor), 2)}.`;
    element.textContent = `loss ${number(loss)} = floor ${number(floor)} + gap ${number(gap)} nats. `
      + last;
    ui.say(element.textContent);
  }]);
}

const WORDS = "The loss is the cross-entropy of truth and guess, −Σ p ln q. The floor is the entropy "
  + "of the truth, −Σ p ln p. The gap is the KL divergence, Σ p ln (p / q): never below 0. Set a "
  + "side, and the others share the rest.";

function render(context) {
  const ui = start(context, "cf", "A coin or a die, a guess, and the floor");
  const parts = [makeSides(ui), makeButtons(ui), makeVerdict(ui), makeBars()];
  ui.root.append(make("p", "xp-soft", null, WORDS), ...parts.map(({ element }) => element));
  return ui.open(...parts);
}

export default { render };
