// A GPT's sizes against what they cost. The state has the traits of SizeExplorer, and of this view
// `base`: the sizes that others are compared with.

const KEYS = ["n_layer", "n_embd", "n_head", "block_size", "vocab_size", "bias"];
const sizesOf = (s) => Object.fromEntries(KEYS.map((key) => [key, s[key]]));
const sum = (parts) => Object.values(parts).reduce((all, n) => all + n, 0);

// A number with its unit, three figures of it: 124 million, 1.99 GB.
function short(n, units) {
  const scale = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(n) / 3)));
  return `${Number((n / 1000 ** scale).toPrecision(3))} ${units[scale]}`;
}
const BYTES = ["bytes", "kB", "MB", "GB", "TB"];
const FLOPS = ["FLOPs", "kFLOPs", "MFLOPs", "GFLOPs", "TFLOPs"];
const COUNTS = ["", "thousand", "million", "thousand million"];
const times = (n, before) => `× ${Number((n / before).toPrecision(3))}`;

// A whole: its parts as a bar, and as a table with shares and what they were in the base.
function makeWhole(title, units, find) {
  const element = make("section", "sz-whole");
  const heading = make("h4", "xp-title", element);
  const bar = make("div", "sz-bar", element, undefined, { "aria-hidden": "true" });
  const box = make("div", "sz-table", element);
  return part(element, [(s) => [s.costs, s.baseCosts], ({ costs, baseCosts }) => {
    const [parts, before] = [find(costs), find(baseCosts)];
    const whole = sum(parts);
    heading.textContent = `${title}: ${short(whole, units)}`;
    const names = Object.keys(parts);
    bar.replaceChildren(...names.map((name, i) => {
      const piece = make("span", `sz-part sz-part-${i}`);
      piece.style.width = `${(100 * parts[name]) / whole}%`;
      return piece;
    }));
    const line = (name, n, was, i) => [
      (cell) => {
        if (i !== undefined) make("span", `sz-key sz-part-${i}`, cell);
        make("span", "", cell, name);
      }, exact(n), percent(n / whole), times(n, was),
    ];
    box.textContent = "";
    tabulate(box, "", ["part", units[0] || "number", "share", "compared"], [
      ...names.map((name, i) => line(name, parts[name], before[name], i)),
      line("sum", whole, sum(before)),
    ]);
  }]);
}

// The weights alone and the cache: wholes of one part.
function makeMemory() {
  const element = make("section", "sz-whole");
  make("h4", "xp-title", element, "Memory to hold and to write");
  const box = make("div", "sz-table", element);
  return part(element, [(s) => [s.costs, s.baseCosts], ({ costs, baseCosts }) => {
    box.textContent = "";
    const line = (name, of) => {
      const [n, was] = [of(costs.memory), of(baseCosts.memory)];
      return [name, exact(n), short(n, BYTES), times(n, was)];
    };
    tabulate(box, "", ["what", "bytes", "", "compared"], [
      line("weights, fp32", (memory) => memory.weights.fp32),
      line("weights, bf16", (memory) => memory.weights.bf16),
      line("KV cache, fp32", (memory) => memory["KV cache"].fp32),
    ]);
  }]);
}

function makeBase(ui) {
  const element = make("div", "xp-row");
  button(element, "Compare with this", () => ui.keep({ base: sizesOf(ui.state) }));
  const words = make("span", "xp-soft", element);
  return part(element, [({ base }) => [base], ({ base }) => {
    words.textContent = `compared with ${base.n_layer} layers of width ${base.n_embd}, context `
      + `${exact(base.block_size)}, vocabulary ${exact(base.vocab_size)}`;
  }]);
}

function makeSum(ui) {
  const element = make("p", "sz-sum");
  return part(element, [({ costs }) => [costs], ({ costs: { parameters, memory, flops } }) => {
    element.textContent = `${exact(sum(parameters))} parameters. Training takes `
      + `${short(sum(memory.training), BYTES)}, one token ${short(sum(flops), FLOPS)}.`;
    ui.say(element.textContent);
  }]);
}

const WORDS = "The tied head is the token table, counted once. KV cache, activations (attention fused, "
  + "fp32) and FLOPs (forward) are those of one text as long as the context.";

function render(context) {
  const ui = start(context, "sz", "A GPT's sizes and what they cost");
  ui.state.base = sizesOf(ui.state);
  const costs = [
    follows("costs", (s) => KEYS.map((key) => s[key]), (s) => accounts(sizesOf(s))),
    follows("baseCosts", (s) => [s.base], (s) => accounts(s.base)),
  ];
  const sizes = boxed("sz-sizes", ...SIZES.map((size) => makeSize(ui, size)), makeHeads(ui));
  const wholes = boxed("sz-wholes",
    makeWhole("Parameters", COUNTS, ({ parameters }) => parameters),
    makeWhole("Memory to train", BYTES, ({ memory }) => memory.training),
    makeWhole("Arithmetic a token", FLOPS, ({ flops }) => flops),
    makeMemory());
  const parts = [makePresets(ui), sizes, makeSum(ui), makeBase(ui), wholes];
  ui.root.append(...parts.map(({ element }) => element), make("p", "xp-soft", null, WORDS));
  return ui.open(...costs, ...parts);
}

export default { render };
