// The page: reads the form, sends one request at a time, and shows its answer.

import { answerEntries, costLine } from './answer.js';
import * as api from './api.js';
import { Comparison, COMPARED } from './compare.js';
import { byId, element, prefersStill } from './dom.js';
import { EXAMPLES } from './examples.js';
import { count, milliseconds, plural } from './figures.js';
import { HeatMap } from './heatmap.js';
import { fromJson, InputError, looksLikeJson, toRequest } from './parse.js';
import { Player } from './player.js';
import { itinerary, RoundsChart } from './rounds.js';
import { describe, trajectory } from './trajectory.js';

const TAKES_BUDGET = ['rsd', 'sd'];
const READY_AGAIN = 2000; // ms between checks of a server that is loading

const asked = byId('asked');
const candidates = byId('candidates');
const decoder = byId('decoder');
const budget = byId('budget');
const deadline = byId('deadline');

let loadedIds = null; // of an example or a pasted request; typing into the candidates drops them
let inFlight = null; // AbortController
let lastAction = null; // what "Try again" does
let shownRun = null; // trajectory in the rounds section

// --- the form ------------------------------------------------------------------------------------

function fill({ kind, asked: text, candidates: texts, ids }) {
  setKind(kind);
  asked.value = text;
  candidates.value = texts;
  loadedIds = ids;
  countCandidates();
  forgetError();
}

function setKind(kind) {
  document.querySelector(`input[name=kind][value=${kind}]`).checked = true;
  const query = kind === 'query';
  asked.setAttribute('aria-label', query ? 'Query' : 'History');
  byId('asked-hint').textContent =
    query ? 'what is searched for' : 'liked titles, one a line, oldest first';
}

const kindNow = () => document.querySelector('input[name=kind]:checked').value;

function countCandidates() {
  const n = candidates.value.split('\n').filter((line) => line.trim() !== '').length;
  byId('candidates-count').textContent = looksLikeJson(candidates.value) || n === 0 ? '' :
    plural(n, 'candidate');
}

// A whole request, pasted into either field, is spread over the form as soon as it is complete.
function takeJson(field) {
  if (!looksLikeJson(field.value)) return;
  try {
    const { leftOut, ...form } = fromJson(field.value);
    fill(form);
    setStatus(`Took a request of ${plural(form.ids.length, 'candidate')} from JSON` +
      `${leftOut > 0 ? `; ${plural(leftOut, 'further line')} left out` : ''}.`);
  } catch {
    // Not complete yet; "Rank" says what is wrong with it.
  }
}

function onInput(event) {
  event.target.removeAttribute('aria-invalid');
  if (event.target === candidates) loadedIds = null;
  takeJson(event.target);
  countCandidates();
}

function readForm() {
  for (const field of [candidates, asked]) {
    if (!looksLikeJson(field.value)) continue;
    try {
      fill(fromJson(field.value));
    } catch (error) {
      if (error instanceof InputError) error.field = field.id;
      throw error;
    }
  }
  return toRequest({
    kind: kindNow(),
    asked: asked.value,
    candidates: candidates.value,
    ids: loadedIds,
  });
}

// Options as the API takes them; an empty field is left to the server.
function readOptions(name) {
  const options = { decoder: name, rounds: true };
  const budgetNow = wholeNumber(budget, 'budget', 'encodings');
  if (TAKES_BUDGET.includes(name) && budgetNow !== null) options.budget = budgetNow;
  const ms = wholeNumber(deadline, 'deadline', 'milliseconds');
  if (ms !== null) options.deadline_ms = ms;
  return options;
}

function wholeNumber(input, name, unit) {
  if (input.value === '' && !input.validity.badInput) return null;
  const value = Number(input.value);
  if (input.value !== '' && Number.isInteger(value) && value >= 1) return value;
  throw new InputError(input.id, `The ${name} is a whole number of ${unit}, at least 1, or empty.`);
}

function onDecoder() {
  budget.disabled = !TAKES_BUDGET.includes(decoder.value);
}

