// Where the run stands, in numbers: tiles, a line of words, a table.

const MOST_LINES = 100; // of the table
const TILES = ["step", "loss", "held out", "× floor", "learning rate", "gradient norm", "tokens/s",
  "left"];

function factsOf({ data, looks, levels: { floor }, max_steps: steps, left }) {
  const last = Object.fromEntries(COLUMNS.map((name) => [name, data[name].at(-1)]));
  const held = looks.at(-1)?.[1];
  return {
    step: `${number(last.step ?? 0)} of ${number(steps)}`,
    loss: number(last.loss),
    "held out": number(held),
    "× floor": held !== undefined && floor ? fixed(held / floor) : "—",
    "learning rate": number(last.lr),
    "gradient norm": number(last.grad_norm),
    "tokens/s": number(last.tokens_per_second),
    left: left || "—",
  };
}

function makeTiles() {
  const element = make("div", "tm-tiles");
  const tiles = TILES.map((name) => {
    const tile = make("div", "tm-tile", element);
    const value = make("b", "", tile, "—");
    make("span", "", tile, name);
    return [name, tile, value];
  });
  return part(element, [(s) => [s.data, s.looks, s.levels, s.max_steps, s.left], (s) => {
    const facts = factsOf(s);
    for (const [name, tile, value] of tiles) {
      value.textContent = facts[name];
      tile.hidden = name === "× floor" && s.levels.floor === undefined;
    }
  }]);
}

function makeProgress() {
  const element = make("progress", "", null, undefined, { "aria-label": "steps done" });
  return part(element, [(s) => [s.data, s.max_steps, s.words], (s) => {
    element.max = s.max_steps;
    element.value = s.data.step.at(-1) ?? 0;
    element.title = s.words;
  }]);
}

// The step that is looked at, in words.
function describe(s) {
  const [{ data }, at] = [s, lookedAt(s)];
  if (at < 0) return "Waiting for the first step.";
  const look = s.looks.find(([step]) => step === data.step[at]);
  const wide = data.lowest[at] < data.highest[at];
  const span = wide ? ` (${number(data.lowest[at])} to ${number(data.highest[at])})` : "";
  return `Step ${number(data.step[at])}: loss ${number(data.loss[at])}${span}`
    + `${look ? `, held out ${number(look[1])}` : ""}, learning rate ${number(data.lr[at])}, `
    + `gradient norm ${number(data.grad_norm[at])}, `
    + `${number(data.tokens_per_second[at])} tokens/s`;
}

function makeHere(ui) {
  const element = make("div", "tm-here");
  return part(element, [(s) => [s.data, s.looks, s.at, s.over], (s) => {
    element.textContent = describe(s);
    if (isLooking(s)) ui.say(element.textContent);
  }]);
}

function makeTable() {
  const element = make("div");
  return part(element, [(s) => [s.as_table && s.data, s.as_table && s.looks], (s) => {
    element.replaceChildren();
    if (s.as_table) showTable(element, s);
  }]);
}

function showTable(element, s) {
  const { data } = s;
  const scroll = make("div", "xp-scroll", element, undefined, { tabindex: 0, role: "region" });
  scroll.setAttribute("aria-label", "The run as a table");
  const last = countOf(s) - 1;
  const every = Math.ceil((last + 1) / MOST_LINES);
  const held = new Map(s.looks);
  const lines = [...data.step.keys()].filter((i) =>
    i % every === every - 1 || i === last || held.has(data.step[i]));
  const head = ["step", "loss", "held out", ...NARROW.map(([, title]) => title)];
  tabulate(scroll, "", head, lines.map((i) => [
    number(data.step[i]), number(data.loss[i]),
    held.has(data.step[i]) ? number(held.get(data.step[i])) : "",
    ...NARROW.map(([name]) => number(data[name][i])),
  ]));
}
