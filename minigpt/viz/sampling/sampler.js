// minigpt/sampling/filters.py once more, for the browser: the same tokens kept, the same probabilities.
// Each step is done in the precision that PyTorch does it in; tests hold the two together.

const IDS = 2 ** 21; // more than any vocabulary has; a key of 32 bits and an id fit a double

// Sort once: the ids from the largest logit to the smallest, of equal ones the lowest id first.
// Every sum below goes over this order, that is, over the whole vocabulary.
export function rank(logits) {
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  const keys = new Float64Array(logits.length);
  for (let id = 0; id < logits.length; id++) {
    float[0] = logits[id] + 0; // -0 and 0 are equal
    // Read as a whole number, a positive float keeps its order and a negative one turns it round.
    const rising = bits[0] >>> 31 ? ~bits[0] >>> 0 : (bits[0] | 0x80000000) >>> 0;
    keys[id] = (0xffffffff - rising) * IDS + id;
  }
  keys.sort();
  return Uint32Array.from(keys, (key) => key % IDS);
}

// Two logits may be equal once they are divided and rounded: then, too, the lowest id comes first.
function settleTies(order, scaled) {
  let start = 0;
  for (let end = 1; end <= order.length; end++) {
    if (end < order.length && scaled[end] === scaled[start]) continue;
    if (end - start > 1) order.subarray(start, end).sort();
    start = end;
  }
}

// Temperature, then top-k, then top-p of what is left; null switches a filter off. Returns
//   order          the ids by rank
//   probabilities  by rank, after the temperature and before the filters: they sum to 1
//   byK, kept      how many ranks top-k leaves, and how many of those top-p leaves
//   massK, mass    the probability of these
//   before, after  the entropy without and with the filters, in nats
// The distribution drawn from is probabilities[rank] / mass for the first `kept` ranks.
export function distribution(logits, ranked, { temperature, topK, topP }) {
  const V = logits.length;
  const order = ranked.slice();
  const probabilities = new Float64Array(V);
  if (temperature === 0) { // greedy
    probabilities[0] = 1;
    return { order, probabilities, byK: 1, kept: 1, massK: 1, mass: 1, before: 0, after: 0 };
  }
  const divisor = Math.fround(temperature);
  const scaled = new Float32Array(V);
  const largest = logits[order[0]]; // taken off first, so that no temperature makes it overflow
  for (let i = 0; i < V; i++) scaled[i] = Math.fround(logits[order[i]] - largest) / divisor;
  settleTies(order, scaled);
  for (let i = 0; i < V; i++) probabilities[i] = Math.exp(scaled[i] - scaled[0]);
  const byK = Math.min(topK ?? V, V);
  const all = sums(probabilities, scaled, V);
  const allK = sums(probabilities, scaled, byK);
  const kept = topP === null || topP === 1 ? byK : keptByP(probabilities, byK, allK.total, topP);
  const left = sums(probabilities, scaled, kept);
  for (let i = 0; i < V; i++) probabilities[i] /= all.total;
  return {
    order, probabilities, byK, kept,
    massK: allK.total / all.total, mass: left.total / all.total,
    before: all.entropy, after: left.entropy,
  };
}

// What the first weights come to, and the entropy in nats of drawing in proportion to them. As
// weight = exp(d) with d = scaled[i] - scaled[0], no logarithm of each share is needed.
function sums(weights, scaled, count) {
  let total = 0;
  let weighted = 0;
  for (let i = 0; i < count; i++) {
    total += weights[i];
    weighted += weights[i] * (scaled[i] - scaled[0]);
  }
  return { total, entropy: Math.log(total) - weighted / total };
}

// The fewest ranks whose shares of `total` reach p: the one that crosses p is kept.
function keptByP(weights, count, total, p) {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const share = weights[i] / total;
    sum += share;
    if (sum - share >= p) return i;
  }
  return count;
}
