// What a token was made of. A column's tokens come with all that they were merged from, so a
// replay needs no Python.

const MOST_STAGES = 12; // of one token's making

const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
const rankOf = (id) => (id - 256).toLocaleString("en");

// What is known of a token: its label, bytes, their number and its two halves.
function lookUp(side, id) {
  const [label, hex, size, left, right] = side.tokens[id];
  return { id, label, hex, size, halves: left === undefined ? null : [left, right] };
}

// The pieces that a token still is while only `known` merges have been learned.
function piecesOf(side, id, known) {
  const found = [];
  const waiting = [id];
  while (waiting.length) {
    const { halves, ...token } = lookUp(side, waiting.pop());
    if (halves && token.id >= 256 + known) waiting.push(halves[1], halves[0]);
    else found.push({ ...token, halves });
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

// The stages in which a token was made, from its bytes to itself; of many the last.
function stagesOf(side, id) {
  const made = new Set();
  const waiting = [id];
  while (waiting.length) {
    const { id: next, halves } = lookUp(side, waiting.pop());
    if (!halves || made.has(next)) continue;
    made.add(next);
    waiting.push(...halves);
  }
  const order = [...made].sort((a, b) => a - b);
  const skipped = Math.max(0, order.length - MOST_STAGES);
  const shown = order.slice(skipped);
  const stages = shown.map((token) => ({ token, pieces: piecesOf(side, id, token - 255) }));
  return { stages, skipped, bytes: piecesOf(side, id, 0) };
}

// Where the pre-tokens begin: the cuts that no merge crosses.
function cutsOf({ words }) {
  const cuts = new Set([0]);
  let at = 0;
  for (const size of words) cuts.add(at += size);
  return cuts;
}

const holds = (piece, byte) => byte >= piece.start && byte < piece.start + piece.size;
const overlap = (a, b) => holds(a, b.start) || holds(b, a.start);
