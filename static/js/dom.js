/** Small helpers around the DOM: delegated events, keyed lists. */

/** @typedef {(target: HTMLElement, event: MouseEvent) => void} Action */

/**
 * Listens once for all `data-action` buttons in an element, also those that come later.
 * @param {HTMLElement} root
 * @param {Record<string, Action>} actions
 * @param {AbortSignal} [signal]
 */
export function onAction(root, actions, signal) {
  root.addEventListener('click', (event) => {
    const target = event.target instanceof Element ? event.target.closest('[data-action]') : null;
    if (!(target instanceof HTMLElement) || !root.contains(target)) return;
    const name = target.dataset.action ?? '';
    if (Object.hasOwn(actions, name)) actions[name](target, event);
  }, { signal });
}

/**
 * Finds the element that a template must have.
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function find(root, selector) {
  const found = root.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`no ${selector}`);
  return found;
}

/**
 * Makes an element's children fit a list by their keys: what stays is not touched, so that focus, pictures that are
 * loading and the place scrolled to survive.
 * @template Item
 * @param {HTMLElement} parent
 * @param {readonly Item[]} items
 * @param {object} how
 * @param {(item: Item) => string} how.key changes when the child has to be made anew
 * @param {(item: Item) => HTMLElement} how.create
 */
export function reconcile(parent, items, { key, create }) {
  const old = new Map([...parent.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, child]));
  const wanted = items.map((item) => {
    const name = key(item);
    const kept = old.get(name);
    if (kept) {
      old.delete(name);
      return kept;
    }
    const made = create(item);
    made.dataset.key = name;
    return made;
  });
  for (const child of old.values()) child.remove();
  wanted.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
}

/**
 * Makes a signal that aborts with its parent, or by itself.
 * @param {AbortSignal} parent
 * @returns {AbortController}
 */
export function childController(parent) {
  const controller = new AbortController();
  if (parent.aborted) controller.abort();
  else parent.addEventListener('abort', () => controller.abort(), { once: true, signal: controller.signal });
  return controller;
}
