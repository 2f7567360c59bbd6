/** The ways in, on every page: pictures and folders that are dropped, pasted or chosen. */

import { icon } from '../dom.js';
import { element, html } from '../html.js';
import { t } from '../i18n.js';
import { TYPES } from '../upload-queue.js';
import { mountTray } from './upload-tray.js';

/** @param {import('../types').Account | null} [account] */
const key = (account) => `kadr-visibility-${account?.name}`;

/** What was chosen last in this browser, or else the account's default. @param {import('../types').Account | null} [account] */
export const chosenVisibility = (account) => /** @type {import('../types').Visibility | undefined} */ (localStorage.getItem(key(account))) ?? account?.default_visibility;

/** @param {import('../types').Account} account @param {string} value */
export const chooseVisibility = (account, value) => localStorage.setItem(key(account), value);

/** @param {import('../types').Context} context */
export function mountUploads(context) {
  const { instance, queue, session } = context;
  const overlay = element(html`<div class="drop-overlay" hidden>${icon('upload')}<p></p></div>`);
  const input = /** @type {HTMLInputElement} */ (element(html`<input type="file" multiple hidden accept="${TYPES.join()}">`));
  document.body.append(overlay, input);
  mountTray(context);
  instance.watch(({ settings }) => { queue.most = settings?.max_upload_bytes ?? Infinity; });

  const add = async (/** @type {File[]} */ files) => {
    if (!files.length || (session.state.account === null && !await context.signIn(t('upload.sign_in')))) return;
    queue.add(files, { visibility: chosenVisibility(session.state.account) });
  };
  /** Leaves out what else lies in folders. @param {File[]} files */
  const pictures = (files) => {
    const found = files.filter(({ name, type }) => /^[^.]/.test(name) && (type ? TYPES.includes(type) : /\.(hei[cf]|avif|tiff?)$/i.test(name)));
    const count = files.length - found.length;
    if (count) context.toast(t('upload.left_out', { count }));
    return found;
  };

  queue.addEventListener('choose', (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    input.webkitdirectory = detail === 'folder';
    input.toggleAttribute('capture', detail === 'camera');
    input.click();
  });
  input.addEventListener('change', () => {
    const files = [...input.files ?? []];
    void add(input.webkitdirectory ? pictures(files) : files);
    // So that the same file can be chosen again.
    input.value = '';
  });

  for (const type of /** @type {const} */ (['dragover', 'dragleave', 'drop'])) {
    document.addEventListener(type, async (event) => {
      const { dataTransfer } = event;
      if (!dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      // With nothing to go to, the pointer leaves the window.
      overlay.hidden = type === 'drop' || (type === 'dragleave' && !event.relatedTarget);
      overlay.querySelector('p')?.replaceChildren(t('upload.drop'));
      if (type !== 'drop') return;
      const folders = [...dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry?.isDirectory);
      const files = [...dataTransfer.items].flatMap((item) => (item.webkitGetAsEntry()?.isDirectory ? [] : item.getAsFile() ?? []));
      await add([...files, ...pictures((await Promise.all(folders.map(filesIn))).flat())]);
    });
  }
  document.addEventListener('paste', (event) => {
    const { files, types } = event.clipboardData ?? new DataTransfer();
    // A text for a field comes with its picture from some programs.
    if (!files.length || (types.includes('text/plain') && Object(event.target).closest('input, textarea'))) return;
    event.preventDefault();
    const at = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace('T', ' ').replaceAll(':', '.');
    // Browsers call every picture image.png.
    void add([...files].map((file) => (/^image\.\w+$/.test(file.name)
      ? new File([file], `${t('upload.pasted')} ${at}${file.name.slice(5)}`, file) : file)));
  });
}

/** What is in a folder and in the folders in it; what cannot be read is left out. @param {any} entry @returns {Promise<File[]>} */
async function filesIn(entry) {
  const ask = (/** @type {'file' | 'readEntries'} */ what, from = entry) => new Promise((done) => { from[what](done, () => done([])); });
  if (entry.isFile) return [await ask('file')].flat();
  const reader = entry.createReader();
  /** @type {File[]} */
  const found = [];
  // They come by the hundred.
  for (let some; (some = await ask('readEntries', reader)).length;) for (const one of some) found.push(...await filesIn(one));
  return found;
}
