/** The ways in, on every page: what is dropped, pasted or chosen. */

import { find, on } from '../dom.js';
import { t } from '../i18n.js';
import { foretell } from '../upload-queue.js';

/** Where the last choice is kept. @param {import('../types').Account | null} [account] */
export const visibilityKey = (account) => `kadr-visibility-${account?.name}`;

/** @param {import('../types').Context} context */
export function mountUploads(context) {
  const { instance, queue, session } = context;
  const overlay = find(document, '#drop');
  const input = find(document, '#files', HTMLInputElement);
  // The tray comes with the first file.
  queue.addEventListener('change', () => import('./upload-tray.js').then(({ mountTray }) => mountTray(context), context.toast), { once: true });
  instance.watch(({ settings }) => { queue.most = settings?.max_upload_bytes ?? Infinity; });

  /** @param {any[]} files @param {any[]} [inside] what was in folders, where other files lie too */
  const add = async (files, inside = []) => {
    const found = inside.filter((file) => file.name[0] !== '.' && !foretell(file, Infinity) && (file.type || /\.(hei[cf]|avif|tiff?)$/i.test(file.name)));
    if (found.length < inside.length) context.toast(t('upload.left_out', { count: inside.length - found.length }));
    const all = [...files, ...found].filter(Boolean);
    if (!all.length || (session.state.account === null && !await context.signIn(t('upload.sign_in')))) return;
    const { account } = session.state;
    queue.add(all, { visibility: localStorage[visibilityKey(account)] ?? account?.default_visibility });
  };
  on(queue, 'choose', ({ detail }) => {
    input.webkitdirectory = detail === 'folder';
    input.toggleAttribute('capture', detail === 'camera');
    input.value = ''; // so that the same can be chosen again
    input.click();
  });
  on(input, 'change', () => {
    const files = [...input.files ?? []];
    void (input.webkitdirectory ? add([], files) : add(files));
  });
  // A picture of the page that is dragged looks like a file too.
  let own = false;
  on(document, 'dragstart dragend', ({ type }) => { own = type === 'dragstart'; });
  on(document, 'dragover dragleave drop', async (event) => {
    const { dataTransfer: { items, types }, relatedTarget, type } = event;
    if (own || !types.includes('Files')) return;
    event.preventDefault();
    // A pointer that goes to nothing leaves the window.
    overlay.hidden = type === 'drop' || (type === 'dragleave' && !relatedTarget);
    overlay.textContent = t('upload.drop');
    if (type !== 'drop') return;
    // All has to be asked for before the first wait.
    const files = Array.from(items, (item) => !item.webkitGetAsEntry()?.isDirectory && item.getAsFile());
    const inside = await Promise.all(Array.from(items, (item) => item.webkitGetAsEntry()).filter((entry) => entry?.isDirectory).map(filesIn));
    void add(files, inside.flat());
  });
  on(document, 'paste', (event) => {
    const { files, types } = event.clipboardData;
    // Some programs send a picture along with the text for a field.
    if (!files.length || (types.includes('text/plain') && event.target.matches?.('input, textarea'))) return;
    event.preventDefault();
    const name = `${t('upload.pasted')} ${new Date().toLocaleString('sv').replaceAll(':', '.')}`;
    // Browsers call every one image.png.
    void add(Array.from(files, (file) => (/^image\.\w+$/.test(file.name) ? new File([file], name + file.name.slice(5), file) : file)));
  });
}

/** Reads a folder to its depths, but for what cannot be read. @param {any} entry @returns {Promise<File[]>} */
async function filesIn(entry) {
  const ask = (/** @type {any} */ of, /** @type {string} */ what) => new Promise((done) => { of[what](done, () => done([])); });
  if (entry.isFile) return [await ask(entry, 'file')].flat();
  const reader = entry.createReader();
  const found = [];
  // They come by the hundred.
  for (let some; (some = await ask(reader, 'readEntries')).length;) for (const one of some) found.push(...await filesIn(one));
  return found;
}
