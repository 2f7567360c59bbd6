/** The one error class of the pages' calls to the server (RFC 9457), and its words for people. */

import { formatWait } from './format.js';
import { hasText, language, t } from './i18n.js';

/** Why a call failed: a problem document of the server's, or what came instead of one. */
export class Problem extends Error {
  /** @override */
  name = 'Problem';

  /** @param {import('./types').ProblemInit} init */
  constructor({ code, status, detail = '', requestId = '', errors = [], retryAfter = null, cause }) {
    super(detail || code, { cause });
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
    return [this, ...this.errors].some((one) => one.code === code);
  }
}

/**
 * Makes a problem of an answer that is no success, whatever its body is: a gateway may answer with a page of its own.
 * @param {Response} response
 * @param {number} [now] milliseconds since the epoch
 */
export async function problemOf(response, now = Date.now()) {
  const body = Object(await response.json().catch(() => null));
  const text = (/** @type {unknown} */ value) => (typeof value === 'string' ? value : '');
  return new Problem({
    code: text(body.type).split('/').pop() || `status_${response.status}`,
    status: response.status,
    detail: text(body.detail),
    requestId: text(body.request_id) || response.headers.get('X-Request-ID') || '',
    errors: [body.errors].flat().filter((error) => text(error?.detail)),
    retryAfter: parseRetryAfter(response.headers.get('Retry-After') ?? '', now),
  });
}

/** @param {unknown} cause why a call got no answer */
export const networkProblem = (cause) => new Problem({ code: 'network', status: 0, cause });

/**
 * Reads `Retry-After`, which is seconds or a date.
 * @param {string} value
 * @param {number} now milliseconds since the epoch
 * @returns {number | null} whole seconds, at least 1; null when there is none
 */
export function parseRetryAfter(value, now) {
  const seconds = /^\s*\d+\s*$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : null;
}

/**
 * Says in words what went wrong, and when to try again. The server speaks English: the page's own words for a problem go
 * before its, and in another language at least those for its status.
 * @param {unknown} error
 */
export function explain(error) {
  if (!(error instanceof Problem)) return t('problem.page');
  const { code, status, detail, errors, retryAfter } = error;
  const server = errors.length === 1 ? errors[0].detail : detail;
  const byStatus = hasText(`problem.status_${status}`) ? t(`problem.status_${status}`) : t('problem.unknown', { status });
  const why = hasText(`problem.${code}`) ? t(`problem.${code}`) : (language() === 'en' && server) || byStatus;
  return retryAfter ? `${why} ${t('problem.again', { when: formatWait(retryAfter) })}` : why;
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
    const name = pointer?.split('/')[1] ?? parameter ?? '';
    const text = hasText(`problem.${code}`) ? t(`problem.${code}`) : language() === 'en' ? detail : t('problem.field');
    if (fields.includes(name) && !found.has(name)) found.set(name, text);
  }
  return found;
}
