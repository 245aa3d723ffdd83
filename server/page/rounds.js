// The rounds as columns: every proposal one below the other, every item a line through them.
//
// Items that move are drawn once (the runners) and glide to the current column; what the LLM says
// about a column is drawn in place (the chips) and appears once the runners have arrived, from the
// top down, as the LLM verifies.

import { element, markItem, markOnHover, shape } from './dom.js';
import { count, milliseconds } from './figures.js';
import { places } from './ranking.js';

const HEAD = 30; // above the first row, px
const LINE = 18; // of the figures below the last row
const MARGIN = 30; // beside the first and the last column
const NARROWEST = 50; // between columns: narrower, and the chart scrolls
const WIDEST = 124;
const ROOMY = 560; // as wide as this, the texts fit beside the columns,
const NAMES = 156; // which leave that much for each side

const rowHeight = (k) => (k <= 12 ? 28 : k <= 24 ? 24 : 20);
const MAX_STAGGER = 300; // ms for all verdicts of a column together

export class RoundsChart {
  // onItem(item or null): the user points at it. stepBy(+1 or -1): the user wants another step.
  constructor(container, { onItem, stepBy }) {
    this.container = container;
    this.onItem = onItem;
    this.stepBy = stepBy;
    this.item = null;
    this.step = 0;
    this.width = 0;
    markOnHover(container, onItem);
    container.addEventListener('keydown', (event) => this.onKey(event));
    new ResizeObserver(() => this.layOutAgain()).observe(container);
  }

  load(run) {
    this.run = run;
    this.item = null;
    this.places = run.steps.map((step) => places(step.order));
    this.draw();
  }

  layOutAgain() {
    if (!this.run || this.container.clientWidth === this.width) return;
    this.draw();
    this.show(this.step);
  }

  draw() {
    const { k, steps } = this.run;
    this.width = this.container.clientWidth;
    this.row = rowHeight(k);
    const sides = this.names(steps);
    const gaps = steps.length - 1;
    const hasNames = this.width >= ROOMY;
    const room = this.width - (hasNames ? 2 * NAMES : 0) - 2 * MARGIN;
    this.gap = Math.min(WIDEST, Math.max(NARROWEST, Math.floor(room / gaps)));
    this.scroller = element('div', { class: 'columns' }, this.drawing());
    this.container.replaceChildren(sides.first, this.scroller, sides.last);
    this.container.classList.toggle('has-names', hasNames);
    this.container.classList.toggle('is-long', gaps * this.gap > room);
    this.container.style.setProperty('--row', `${this.row}px`);
    this.container.style.setProperty('--head', `${HEAD}px`);
  }

  // The texts, in the first and in the last column's order. Hidden from screen readers, which read
  // the same in the answer's list.
  names(steps) {
    const list = (order, side) =>
      element('ol', { class: `names ${side}`, 'aria-hidden': 'true' },
        ...order.map((item) => element('li', { 'data-item': item, title: this.run.texts[item] },
          this.run.texts[item])));
    this.last = list(steps.at(-1).order, 'last');
    return { first: list(steps[0].order, 'first'), last: this.last };
  }

  x(column) {
    return MARGIN + column * this.gap;
  }

  y(position) {
    return HEAD + (position + 0.5) * this.row;
  }

