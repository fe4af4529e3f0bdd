// The tokens of one column, or the pieces that they still are. A column is its side, its number,
// and the pieces that it shows now.

function makeTokens(ui, column) {
  const element = make("div", "tx-tokens", null, undefined, { role: "listbox", tabindex: 0 });
  element.setAttribute("aria-label", `Tokens, ${column.side.name}: use the arrow keys`);
  const at = (event) => column.pieces[event.target.closest(".tx-token")?.dataset.index];
  element.addEventListener("pointerover", (event) => ui.keep({ over: at(event) }));
  element.addEventListener("pointerleave", () => ui.keep({ over: null }));
  element.addEventListener("click", (event) => {
    if (at(event)) ui.set({ chosen: at(event).start });
  });
  element.addEventListener("keydown", (event) => moveChoice(event, ui, column, element));
  return part(element,
    [(s) => [column.pieces, s.under], (s) => showTokens(element, s, column)],
    [(s) => [column.pieces, s.under, s.chosen, s.over], (s) => showChoice(element, s, column)]);
}

function showTokens(element, s, { side, name, pieces }) {
  const newest = isOver(s) ? null : 255 + knownOf(s);
  const list = document.createDocumentFragment();
  let word = null;
  pieces.forEach((piece, index) => {
    if (side.cuts.has(piece.start)) word = make("span", "tx-word", list, "", { role: "presentation" });
    const node = make("span", "tx-token", word, undefined, { role: "option" });
    node.id = `${name}-${index}`;
    node.dataset.index = index;
    node.dataset.tint = piece.place % 4;
    node.classList.toggle("tx-new", piece.id === newest);
    node.classList.toggle("tx-special", !piece.halves && piece.id >= 256);
    make("bdi", "xp-code", node, cut(piece.label));
    const note = { id: piece.id, bytes: cut(piece.hex, 24) }[s.under];
    if (note !== undefined) make("small", "", node, note);
    if (piece.label.includes("⏎")) make("br", "", list);
  });
  element.replaceChildren(list);
}

function showChoice(element, { chosen, over }, { pieces }) {
  element.querySelectorAll(".tx-token").forEach((node, i) => {
    const mine = holds(pieces[i], chosen);
    node.classList.toggle("tx-chosen", mine);
    node.classList.toggle("tx-over", Boolean(over) && overlap(pieces[i], over));
    node.setAttribute("aria-selected", mine);
  });
  const node = element.querySelector(".tx-chosen");
  if (node) element.setAttribute("aria-activedescendant", node.id);
  else element.removeAttribute("aria-activedescendant");
  if (node && document.activeElement === element) node.scrollIntoView({ block: "nearest" });
}

function moveChoice(event, ui, { pieces }, element) {
  const here = pieces.findIndex((piece) => holds(piece, ui.state.chosen));
  const to = {
    ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: pieces.length - 1,
    ArrowUp: lineFrom(element, here, -1), ArrowDown: lineFrom(element, here, 1),
  }[event.key];
  if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (pieces.length) ui.set({ chosen: pieces[clamp(to, 0, pieces.length - 1)].start });
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
