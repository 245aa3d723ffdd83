// The mathematics of rankings and logits. A ranking is a list of item indices, best first.

// place[item] = its position.
export function places(ranking) {
  const place = [];
  ranking.forEach((item, position) => (place[item] = position));
  return place;
}

// 1 = the same order, -1 = reversed, 0 = unrelated.
export function kendallTau(a, b) {
  const place = places(b);
  let agreeing = 0;
  let pairs = 0;
  for (let i = 0; i < a.length; ++i) {
    for (let j = i + 1; j < a.length; ++j) {
      agreeing += place[a[i]] < place[a[j]] ? 1 : -1;
      ++pairs;
    }
  }
  return pairs === 0 ? 1 : agreeing / pairs;
}

export function commonPrefix(a, b) {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) ++n;
  return n;
}

// The log-probabilities of the items that are not `placed` yet (a Set); null for those that are.
export function logSoftmax(row, placed) {
  const open = row.filter((_, item) => !placed.has(item));
  const highest = Math.max(...open);
  const total = Math.log(open.reduce((sum, z) => sum + Math.exp(z - highest), 0)) + highest;
  return row.map((z, item) => (placed.has(item) ? null : z - total));
}

// The LLM's choice: ties go to the lower index.
export function maskedArgmax(row, placed) {
  let best = null;
  row.forEach((z, item) => {
    if (!placed.has(item) && (best === null || z > row[best])) best = item;
  });
  return best;
}
