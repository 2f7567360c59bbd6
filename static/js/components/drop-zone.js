import { find } from '../dom.js';
import { ACCEPTED_TYPES, filesOf, namePasted } from '../files.js';
import { html, render } from '../html.js';
import { icon } from './icon.js';
import { visibilitySelect } from './visibility.js';

/** @typedef {import('../app.js').Visibility} Visibility */

/**
 * Takes pictures in: chosen, dropped anywhere on the page, or pasted.
 * @param {HTMLElement} root
 * @param {import('../app.js').Context} context
 * @param {AbortSignal} signal
 */
export function mountDropZone(root, { queue, session, toast }, signal) {
  render(root, html`
    <label class="drop-zone">
      <input class="sr-only" type="file" multiple accept="${ACCEPTED_TYPES.join(',')}" aria-describedby="drop-hint">
      <span class="drop-icon">${icon('upload')}</span>
      <span class="drop-title">Drop pictures anywhere, or choose them</span>
      <span class="drop-hint" id="drop-hint">JPEG, PNG, GIF, WebP, AVIF, HEIC or TIFF. You can also paste from the clipboard.</span>
    </label>
    ${visibilitySelect({
      id: 'upload-visibility',
      label: 'Who may see them',
      chosen: session.state.account?.default_visibility ?? 'unlisted',
    })}`);
  const input = /** @type {HTMLInputElement} */ (find(root, 'input'));
  const select = /** @type {HTMLSelectElement} */ (find(root, 'select'));
  /** @param {Iterable<File>} files */
  const add = (files) => queue.add(files, { visibility: /** @type {Visibility} */ (select.value) });

  input.addEventListener('change', () => {
    add([...input.files ?? []]);
    // So that choosing the same file again is a change again.
    input.value = '';
  }, { signal });

  const lit = (/** @type {boolean} */ on) => document.documentElement.classList.toggle('dragging', on);
  signal.addEventListener('abort', () => lit(false), { once: true });
  document.addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
    lit(true);
  }, { signal });
  document.addEventListener('dragleave', (event) => {
    // Without a related element the pointer has left the window.
    if (event.relatedTarget === null) lit(false);
  }, { signal });
  document.addEventListener('drop', (event) => {
    lit(false);
    if (!event.dataTransfer || !hasFiles(event)) return;
    event.preventDefault();
    const { files, folders } = filesOf(event.dataTransfer);
    if (folders > 0) toast.show('Folders cannot be dropped here. Open them and drop the pictures.');
    add(files);
  }, { signal });
  document.addEventListener('paste', (event) => {
    if (!event.clipboardData) return;
    const { files } = filesOf(event.clipboardData);
    if (files.length === 0) return;
    event.preventDefault();
    add(files.map((file) => namePasted(file)));
  }, { signal });
}

/**
 * @param {DragEvent} event
 * @returns {boolean}
 */
function hasFiles(event) {
  return event.dataTransfer?.types.includes('Files') ?? false;
}