function showExamples() {
  for (const { name, request } of EXAMPLES) {
    const form = fromJson(JSON.stringify(request));
    byId('examples').append(element('button',
      { type: 'button', class: 'plain', onclick: () => fill(form) }, name));
  }
  fill(fromJson(JSON.stringify(EXAMPLES[0].request)));
}

// --- one request at a time -----------------------------------------------------------------------

const setStatus = (text) => (byId('status').textContent = text);

function busy(controller) {
  inFlight = controller;
  byId('cancel').hidden = !controller;
  byId('run').disabled = byId('compare').disabled = Boolean(controller);
  document.body.classList.toggle('is-busy', Boolean(controller));
}

function startClock() {
  const start = performance.now();
  const tick = () => {
    byId('elapsed').textContent = `${((performance.now() - start) / 1000).toFixed(1)} s`;
  };
  tick();
  const timer = setInterval(tick, 100);
  return () => {
    clearInterval(timer);
    byId('elapsed').textContent = '';
  };
}

// Runs `action(signal)` with the page in its busy state; every failure ends as a plain sentence.
async function attempt(action) {
  if (inFlight) return;
  lastAction = () => attempt(action);
  forgetError();
  const focused = document.activeElement;
  const controller = new AbortController();
  busy(controller);
  const stopClock = startClock();
  try {
    await action(controller.signal);
  } catch (error) {
    report(error);
  } finally {
    stopClock();
    const cancelled = document.activeElement === byId('cancel');
    busy(null);
    // A button that was hidden or disabled has lost the focus: give it back.
    if (cancelled || document.activeElement === document.body) focused?.focus?.();
  }
}

function report(error) {
  if (error.name === 'AbortError') {
    setStatus('Cancelled.');
    return;
  }
  setStatus('');
  if (error instanceof InputError) {
    showError(error.message, false);
    const field = byId(error.field === 'query' ? 'asked' : error.field);
    field.setAttribute('aria-invalid', 'true');
    field.focus();
  } else if (error instanceof api.ApiError) {
    showError(api.explain(error), [0, 408, 429, 500, 503, 504].includes(error.status));
    if (error.status === 401) openSettings();
    if (error.status === 0 || error.status === 503) watchServer();
  } else {
    showError(`This page failed: ${error.message}`, false);
    throw error;
  }
}

function showError(text, canRetry) {
  byId('error-text').textContent = text;
  byId('retry').hidden = !canRetry;
  byId('error').hidden = false;
}

function forgetError() {
  byId('error').hidden = true;
  byId('error-text').textContent = '';
  for (const field of document.querySelectorAll('[aria-invalid]')) {
    field.removeAttribute('aria-invalid');
  }
}

function openSettings() {
  byId('settings').open = true;
  byId('key').focus();
}

async function rankWith(name, request, signal) {
  const answer = await api.rank({ ...request, ...readOptions(name) },
    { key: byId('key').value, signal });
  return trajectory(request, answer);
}

// --- showing answers -----------------------------------------------------------------------------

function runOnce() {
  return attempt(async (signal) => {
    const request = readForm();
    const name = decoder.value;
    setStatus(`Ranking ${plural(request.candidates.length, 'candidate')} with ${name} …`);
    const run = await rankWith(name, request, signal);
    byId('comparison').hidden = true;
    showRun(run);
    setStatus(`Ranked in ${plural(run.answer.encodings, 'encoding')}, ` +
      `${milliseconds(run.answer.timing_ms?.total)}.`);
    reveal(byId('rounds'));
  });
}

function compareAll() {
  return attempt(async (signal) => {
    const request = readForm();
    readOptions('rsd'); // throws for a wrong field before anything is cleared
    comparison.clear();
    byId('rounds').hidden = true;
    byId('about').hidden = true;
    byId('comparison').hidden = false;
    reveal(byId('comparison'));
    for (const [i, name] of COMPARED.entries()) {
      setStatus(`${i + 1} of ${COMPARED.length}: ranking with ${name} …`);
      comparison.add(name, await rankWith(name, request, signal));
    }
    showRun(comparison.get('rsd'), { play: false });
    setStatus('Compared ar, std and rsd.');
  });
}

