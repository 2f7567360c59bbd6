import { element, html } from '../html.js';
import { explain } from '../problem.js';
import { requestLine } from './notice.js';

/**
 * Short messages at the foot of the page, for so long that they can be read, or decided about. The element is a live
 * region, so that screen readers say them too.
 * @param {HTMLElement} root
 * @returns {import('../types').Context['toast']}
 */
export const makeToast = (root) => (message, action) => {
  const failed = typeof message !== 'string';
  const close = () => toast.remove();
  const toast = element(html`<div class="toast"><div><p>${failed ? explain(message) : message}</p>${failed && requestLine(message)}</div>
    ${action && html`<button type="button" class="button small">${action.label}</button>`}</div>`);
  toast.querySelector('button')?.addEventListener('click', () => {
    close();
    action?.run();
  });
  // A dialog is on top of everything else, so what is said meanwhile goes into it.
  (document.querySelector('dialog[open] [data-toasts]') ?? root).append(toast);
  setTimeout(close, action ? 10_000 : failed ? 7000 : 3500);
  return close;
};
