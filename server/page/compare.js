// `ar`, `std` and `rsd` beside each other: the LLM's own ranking in the middle, and lines to it
// from the two fast ones, which are stronger the further an item stands from where the LLM puts it.

import { element, markOnHover, shape, spoken } from './dom.js';
import { count, decimal, milliseconds } from './figures.js';
import { kendallTau, places } from './ranking.js';

// In the order in which they run: the others are measured against the first.
export const COMPARED = ['ar', 'std', 'rsd'];

const COLUMNS = ['std', 'ar', 'rsd'];
const NAMES = {
  ar: ['ar', 'the LLM’s own ranking, one encoding a rank'],
  std: ['std', 'one encoding, first rank’s logits'],
  rsd: ['rsd', 'a fixed budget of encodings'],
};
const rowHeight = (k) => (k <= 12 ? 30 : 26);

export class Comparison {
  // watch(decoder): the user wants to see that one's rounds.
  constructor({ grid, figures }, { watch }) {
    this.grid = grid;
    this.figures = figures;
    this.watch = watch;
    markOnHover(grid);
  }

  clear() {
    this.runs = new Map();
    this.draw();
  }

  add(decoder, run) {
    this.runs.set(decoder, run);
    this.draw();
  }

  get(decoder) {
    return this.runs?.get(decoder);
  }

  draw() {
    const reference = this.runs.get('ar');
    this.grid.style.setProperty('--row', `${rowHeight(reference?.k ?? 0)}px`);
    const columns = COLUMNS.map((decoder) => this.column(decoder, reference));
    const links = ['std', 'rsd'].map((decoder) => this.links(decoder, reference));
    this.grid.replaceChildren(columns[0], links[0], columns[1], links[1], columns[2]);
    this.figures.replaceChildren(...this.figureRows(reference));
  }

  column(decoder, reference) {
    const run = this.runs.get(decoder);
    const [name, meaning] = NAMES[decoder];
    const head = element('h3', {}, name, element('small', {}, meaning));
    if (!run) return element('div', { class: 'ranking' }, head, element('p', {}, '…'));
    return element('div', { class: 'ranking' }, head,
      element('ol', { 'aria-label': name }, ...entries(run, reference)));
  }

  // Straight lines, stretched to the space between two lists; rows are as high as theirs.
  links(decoder, reference) {
    const run = this.runs.get(decoder);
    if (!run || !reference) return element('div');
    const k = reference.k;
    const [mine, theirs] = [run, reference].map(({ steps }) => places(steps.at(-1).order));
    const [left, right] = decoder === 'std' ? [mine, theirs] : [theirs, mine];
    const lines = mine.map((place, item) => shape('line', {
      'data-item': item,
      class: `moved-${displacement(place, theirs[item], k)}`,
      x1: 0,
      y1: left[item] + 0.5,
      x2: 100,
      y2: right[item] + 0.5,
    }));
    const svg = shape('svg', { class: 'links', viewBox: `0 0 100 ${k}`, 'aria-hidden': 'true',
      preserveAspectRatio: 'none' }, ...lines);
    svg.style.setProperty('--rows', k);
    return svg;
  }

  figureRows(reference) {
    const cells = (name, valueOf) => element('tr', {}, element('th', { scope: 'row' }, name),
      ...COLUMNS.map((decoder) => {
        const run = this.runs.get(decoder);
        return element('td', {}, run ? valueOf(run) : '–');
      }));
    const last = (run) => run.steps.at(-1).order;
    const timing = (name) => ({ answer }) => milliseconds(answer.timing_ms?.[name]);
    return [
      cells('Kendall’s τ with ar', (run) =>
        (reference ? decimal(kendallTau(last(run), last(reference))) : '–')),
      cells('encodings', ({ answer }) => count(answer.encodings)),
      cells('tokens', ({ answer }) => count(answer.tokens_encoded)),
      ...(this.someHits() ? [cells('hits', ({ answer }) => count(answer.candidates_reused))] : []),
      cells('verified', ({ answer, k }) => `${answer.verified_prefix} of ${k}`),
      cells('prefill', timing('prefill')),
      cells('decode', timing('decode')),
      cells('total', timing('total')),
      element('tr', {}, element('th', { scope: 'row' }, 'rounds'),
        ...COLUMNS.map((decoder) => element('td', {}, this.watchButton(decoder)))),
    ];
  }

  // Only prompts in blocks have candidates that are known before.
  someHits() {
    return [...this.runs.values()].some(({ answer }) => answer.candidates_reused !== undefined);
  }

  watchButton(decoder) {
    return element('button', {
      type: 'button',
      class: 'plain',
      'data-watch': decoder,
      disabled: !this.runs.has(decoder),
      onclick: () => this.watch(decoder),
    }, 'watch', spoken(` the rounds of ${decoder}`));
  }
}

function entries(run, reference) {
  const { order, known } = run.steps.at(-1);
  const theirs = reference ? places(reference.steps.at(-1).order) : null;
  return order.map((item, position) => {
    const by = theirs ? displacement(position, theirs[item], run.k) : 0;
    return element('li', { 'data-item': item, class: `moved-${by}`, title: run.texts[item] },
      element('span', { class: 'check', 'aria-hidden': 'true' },
        position < known.length ? '✓' : ''),
      element('span', { class: 'number' }, spoken('item '), String(item + 1)),
      element('span', { class: 'text' }, run.texts[item]),
      spoken(spokenPlace(position, theirs?.[item], position < known.length)));
  });
}

function spokenPlace(mine, theirs, verified) {
  const moved = theirs === undefined || theirs === mine ? '' : `, ar ranks it ${theirs + 1}`;
  return `${verified ? ', verified' : ''}${moved}`;
}

// How far from the LLM's place, in four steps: 0 = at it, 3 = a quarter of the list or more.
function displacement(mine, theirs, k) {
  const distance = Math.abs(mine - theirs);
  if (distance === 0) return 0;
  if (distance === 1) return 1;
  return distance * 4 < k ? 2 : 3;
}
