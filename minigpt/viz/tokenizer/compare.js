// The columns, one for each tokenizer.

const MOST_ROWS = 1000; // of a table
let views = 0; // ids on the page must differ between views

const sizeOf = (pieces) => pieces.reduce((sum, piece) => sum + piece.size, 0);

function makeCounts(column) {
  const element = make("div", "xp-soft");
  return part(element, [() => [column.pieces], () => {
    const { side, pieces } = column;
    const bytes = sizeOf(pieces);
    const each = pieces.length ? fixed(bytes / pieces.length) : 0;
    element.textContent = `${plural(pieces.length, "token")} for ${plural(bytes, "byte")}, `
      + `${each} bytes a token; vocabulary ${side.vocab_size.toLocaleString("en")}`;
  }]);
}

// What is left out of a long text.
function makeRest(column) {
  const element = make("p", "xp-soft");
  return part(element, [() => [column.pieces], () => {
    const { side, pieces } = column;
    const all = side.n_tokens === side.ids.length;
    element.textContent = all ? "" : `Shown: the first ${plural(side.ids.length, "token")} of `
      + `${side.n_tokens.toLocaleString("en")}, the first ${plural(sizeOf(pieces), "byte")} of the text.`;
  }]);
}

function makeTable(column) {
  const element = make("div");
  return part(element, [(s) => [s.as_table && column.pieces], (s) => {
    element.replaceChildren();
    if (s.as_table) showTable(element, column);
  }]);
}

function showTable(element, { side, pieces }) {
  const scroll = make("div", "xp-scroll", element, undefined, { tabindex: 0, role: "region" });
  scroll.setAttribute("aria-label", `Tokens, ${side.name}, as a table`);
  const rows = pieces.slice(0, MOST_ROWS).map((piece, i) => [
    i, (cell) => token(cell, piece.label), piece.id, piece.hex, piece.halves ? piece.id - 256 : "",
  ]);
  tabulate(scroll, "", ["place", "token", "id", "bytes", "rank"], rows);
  const more = pieces.length - MOST_ROWS;
  if (more > 0) make("p", "xp-soft", element, `… and ${plural(more, "token")} more`);
}

// What the marks mean.
function makeLegend() {
  const legend = make("div", "xp-row xp-soft tx-legend", null, "", { "aria-label": "Legend" });
  for (const [look, text] of [
    ["tx-word", "a pre-token: no merge crosses its ends"],
    ["tx-token", "a token"],
    ["tx-token tx-tint", "of one colour: one token in the end"],
    ["tx-token tx-new", "merged just now"],
    ["tx-token tx-special", "a special token"],
  ]) {
    const entry = make("span", "", legend);
    make("i", look, entry, "ab", { "aria-hidden": "true" });
    entry.append(` ${text}`);
  }
  return legend;
}

function makeColumn(ui, side, name) {
  const column = { side: { ...side, cuts: cutsOf(side) }, name, pieces: [] };
  const element = make("section", "tx-side");
  make("bdi", "", make("div", "xp-title", element), cut(side.name));
  const [merge, facts] = [makeMerge(column), makeFacts(column)];
  const parts = [
    makeCounts(column), merge, makeTokens(ui, column), makeRest(column), facts, makeTable(column),
  ];
  element.append(...parts.map((each) => each.element));
  const replay = part(null, [(s) => [knownOf(s)], (s) => {
    column.pieces = piecesOfText(side, knownOf(s));
  }]);
  const show = (s) => [replay, ...parts].forEach((each) => each.show(s));
  // For screen readers.
  const words = () => [merge.element, facts.element.firstChild].map((node) => node?.textContent);
  return { element, show, words };
}

function makeColumns(ui) {
  const element = make("div", "tx-sides");
  const name = `tokenizer-explorer-${++views}`;
  let columns = [];
  const { show } = part(element,
    [({ sides }) => [sides], ({ sides }) => {
      columns = sides.map((side, number) => makeColumn(ui, side, `${name}-${number}`));
      element.replaceChildren(...columns.map((column) => column.element));
      ui.state.over = null;
    }],
    [always, (s) => columns.forEach((column) => column.show(s))]);
  const shown = make("div");
  shown.append(makeLegend(), element);
  return { element: shown, show, words: () => columns.flatMap((column) => column.words()) };
}
