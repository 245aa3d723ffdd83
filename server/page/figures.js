// How figures are written, one way everywhere.

export const NONE = '–';

export function milliseconds(ms) {
  if (ms === null || ms === undefined) return NONE;
  if (ms >= 10000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

export const count = (n) => (n === null || n === undefined ? NONE : n.toLocaleString('en'));

// With a true minus sign, as wide as a digit in tabular figures.
export const decimal = (x, digits = 2) => x.toFixed(digits).replace('-', '−');

export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;
