/** The one error class of the page's calls to the server (RFC 9457), and its words for people. */

import { formatClock, formatWait } from './format.js';

/** @typedef {import('../../gen/browser/api').components['schemas']['FieldError']} FieldError */

/**
 * Why a call failed: a problem document of the server's, or what came instead of one.
 */
export class Problem extends Error {
  /**
   * @param {object} init
   * @param {string} init.type the problem's stable type, such as `/problems/name_taken`
   * @param {string} init.title
   * @param {number} init.status the HTTP status; 0 when no answer came at all
   * @param {string} init.detail
   * @param {string} [init.requestId] what the server's log has it under; empty when unknown
   * @param {readonly FieldError[]} [init.errors]
   * @param {number | null} [init.retryAfter] seconds until another attempt makes sense
   */
  constructor({ type, title, status, detail, requestId = '', errors = [], retryAfter = null }) {
    super(detail || title);
    this.name = 'Problem';
    this.type = type;
    this.title = title;
    this.status = status;
    this.detail = detail;
    this.requestId = requestId;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  /** @returns {string} the last part of the type, such as `name_taken` */
  get code() {
    return this.type.slice(this.type.lastIndexOf('/') + 1);
  }

  /**
   * Tells whether the problem, or one of its errors, has this code.
   * @param {string} code
   * @returns {boolean}
   */
  is(code) {
    return this.code === code || this.errors.some((error) => error.code === code);
  }
}

/**
 * Makes a problem of an answer that is no success, whatever its body is: a gateway may answer with a page of its own.
 * @param {Response} response
 * @param {number} [now] milliseconds since the epoch
 * @returns {Promise<Problem>}
 */
export async function problemOf(response, now = Date.now()) {
  const body = await response.json().catch(() => null);
  const document = body !== null && typeof body === 'object' ? body : {};
  return new Problem({
    type: text(document.type) || 'about:blank',
    title: text(document.title) || `The server answered ${response.status}`,
    status: response.status,
    detail: text(document.detail) || fallbackDetail(response.status),
    requestId: text(document.request_id) || response.headers.get('X-Request-ID') || '',
    errors: Array.isArray(document.errors) ? document.errors.filter(isFieldError) : [],
    retryAfter: parseRetryAfter(response.headers.get('Retry-After'), now),
  });
}

/**
 * Makes the problem of a call that got no answer.
 * @param {unknown} cause
 * @returns {Problem}
 */
export function networkProblem(cause) {
  const problem = new Problem({
    type: '/problems/network',
    title: 'No connection',
    status: 0,
    detail: 'The server did not answer. Check the connection and try again.',
  });
  problem.cause = cause;
  return problem;
}

/**
 * Reads `Retry-After`, which is seconds or a date.
 * @param {string | null} value
 * @param {number} now milliseconds since the epoch
 * @returns {number | null} whole seconds, at least 1; null when there is none
 */
export function parseRetryAfter(value, now) {
  if (value === null || value.trim() === '') return null;
  const seconds = /^\s*\d+\s*$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : null;
}

/**
 * Says in words what went wrong, and when to try again.
 * @param {unknown} error
 * @param {number} [now] milliseconds since the epoch
 * @returns {string}
 */
export function explain(error, now = Date.now()) {
  if (!(error instanceof Problem)) return 'Something went wrong in this page. Reload it and try again.';
  // The server's own sentence is for programs too, and speaks of API keys.
  if (error.is('unauthenticated')) return 'Your session has ended. Sign in and try again.';
  if (error.retryAfter === null) return error.message;
  const when = `Try again ${formatWait(error.retryAfter)}, at ${formatClock(now + error.retryAfter * 1000)}.`;
  // The server's own sentence for 429 already has the wait in it, without the clock.
  return error.status === 429 ? `Too many attempts. ${when}` : `${error.message} ${when}`;
}

/**
 * Sorts a problem's errors to the fields of a form: by the member's JSON pointer, or by the parameter's name.
 * @param {Problem} problem
 * @param {readonly string[]} fields
 * @returns {Map<string, string>} the text for each field that is at fault
 */
export function fieldErrors(problem, fields) {
  const found = new Map();
  for (const error of problem.errors) {
    const name = error.pointer?.split('/')[1]?.replaceAll('~1', '/').replaceAll('~0', '~') ?? error.parameter;
    if (name !== undefined && fields.includes(name) && !found.has(name)) found.set(name, error.detail);
  }
  return found;
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function text(value) {
  return typeof value === 'string' ? value : '';
}

/**
 * @param {any} value
 * @returns {value is FieldError}
 */
function isFieldError(value) {
  return value !== null && typeof value === 'object' && typeof value.detail === 'string';
}

/**
 * @param {number} status
 * @returns {string}
 */
function fallbackDetail(status) {
  if (status === 413) return 'The file is larger than the server takes.';
  if (status >= 502 && status <= 504) return 'The server cannot be reached just now. Try again in a moment.';
  return `The server answered with the status ${status} and no explanation.`;
}
