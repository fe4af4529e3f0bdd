// The merge of this step, and how the chosen token was made.

const MOST_PIECES = 40; // of one stage

function makeMerge({ side }) {
  const element = make("div", "tx-merge xp-soft");
  return part(element, [(s) => [knownOf(s)], (s) => {
    const known = knownOf(s);
    const found = side.merges.find(([number]) => number === known - 1);
    element.replaceChildren();
    if (!known) element.append("before the first merge: every byte is a token");
    else if (known > side.n_merges) element.append(`all ${plural(side.n_merges, "merge")} done`);
    else if (!found) element.append(`rank ${rankOf(255 + known)}: not for this text`);
    else showMerge(element, side, 255 + known, found[1]);
  }]);
}

function showMerge(element, side, id, times) {
  const { label, halves } = lookUp(side, id);
  const [left, right] = halves.map((half) => lookUp(side, half).label);
  element.append(`merge of rank ${rankOf(id)} (of ${side.n_merges.toLocaleString("en")}): `);
  token(element, left);
  element.append(" + ");
  token(element, right);
  element.append(" → ");
  token(element, label);
  element.append(`, ${plural(times, "time")} here`);
}

function makeFacts(column) {
  const element = make("div");
  return part(element, [(s) => [column.pieces, s.chosen], ({ chosen }) => {
    const { side, pieces } = column;
    const index = pieces.findIndex((piece) => holds(piece, chosen));
    element.replaceChildren();
    if (index < 0) return;
    showFacts(element, pieces[index], index, pieces.length);
    if (pieces[index].halves) showMaking(element, side, pieces[index].id);
  }]);
}

function showFacts(element, piece, index, count) {
  const line = make("p", "tx-facts", element, `token ${index} of ${count}: `);
  token(line, piece.label);
  const how = piece.halves ? `made by the merge of rank ${rankOf(piece.id)}`
    : piece.id < 256 ? "a single byte" : "a special token";
  line.append(`, id ${piece.id}, ${plural(piece.size, "byte")} ${piece.hex}, ${how}`);
}

function showMaking(element, side, id) {
  const { stages, skipped, bytes } = stagesOf(side, id);
  const grid = make("div", "tx-made", element);
  showStage(grid, "bytes", bytes);
  if (skipped) showStage(grid, `… ${plural(skipped, "merge")} left out`, []);
  for (const stage of stages) {
    showStage(grid, `rank ${rankOf(stage.token)}`, stage.pieces, stage.token);
  }
}

function showStage(grid, label, pieces, newest) {
  make("span", "xp-soft", grid, label);
  const cell = make("span", "", grid);
  for (const piece of pieces.slice(0, MOST_PIECES)) {
    const node = make("span", "tx-token", cell);
    node.classList.toggle("tx-new", piece.id === newest);
    make("bdi", "xp-code", node, cut(piece.label));
  }
  const more = pieces.length - MOST_PIECES;
  if (more > 0) cell.append(`… ${more} more`);
}
