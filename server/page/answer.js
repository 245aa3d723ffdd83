// The final ranking as a list, and what it cost.

import { element, spoken } from './dom.js';
import { count, decimal, milliseconds } from './figures.js';

// Gives the list's entries; each says whether its position is verified, and where it came from.
export function answerEntries(run) {
  const { order, known } = run.steps.at(-1);
  return order.map((item, position) => entry(run, item, position, position < known.length));
}

function entry({ texts, ids, answer }, item, position, verified) {
  const score = answer.relevance_scores?.[position];
  return element('li', { 'data-item': item, class: verified ? 'verified' : 'likely' },
    element('span', { class: 'check', 'aria-hidden': 'true' }, verified ? '✓' : ''),
    element('span', { class: 'rank' }, String(position + 1),
      spoken(verified ? ', verified: ' : ', not verified: ')),
    element('span', { class: 'text' }, texts[item]),
    element('span', { class: 'origin' }, spoken('item '), String(item + 1),
      ids[item] === String(item + 1) ? null : element('span', { class: 'id' }, ids[item])),
    score === undefined ? null : scoreBar(score));
}

function scoreBar(score) {
  const bar = element('span', { class: 'score' }, spoken('score '), decimal(score));
  bar.style.setProperty('--share', `${Math.round(score * 100)}%`);
  return bar;
}

// One line of figures, as the command line ends its table.
export function costLine({ k, answer }) {
  const timing = answer.timing_ms ?? {};
  const parts = [
    `${answer.decoder}${answer.budget ? ` with a budget of ${answer.budget}` : ''}`,
    `${count(answer.encodings)} ${answer.encodings === 1 ? 'encoding' : 'encodings'}`,
    `${count(answer.tokens_encoded)} tokens`,
    `${answer.verified_prefix} of ${k} verified`,
    `${milliseconds(timing.total)} (prefill ${milliseconds(timing.prefill)}, decode ` +
      `${milliseconds(timing.decode)}, agent ${milliseconds(timing.agent)})`,
  ];
  if (answer.candidates_reused !== undefined) {
    parts.splice(3, 0, `${count(answer.candidates_reused)} hits: candidates known before`);
  }
  if (answer.deadline_hit) parts.push('the deadline ended it: this is the best ranking so far');
  if (answer.truncated_candidates > 0) {
    parts.push(`${count(answer.truncated_candidates)} candidates cut to fit the prompt`);
  }
  return parts.join(' · ');
}
