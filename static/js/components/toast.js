import { element, html } from '../html.js';

/** How long a message stays, in milliseconds; with something to do about it, long enough to decide. */
const STAYS = 3500;
const STAYS_FOR_ACTION = 10_000;

/**
 * Short messages at the foot of the page; the element is a live region, so that screen readers say them too.
 * @param {HTMLElement} root
 * @returns {import('../types').Context['toast']}
 */
export function makeToast(root) {
  return (message, action) => {
    const toast = element(html`<div class="toast"><p>${message}</p>
      ${action && html`<button type="button" class="button small">${action.label}</button>`}</div>`);
    const close = () => toast.remove();
    toast.querySelector('button')?.addEventListener('click', () => {
      close();
      action?.run();
    });
    // A dialog is on top of everything else, so what is said meanwhile goes into it.
    (document.querySelector('dialog[open] [data-toasts]') ?? root).append(toast);
    setTimeout(close, action ? STAYS_FOR_ACTION : STAYS);
    return close;
  };
}
