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
  const element = ui.needsKernel(make("textarea", "ae-prompt", null, "", {
    "aria-label": "The text that the model reads", spellcheck: "false",
  }));
  element.addEventListener("input", () =>
    ui.kernel.ask("read", { text: element.value }, () => {}, 400));
  // No answer may replace what is being typed.
  return part(element, [(s) => [s.text], (s) => {
    if (!ui.kernel.busy("read")) element.value = s.text;
  }]);
}

function makeTools(ui, { ablate, toggle }) {
  const element = make("div", "xp-row ae-tools");
  const out = ui.needsKernel(button(element, "", () => toggle(ui.state)));
  ui.needsKernel(button(element, "All heads back", () => ablate([])));
  const boxes = [
    ["hide_first", "hide the first token"], ["beside", "rollout beside"],
    ["as_table", "show as table"],
  ].map(([name, text]) =>
    [name, input("checkbox", element, text, (on) => ui.set({ [name]: on }))]);
  const names = Object.keys(COLOURINGS).map((name) => [name, name]);
  const colouring = select(element, "colour by", names, (name) => ui.set({ colouring: name }));
  return part(element, [always, (s) => {
    for (const [name, box] of boxes) box.checked = s[name];
    colouring.value = s.colouring;
    out.textContent = `Take out layer ${s.layer}, head ${s.head}`;
    out.setAttribute("aria-pressed", isOut(s, s));
  }]);
}

function makeNotice() {
  const element = make("p", "xp-soft");
  return part(element, [(s) => [s.notice], (s) => { element.textContent = s.notice; }]);
}

// All of it as a table.
function makeSheet() {
  const element = make("div", "xp-scroll ae-sheet", null, "", { tabindex: 0 });
  return part(element, [(s) => [s.looks, s.tokens, s.surprises], (s) => {
    const { at, looks, surprises: { nats, changes } } = s;
    const flow = weightsOf(s, null);
    const share = (all, i) =>
      (i > at.row || (s.hide_first && i === 0) ? "hidden" : `${(100 * all[i]).toFixed(1)} %`);
    element.replaceChildren();
    tabulate(element, `${nameOf(at)}: where token ${at.row} looks`,
      ["token", "text", "weight", "rollout", "nats", "change"],
      s.tokens.map((name, i) => [i, cut(name, 40), share(looks, i), share(flow, i),
        i ? nats[i].toFixed(2) : "–", changes[i] ? signed(changes[i]) : "–"]));
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

function render(context) {
  const ui = start(context, "ae", "Attention explorer");
  const can = exploring(ui);
  const [prompt, tools, notice, text] = [
    makePrompt(ui), makeTools(ui, can), makeNotice(), makeText(can),
  ];
  const sheet = when((s) => s.as_table, makeSheet());
  const maps = [
    makeMap(ui, can, "One head"), when((s) => s.beside, makeMap(ui, can, "Rollout", true)),
  ];
  const lines = makeLines(ui, can);
  const middle = [
    makeGrid(ui, can), ...maps, lines, makeReadout(ui), makeList(ui, can), makePanel(ui),
  ];
  const box = make("div", "ae-middle");
  box.append(...middle.map(({ element }) => element));
  ui.root.append(...[prompt, tools, notice, text].map(({ element }) => element), box, sheet.element);
  const surprises = follows("surprises", (s) => [s.surprisal, s.without], surprisesOf);
  return ui.open(...makeView(ui), surprises, prompt, tools, notice, text,
    ...middle.filter((part) => part !== lines), sheet,
    lines, // scrolls, and so needs a layout: once all that changes the page is done
    makeQuestions(ui));
}

export default { render };
