// The map of given patterns: parts of the head explorer, where all patterns are there from the
// start and nothing has to be asked.

// The lower triangles of the patterns, as the parts read them.
function trianglesOf(model) {
  const [layers, heads, T] = model.get("shape");
  const all = bytesOf(model.get("weights"));
  const kept = new Uint8Array((layers * heads * T * (T + 1)) / 2);
  for (let row = 0, end = 0; row < layers * heads * T; row++) {
    const looksAt = all.subarray(row * T, row * T + (row % T) + 1);
    kept.set(looksAt, end);
    end += looksAt.length;
  }
  return kept;
}

// What the head explorer has of a model, and a map has not, or always the same.
function plainState(model) {
  const [layers, heads, T] = model.get("shape");
  return {
    weights: trianglesOf(model), held: [0, layers], hide_first: false,
    thumbnails: model.get("weights"), side: T,
    parts: ["patterns", "lines"],
    only: layers * heads > 1 ? null : "The pattern",
    colouring: "attention", surprisal: [], surprises: {}, scores: {}, ablated: [],
  };
}

const HELP = "Point at a token or use the arrow keys. Click or Enter locks it, Escape lets go.";

function render(context) {
  const { model } = context;
  const ui = start(context, "ae attention-map", model.get("description"));
  Object.assign(ui.state, plainState(model));
  const can = choosing(ui);
  const text = makeText(can);
  // Tokens bring their own spaces; loose words have none.
  text.element.classList.toggle("ae-spread", !ui.state.tokens.some((name) => name.includes("·")));
  const middle = [makeMap(ui, can, "One head"), makeLines(ui, can), makeReadout(ui)];
  if (!ui.state.only) middle.unshift(makeGrid(ui, can));
  const box = make("div", "ae-middle");
  box.append(...middle.map(({ element }) => element));
  ui.root.append(text.element, make("p", "xp-soft", null, HELP), box);
  return ui.open(...makeView(ui), text, ...middle);
}

export default { render };
