/** What is selected among one's pictures, and what can be done to all of it at once, with ten seconds to undo it. */

import { find, icon, onAction } from '../dom.js';
import { fragment, html, render } from '../html.js';
import { formatSize } from '../format.js';
import { t } from '../i18n.js';
import { explain } from '../problem.js';
import { Store } from '../store.js';

/** @typedef {import('../types').Image} Image */

const UNDO = 10_000;
/** As many as one call takes. */
const PART = 100;

/** Pictures that are about to be deleted. No grid shows them. */
export const hidden = new Store({ ids: /** @type {ReadonlySet<string>} */ (new Set()) });

/** A set of pictures' ids that is changed by clicks and keys; dispatches `change`. */
export class Selection extends EventTarget {
  /** @type {ReadonlySet<string>} */
  ids = new Set();
  #anchor = '';

  /** @param {() => readonly Pick<Image, 'id'>[]} items what can be selected, in its order */
  constructor(items) {
    super();
    this.items = items;
  }

  /** @param {Iterable<string>} ids */
  set(ids) {
    this.ids = new Set(ids);
    this.dispatchEvent(new Event('change'));
  }

  /** Turns one; or, as a range, makes all from the one turned last to this be as that is. @param {number} index @param {boolean} [range] */
  pick(index, range = false) {
    const items = this.items();
    const from = range ? items.findIndex(({ id }) => id === this.#anchor) : -1;
    const on = from < 0 ? !this.ids.has(items[index].id) : this.ids.has(this.#anchor);
    const ids = new Set(this.ids);
    const [a, b] = [from < 0 ? index : from, index].sort((one, other) => one - other);
    for (const { id } of items.slice(a, b + 1)) ids[on ? 'add' : 'delete'](id);
    this.#anchor = items[index].id;
    this.set(ids);
  }

  /** Selects on from one to another. @param {number} from @param {number} to */
  extend(from, to) {
    const { id } = this.items()[from];
    if (!this.ids.has(id)) this.pick(from);
    this.#anchor = id;
    this.pick(to, true);
  }

  /** Whether a click on a picture is meant for the selection. @param {MouseEvent} event @param {number} index */
  clicked(event, index) {
    const check = event.target instanceof Element && event.target.closest('.tile-check');
    if (!check && (event.ctrlKey || event.metaKey || (!event.shiftKey && !this.ids.size))) return false;
    event.preventDefault();
    this.pick(index, event.shiftKey);
    return true;
  }
}

/**
 * Shows the bar for what is selected.
 * @param {HTMLElement} root
 * @param {import('../types').Context} context
 * @param {{ list: import('../store.js').PictureList, items: () => readonly Image[], focus: () => void, signal: AbortSignal }} how
 */
export function mountSelection(root, { api, lists, toast }, { list, items, focus, signal }) {
  root.append(fragment(html`<div class="selection-bar" role="group" aria-label="${t('selection.label')}" hidden></div>
    <p class="sr-only" role="status"></p>`));
  const bar = find(root, '.selection-bar');
  const status = find(root, '.selection-bar + [role=status]');
  const selection = new Selection(items);
  /** @type {(() => void)[]} */
  const undos = [];
  const chosen = () => items().filter(({ id }) => selection.ids.has(id));
  const clear = () => {
    if (bar.contains(document.activeElement)) focus();
    selection.set([]);
  };

  /** Offers to take something back, by the message or by Ctrl+Z. @param {string} message @param {() => void} run */
  const offerUndo = (message, run) => {
    const undo = () => {
      end();
      run();
    };
    const close = toast(message, { label: t('common.undo'), run: undo });
    const end = () => {
      close();
      undos.splice(0, undos.length, ...undos.filter((other) => other !== undo));
    };
    undos.push(undo);
    setTimeout(end, UNDO);
    return end;
  };

  /** Does one thing to pictures, in as many calls as it takes. @param {object} change @param {Set<string>} ids @param {(done: string[]) => void} done @returns {Promise<void>} */
  const bulk = async (change, ids, done) => {
    let missing = 0;
    try {
      while (ids.size) {
        const part = [...ids].slice(0, PART);
        const { items: outcomes } = await api.call('bulkUpdateImages', { body: /** @type {any} */ ({ ...change, ids: part }) });
        const lost = outcomes.filter(({ outcome }) => outcome === 'not_found').map(({ id }) => id);
        missing += lost.length;
        lists.remove(new Set(lost));
        part.forEach((id) => ids.delete(id));
        done(part.filter((id) => !lost.includes(id)));
      }
    } catch (error) {
      toast(explain(error), { label: t('common.retry'), run: () => void bulk(change, ids, done) });
    }
    if (missing) toast(t('selection.missing', { count: missing }));
  };

  /** Hides pictures, and deletes them when the time to undo is over or the page is left. @param {readonly Image[]} images */
  const remove = (images) => {
    const ids = new Set(images.map(({ id }) => id));
    const all = new Set(ids);
    const change = { action: 'delete' };
    const over = new AbortController();
    const show = () => {
      over.abort();
      hidden.set({ ids: new Set([...hidden.state.ids].filter((id) => !all.has(id))) });
    };
    hidden.set({ ids: new Set([...hidden.state.ids, ...ids]) });
    const timer = setTimeout(async () => {
      await bulk(change, ids, (part) => lists.remove(new Set(part)));
      show();
    }, UNDO + 100);
    const end = offerUndo(t('selection.deleted', { count: ids.size }), () => {
      clearTimeout(timer);
      show();
    });
    window.addEventListener('pagehide', () => {
      clearTimeout(timer);
      end();
      lists.remove(ids);
      for (const rest = [...ids]; rest.length;) {
        api.call('bulkUpdateImages', { body: /** @type {any} */ ({ ...change, ids: rest.splice(0, PART) }), keepalive: true }).catch(() => {});
      }
      show();
    }, { signal: over.signal });
    // No more than 64 KiB can be on their way when a page is gone.
    window.addEventListener('beforeunload', (event) => ids.size > 3000 && event.preventDefault(), { signal: over.signal });
  };

  /** @param {readonly Image[]} images @param {import('../types').Visibility} visibility */
  const publish = async (images, visibility) => {
    const before = list.state.items;
    const old = new Map(images.filter((image) => image.visibility !== visibility).map((image) => [image.id, image]));
    const set = (/** @type {string[]} */ ids, /** @type {import('../types').Visibility} */ to) =>
      bulk({ action: 'set_visibility', visibility: to }, new Set(ids), (done) =>
        lists.replace(done.map((id) => /** @type {Image} */ ({ ...old.get(id), visibility: to }))));
    await set([...old.keys()], visibility);
    offerUndo(t(`selection.made_${visibility}`, { count: images.length }), async () => {
      // Those that the list no longer showed come back to where they were.
      const have = new Set(before.map(({ id }) => id));
      list.set({ items: [...before, ...list.state.items.filter(({ id }) => !have.has(id))] });
      for (const to of new Set([...old.values()].map((image) => image.visibility))) {
        await set([...old.values()].filter((image) => image.visibility === to).map(({ id }) => id), to);
      }
    });
  };

  const actions = {
    clear,
    all: () => selection.set(items().map(({ id }) => id)),
    delete: () => {
      const images = chosen();
      clear();
      if (images.length) remove(images);
    },
    visibility: (/** @type {HTMLElement} */ button) => {
      const images = chosen();
      clear();
      void publish(images, /** @type {import('../types').Visibility} */ (button.dataset.value));
    },
  };
  onAction(bar, actions, signal);

  const show = () => {
    const images = chosen();
    const text = t('selection.count', { count: images.length });
    const size = formatSize(images.reduce((sum, image) => sum + image.size, 0));
    bar.hidden = !images.length;
    status.textContent = images.length ? `${text}, ${size}` : '';
    const count = bar.querySelector('p');
    if (count) render(count, html`${text}<span>${size}</span>`);
  };
  render(bar, html`<button type="button" class="button quiet small icon-only" data-action="clear" aria-label="${t('selection.clear')}">${icon('close')}</button>
    <p></p><button type="button" class="button small" data-action="all">${t('selection.all')}</button>
    <button type="button" class="button small" popovertarget="selection-menu">${t('selection.visibility')}</button>
    <div class="menu" id="selection-menu" popover>${[['public', 'public'], ['unlisted', 'link'], ['private', 'lock']].map(([value, name]) => html`<button
      type="button" data-action="visibility" data-value="${value}">${icon(name)}${t(`pictures.${value}`)}</button>`)}</div>
    <button type="button" class="button small danger" data-action="delete">${icon('trash')}${t('selection.delete')}</button>`);
  selection.addEventListener('change', show);

  window.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || document.querySelector('dialog[open], :popover-open')
      || /** @type {Element} */ (event.target).matches('input, textarea, select')) return;
    const command = (event.ctrlKey || event.metaKey) && !event.shiftKey;
    const run = command && event.code === 'KeyA' ? actions.all : command && event.code === 'KeyZ' ? undos.at(-1)
      : selection.ids.size ? { Escape: clear, Delete: actions.delete }[event.key] : null;
    if (!run) return;
    event.preventDefault();
    run();
  }, { signal });

  // A finger that stays selects; the click that may follow is none.
  let held = false;
  let timer = 0;
  root.addEventListener('pointerdown', ({ pointerType, target }) => {
    held = false;
    if (pointerType !== 'touch') return;
    timer = setTimeout(() => {
      held = true;
      /** @type {Element} */ (target).closest('.tile')?.querySelector('button')?.click();
    }, 400);
  }, { signal });
  for (const type of ['click', 'contextmenu']) {
    root.addEventListener(type, (event) => {
      if (!held || !event.isTrusted) return;
      event.preventDefault();
      event.stopPropagation();
    }, { signal, capture: true });
  }
  for (const type of ['pointerup', 'pointercancel', 'pointermove']) root.addEventListener(type, () => clearTimeout(timer), { signal });
  return selection;
}
