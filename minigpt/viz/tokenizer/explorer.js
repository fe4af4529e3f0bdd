// The tokenizer explorer: tokens, what they were made of, and the merges one after the other.
// A column's tokens come with all that they were merged from, so a replay needs no Python.

const MOST_ROWS = 1000; // of a table
const MOST_STAGES = 12; // of one token's making
const PACE = 700; // milliseconds for a merge while it plays
let views = 0; // ids on the page must differ between views

const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

// What is known of a token: its label, bytes, their number and its two parts.
function lookUp(side, id) {
  const [label, hex, size, left, right] = side.tokens[id];
  return { id, label, hex, size, parts: left === undefined ? null : [left, right] };
}

// The pieces that a token still is while only `known` merges have been learned.
function piecesOf(side, id, known) {
  const found = [];
  const waiting = [id];
  while (waiting.length) {
    const token = lookUp(side, waiting.pop());
    if (token.parts && token.id >= 256 + known) waiting.push(token.parts[1], token.parts[0]);
    else found.push(token);
  }
  return found;
}

// All pieces of a text, with the byte each begins at and the token that it ends up in.
function piecesOfText(side, known) {
  let start = 0;
  return side.ids.flatMap((id, place) =>
    piecesOf(side, id, known).map((token) => {
      const piece = { ...token, start, place };
      start += token.size;
      return piece;
    }));
}

// The stages in which a token was made, from its bytes to itself; of many the first and the last.
function stagesOf(side, id) {
  const made = new Set();
  const waiting = [id];
  while (waiting.length) {
    const { id: next, parts } = lookUp(side, waiting.pop());
    if (!parts || made.has(next)) continue;
    made.add(next);
    waiting.push(...parts);
  }
  const order = [...made].sort((a, b) => a - b);
  const skipped = Math.max(0, order.length - MOST_STAGES);
  const shown = skipped ? order.slice(skipped) : order;
  const stages = shown.map((token) => ({ token, pieces: piecesOf(side, id, token - 255) }));
  return { stages, skipped, bytes: piecesOf(side, id, 0) };
}

