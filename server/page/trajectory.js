// An answer as the steps that a person watches: the input order, each round, the final ranking.

import { commonPrefix } from './ranking.js';

// Gives {k, texts, ids, answer, steps}. A step is
//   kind       'input', 'round' or 'answer'
//   order      all items, in the order of the step's column
//   proposed   how many of them, from the top, were proposed to the LLM
//   accepted   how many of those are the LLM's own choice
//   known      the prefix of the LLM's ranking that is known after the step
//   choice     the LLM's item where the proposal ends or disagrees; null where there is none
//   disagrees  did the proposal have another item there?
//   logits     rows, as the server gave them; null where the step has none
//   encodings, tokens, ms   spent up to and including the step; null = not reported
//   cost       {tokens, ms} of the step alone
export function trajectory(request, answer) {
  const ids = request.candidates.map((candidate) => candidate.id);
  const k = ids.length;
  const rounds = answer.rounds ?? [];
  const steps = [inputStep(k)];
  const costs = costsOf(rounds, answer);
  rounds.forEach((round, i) => steps.push(roundStep(round, costs[i], steps[i])));
  steps.push(answerStep(answer, ids, steps.at(-1)));
  return { k, ids, texts: request.candidates.map((candidate) => candidate.text), answer, steps };
}

function inputStep(k) {
  return {
    kind: 'input',
    order: Array.from({ length: k }, (_, item) => item),
    proposed: 0,
    accepted: 0,
    known: [],
    choice: null,
    disagrees: false,
    logits: null,
    encodings: 0,
    tokens: 0,
    ms: 0,
    cost: null,
  };
}

// Items that were not proposed stay in the order in which they stood before.
function roundStep(round, cost, before) {
  const proposal = round.proposal ?? [];
  const inProposal = new Set(proposal);
  const { accepted, known } = round;
  return {
    kind: 'round',
    order: [...proposal, ...before.order.filter((item) => !inProposal.has(item))],
    proposed: proposal.length,
    accepted,
    known,
    choice: known[accepted] ?? null,
    disagrees: accepted < proposal.length && accepted < known.length,
    logits: round.logits ?? null,
    encodings: before.encodings + 1,
    tokens: sum(before.tokens, cost.tokens),
    ms: sum(before.ms, cost.ms),
    cost,
  };
}

function answerStep(answer, ids, before) {
  const index = new Map(ids.map((id, item) => [id, item]));
  const order = answer.ranking.map((id) => index.get(id));
  return {
    ...before,
    kind: 'answer',
    order,
    proposed: order.length,
    accepted: answer.verified_prefix,
    known: order.slice(0, answer.verified_prefix),
    choice: null,
    disagrees: false,
    encodings: answer.encodings,
    tokens: answer.tokens_encoded ?? null,
    ms: answer.timing_ms?.total ?? null,
    cost: null,
  };
}

const sum = (a, b) => (a === null || b === null ? null : a + b);

// What each round cost. Only the positions after the first changed one are encoded again, so the
// later rounds' tokens can be counted here; the rest was the first round's, prompt included.
function costsOf(rounds, answer) {
  const tokens = rounds.map((round, i) => (i === 0 ? 0 : newRows(round, rounds[i - 1])));
  const later = tokens.reduce((a, b) => a + b, 0);
  if (tokens.length > 0) tokens[0] = Math.max(0, (answer.tokens_encoded ?? 0) - later);
  const ms = timesOf(rounds, answer.timing_ms ?? {});
  return rounds.map((_, i) => ({ tokens: tokens[i], ms: ms[i] }));
}

function newRows(round, last) {
  const rows = round.logits?.length ?? 0;
  const lastRows = last.logits?.length ?? 0;
  const unchanged = commonPrefix(round.proposal ?? [], last.proposal ?? []) + 1;
  return Math.max(0, rows - Math.min(unchanged, lastRows));
}

// A server may report each round's time; otherwise only the times that follow from the sums are
// known.
function timesOf(rounds, timing) {
  if (rounds.every((round) => typeof round.ms === 'number')) return rounds.map(({ ms }) => ms);
  const promptAlone = (rounds[0]?.proposal ?? []).length === 0;
  return rounds.map((_, i) => {
    if (rounds.length === 1) return (timing.prefill ?? 0) + (timing.decode ?? 0);
    if (i === 0) return promptAlone ? (timing.prefill ?? null) : null;
    return rounds.length === 2 && promptAlone ? (timing.decode ?? null) : null;
  });
}

// What happened at a step, in a sentence or two.
export function describe({ steps, k, answer }, index) {
  const step = steps[index];
  if (step.kind === 'input') return 'The input order. Nothing is encoded yet.';
  if (step.kind === 'answer') return describeAnswer(step, answer, k);
  const known = `${step.known.length} of ${k} known.`;
  const round = `Round ${step.encodings}: `;
  if (step.proposed === 0) {
    const first = `item ${step.choice + 1} first`;
    return `${round}the LLM reads the prompt alone and would put ${first}. ${known}`;
  }
  if (step.disagrees) {
    const position = step.accepted + 1;
    const agreement = step.accepted === 0 ? 'the LLM agrees with none' :
      `the LLM agrees with the first ${step.accepted}`;
    return `${round}${step.proposed} proposed, ${agreement}; at rank ${position} it wants item ` +
      `${step.choice + 1}, not item ${step.order[step.accepted] + 1}. ${known}`;
  }
  const next = step.choice === null ? '' : ` and puts item ${step.choice + 1} next`;
  return `${round}${step.proposed} proposed, the LLM agrees with all of them${next}. ${known}`;
}

function describeAnswer(step, { encodings, windows }, k) {
  const verified = step.known.length;
  if (encodings === 0) return 'The answer. No encoding was made: this is the input order.';
  if (verified === k) return 'The answer: the LLM’s own ranking, every position verified.';
  if (windows) {
    return `The answer, of ${windows.count} windows: ${verified} of ${k} verified. ` +
      'The rounds within windows aren’t shown.';
  }
  return `The answer: ${verified} of ${k} verified; the rest is in the policy’s order.`;
}
