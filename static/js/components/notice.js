/** Messages in the page: what went wrong, with the request's id and a way on. */

import { icon } from '../dom.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { Problem, explain } from '../problem.js';

/**
 * Says what went wrong. With `retry` there is a button with that `data-action`.
 * @param {unknown} error
 * @param {{ retry?: string }} [options]
 */
export function errorNotice(error, { retry } = {}) {
  return html`<div class="notice error" role="alert">${icon('alert')}
    <div class="notice-text"><p>${explain(error)}</p>${requestLine(error)}</div>
    ${retry && html`<button type="button" class="button small" data-action="${retry}">${t('common.retry')}</button>`}</div>`;
}

/**
 * Gives the id that the server's log has a request under, for whoever asks the administrator.
 * @param {unknown} error
 */
export function requestLine(error) {
  const id = error instanceof Problem ? error.requestId : '';
  return id && html`<p class="request-id">${t('common.request', { id })}</p>`;
}
