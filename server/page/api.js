// The server's API: sending requests, and explaining its errors to a person.

import { plural } from './figures.js';

// An answer that is no ranking. `status` is 0 when there was no answer at all.
export class ApiError extends Error {
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter; // seconds, or null
  }
}

// Paths are relative to the page: a proxy may serve it below a prefix.
async function send(path, { key, ...options } = {}) {
  const headers = { ...(options.body && { 'Content-Type': 'application/json' }) };
  if (key) headers.Authorization = `Bearer ${key}`;
  try {
    return await fetch(path, { ...options, headers, cache: 'no-store' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, '');
  }
}

async function parsed(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    return null;
  }
}

// Servers put their message in one of several places.
function messageIn(body) {
  const error = body?.error ?? body?.message ?? body?.detail;
  if (typeof error === 'string') return error;
  return typeof error?.message === 'string' ? error.message : '';
}

function failure(response, body) {
  const seconds = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
  return new ApiError(response.status, messageIn(body), Number.isNaN(seconds) ? null : seconds);
}

// Ranks one request; gives its answer line. Throws ApiError, or the AbortError of `signal`.
export async function rank(request, { key, signal }) {
  const response = await send('./v1/rank', {
    method: 'POST',
    body: JSON.stringify(request),
    key,
    signal,
  });
  const body = await parsed(response);
  if (!response.ok) throw failure(response, body);
  const answer = body?.answers?.[0];
  if (!answer) throw new ApiError(response.status, 'the answer holds no ranking');
  if (answer.error) throw new ApiError(response.status, messageIn(answer));
  return answer;
}

// The served model's name, or null if the server doesn't report it (because of a missing key, say).
export async function modelName(key) {
  const response = await send('./v1/models', { key });
  if (!response.ok) return null;
  return (await parsed(response))?.data?.[0]?.id ?? null;
}

// 'ready', 'loading' or 'absent'.
export async function readiness() {
  try {
    const response = await send('./ready');
    return response.ok ? 'ready' : 'loading';
  } catch {
    return 'absent';
  }
}

const MEANINGS = {
  0: 'The server does not answer. Is it still running?',
  400: 'The server does not take this request.',
  401: 'The server wants an API key: enter it under “Settings”.',
  403: 'This API key may not do that.',
  404: 'This server has no /v1/rank.',
  408: 'The request took too long to arrive.',
  413: 'That is more than this server takes at once. Try fewer or shorter candidates.',
  422: 'The server does not take this request.',
  429: 'The server is busy.',
  500: 'The server failed.',
  503: 'The server is not ready: it is loading its model, or going down.',
  504: 'The deadline passed before the server could begin.',
};

// One or two plain sentences, the server's own words included.
export function explain(error) {
  const parts = [MEANINGS[error.status] ?? 'The server refused.'];
  if (error.message) parts.push(sentence(error.message));
  if (error.retryAfter !== null) {
    parts.push(`Try again in ${plural(error.retryAfter, 'second')}.`);
  }
  if (error.status > 0) parts.push(`(${error.status})`);
  return parts.join(' ');
}

function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
