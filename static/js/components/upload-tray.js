/** The tray: what becomes of each file, on every page. Which buttons there are, css/upload.css says by the states. */

import { find, on, onAction, reconcile } from '../dom.js';
import { formatSize } from '../format.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { explain } from '../problem.js';
import { linkOf } from '../links.js';
import { parts, speak, stencil } from '../stencil.js';
import { copyAction } from './copy.js';
import { requestLine } from './notice.js';

/** @import { Context, Upload } from '../types' */

/** @param {Context} context */
export function mountTray({ lists, queue, router, toast }) {
  const tray = find(document, '#tray');
  const [status, summary, line, whole, rows, more] = parts(tray, '[role], summary, summary span, progress, ul, .tray-more');
  let due = 0;
  const update = () => {
    due = 0;
    const { busy, items: { length: count } } = queue;
    const sending = queue.in('sending');
    const failed = queue.in('failed', 'foretold');
    const finished = queue.in('done', 'duplicate');
    // What is at work comes first, and of hundreds not all.
    const shown = [...sending, ...queue.in('paused'), ...failed, ...queue.in('waiting'), ...finished.reverse()].slice(0, 40);
    const speed = sending.reduce((sum, upload) => sum + upload.speed, 0);
    const outcome = [['uploaded', finished.length], ['failed', failed.length]].flatMap(([name, n]) => (n ? t(`upload.${name}`, { count: n }) : [])).join(', ');
    const said = busy ? t('upload.started', { count }) : outcome;
    tray.hidden = !count;
    whole.max = count;
    whole.value = finished.length + failed.length + sending.reduce((sum, { sent, file }) => sum + sent / file.size, 0);
    line.textContent = busy ? t('upload.progress', { done: finished.length, count }) + (speed ? ` · ${formatSize(speed, true)}` : '') : outcome;
    more.textContent = shown.length < count ? t('upload.more', { count: count - shown.length }) : '';
    // Only at the beginning and at the end.
    if (status.textContent !== said) status.textContent = said;
    const active = /** @type {any} */ (document.activeElement);
    reconcile(rows, shown, { key: ({ id }) => id, create: makeRow });
    // What is moved loses the focus.
    if (rows.contains(active)) active.focus({ preventScroll: true });
    shown.forEach((upload, i) => fillRow(rows.children[i], upload));
  };
  const later = () => { due ||= requestAnimationFrame(update); };
  on(queue, 'change', later);
  const say = () => {
    speak(tray);
    later();
  };
  on(router, 'navigate', say);
  say();
  on(queue, 'edited', ({ image }) => {
    lists.replace(image);
    toast(t('upload.saved'));
  });
  const of = (/** @type {any} */ target) => queue.items.filter(({ id }) => id === target.closest('li').dataset.key);
  onAction(tray, {
    // The button goes, and the focus stays near.
    retry: (target) => {
      queue.retry(of(target));
      summary.focus();
    },
    cancel: (target) => {
      queue.remove(of(target));
      summary.focus();
    },
    retry_all: () => queue.retry(queue.in('failed', 'paused')),
    stop: () => queue.remove(queue.in('waiting', 'sending', 'paused')),
    clear: () => queue.remove(queue.in('done', 'duplicate', 'failed', 'foretold')),
    copy: copyAction(toast),
  });
  on(rows, 'change', ({ target }) => {
    for (const upload of of(target)) void queue.edit(upload, { [target.name]: target.value.trim() });
  });
  on(rows, 'load error', ({ target, type }) => {
    URL.revokeObjectURL(target.src);
    target.classList.add(type);
  }, { capture: true });
}

/** @param {Upload} upload */
function makeRow({ file, fields }) {
  const row = stencil('upload').firstElementChild;
  const [img, name, progress, visibility] = parts(row, 'img, a, progress, select');
  img.src = URL.createObjectURL(file);
  name.textContent = progress.ariaLabel = file.name;
  progress.max = file.size;
  visibility.value = fields.visibility;
  return row;
}

/** @param {HTMLElement} row @param {Upload} upload */
function fillRow(row, { state, sent, speed, file: { size }, image, error, fields }) {
  const [name, progress, words, copy, description, visibility] = parts(row, 'a, progress, .upload-state, [data-action=copy], input, select');
  const failed = /failed|foretold/.test(state);
  progress.value = sent;
  if (!failed) {
    words.textContent = [sent && !image ? `${formatSize(sent)} / ${formatSize(size)}` : formatSize(size), t(`upload.is_${state}`),
      speed && state === 'sending' && formatSize(speed, true)].filter(Boolean).join(' · ');
  }
  if (row.dataset.state === state) return;
  row.dataset.state = state;
  if (failed) render(words, html`${explain(error)}${requestLine(error)}`);
  if (!image) return;
  name.href = `/p/${image.id}`;
  copy.dataset.copy = linkOf(image);
  visibility.value = fields.visibility;
  description.value ||= fields.description;
}