function showRun(run, { play = true } = {}) {
  shownRun = run;
  byId('about').hidden = true;
  byId('rounds').hidden = false;
  byId('rounds-title').textContent = `Rounds of ${run.answer.decoder}`;
  byId('cost').textContent = `${costLine(run)}.`;
  byId('answer').replaceChildren(...answerEntries(run));
  byId('item-reading').textContent = '';
  player.load(run.steps.length);
  chart.load(run);
  loadHeat();
  const still = prefersStill();
  player.show(play && !still ? 0 : run.steps.length - 1);
  if (play && !still) player.play();
}

function loadHeat() {
  const order = byId('input-order').checked ? shownRun.steps[0].order : shownRun.steps.at(-1).order;
  heat.load(shownRun, order);
}

function showStep(index) {
  const step = shownRun.steps[index];
  chart.show(index);
  heat.show(index);
  byId('caption').textContent = describe(shownRun, index);
  byId('step').setAttribute('aria-valuetext', stepName(step));
  byId('heat-title').textContent = step.encodings === 0 ? 'Logits' :
    `Logits of round ${Math.min(step.encodings, shownRun.steps.length - 2)}`;
  const allowed = shownRun.answer.budget;
  byId('count-encodings').textContent = `${step.encodings}${allowed ? ` / ${allowed}` : ''}`;
  byId('count-known').textContent = `${step.known.length} / ${shownRun.k}`;
  byId('count-tokens').textContent = count(step.tokens);
  byId('count-ms').textContent = milliseconds(step.ms);
}

const stepName = (step) => (step.kind === 'round' ? `round ${step.encodings}` :
  step.kind === 'input' ? 'input order' : 'answer');

function reveal(section) {
  section.scrollIntoView({ behavior: prefersStill() ? 'auto' : 'smooth', block: 'start' });
}

const chart = new RoundsChart(byId('chart'), {
  onItem: (item) => {
    byId('item-reading').textContent = item === null ? '' : itinerary(shownRun, item, player.step);
  },
  stepBy: (by) => player.go(player.step + by),
});
const heat = new HeatMap(byId('heat'), {
  onCell: (text) => (byId('cell-reading').textContent = text),
});
const player = new Player(showStep);
const comparison = new Comparison(
  { grid: byId('compared'), figures: byId('compared-figures') },
  {
    watch: (name) => {
      showRun(comparison.get(name));
      reveal(byId('rounds'));
      byId('rounds-title').focus({ preventScroll: true });
    },
  },
);

// --- the server ----------------------------------------------------------------------------------

let watching = false;

async function watchServer() {
  if (watching) return;
  watching = true;
  let state = await api.readiness();
  while (state === 'loading') {
    showServer(state, 'the model is loading');
    await new Promise((resolve) => setTimeout(resolve, READY_AGAIN));
    state = await api.readiness();
  }
  watching = false;
  if (state === 'absent') return showServer(state, 'the server does not answer');
  showServer(state, (await api.modelName(byId('key').value).catch(() => null)) ?? 'ready');
}

function showServer(state, text) {
  const server = byId('server');
  server.className = `server ${state}`;
  server.textContent = text;
  server.title = state;
}

// --- wiring --------------------------------------------------------------------------------------

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  runOnce();
});
byId('compare').addEventListener('click', compareAll);
byId('cancel').addEventListener('click', () => inFlight?.abort());
byId('retry').addEventListener('click', () => lastAction?.());
byId('input-order').addEventListener('change', () => {
  loadHeat();
  heat.show(player.step);
});
byId('key').addEventListener('change', watchServer);
decoder.addEventListener('change', onDecoder);
for (const field of [asked, candidates]) field.addEventListener('input', onInput);
for (const radio of document.querySelectorAll('input[name=kind]')) {
  radio.addEventListener('change', () => setKind(kindNow()));
}
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && inFlight) inFlight.abort();
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) runOnce();
});

showExamples();
onDecoder();
watchServer();
