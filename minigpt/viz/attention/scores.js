// Patterns of words, made here: queries and keys, their scores, and the softmax of each row.

// A word's vector times columns from..to of a matrix.
const project = (vector, W, from, to) =>
  Array.from({ length: to - from }, (_, j) =>
    vector.reduce((sum, x, c) => sum + x * W[c][from + j], 0));

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

// Of the first `count` scores; what comes later has weight 0.
function softmaxed(scores, count) {
  const most = Math.max(...scores.slice(0, count));
  const powers = scores.map((x, i) => (i < count ? Math.exp(x - most) : 0));
  const sum = powers.reduce((all, x) => all + x, 0);
  return powers.map((x) => x / sum);
}

// The scores q . k of each head, (heads, T, T), as W_q and the loudness make them.
function scoresOf({ words, vectors, W_q: toAsk, W_k: toAnswer, heads, loudness, given }) {
  const size = toAsk[0].length / heads;
  const x = words.map((word) => vectors[word]);
  return Array.from({ length: heads }, (_, head) => {
    const [q, k] = [toAsk, toAnswer].map((W) =>
      x.map((vector) => project(vector, W, head * size, (head + 1) * size)));
    return q.map((asks) => k.map((answers) => (loudness / given) * dot(asks, answers)));
  });
}

// All that the parts read of a model, from what is set.
function made(s) {
  const T = s.words.length;
  const root = s.scaled ? Math.sqrt(s.W_q[0].length / s.heads) : 1;
  const products = scoresOf(s);
  const rows = products.flatMap((head) =>
    head.map((scores, row) => softmaxed(scores.map((x) => x / root), s.masked ? row + 1 : T)));
  const exactly = Float64Array.from(rows.flat());
  const bytes = Uint8Array.from(exactly, (weight) => Math.round(255 * weight));
  return {
    tokens: s.words, shape: s.shape?.[2] === T ? s.shape : [1, s.heads, T], // the same, if it is
    open: !s.masked, products, exactly,
    weights: bytes, thumbnails: bytes, side: T,
  };
}

// The score of a cell, in words.
function sayScore({ products, W_q: toAsk, heads, scaled, at }, { row, column }) {
  const size = toAsk[0].length / heads;
  const score = products[at.head][row][column];
  const divided = scaled ? ` / √${size} = ${fixed(score / Math.sqrt(size))}` : "";
  return `Score ${fixed(score)}${divided}. `;
}
