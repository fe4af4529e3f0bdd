// What `verify` found, as a strip of layers. The state has the traits of VerifyStrip.

const SIGNS = { same: "=", differs: "≠", first: "≠", "not run": "·" };
const PLACES = 10; // of a block
const reportOf = ({ reports, which }) => reports[which];
// Another report may have fewer places.
const chosenOf = (s) => reportOf(s).squares[Math.min(s.place, reportOf(s).squares.length - 1)];

function makeChoice(ui) {
  const { names } = ui.state;
  const list = select(null, "model", names.map((name, i) => [i, cut(name)]), (i) => {
    ui.set({ which: Number(i) });
  });
  const element = list.parentElement;
  return part(element, [({ which }) => [which], ({ which }) => { list.value = which; }]);
}

function makeVerdict(ui) {
  const element = make("p", "vs-verdict");
  return part(element, [(s) => [s.which, s.reports], (s) => {
    element.textContent = `${s.names[s.which]}: ${reportOf(s).said}`;
    ui.say(element.textContent);
  }]);
}

function makeSquare({ place, name, kind, difference }, choose) {
  const look = kind.replace(" ", "-");
  const found = kind === "first" ? "differs first" : kind;
  const node = make("button", `vs-square vs-${look}`, null, undefined, {
    type: "button", "aria-label": `${place}: ${found}, ${difference}`, title: place,
  });
  make("span", "vs-sign", node, SIGNS[kind]);
  make("span", "vs-name", node, name);
  node.addEventListener("click", choose);
  return node;
}

// A line for each block, and one before and one after them.
function makeStrip(ui) {
  const element = make("div", "vs-strip", null, undefined, {
    role: "group", "aria-label": "compared places, in the order of the calculation",
  });
  let squares = [];
  let mark;
  const choose = (place) => ui.set({ place });
  return part(element, [(s) => [s.which, s.reports], (s) => {
    element.textContent = "";
    let line;
    let box;
    squares = reportOf(s).squares.map((square, place) => {
      if (square.line !== line) {
        ({ line } = square);
        make("span", "vs-line", element, line);
        box = make("div", "vs-row", element);
      }
      const node = makeSquare(square, () => choose(place));
      box.append(node);
      return node;
    });
    mark = rove(element, squares, PLACES, choose);
  }], [(s) => [s.which, s.reports, s.place], (s) => {
    const chosen = reportOf(s).squares.indexOf(chosenOf(s));
    mark(chosen);
    squares.forEach((node, place) => node.setAttribute("aria-pressed", place === chosen));
  }]);
}

// What there is to say of a square.
function wordsFor(square, { cause, squares }) {
  const { kind, difference, allowed } = square;
  const first = squares.find((each) => each.kind === "first");
  if (kind === "not run") {
    return ["Not compared: one of the two models did not run this module."];
  }
  const numbers = `Largest difference: ${difference}. Rounding explains up to ${allowed}.`;
  if (kind === "same") return ["The same in both models.", numbers];
  if (kind === "first") return ["The first place that differs.", numbers, cause];
  return ["Differs.", numbers,
    `It comes after ${first.place}, so this may only be what follows from there.`];
}

function makeDetails() {
  const element = make("section", "vs-details", null, undefined, { "aria-live": "polite" });
  return part(element, [(s) => [s.which, s.reports, s.place], (s) => {
    const square = chosenOf(s);
    element.textContent = "";
    make("h4", "xp-title", element, square.place);
    for (const words of wordsFor(square, reportOf(s))) make("p", "", element, words);
  }]);
}

function makeLegend() {
  const element = make("p", "xp-soft vs-legend");
  const words = { same: "same", first: "first that differs", differs: "differs after it",
    "not run": "not run in one of them" };
  for (const [kind, name] of Object.entries(words)) {
    make("span", `vs-square vs-${kind.replace(" ", "-")}`, element, SIGNS[kind]);
    element.append(` ${name}  `);
  }
  return { element, show() {} };
}

const HELP = "Click a square, or move with the arrow keys: left and right in the order of the "
  + "calculation, up and down by a block. The likely cause stands with the first that differs.";

function render(context) {
  const ui = start(context, "vs", "What verify found, place by place");
  const parts = [makeVerdict(ui), makeLegend(), makeStrip(ui), makeDetails()];
  if (ui.state.names.length > 1) parts.unshift(makeChoice(ui));
  ui.root.append(make("p", "xp-soft", null, HELP), ...parts.map(({ element }) => element));
  return ui.open(...parts);
}

export default { render };
