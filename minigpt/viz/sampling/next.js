// What may come next: the model's logits by rank, and what the settings leave of them. A place is
// a rank counted from 0.

const count = (n) => n.toLocaleString("en");

// How probable the likeliest are together, up to each place.
function together(probabilities) {
  const sums = probabilities.slice();
  for (let place = 1; place < sums.length; place++) sums[place] += sums[place - 1];
  return sums;
}

// Where the bars' axis ends: it fits the model's own distribution, and stays whatever is set.
const endOf = (largest) => [0.05, 0.1, 0.2, 0.5].find((end) => end >= 1.5 * largest) ?? 1;

// What is known before anything is set; `plain` is what temperature 1 makes of it.
function tokensOf({ logits, labels }) {
  const floats = new Float32Array(bytesOf(logits).slice().buffer);
  const ranked = rank(floats);
  const names = new Map(labels.map((label, place) => [ranked[place], label])); // by id
  const open = distribution(floats, ranked, { temperature: 1, topK: null, topP: null });
  const plain = together(open.probabilities);
  return { end: endOf(plain[0]), V: floats.length, floats, ranked, names, plain };
}

// What the settings make of the tokens.
function filtered({ tokens, temperature, top_k: topK, top_p: topP }) {
  const { V, floats, ranked, names } = tokens;
  const found = distribution(floats, ranked, { temperature, topK, topP });
  const { order, probabilities, byK, kept, mass } = found;
  const filters = temperature !== 0; // greedy has no use for them
  return {
    ...found, ...tokens, topK, topP,
    together: together(probabilities),
    cutsK: filters && topK !== null && byK < V,
    cutsP: filters && topP !== null && topP < 1,
    nameAt: (place) => names.get(order[place]) ?? `(token ${order[place]})`,
    drawn: (place) => (place < kept ? probabilities[place] / mass : 0),
  };
}

// What follows from the model's logits and from the settings. With other logits nothing is pointed
// at any more.
const nextToken = () => [
  follows("tokens", (s) => [s.logits], tokensOf),
  follows("next", (s) => [s.tokens, s.temperature, s.top_k, s.top_p], filtered),
  follows("over", (s) => [s.tokens], () => null),
];
