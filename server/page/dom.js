// Making elements. Text goes in as text nodes only: what a user pastes is data, never markup.

const SVG = 'http://www.w3.org/2000/svg';

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const element = (tag, attributes = {}, ...children) =>
  build(document.createElement(tag), attributes, children);

export const shape = (tag, attributes = {}, ...children) =>
  build(document.createElementNS(SVG, tag), attributes, children);

export const byId = (id) => document.getElementById(id);

// Something that only a screen reader needs.
export const spoken = (text) => element('span', { class: 'spoken' }, text);

export const prefersStill = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

// One item at a time is marked everywhere it is shown: in the chart, the heat map and the lists.
// Whoever shows an item gives the node `data-item`.
export function markItem(item) {
  for (const node of document.querySelectorAll('.is-marked')) node.classList.remove('is-marked');
  if (item === null) return;
  for (const node of document.querySelectorAll(`[data-item="${item}"]`)) {
    node.classList.add('is-marked');
  }
}

// Marks the item below the pointer, and calls `onItem` with it (null when the pointer leaves).
export function markOnHover(container, onItem = () => {}) {
  const itemAt = (event) => event.target.closest?.('[data-item]')?.dataset.item ?? null;
  const mark = (item) => {
    markItem(item);
    onItem(item === null ? null : Number(item));
  };
  container.addEventListener('pointerover', (event) => mark(itemAt(event)));
  container.addEventListener('pointerleave', () => mark(null));
}
