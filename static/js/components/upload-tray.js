/** The tray: what becomes of each file, on every page. */

import { find, icon, onAction, reconcile } from '../dom.js';
import { formatSize } from '../format.js';
import { element, html, render } from '../html.js';
import { language, t } from '../i18n.js';
import { explain } from '../problem.js';
import { copyAction, copyButton } from './copy.js';
import { requestLine } from './notice.js';

/** @typedef {import('../types').Upload} Upload */

/** How many rows there are at most, with as many failed ones. */
const ROWS = 30;

/** The options of a `<select>`. @param {string} [chosen] */
export const visibilityOptions = (chosen) => ['public', 'unlisted', 'private'].map((name) =>
  html`<option value="${name}" ${name === chosen && html`selected`}>${t(`upload.${name}`)}</option>`);

/** @param {import('../types').Context} context */
export function mountTray({ lists, queue, router, toast }) {
  const tray = element(html`<section class="tray" hidden></section>`);
  document.body.append(tray);
  let spoken = '';
  let due = 0;
  /** @type {[number, number][]} times, and the bytes that had arrived then */
  let marks = [];

  const update = () => {
    due = 0;
    if (spoken !== language()) draw();
    const { busy, items } = queue;
    const failed = queue.in('failed').length;
    const done = queue.in('done', 'duplicate').length;
    const total = items.reduce((sum, { file }) => sum + file.size, 0);
    const sent = items.reduce((sum, upload) => sum + (upload.image ? upload.file.size : upload.sent), 0);
    const now = performance.now();
    marks = [...marks.filter(([at]) => now - at < 3000), [now, sent]];
    const speed = (sent - marks[0][1]) * 1000 / (now - marks[0][0]);
    const outcome = [done && t('upload.uploaded', { count: done }), failed && t('upload.failed', { count: failed })].filter(Boolean).join(', ');
    write('.tray-line', !busy ? outcome : `${t('upload.progress', { done, count: items.length })}${speed > 0 ? ` · ${formatSize(speed, true)}` : ''}`);
    // Said at the beginning and at the end only.
    write('[role=status]', busy ? t('upload.started', { count: items.length }) : outcome);
    find(tray, 'progress', HTMLProgressElement).value = total && sent / total;
    tray.classList.toggle('busy', busy);
    tray.hidden = !items.length;
    for (const [name, on] of Object.entries({ 'retry-all': failed, stop: busy, clear: done + failed })) find(tray, `[data-action=${name}]`).hidden = !on;

    const first = items.findIndex(({ state }) => /waiting|sending|paused/.test(state));
    const from = Math.max(0, Math.min(first < 0 ? Infinity : first - 9, items.length - ROWS));
    const shown = items.slice(0, from + ROWS).filter(({ state }, i) => i >= from || state === 'failed').slice(-2 * ROWS);
    const rows = find(tray, 'ul');
    reconcile(rows, shown, { key: ({ id }) => id, create: rowOf });
    shown.forEach((upload, i) => updateRow(/** @type {HTMLElement} */ (rows.children[i]), upload));
    write('.tray-more', shown.length < items.length ? t('upload.more', { count: items.length - shown.length }) : '');
    if (first >= 0 && !tray.matches(':hover, :focus-within')) rows.scrollTop = find(rows, `[data-key="${items[first].id}"]`).offsetTop - rows.offsetTop;
  };
  const write = (/** @type {string} */ selector, /** @type {string} */ text) => {
    const target = find(tray, selector);
    if (target.textContent !== text) target.textContent = text;
  };
  const draw = () => {
    spoken = language();
    const button = (/** @type {string} */ name) => html`<button type="button" class="button small" data-action="${name}">${t(`upload.${name}`)}</button>`;
    tray.ariaLabel = t('upload.title');
    render(tray, html`<p class="sr-only" role="status"></p><details open>
      <summary><span class="tray-line"></span><progress aria-label="${t('upload.title')}"></progress></summary>
      <ul role="list"></ul><p class="tray-more"></p>
      <div class="tray-foot">${button('retry-all')}${button('stop')}${button('clear')}</div></details>`);
  };
  const later = () => { due ||= requestAnimationFrame(update); };
  queue.addEventListener('change', later);
  router.addEventListener('navigate', later);
  queue.addEventListener('edited', (event) => {
    lists.replace(/** @type {import('../upload-queue.js').UploadedEvent} */ (event).image);
    toast(t('upload.saved'));
  });
  /** The uploads of the row that something is in. @param {EventTarget | null} target */
  const of = (target) => queue.items.filter(({ id }) => id === Object(target).closest('li').dataset.key);
  onAction(tray, {
    retry: (target) => queue.retry(of(target)),
    cancel: (target) => queue.remove(of(target)),
    'retry-all': () => queue.retry(queue.in('failed', 'paused')),
    stop: () => queue.remove(queue.in('waiting', 'sending', 'paused')),
    clear: () => queue.remove(queue.in('done', 'duplicate', 'failed')),
    copy: copyAction(toast),
  });
  tray.addEventListener('change', ({ target }) => {
    const { name, value } = /** @type {HTMLInputElement} */ (target);
    for (const upload of of(target)) void queue.edit(upload, { [name]: value.trim() });
  });
  for (const type of ['load', 'error']) {
    tray.addEventListener(type, ({ target }) => {
      URL.revokeObjectURL(Object(target).src);
      if (type === 'error') Object(target).remove();
    }, true);
  }
}

