/** The rows of the upload queue. */

import { find, onAction, reconcile } from '../dom.js';
import { formatSize } from '../format.js';
import { element, html, render } from '../html.js';
import { explain } from '../problem.js';
import { copyLinkButton } from './copy.js';
import { icon } from './icon.js';
import { requestLine } from './notice.js';

/** @typedef {import('../html.js').Markup} Markup */
/** @typedef {import('../upload-queue.js').Upload<any>} Upload */

/**
 * Shows what became of each file, and of all of them in one line that screen readers hear.
 * @param {HTMLElement} root
 * @param {import('../app.js').Context} context
 * @param {AbortSignal} signal
 */
export function mountUploadList(root, { queue }, signal) {
  render(root, html`
    <div class="uploads-head">
      <p class="uploads-summary" role="status"></p>
      <button type="button" class="button small quiet" data-action="clear-uploads">Clear the list</button>
    </div>
    <ul class="upload-rows" role="list" aria-label="Uploads"></ul>`);
  const rows = find(root, '.upload-rows');
  const summary = find(root, '.uploads-summary');
  const clear = find(root, '[data-action="clear-uploads"]');

  const update = () => {
    const { items, busy } = queue;
    root.hidden = items.length === 0;
    clear.hidden = busy;
    const text = summarize(items);
    if (summary.textContent !== text) summary.textContent = text;
    reconcile(rows, items, { key: ({ id, state }) => `${id} ${state}`, create: uploadRow });
  };
  queue.addEventListener('change', update, { signal });
  update();

  onAction(root, {
    retry: (button) => {
      const id = button.dataset.id ?? '';
      queue.retry(id);
      // The row was made anew; the focus stays with it.
      rows.querySelector(/** @type {'li'} */ (`[data-upload="${CSS.escape(id)}"]`))?.focus();
    },
    'clear-uploads': () => queue.clearFinished(),
  }, signal);
}

/**
 * @param {readonly Upload[]} items
 * @returns {string}
 */
function summarize(items) {
  const count = (/** @type {string[]} */ ...states) => items.filter(({ state }) => states.includes(state)).length;
  const ready = count('done', 'duplicate');
  const failed = count('failed');
  if (ready + failed < items.length) return `Uploading: ${ready} of ${items.length} done`;
  if (failed === 0) return items.length === 1 ? 'Uploaded' : `All ${items.length} uploaded`;
  return ready === 0 ? `${failed} not uploaded` : `${ready} uploaded, ${failed} not`;
}

/**
 * @param {Upload} item
 * @returns {HTMLElement}
 */
function uploadRow(item) {
  return element(html`
    <li class="upload ${item.state}" data-upload="${item.id}" tabindex="-1">
      <div class="upload-main">
        <p class="upload-name"><span class="upload-file" title="${item.file.name}">${item.file.name}</span>
          <span class="upload-size">${formatSize(item.file.size)}</span></p>
        ${stateLine(item)}
      </div>
      ${actions(item)}
    </li>`);
}

/**
 * @param {Upload} item
 * @returns {Markup}
 */
function stateLine({ state, error, file }) {
  switch (state) {
    case 'waiting':
      return html`<p class="upload-state">${icon('clock')}Waiting</p>`;
    case 'sending':
      // `fetch` does not tell how much it has sent, so the bar does not pretend to know.
      return html`<div class="upload-bar" role="progressbar" aria-label="Sending ${file.name}"></div>`;
    case 'done':
      return html`<p class="upload-state good">${icon('check')}Done</p>`;
    case 'duplicate':
      return html`<p class="upload-state good">${icon('check')}Already in your pictures</p>`;
    default:
      return html`<p class="upload-state bad">${icon('alert')}${typeof error === 'string' ? error : explain(error)}</p>
        ${requestLine(error)}`;
  }
}

/**
 * @param {Upload} item
 * @returns {Markup}
 */
function actions({ id, state, image, error, file }) {
  if (state === 'failed') {
    return html`<div class="upload-actions">
      <button type="button" class="button small" data-action="retry" data-id="${id}">
        <span>${typeof error === 'string' ? 'Send anyway' : 'Retry'}</span>
        <span class="sr-only">${file.name}</span></button></div>`;
  }
  if (!image) return html``;
  return html`<div class="upload-actions">${copyLinkButton(image)}
    <a class="button small quiet" href="/p/${image.id}"><span>Open</span>
      <span class="sr-only">${file.name}</span></a></div>`;
}
