// The logits of a round as a table: a row for each rank, a column for each item. The darker a cell,
// the likelier the LLM puts the item there, among the items that stand no higher in the proposal.

import { element, markItem, markOnHover, spoken } from './dom.js';
import { decimal } from './figures.js';
import { logSoftmax, maskedArgmax } from './ranking.js';

const FAINTEST = Math.log(0.001); // anything less likely looks the same
const NARROWEST = 13; // px; narrower, and the table scrolls
const WIDEST = 30;
const HEAD = 48; // of a row, with its padding
const GAP = 1; // between cells, as in the style

export class HeatMap {
  // onCell(text): describes the cell below the pointer or with the focus; '' for none.
  constructor(container, { onCell }) {
    this.container = container;
    this.onCell = onCell;
    markOnHover(container);
    container.addEventListener('pointerover', (event) => this.reportCell(event.target));
    container.addEventListener('focusin', (event) => this.onFocus(event.target));
    container.addEventListener('focusout', () => markItem(null));
    container.addEventListener('click', (event) => event.target.closest('td')?.focus());
    container.addEventListener('keydown', (event) => this.onKey(event));
    new ResizeObserver(() => this.fit()).observe(container);
  }

  // columns: the items in the order of the table's columns.
  load(run, columns) {
    this.run = run;
    this.items = columns;
    this.at = [0, 0];
    this.rows = run.steps[0].order.map((_, position) => this.row(position));
    this.table = element('table', { role: 'grid', 'aria-labelledby': 'heat-title' },
      element('thead', {}, this.head()),
      element('tbody', {}, ...this.rows.map(({ node }) => node)));
    this.container.replaceChildren(this.table);
    this.fit();
  }

  head() {
    const cells = this.items.map((item) =>
      element('th', { scope: 'col', 'data-item': item }, spoken('item '), String(item + 1)));
    return element('tr', {}, element('td', { class: 'corner' }, spoken('rank')), ...cells);
  }

  row(position) {
    const head = element('th', { scope: 'row' });
    const cells = this.items.map((item) => element('td', { tabindex: '-1', 'data-column': item }));
    cells.forEach((cell, column) => (cell.place = [position, column]));
    return { head, cells, node: element('tr', {}, head, ...cells) };
  }

  fit() {
    if (!this.run) return;
    const { k } = this.run;
    const room = (this.container.clientWidth - HEAD - k * GAP) / k;
    const size = Math.floor(Math.min(WIDEST, Math.max(NARROWEST, room)));
    this.table.style.setProperty('--cell', `${size}px`);
    this.table.classList.toggle('is-dense', size < 20);
  }

  show(index) {
    const step = this.run.steps[index];
    this.step = step.kind === 'answer' ? this.run.steps[index - 1] : step;
    this.rows.forEach((row, position) => this.fill(row, position));
    this.rest();
  }

  fill(row, position) {
    const { step } = this;
    const logits = step.logits?.[position];
    const placed = new Set(step.order.slice(0, Math.min(position, step.proposed)));
    this.fillHead(row, position, Boolean(logits));
    const shares = logits ? logSoftmax(logits, placed) : null;
    const best = logits ? maskedArgmax(logits, placed) : null;
    row.cells.forEach((cell, column) => {
      const item = this.items[column];
      const share = shares?.[item] ?? null;
      cell.className = classesOf(step, position, item, { share, best });
      cell.style.setProperty('--heat', heat(share));
      cell.saying = logits ? saying(step, position, item, { share, best, logit: logits[item] }) :
        `Rank ${position + 1} was not encoded.`;
    });
  }

  fillHead(row, position, seen) {
    const { step } = this;
    const accepted = seen && position < step.accepted;
    const refused = seen && step.disagrees && position === step.accepted;
    row.node.className = accepted ? 'accepted' : refused ? 'refused' : seen ? 'seen' : 'unseen';
    row.head.replaceChildren(element('span', { class: 'verdict', 'aria-hidden': 'true' },
      accepted ? '✓' : refused ? '✗' : ''), String(position + 1),
    spoken(accepted ? ', accepted' : refused ? ', first disagreement' : ''));
  }

  // One cell is reachable by Tab; the arrows lead to the others.
  rest() {
    for (const { cells } of this.rows) for (const cell of cells) cell.tabIndex = -1;
    this.cell(this.at).tabIndex = 0;
    const focused = document.activeElement;
    if (focused?.place && this.container.contains(focused)) this.reportCell(focused);
  }

  cell([position, column]) {
    return this.rows[position].cells[column];
  }

  reportCell(node) {
    const cell = node.closest?.('td[data-column]');
    this.onCell(cell?.saying ?? '');
  }

  onFocus(cell) {
    if (!cell.place) return;
    this.cell(this.at).tabIndex = -1;
    this.at = cell.place;
    cell.tabIndex = 0;
    markItem(this.items[this.at[1]]);
    this.reportCell(cell);
  }

  onKey(event) {
    const last = this.run.k - 1;
    const [position, column] = this.at;
    const to = {
      ArrowUp: [position - 1, column],
      ArrowDown: [position + 1, column],
      ArrowLeft: [position, column - 1],
      ArrowRight: [position, column + 1],
      Home: [position, 0],
      End: [position, last],
    }[event.key];
    if (!to || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.cell(to.map((place) => Math.min(last, Math.max(0, place)))).focus();
  }
}

const heat = (share) =>
  share === null ? 0 : Math.min(1, Math.max(0, 1 - share / FAINTEST)).toFixed(3);

function classesOf(step, position, item, { share, best }) {
  const classes = [];
  if (share === null) classes.push('void');
  if (position < step.proposed && step.order[position] === item) classes.push('proposal');
  if (item === best && best !== null) classes.push('best');
  return classes.join(' ');
}

function saying(step, position, item, { share, best, logit }) {
  const place = `Rank ${position + 1}, item ${item + 1}: `;
  if (share === null) return `${place}stands higher already. Logit ${decimal(logit)}.`;
  const proposed = position < step.proposed && step.order[position] === item;
  const notes = [proposed && 'proposed', item === best && 'the LLM’s choice'].filter(Boolean);
  return `${place}log p ${decimal(share)} (p ${probability(share)}), logit ${decimal(logit)}` +
    `${notes.length > 0 ? `; ${notes.join(', ')}` : ''}.`;
}

function probability(share) {
  const p = Math.exp(share);
  return p < 0.001 ? p.toExponential(0).replace('-', '−') : p.toFixed(3);
}