/** @param {Upload} upload */
const rowOf = ({ file, fields }) => element(html`<li class="upload">
  <span class="upload-thumb">${icon('picture')}<img alt="" src="${URL.createObjectURL(file)}"></span>
  <div class="upload-text"><p class="upload-name"></p><progress max="${file.size}" aria-label="${file.name}"></progress>
    <div class="upload-state"></div>
    <details><summary>${t('upload.describe')}<span class="sr-only"> ${file.name}</span></summary>
      <input class="input" name="description" maxlength="4000" aria-label="${t('upload.description')}" placeholder="${t('upload.description')}">
      <select class="input select" name="visibility" aria-label="${t('upload.visibility')}">${visibilityOptions(fields.visibility)}</select></details></div>
  <div class="upload-actions"></div></li>`);

/** @param {HTMLElement} row @param {Upload} upload */
function updateRow(row, { state, file, fields, sent, speed, image, error, foretold }) {
  find(row, 'progress', HTMLProgressElement).value = sent;
  const parts = [sent && !image && sent < file.size ? `${formatSize(sent)} / ${formatSize(file.size)}` : formatSize(file.size),
    state === 'sending' && sent && sent < file.size ? formatSize(speed, true) : t(`upload.state_${state}`), image && t(`upload.${image.visibility}`)];
  const line = state === 'failed' ? '' : parts.filter(Boolean).join(' · ');
  const words = find(row, '.upload-state');
  if (line && words.textContent !== line) words.textContent = line;
  if (row.dataset.state === state) return;
  row.dataset.state = state;
  if (!line) render(words, html`${explain(error)}${requestLine(error)}`);
  render(find(row, '.upload-name'), image ? html`<a href="/p/${image.id}">${file.name}</a>` : html`${file.name}`);
  const [text, select] = row.querySelectorAll('input, select');
  Object.assign(text, { value: Object(text).value || fields.description });
  if (image) Object.assign(select, { value: fields.visibility });
  const actions = find(row, '.upload-actions');
  const focused = actions.contains(document.activeElement);
  render(actions, html`${image && copyButton(image, 'link')}
    ${/paused|failed/.test(state) && html`<button type="button" class="button small" data-action="retry">
      ${t(foretold ? 'upload.anyway' : 'common.retry')}<span class="sr-only"> ${file.name}</span></button>`}
    ${!image && html`<button type="button" class="button small quiet icon-only" data-action="cancel" aria-label="${t('upload.cancel', { name: file.name })}">
      ${icon('close')}</button>`}`);
  if (focused) actions.querySelector('button')?.focus();
}
