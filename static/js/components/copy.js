/** Copying, and the dialog with everything that can be copied of a picture. */

import { icon, onAction, openDialog } from '../dom.js';
import { element, html } from '../html.js';
import { t } from '../i18n.js';
import { nameOf } from '../links.js';
import { SNIPPETS } from '../snippets.js';

/** @typedef {import('../types').Context['toast']} Toast */

const KINDS = /** @type {import('../types').SnippetKind[]} */ (Object.keys(SNIPPETS));

/** The kind that was chosen last. @param {string} [now] */
export function lastKind(now) {
  try {
    if (now) localStorage.setItem('kadr-copy', now);
    return KINDS.find((kind) => kind === localStorage.getItem('kadr-copy')) ?? 'link';
  } catch {
    return 'link'; // a browser that keeps nothing
  }
}

/** @param {import('../types').Image} image @param {import('../types').SnippetKind} [kind] */
export const copyButton = (image, kind = 'link') => html`<button type="button" class="button small" data-action="copy" data-copy="${SNIPPETS[kind](image)}"
  aria-label="${t(`copy.${kind}`)}: ${t('copy.copy')}, ${nameOf(image)}">${icon('copy')}${t(`copy.${kind}`)}</button>`;

/** Copies a button's `data-copy`, or shows it to be copied by hand. @param {Toast} toast */
export const copyAction = (toast) => async (/** @type {HTMLElement} */ button) => {
  const { copy = '' } = button.dataset;
  if (await navigator.clipboard?.writeText(copy).then(() => true, () => false) || copyBySelection(copy)) return toast(t('copy.done'));
  await openDialog(html`<form method="dialog"><h2>${t('copy.by_hand')}</h2><pre class="copy-text" tabindex="0" autofocus>${copy}</pre>
    <button class="button">${t('common.close')}</button></form>`, { label: t('copy.by_hand') });
};

/** The way for pages by http, such as from a host on a LAN. @param {string} text */
function copyBySelection(text) {
  const field = /** @type {HTMLTextAreaElement} */ (element(html`<textarea class="off-screen">${text}</textarea>`));
  const focused = /** @type {HTMLElement} */ (document.activeElement);
  // Nothing outside of an open dialog can be selected.
  (focused.closest('dialog') ?? document.body).append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  focused.focus();
  return copied;
}

/** Shows every kind with its text. @param {import('../types').Image} image @param {Toast} toast @param {AbortSignal} signal */
export const copyDialog = (image, toast, signal) => openDialog(html`<form method="dialog"><h2>${t('copy.title')}</h2>
  <ul>${KINDS.map((kind) => html`<li>${copyButton(image, kind)}<pre class="copy-text" tabindex="0">${SNIPPETS[kind](image)}</pre></li>`)}</ul>
  <button class="button">${t('common.close')}</button><div class="toasts" data-toasts role="status"></div></form>`, {
  label: t('copy.title'), className: 'copy-dialog', signal, mount: (dialog) => onAction(dialog, { copy: (button) => {
    lastKind(KINDS[[...dialog.querySelectorAll('li > button')].indexOf(button)]);
    void copyAction(toast)(button);
  } }),
});
