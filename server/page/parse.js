// Turns what was pasted into a request. Errors name the line.

export class InputError extends Error {
  // field: 'query' or 'candidates', the one to look at.
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

const linesOf = (text) => text.split(/\r\n|\r|\n/).map((line) => line.trim());
const filled = (line) => line !== '';
const oneLine = (text) => text.replace(/\s+/g, ' ').trim();

// A title may begin with a bracket; a request begins with a brace.
export const looksLikeJson = (text) => /^\s*\{/.test(text);

// What the form holds: {kind: 'query'|'history', asked, candidates, ids}, asked and candidates as
// text. `ids` are those of a pasted request; null numbers the candidates.
export function toRequest({ kind, asked, candidates, ids }) {
  const texts = linesOf(candidates).filter(filled);
  const titles = linesOf(asked).filter(filled);
  if (titles.length === 0) {
    const wanted = kind === 'query' ? 'a query' : 'at least one title';
    throw new InputError('query', `Enter ${wanted}.`);
  }
  if (texts.length < 2) {
    throw new InputError('candidates', 'Enter at least two candidates, one a line.');
  }
  return {
    id: 'page',
    ...(kind === 'query' ? { query: titles.join(' ') } : { history: titles }),
    candidates: texts.map((text, i) => ({ id: ids?.[i] ?? String(i + 1), text })),
  };
}

// A request line as `rsd rank` reads it, ours or rank_llm's, or several of them (JSON Lines), of
// which the first is taken. Gives what the form holds, and how many lines were left out.
export function fromJson(text) {
  const { value, line, leftOut } = firstValue(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail(line, 'a request is an object: {"query": …, "candidates": […]}');
  }
  return { ...askedIn(value, line), ...candidatesIn(value, line), leftOut };
}

function fail(line, message) {
  throw new InputError('candidates', `Line ${line}: ${message}.`);
}

// Pretty-printed JSON fills many lines, JSON Lines hold one value each: try both.
function firstValue(text) {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.trim() !== '');
  try {
    return { value: JSON.parse(text), line: first + 1, leftOut: 0 };
  } catch (error) {
    const rest = lines.slice(first + 1).filter((line) => line.trim() !== '').length;
    const whole = valueOf(lines[first]);
    if (whole !== undefined) return { value: whole, line: first + 1, leftOut: rest };
    fail(lineOfError(error, text, first), `this is not JSON (${reason(error)})`);
  }
}

function valueOf(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

// Browsers state the place as "position N" or "line N column M", and not at all if something is
// missing at the end.
function lineOfError(error, text, first) {
  const line = /line (\d+)/.exec(error.message);
  if (line) return Number(line[1]);
  const position = /position (\d+)/.exec(error.message);
  const before = position ? text.slice(0, Number(position[1])) : text.trimEnd();
  return /end of/i.test(error.message) || position ? before.split('\n').length : first + 1;
}

// The browser's reason without its quotation of the text.
const reason = (error) =>
  error.message.replace(/^JSON\.parse: /, '').replace(/( in JSON)? at (position|line).*$/s, '')
    .replace(/, (\.\.\.)?".*$/s, '');

function askedIn(value, line) {
  const query = typeof value.query === 'object' ? value.query?.text : value.query;
  if (typeof query === 'string') return { kind: 'query', asked: oneLine(query) };
  if (query !== undefined) fail(line, '“query” is not a text');
  if (!Array.isArray(value.history)) fail(line, 'neither “query” nor “history” is there');
  const bad = value.history.findIndex((title) => typeof title !== 'string');
  if (bad >= 0) fail(line, `title ${bad + 1} of “history” is not a text`);
  return { kind: 'history', asked: value.history.map(oneLine).join('\n') };
}

const TEXT_FIELDS = ['text', 'segment', 'contents', 'content', 'body', 'passage'];

function candidatesIn(value, line) {
  if (!Array.isArray(value.candidates)) fail(line, '“candidates” is not a list');
  const seen = new Map();
  const ids = [];
  const texts = value.candidates.map((candidate, i) => {
    const [id, text] = candidateOf(candidate, i, line);
    if (seen.has(id)) {
      fail(line, `candidates ${seen.get(id) + 1} and ${i + 1} have the same id, “${id}”`);
    }
    seen.set(id, i);
    ids.push(id);
    return text;
  });
  return { candidates: texts.join('\n'), ids };
}

function candidateOf(candidate, i, line) {
  if (typeof candidate === 'string') return [String(i + 1), textOr(candidate, i, line)];
  const held = candidate?.doc ?? candidate;
  const field = TEXT_FIELDS.find((name) => typeof held?.[name] === 'string');
  if (!field) fail(line, `candidate ${i + 1} has no text`);
  const title = candidate?.doc && typeof held.title === 'string' ? `${held.title} ` : '';
  const id = candidate.id ?? candidate.docid ?? i + 1;
  return [String(id), textOr(title + held[field], i, line)];
}

function textOr(text, i, line) {
  const written = oneLine(text);
  if (written === '') fail(line, `the text of candidate ${i + 1} is empty`);
  return written;
}