function render(context) {
  const { model } = context;
  const ui = start(context, "tx", "Tokenizer explorer", draw);
  const name = `tokenizer-explorer-${++views}`;
  let over = null; // the token under the pointer, in one of the columns
  let playing = 0; // a timer
  let drawn = ""; // what the columns show
  let typed = null; // what the field shows

  const get = (key) => model.get(key);
  const step = () => clamp(get("step"), 0, get("steps").length);
  const known = () => (step() ? get("steps")[step() - 1] + 1 : 0);
  const holds = (piece, byte) => byte >= piece.start && byte < piece.start + piece.size;
  const overlap = (a, b) => holds(a, b.start) || holds(b, a.start);

  // --- The parts ---
  const field = make("label", "tx-text", ui.root);
  make("span", "xp-title", field, "Text");
  const box = make("textarea", "", field, undefined, { rows: 2, spellcheck: "false", dir: "auto" });
  box.addEventListener("input", () => {
    typed = box.value;
    ui.kernel.ask("text", { text: typed }, undefined, 300);
  });
  ui.needsKernel(box);
  const row = make("div", "xp-row tx-replay", ui.root, undefined, { role: "group" });
  row.setAttribute("aria-label", "Replay of the merges");
  const move = (to) => ui.set({ step: clamp(to, 0, get("steps").length) });
  const stop = () => {
    clearInterval(playing);
    playing = 0;
    play.textContent = "play";
  };
  button(row, "bytes", () => { stop(); move(0); }, { title: "before the first merge" });
  button(row, "back", () => { stop(); move(step() - 1); });
  const play = button(row, "play", () => {
    if (playing) return stop();
    if (step() === get("steps").length) move(0);
    play.textContent = "pause";
    playing = setInterval(() => {
      move(step() + 1);
      if (step() === get("steps").length) stop();
    }, PACE);
  });
  button(row, "next", () => { stop(); move(step() + 1); });
  button(row, "tokens", () => { stop(); move(Infinity); }, { title: "after the last merge" });
  const slide = (value) => { stop(); move(Number(value)); };
  const slider = input("range", row, "merges", slide, { min: 0 });
  const where = make("span", "xp-soft", row);
  const looks = [["id", "id"], ["bytes", "bytes"], ["nothing", "nothing"]];
  const under = select(row, "below each token", looks, (value) => ui.set({ under: value }));
  const asTable = input("checkbox", row, "show as table", (on) => ui.set({ as_table: on }));
  const columns = make("div", "tx-sides", ui.root);
  let parts = []; // of each column

  function makeColumn(side, number) {
    const root = make("section", "tx-side", columns);
    const title = make("div", "xp-title", root);
    make("bdi", "", title, cut(side.name));
    const counts = make("div", "xp-soft", root);
    const merge = make("div", "tx-merge xp-soft", root);
    const tokens = make("div", "tx-tokens", root, undefined, { role: "listbox", tabindex: 0 });
    tokens.setAttribute("aria-label", `Tokens, ${side.name}: use the arrow keys`);
    const rest = make("p", "xp-soft", root);
    const facts = make("div", "", root);
    const table = make("div", "", root);
    const column = { side, number, title, counts, merge, tokens, rest, facts, table, pieces: [] };
    const at = (event) => column.pieces[event.target.closest(".tx-token")?.dataset.index];
    tokens.addEventListener("pointerover", (event) => { over = at(event); ui.redraw(); });
    tokens.addEventListener("pointerleave", () => { over = null; ui.redraw(); });
    tokens.addEventListener("click", (event) => {
      if (at(event)) ui.set({ chosen: at(event).start });
    });
    tokens.addEventListener("keydown", (event) => moveChoice(event, column));
    return column;
  }

  function moveChoice(event, { pieces, tokens }) {
    const here = pieces.findIndex((piece) => holds(piece, get("chosen")));
    const to = {
      ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: pieces.length - 1,
      ArrowUp: lineFrom(tokens, here, -1), ArrowDown: lineFrom(tokens, here, 1),
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (pieces.length) ui.set({ chosen: pieces[clamp(to, 0, pieces.length - 1)].start });
  }

  // --- What is seen ---
  function draw() {
    const sides = get("sides");
    if (parts.length !== sides.length || parts.some((part, i) => part.side !== sides[i])) {
      columns.replaceChildren();
      parts = sides.map(makeColumn);
      drawn = "";
      over = null;
    }
    if (document.activeElement !== box && typed !== get("text")) box.value = typed = get("text");
    showReplay();
    const now = [known(), get("under")].join();
    if (drawn !== now) parts.forEach(showTokens);
    drawn = now;
    parts.forEach(showChoice);
    parts.forEach(showTable);
    ui.say([where.textContent, ...parts.flatMap((part) => [part.merge, part.facts.firstChild])]
      .map((part) => part?.textContent ?? part).filter(Boolean).join(". "));
  }

  function showReplay() {
    const last = get("steps").length;
    slider.max = last;
    slider.value = step();
    where.textContent = `${step()} of ${plural(last, "merge")}`;
    slider.setAttribute("aria-valuetext", where.textContent);
    if (under.value !== get("under")) under.value = get("under");
    asTable.checked = get("as_table");
  }

  function showTokens(column) {
    const { side, tokens } = column;
    const limit = known();
    column.pieces = piecesOfText(side, limit);
    const list = document.createDocumentFragment();
    column.pieces.forEach((piece, index) => {
      const node = make("span", "tx-token", list, undefined, { role: "option" });
      node.id = `${name}-${column.number}-${index}`;
      node.dataset.index = index;
      node.dataset.tint = piece.place % 4;
      node.classList.toggle("tx-new", piece.id === 255 + limit && step() < get("steps").length);
      node.classList.toggle("tx-special", !piece.parts && piece.id >= 256);
      make("bdi", "xp-code", node, cut(piece.label));
      const note = { id: piece.id, bytes: cut(piece.hex, 24) }[get("under")];
      if (note !== undefined) make("small", "", node, note);
      if (piece.label.includes("⏎")) make("br", "", list);
    });
    tokens.replaceChildren(list);
    const bytes = column.pieces.reduce((sum, piece) => sum + piece.size, 0);
    const all = side.n_tokens === side.ids.length;
    const each = column.pieces.length ? (bytes / column.pieces.length).toFixed(2) : 0;
    const count = plural(column.pieces.length, "token");
    column.counts.textContent = `${count} for ${plural(bytes, "byte")}, ${each} bytes a token; `
      + `vocabulary ${side.vocab_size.toLocaleString("en")}`;
    column.rest.textContent = all ? "" : `Shown: the first ${plural(side.ids.length, "token")} of `
      + `${side.n_tokens.toLocaleString("en")}, the first ${plural(bytes, "byte")} of the text.`;
    showMerge(column, limit);
  }

  function showMerge({ side, merge }, limit) {
    merge.replaceChildren();
    const found = side.merges.find(([number]) => number === limit - 1);
    const rank = (limit - 1).toLocaleString("en");
    if (!limit) merge.append("before the first merge: every byte is a token");
    else if (limit > side.n_merges) merge.append(`all ${plural(side.n_merges, "merge")} done`);
    else if (!found) merge.append(`rank ${rank}: not for this text`);
    else {
      const { label, parts: [left, right] } = lookUp(side, 255 + limit);
      merge.append(`merge of rank ${rank} (of ${side.n_merges.toLocaleString("en")}): `);
      token(merge, lookUp(side, left).label);
      merge.append(" + ");
      token(merge, lookUp(side, right).label);
      merge.append(" → ");
      token(merge, label);
      merge.append(`, ${plural(found[1], "time")} here`);
    }
  }

  function showChoice(column) {
    const { pieces, tokens, facts, number } = column;
    let chosen = -1;
    [...tokens.querySelectorAll(".tx-token")].forEach((node, i) => {
      const mine = holds(pieces[i], get("chosen"));
      if (mine) chosen = i;
      node.classList.toggle("tx-chosen", mine);
      node.classList.toggle("tx-over", Boolean(over) && overlap(pieces[i], over));
      node.setAttribute("aria-selected", mine);
    });
    const node = tokens.querySelector(".tx-chosen");
    if (node) tokens.setAttribute("aria-activedescendant", `${name}-${number}-${chosen}`);
    else tokens.removeAttribute("aria-activedescendant");
    if (node && document.activeElement === tokens) node.scrollIntoView({ block: "nearest" });
    const state = `${pieces[chosen]?.id} ${chosen} ${pieces.length}`;
    if (facts.dataset.state === state) return;
    facts.dataset.state = state;
    facts.replaceChildren();
    if (chosen >= 0) showFacts(column, pieces[chosen], chosen);
  }

  function showFacts({ side, facts, pieces }, piece, index) {
    const line = make("p", "tx-facts", facts, `token ${index} of ${pieces.length}: `);
    token(line, piece.label);
    const how = piece.parts ? `made by the merge of rank ${(piece.id - 256).toLocaleString("en")}`
      : piece.id < 256 ? "a single byte" : "a special token";
    line.append(`, id ${piece.id}, ${plural(piece.size, "byte")} ${piece.hex}, ${how}`);
    if (!piece.parts) return;
    const { stages, skipped, bytes } = stagesOf(side, piece.id);
    const grid = make("div", "tx-made", facts);
    const stage = (label, tokens, newest) => {
      make("span", "xp-soft", grid, label);
      const cell = make("span", "", grid);
      for (const part of tokens.slice(0, 40)) {
        const node = make("span", "tx-token", cell);
        node.classList.toggle("tx-new", part.id === newest);
        make("bdi", "xp-code", node, cut(part.label));
      }
      if (tokens.length > 40) cell.append(`… ${tokens.length - 40} more`);
    };
    stage("bytes", bytes);
    if (skipped) stage(`… ${plural(skipped, "merge")} left out`, []);
    for (const { token: made, pieces: now } of stages) {
      stage(`rank ${(made - 256).toLocaleString("en")}`, now, made);
    }
  }

  function showTable({ side, pieces, table }) {
    const state = get("as_table") ? drawn : "";
    if ((table.dataset.state ?? "") === state) return;
    table.dataset.state = state;
    table.replaceChildren();
    if (!state) return;
    const scroll = make("div", "xp-scroll", table, undefined, { tabindex: 0, role: "region" });
    scroll.setAttribute("aria-label", `Tokens, ${side.name}, as a table`);
    const rows = pieces.slice(0, MOST_ROWS).map((piece, i) => [
      i, (cell) => token(cell, piece.label), piece.id, piece.hex,
      piece.parts ? piece.id - 256 : "",
    ]);
    tabulate(scroll, "", ["place", "token", "id", "bytes", "rank"], rows);
    if (pieces.length > MOST_ROWS) {
      make("p", "xp-soft", table, `… and ${plural(pieces.length - MOST_ROWS, "token")} more`);
    }
  }

  const close = ui.open();
  return () => {
    stop();
    close();
  };
}

// The token above (-1) or below (1) in the wrapped lines, for the arrow keys.
function lineFrom(tokens, here, direction) {
  const nodes = tokens.querySelectorAll(".tx-token");
  const from = nodes[here]?.getBoundingClientRect();
  let best = here;
  let line = null; // the top of the next line
  let distance = Infinity;
  for (let i = here + direction; from && i >= 0 && i < nodes.length; i += direction) {
    const there = nodes[i].getBoundingClientRect();
    if (Math.abs(there.top - from.top) < 4) continue;
    line ??= there.top;
    if (Math.abs(there.top - line) > 4) break;
    if (Math.abs(there.left - from.left) < distance) {
      [best, distance] = [i, Math.abs(there.left - from.left)];
    }
  }
  return best;
}

export default { render };
