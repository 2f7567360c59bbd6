/** The one error class of the pages' calls to the server (RFC 9457), and its words for people. */

import { formatWait } from './format.js';
import { hasText, language, t } from './i18n.js';

/** @typedef {import('./types').Schemas['FieldError']} FieldError */

/** Why a call failed: a problem document of the server's, or what came instead of one. */
export class Problem extends Error {
  /**
   * @param {object} init
   * @param {string} init.code the last part of the problem's type, such as `name_taken`
   * @param {number} init.status the HTTP status; 0 when no answer came at all
   * @param {string} [init.detail] the server's own sentence
   * @param {string} [init.requestId] what the server's log has it under
   * @param {readonly FieldError[]} [init.errors]
   * @param {number | null} [init.retryAfter] seconds until another attempt makes sense
   * @param {unknown} [init.cause]
   */
  constructor({ code, status, detail = '', requestId = '', errors = [], retryAfter = null, cause }) {
    super(detail || code, { cause });
    Object.assign(this, { name: 'Problem' });
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.requestId = requestId;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  /**
   * Tells whether the problem, or one of its errors, has this code.
   * @param {string} code
   */
  is(code) {
    return this.code === code || this.errors.some((error) => error.code === code);
  }
}

/**
 * Makes a problem of an answer that is no success, whatever its body is: a gateway may answer with a page of its own.
 * @param {Response} response
 * @param {number} [now] milliseconds since the epoch
 */
export async function problemOf(response, now = Date.now()) {
  const body = Object(await response.json().catch(() => null));
  return new Problem({
    code: text(body.type).split('/').pop() || `status_${response.status}`,
    status: response.status,
    detail: text(body.detail),
    requestId: text(body.request_id) || response.headers.get('X-Request-ID') || '',
    errors: (Array.isArray(body.errors) ? body.errors : []).filter((/** @type {any} */ e) => text(e?.detail)),
    retryAfter: parseRetryAfter(response.headers.get('Retry-After'), now),
  });
}

/** @param {unknown} cause why a call got no answer */
export function networkProblem(cause) {
  return new Problem({ code: 'network', status: 0, cause });
}

/**
 * Reads `Retry-After`, which is seconds or a date.
 * @param {string | null} value
 * @param {number} now milliseconds since the epoch
 * @returns {number | null} whole seconds, at least 1; null when there is none
 */
export function parseRetryAfter(value, now) {
  if (!value?.trim()) return null;
  const seconds = /^\s*\d+\s*$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : null;
}

/**
 * Says in words what went wrong, and when to try again. The server speaks English: where the page has words of its own
 * for a problem it takes those, in another language at least for its status.
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error) {
  if (!(error instanceof Problem)) return t('problem.page');
  const { code, status, detail, errors, retryAfter } = error;
  const own = [`problem.${code}`, `problem.status_${status}`].find(hasText);
  const why = hasText(`problem.${code}`) ? t(`problem.${code}`)
    : errors.length === 1 && language() === 'en' ? errors[0].detail
    : detail && (language() === 'en' || !own) ? detail
    : t(own ?? 'problem.unknown', { status });
  return retryAfter === null ? why : `${why} ${t('problem.again', { when: formatWait(retryAfter) })}`;
}

/**
 * Sorts a problem's errors to the fields of a form: by the member's JSON pointer, or by the parameter's name.
 * @param {unknown} problem
 * @param {readonly string[]} fields
 * @returns {Map<string, string>} the text for each field that is at fault
 */
export function fieldErrors(problem, fields) {
  const found = new Map();
  for (const { pointer, parameter, code, detail } of problem instanceof Problem ? problem.errors : []) {
    const name = pointer?.split('/')[1] ?? parameter;
    if (!name || !fields.includes(name) || found.has(name)) continue;
    found.set(name, hasText(`problem.${code}`) ? t(`problem.${code}`) : language() === 'en' ? detail : t('problem.field'));
  }
  return found;
}

/** @param {unknown} value */
const text = (value) => (typeof value === 'string' ? value : '');
