// What goes on with the text: draw tokens, write on, take back.

const MOST_STEPS = 100;

// A whole number with limits; one out of range is put right when it is left.
function makeWhole(parent, text, limits, change) {
  const within = (value) => clamp(Math.round(Number(value)), limits.min, limits.max);
  const node = input("number", parent, text, (value) => {
    if (value !== "") change(within(value));
  }, { ...limits, step: 1 });
  node.addEventListener("change", () => { if (node.value) node.value = within(node.value); });
  return node;
}

function makeSampling(parent, ui, ask) {
  let steps = 20;
  const sample = (n) => ask("sample", { steps: n });
  ui.needsKernel(button(parent, "Step", () => sample(1), { title: "Draw one token" }));
  const many = ui.needsKernel(button(parent, "Sample 20", () => sample(steps)));
  many.title = "Draw tokens up to the end of the text";
  ui.needsKernel(button(parent, "Compare seeds", () => ask("seeds", { steps }), {
    title: "Draw the same number of tokens with this seed and the next four; nothing is chosen yet",
  }));
  makeWhole(parent, "tokens", { min: 1, max: MOST_STEPS, value: steps }, (value) => {
    steps = value;
    many.textContent = `Sample ${steps}`;
  });
}

const makeSeed = (parent, ui) => makeWhole(parent, "seed", { min: 0, max: 2 ** 31 - 1 },
  (seed) => ui.set({ seed }));

function makeWriting(parent, ui, ask) {
  const write = input("text", parent, "or write on", () => {}, { placeholder: "text, then Enter" });
  write.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !write.value) return;
    ask("write", { text: write.value });
    write.value = "";
  });
  ui.needsKernel(write);
}

function makeActions(ui, { ask }) {
  const element = make("div", "xp-row sx-actions");
  ui.failAt(element, "sample", "seeds", "take", "write", "undo");
  makeSampling(element, ui, ask);
  const seed = makeSeed(element, ui);
  makeWriting(element, ui, ask);
  const undo = ui.needsKernel(button(element, "Undo", () => ask("undo", {})));
  return part(element,
    [always, (state) => { if (!seed.matches(":focus")) seed.value = state.seed; }],
    [({ undoes }) => [undoes], ({ undoes }) => {
      undo.title = undoes ? `Take back: ${undoes}` : "Nothing to take back";
    }]);
}
