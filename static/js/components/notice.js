/** What went wrong, in a form that leads on. */

import { html, render } from '../html.js';
import { Problem, explain } from '../problem.js';
import { icon } from './icon.js';

/** @typedef {import('../html.js').Markup} Markup */

/**
 * Shows an error with the request's id, which finds it in the server's log.
 * @param {unknown} error
 * @param {Markup} [action] a way on, such as a button
 * @returns {Markup}
 */
export function errorNotice(error, action) {
  return html`<div class="notice error" role="alert">${icon('alert')}
    <div class="notice-text"><p>${explain(error)}</p>${requestLine(error)}</div>${action}</div>`;
}

/**
 * Shows a plain message.
 * @param {string} text
 * @returns {Markup}
 */
export function plainNotice(text) {
  return html`<div class="notice" role="status">${icon('alert')}<div class="notice-text"><p>${text}</p></div></div>`;
}

/**
 * Names the request that failed, if it has a name.
 * @param {unknown} error
 * @returns {Markup}
 */
export function requestLine(error) {
  const id = error instanceof Problem ? error.requestId : '';
  return html`${id !== '' && html`<p class="request-id">Request <code>${id}</code></p>`}`;
}

/**
 * Fills a page that has nothing but a message.
 * @param {HTMLElement} root
 * @param {{ title: string, text: string, error?: unknown }} message
 */
export function messageView(root, { title, text, error }) {
  document.title = `${title} · Kadr`;
  render(root, html`<section class="message"><h1>${title}</h1><p>${text}</p>${requestLine(error)}
    <p><a class="button primary" href="/">To the first page</a></p></section>`);
}
