/** Small helpers around the DOM: delegated events, keyed lists, icons, dialogs. */

import { element, html } from './html.js';
import { t } from './i18n.js';

/**
 * Listens once for all `data-action` buttons in an element, also those that come later.
 * @param {HTMLElement} root
 * @param {Record<string, (target: HTMLElement, event: MouseEvent) => void>} actions
 * @param {AbortSignal} [signal]
 */
export function onAction(root, actions, signal) {
  root.addEventListener('click', (event) => {
    const target = /** @type {Element} */ (event.target).closest('[data-action]');
    if (!(target instanceof HTMLElement) || !root.contains(target)) return;
    const name = target.dataset.action ?? '';
    if (Object.hasOwn(actions, name)) actions[name](target, event);
  }, { signal });
}

/** @type {import('./types').On} */
export const on = (target, types, listener, options) => types.split(' ').forEach((type) => target.addEventListener(type, listener, options));

/** Finds the element that a template must have. @type {import('./types').Find} */
export function find(root, selector, type = /** @type {any} */ (HTMLElement)) {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`no ${selector}`);
  return found;
}

/**
 * Makes an element's children fit a list by their keys: what stays is not touched, so that focus, pictures that are
 * loading and the place scrolled to survive. A child is made anew when its key is another.
 * @template Item
 * @param {HTMLElement} parent
 * @param {readonly Item[]} items
 * @param {{ key: (item: Item) => string, create: (item: Item) => HTMLElement }} how
 */
export function reconcile(parent, items, { key, create }) {
  const old = new Map(Array.from(parent.children, (child) => [/** @type {HTMLElement} */ (child).dataset.key, child]));
  const wanted = items.map((item) => {
    const name = key(item);
    const child = /** @type {HTMLElement} */ (old.get(name) ?? create(item));
    old.delete(name);
    child.dataset.key = name;
    return child;
  });
  for (const child of old.values()) child.remove();
  wanted.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
}

/** @param {string} name one of those in `icons/icons.svg` */
export const icon = (name) =>
  html`<svg class="icon" width="18" height="18" aria-hidden="true"><use href="/icons/icons.svg#${name}"></use></svg>`;

/**
 * Opens a dialog until it is closed, by Escape too; the focus goes back to where it was. Resolves to the value of the
 * button that closed it; empty for Escape.
 * @param {import('./types').Markup} content
 * @param {{ label: string, className?: string, signal?: AbortSignal, mount?: (dialog: HTMLDialogElement) => void }} how
 * @returns {Promise<string>}
 */
export function openDialog(content, { label, className = '', signal, mount }) {
  const dialog = /** @type {HTMLDialogElement} */ (
    element(html`<dialog class="dialog ${className}" aria-label="${label}">${content}</dialog>`));
  document.body.append(dialog);
  mount?.(dialog);
  dialog.showModal();
  signal?.addEventListener('abort', () => dialog.close());
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

/** Asks before something that cannot be undone. @param {{ title: string, text: string, action: string }} question */
export async function confirmDialog({ title, text, action }) {
  return await openDialog(html`<form method="dialog">
    <h2>${title}</h2>
    <p>${text}</p>
    <div class="dialog-actions">
      <button class="button" value="" autofocus>${t('common.cancel')}</button>
      <button class="button danger" value="yes">${action}</button>
    </div>
  </form>`, { label: title }) === 'yes';
}
