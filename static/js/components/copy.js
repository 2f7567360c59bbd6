/** The copy buttons, and what they do. */

import { copyText } from '../clipboard.js';
import { element, html, render } from '../html.js';
import { linkOf, markdownOf, nameOf } from '../snippets.js';
import { icon } from './icon.js';

/** @typedef {import('../html.js').Markup} Markup */
/** @typedef {import('../store.js').Image} Image */

/** How long a button says that it worked, in milliseconds. */
const CONFIRMS = 1800;

/**
 * A button for the direct link.
 * @param {Image} image
 * @returns {Markup}
 */
export function copyLinkButton(image) {
  return html`<button type="button" class="button small" data-action="copy" data-copy="${linkOf(image)}">
    ${icon('link')}<span>Copy link</span><span class="sr-only"> to ${nameOf(image)}</span></button>`;
}

/**
 * A button for the Markdown that shows the picture.
 * @param {Image} image
 * @returns {Markup}
 */
export function copyMarkdownButton(image) {
  return html`<button type="button" class="button small" data-action="copy" data-copy="${markdownOf(image)}">
    ${icon('markdown')}<span>Markdown</span><span class="sr-only"> of ${nameOf(image)}</span></button>`;
}

/**
 * The `copy` action of those buttons.
 * @param {import('./toast.js').Toast} toast
 * @returns {import('../dom.js').Action}
 */
export function copyAction(toast) {
  return async (button) => {
    const text = button.dataset.copy ?? '';
    if (!await copyText(text)) {
      showForCopying(text);
      return;
    }
    toast.show('Copied');
    confirmOn(button);
  };
}

/**
 * Turns a button's icon and label into a tick for a moment; the toast tells screen readers.
 * @param {HTMLElement} button
 */
function confirmOn(button) {
  const label = button.querySelector('span');
  const picture = button.querySelector('svg');
  if (!label || !picture || button.classList.contains('confirmed')) return;
  const before = label.textContent;
  const width = button.offsetWidth;
  // The buttons beside it stay where they are.
  button.style.minWidth = `${width}px`;
  button.classList.add('confirmed');
  label.textContent = 'Copied';
  const tick = document.createElement('span');
  render(tick, icon('check'));
  const drawn = tick.firstElementChild ?? tick;
  picture.replaceWith(drawn);
  setTimeout(() => {
    button.style.minWidth = '';
    button.classList.remove('confirmed');
    label.textContent = before;
    drawn.replaceWith(picture);
  }, CONFIRMS);
}

/**
 * The last resort, where the browser lets no page copy: the text, selected, to be copied by hand.
 * @param {string} text
 */
function showForCopying(text) {
  const dialog = /** @type {HTMLDialogElement} */ (element(html`
    <dialog class="dialog" aria-labelledby="copy-title">
      <form method="dialog">
        <h2 id="copy-title">Copy it by hand</h2>
        <p>This browser does not let the page copy. Press Ctrl+C, or ⌘C on a Mac.</p>
        <input class="input" readonly aria-label="The text to copy" value="${text}">
        <div class="dialog-actions"><button class="button primary">Close</button></div>
      </form>
    </dialog>`));
  document.body.append(dialog);
  dialog.addEventListener('close', () => dialog.remove());
  dialog.showModal();
  dialog.querySelector('input')?.select();
}
