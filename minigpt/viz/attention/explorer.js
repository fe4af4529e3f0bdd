// The head explorer: its parts stand before this file, in one module.

// What can be done with heads: they are chosen, and taken out.
function exploring(ui) {
  const { state: s } = ui;
  const can = choosing(ui);
  const { lock } = can;
  const byPlace = (a, b) => a[0] - b[0] || a[1] - b[1];
  can.lock = (row) => {
    if (s.colouring === "surprise") ui.set({ panel: "lens" });
    lock(row);
  };
  if (!has(s, "take out")) return can;
  can.ablate = (heads) => {
    if (!ui.kernel.live) return;
    ui.set({ ablated: heads, panel: "ablation" });
    ui.kernel.ask("ablate", { heads });
  };
  can.toggle = ({ layer, head }) => {
    const others = s.ablated.filter(([l, h]) => l !== layer || h !== head);
    can.ablate(isOut(s, { layer, head }) ? others : [...others, [layer, head]].sort(byPlace));
  };
  return can;
}

function makePrompt(ui) {
  const element = make("div");
  const area = ui.needsKernel(make("textarea", "ae-prompt", element, "", {
    "aria-label": "The text that the model reads", spellcheck: "false",
  }));
  area.addEventListener("input", () =>
    ui.kernel.ask("read", { text: area.value }, () => {}, 400));
  ui.failAt(element, "read");
  // No answer may replace what is being typed.
  return part(element, [(s) => [s.text], (s) => {
    if (!ui.kernel.busy("read")) area.value = s.text;
  }]);
}

// Taking heads out, and in the same line what comes of it.
function makeOuts(ui, { ablate, toggle }) {
  const element = make("div", "xp-row ae-outs");
  const out = ui.needsKernel(button(element, "", () => toggle(ui.state), {
    title: "What this head hands on is set to 0, or to its mean",
  }));
  ui.needsKernel(button(element, "All heads back", () => ablate([])));
  const instead = ui.needsKernel(select(element, "in its place", [
    ["zero", "zero"], ["mean", `its mean over ${ui.state.texts} texts`],
  ], (value) => ui.set({ by_mean: value === "mean", panel: "ablation" })));
  instead.parentNode.hidden = !ui.state.texts;
  const effect = make("p", "ae-effect", element, "", { role: "status" });
  return part(element,
    [always, (s) => {
      out.textContent = `Take out layer ${s.layer}, head ${s.head}`;
      out.setAttribute("aria-pressed", isOut(s, s));
      instead.value = s.by_mean ? "mean" : "zero";
    }],
    [readsEffect, (s) => sayEffect(effect, s)]);
}

// What is shown, and how. [part, trait, its words].
const BOXES = [
  ["first token", "hide_first", "hide the first token"], ["rollout", "beside", "rollout beside"],
  ["table", "as_table", "show as table"],
];
const COLOURED = [["attention"], ["surprise", "lens"], ["change", "take out"]];

function makeViews(ui) {
  const element = make("div", "xp-row");
  const boxes = BOXES.filter(([name]) => has(ui.state, name)).map(([, trait, text]) =>
    [trait, input("checkbox", element, text, (on) => ui.set({ [trait]: on }))]);
  const names = COLOURED.filter(([, name]) => !name || has(ui.state, name));
  const colouring = select(element, "colour by", names.map(([name]) => [name, name]),
    (name) => ui.set({ colouring: name }));
  colouring.parentNode.hidden = names.length < 2;
  return part(element, [always, (s) => {
    for (const [trait, box] of boxes) box.checked = s[trait];
    colouring.value = s.colouring;
  }]);
}

function makeNotice() {
  const element = make("p", "xp-soft");
  return part(element, [(s) => [s.notice], (s) => { element.textContent = s.notice; }]);
}

// All of it as a table: [part, heading, what stands there of token i].
const SHEET = [
  [null, "token", (s, i) => i],
  [null, "text", (s, i) => cut(s.tokens[i], 40)],
  [null, "weight", (s, i) => shareOf(s, s.looks, i)],
  ["rollout", "rollout", (s, i) => shareOf(s, weightsOf(s, null), i)],
  ["lens", "nats", (s, i) => (i ? fixed(s.surprises.nats[i]) : "–")],
  ["take out", "change", (s, i) => (s.surprises.changes[i] ? signed(s.surprises.changes[i]) : "–")],
];
const shareOf = (s, all, i) =>
  (i > s.at.row || (s.hide_first && i === 0) ? "hidden" : `${fixed(100 * all[i], 1)} %`);

function makeSheet() {
  const element = make("div", "xp-scroll ae-sheet", null, "", { tabindex: 0 });
  return part(element, [(s) => [s.looks, s.tokens, s.surprises], (s) => {
    const columns = SHEET.filter(([name]) => !name || has(s, name));
    element.replaceChildren();
    tabulate(element, `${nameOf(s.at)}: where token ${s.at.row} looks`,
      columns.map(([, heading]) => heading),
      s.tokens.map((_, i) => columns.map(([, , cell]) => cell(s, i))));
  }]);
}

// What only Python knows.
function makeQuestions({ kernel }) {
  const askLayer = ({ layer }) => kernel.ask("layer", { layer });
  const askRow = (s) => {
    const [{ layer, head, row }, key, of] = [s.at, rowKey(s), s.weights];
    kernel.ask("exact", { layer, head, row, hide_first: s.hide_first }, ({ weights }) => {
      s.exact = { key, of, weights: new Float32Array(bytesOf(weights).slice().buffer) };
    });
  };
  return when(() => kernel.live && !kernel.busy("read"), part(null,
    [(s) => [s.layer, s.tokens], (s) => isHeld(s, s.layer) || askLayer(s)],
    [(s) => [rowKey(s), s.weights], askRow]));
}

// The parts from left to right, those that are wanted.
function makeMiddle(ui, can) {
  const { state: s } = ui;
  const wanted = [
    ["patterns", () => makeGrid(ui, can)],
    ["patterns", () => makeMap(ui, can, "One head")],
    ["rollout", () => when((now) => now.beside, makeMap(ui, can, "Rollout", true))],
    ["patterns", () => when((now) => now.other_tokens.length, makeComparison(ui, can))],
    ["lines", () => makeLines(ui, can)],
    [null, () => makeReadout(ui)],
    ["scores", () => makeList(ui, can)],
    [has(s, "lens") ? "lens" : "take out", () => makePanel(ui)],
  ];
  return wanted.filter(([name]) => !name || has(s, name)).map(([, build]) => build());
}

function render(context) {
  const ui = start(context, "ae", "Attention explorer");
  const can = exploring(ui);
  const tools = [...(can.toggle ? [makeOuts(ui, can)] : []), makeViews(ui)];
  ui.failAt(tools[0].element, "ablate", "exact", "layer");
  const top = [makePrompt(ui), makeNotice(), makeText(can), boxed("ae-tools", ...tools)];
  const middle = makeMiddle(ui, can);
  const sheet = when((s) => s.as_table, makeSheet());
  const box = make("div", "ae-middle");
  box.append(...middle.map(({ element }) => element));
  ui.root.append(...top.map(({ element }) => element), box, sheet.element);
  const surprises = follows("surprises", (s) => [s.surprisal, s.without], surprisesOf);
  // The lines scroll, and so need a layout: once all that changes the page is done.
  const scrolls = ({ element }) => element.classList.contains("ae-lines-box");
  const last = middle.filter(scrolls);
  return ui.open(...makeView(ui), surprises, ...top, ...middle.filter((each) => !scrolls(each)),
    sheet, ...last, makeQuestions(ui));
}

export default { render };
