/** The tray: what becomes of each file, on every page. Which buttons there are, css/upload.css says by the states. */

import { find, onAction, reconcile } from '../dom.js';
import { formatSize } from '../format.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { explain } from '../problem.js';
import { linkOf } from '../snippets.js';
import { speak, stencil } from '../stencil.js';
import { copyAction } from './copy.js';
import { requestLine } from './notice.js';

/** @import { Context, Upload } from '../types' */

/** @param {Context} context */
export function mountTray({ lists, queue, router, toast }) {
  const tray = find(document, '#tray');
  const [status, line, whole, rows, more] = /** @type {any[]} */ ([...tray.querySelectorAll('[role], summary span, progress, ul, .tray-more')]);
  let due = 0;
  const update = () => {
    due = 0;
    const { busy, items } = queue;
    const sending = queue.in('sending');
    const finished = queue.in('done', 'duplicate');
    const failed = queue.in('failed', 'foretold');
    // What is at work comes first, and of hundreds not all.
    const shown = [...sending, ...queue.in('paused'), ...failed, ...queue.in('waiting'), ...finished.reverse()].slice(0, 40);
    const sum = (/** @type {(upload: Upload) => number} */ of) => items.map(of).reduce((a, b) => a + b, 0);
    const speed = sum((upload) => (upload.state === 'sending' ? upload.speed : 0));
    const outcome = [finished.length && t('upload.uploaded', { count: finished.length }), failed.length && t('upload.failed', { count: failed.length })]
      .filter(Boolean).join(', ');
    tray.hidden = !items.length;
    whole.max = sum(({ file }) => file.size);
    whole.value = sum(({ image, file, sent }) => (image ? file.size : sent));
    write(line, busy ? t('upload.progress', { done: finished.length, count: items.length }) + (speed ? ` · ${formatSize(speed, true)}` : '') : outcome);
    // Said at the beginning and at the end only.
    write(status, busy ? t('upload.started', { count: items.length }) : outcome);
    write(more, shown.length < items.length ? t('upload.more', { count: items.length - shown.length }) : '');
    reconcile(rows, shown, { key: ({ id }) => id, create: makeRow });
    shown.forEach((upload, i) => fillRow(rows.children[i], upload));
  };
  const later = () => { due ||= requestAnimationFrame(update); };
  queue.addEventListener('change', later);
  router.addEventListener('navigate', () => {
    speak(tray);
    later();
  });
  queue.addEventListener('edited', (event) => {
    lists.replace(/** @type {import('../upload-queue.js').UploadedEvent} */ (event).image);
    toast(t('upload.saved'));
    later();
  });
  const of = (/** @type {any} */ target) => queue.items.filter(({ id }) => id === target.closest('li').dataset.key);
  onAction(tray, {
    retry: (target) => {
      queue.retry(of(target));
      find(tray, 'summary').focus();
    },
    cancel: (target) => {
      queue.remove(of(target));
      find(tray, 'summary').focus();
    },
    retry_all: () => queue.retry(queue.in('failed', 'paused')),
    stop: () => queue.remove(queue.in('waiting', 'sending', 'paused')),
    clear: () => queue.remove(queue.in('done', 'duplicate', 'failed', 'foretold')),
    copy: copyAction(toast),
  });
  rows.addEventListener('change', (/** @type {any} */ { target }) => {
    for (const upload of of(target)) void queue.edit(upload, { [target.name]: target.value.trim() });
  });
  for (const type of ['load', 'error']) {
    rows.addEventListener(type, (/** @type {any} */ { target }) => {
      URL.revokeObjectURL(target.src);
      target.classList.add(type);
    }, true);
  }
}

const write = (/** @type {Element} */ target, /** @type {string} */ text) => {
  if (target.textContent !== text) target.textContent = text;
};

/** @param {Upload} upload */
function makeRow({ file, fields }) {
  const row = stencil('upload').firstElementChild;
  const [img, name, progress, visibility] = row.querySelectorAll('img, a, progress, select');
  img.src = URL.createObjectURL(file);
  name.textContent = progress.ariaLabel = file.name;
  progress.max = file.size;
  visibility.value = fields.visibility;
  return row;
}

/** @param {HTMLElement} row @param {Upload} upload */
function fillRow(row, { state, sent, speed, file: { size }, image, error, fields }) {
  const [name, progress, words, description, visibility, copy] = /** @type {any[]} */ (
    [...row.querySelectorAll('a, progress, .upload-state, input, select, [data-action=copy]')]);
  const failed = /failed|foretold/.test(state);
  progress.value = sent;
  if (!failed) write(words, [image || !sent ? formatSize(size) : `${formatSize(sent)} / ${formatSize(size)}`, t(`upload.is_${state}`), speed && formatSize(speed, true)].filter(Boolean).join(' · '));
  if (row.dataset.state === state) return;
  row.dataset.state = state;
  if (failed) render(words, html`${explain(error)}${requestLine(error)}`);
  if (!image) return;
  name.href = `/p/${image.id}`;
  copy.dataset.copy = linkOf(image);
  visibility.value = fields.visibility;
  description.value ||= fields.description;
}