  drawing() {
    const { k, steps } = this.run;
    const width = 2 * MARGIN + (steps.length - 1) * this.gap;
    const height = HEAD + k * this.row + 3 * LINE + 6;
    this.columns = steps.map((step, column) => this.column(step, column));
    this.washes = steps.map((step, column) => this.wash(step, column));
    this.trails = steps.slice(1).map((_, column) => this.trail(column));
    this.runners = Array.from({ length: k }, (_, item) => this.runner(item));
    return shape('svg', { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' },
      ...this.washes, ...this.trails, ...this.runners, this.rowLabels(), ...this.columns);
  }

  // The known prefix: column by column the shade reaches further down.
  wash(step, column) {
    const left = column === 0 ? this.x(0) : this.x(column) - this.gap / 2;
    const right = column === this.run.steps.length - 1 ? this.x(column) + MARGIN : this.x(column) +
      this.gap / 2;
    return shape('rect', {
      class: 'wash',
      x: left,
      y: HEAD,
      width: right - left,
      height: step.known.length * this.row,
    });
  }

  // The lines between a column and the next; what ends up on top is drawn darkest.
  trail(column) {
    const [from, to, final] = [this.places[column], this.places[column + 1], this.places.at(-1)];
    const lines = from.map((position, item) => shape('line', {
      'data-item': item,
      x1: this.x(column),
      y1: this.y(position),
      x2: this.x(column + 1),
      y2: this.y(to[item]),
      'stroke-opacity': (0.2 + 0.8 * Math.exp(-final[item] / 5)).toFixed(2),
    }));
    return shape('g', { class: 'trail' }, ...lines);
  }

  runner(item) {
    return shape('g', { class: 'runner', 'data-item': item },
      shape('circle', { r: this.radius }), this.label(item));
  }

  get radius() {
    return this.row * 0.4;
  }

  label(item) {
    return shape('text', { dy: '0.35em' }, String(item + 1));
  }

  column(step, column) {
    const chips = step.order.map((item, position) => this.chip(step, item, position, column));
    return shape('g', { class: `column ${step.kind}` },
      this.head(step, column), ...chips, ...this.figures(step, column));
  }

  head(step, column) {
    const wide = this.gap >= 62;
    const name = step.kind === 'round' ? `${wide ? 'round ' : ''}${step.encodings}` : step.kind;
    return shape('text', { class: 'head', x: this.x(column), y: 14 }, name);
  }

  chip(step, item, position, column) {
    const state = stateOf(step, item, position);
    const node = shape('g', {
      class: `chip ${state}`,
      'data-item': item,
      transform: `translate(${this.x(column)} ${this.y(position)})`,
    }, shape('circle', { r: this.radius }), this.label(item));
    const share = Math.min(40, MAX_STAGGER / step.order.length);
    node.style.setProperty('--turn', `${Math.round(position * share)}ms`);
    return node;
  }

  figures(step, column) {
    const rows = [
      step.kind === 'input' ? '' : count(step.known.length),
      step.kind === 'answer' ? count(step.tokens) : count(step.cost?.tokens),
      step.kind === 'answer' ? milliseconds(step.ms) : milliseconds(step.cost?.ms),
    ];
    if (step.kind === 'input') return [];
    return rows.map((text, i) => shape('text',
      { class: 'figure', x: this.x(column), y: this.figureLine(i) }, text));
  }

  rowLabels() {
    return shape('g', { class: 'figure-names' }, ...['known', 'tokens', 'time'].map((text, i) =>
      shape('text', { x: 0, y: this.figureLine(i) }, text)));
  }

  figureLine(i) {
    return HEAD + this.run.k * this.row + (i + 1) * LINE;
  }

  show(step) {
    this.step = step;
    this.columns.forEach((node, column) => {
      node.classList.toggle('is-past', column < step);
      node.classList.toggle('is-now', column === step);
    });
    this.washes.forEach((node, column) => node.classList.toggle('is-shown', column <= step));
    this.trails.forEach((node, column) => node.classList.toggle('is-shown', column < step));
    this.last.classList.toggle('is-shown', step === this.run.steps.length - 1);
    this.runners.forEach((node, item) => {
      const [x, y] = [this.x(step), this.y(this.places[step][item])];
      node.style.transform = `translate(${x}px, ${y}px)`;
    });
    this.keepInSight(this.x(step));
  }

  keepInSight(x) {
    const { scrollLeft, clientWidth } = this.scroller;
    if (x - MARGIN < scrollLeft) this.scroller.scrollLeft = x - MARGIN;
    if (x + MARGIN > scrollLeft + clientWidth) this.scroller.scrollLeft = x + MARGIN - clientWidth;
  }

  onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.run) return;
    const moves = {
      ArrowLeft: () => this.stepBy(-1),
      ArrowRight: () => this.stepBy(1),
      ArrowUp: () => this.choose(-1),
      ArrowDown: () => this.choose(1),
      Escape: () => this.mark(null),
    };
    if (!moves[event.key]) return;
    moves[event.key]();
    event.preventDefault();
  }

  // The item above or below the marked one in the current column.
  choose(by) {
    const { order } = this.run.steps[this.step];
    const place = this.item === null ? (by > 0 ? -1 : order.length) :
      this.places[this.step][this.item];
    const next = Math.min(order.length - 1, Math.max(0, place + by));
    this.mark(order[next]);
  }

  mark(item) {
    this.item = item;
    markItem(item);
    this.onItem(item);
  }
}

// What the LLM said about an item of a column.
function stateOf(step, item, position) {
  if (position < step.accepted) return 'accepted';
  if (item === step.choice) return 'choice';
  if (step.disagrees && position === step.accepted) return 'refused';
  return position < step.proposed ? 'proposed' : 'waiting';
}

// Where an item stood at each step so far.
export function itinerary({ steps, texts }, item, until) {
  const stops = steps.slice(0, until + 1).map((step) => {
    const rank = step.order.indexOf(item);
    if (step.kind === 'round' && rank >= step.proposed) return null;
    return `${rank + 1} in ${step.kind === 'round' ? `round ${step.encodings}` : `the ${step.kind}`}`;
  });
  const way = stops.filter((stop) => stop !== null).join(', ');
  return `Item ${item + 1}, rank ${way}: ${texts[item]}`;
}
