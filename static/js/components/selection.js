/** What is selected of one's pictures, and what is done to it at once, with ten seconds to undo that. */

import { find, icon, onAction } from '../dom.js';
import { formatSize } from '../format.js';
import { fragment, html, render } from '../html.js';
import { t } from '../i18n.js';
import { explain } from '../problem.js';
import { Store } from '../store.js';

/** @import { Image, Visibility } from '../types' */

const UNDO = 10_000;

/** Pictures that are about to be deleted: no grid shows them. */
export const hidden = new Store({ ids: /** @type {ReadonlySet<string>} */ (new Set()) });

/** The ids of what is selected, and how clicks and keys change it; dispatches `change`. */
export class Selection extends EventTarget {
  /** @type {ReadonlySet<string>} */
  ids = new Set();
  #last = '';

  /** @param {() => readonly Pick<Image, 'id'>[]} items what there is to select */
  constructor(items) {
    super();
    this.items = items;
  }

  set(/** @type {Iterable<string>} */ ids) {
    this.ids = new Set(ids);
    this.dispatchEvent(new Event('change'));
  }

  /** Turns one; as a range, makes all from the one turned last be as that is. @param {number} index */
  pick(index, range = false) {
    const items = this.items();
    const from = range ? items.findIndex(({ id }) => id === this.#last) : -1;
    const { id } = items[from < 0 ? index : from];
    const on = this.ids.has(id) === from >= 0;
    const [a, b] = from < 0 ? [index, index] : [Math.min(from, index), Math.max(from, index)];
    const ids = new Set(this.ids);
    for (const one of items.slice(a, b + 1)) ids[on ? 'add' : 'delete'](one.id);
    this.#last = items[index].id;
    this.set(ids);
  }

  /** Selects from one on to another. @param {number} from @param {number} to */
  extend(from, to) {
    this.#last = this.items()[from].id;
    if (!this.ids.has(this.#last)) this.pick(from);
    this.pick(to, true);
  }

  /** Takes a click on a picture that is meant for the selection. @param {MouseEvent} event @param {number} index */
  clicked(event, index) {
    const check = /** @type {Element} */ (event.target).matches('.tile-check');
    if (!check && (event.ctrlKey || event.metaKey || (!event.shiftKey && !this.ids.size))) return false;
    event.preventDefault();
    this.pick(index, event.shiftKey);
    return true;
  }

  /** @param {Element} tile @param {string} id */
  mark(tile, id) {
    tile.classList.toggle('selected', this.ids.has(id));
    find(tile, 'button').ariaChecked = String(this.ids.has(id));
  }
}

/** Shows a bar for what is selected. @type {import('../types').MountSelection} */
export function mountSelection(root, { api, lists, toast }, { list, items, focus, signal }) {
  root.append(fragment(html`<p class="sr-only" role="status"></p><div class="selection-bar" role="group" aria-label="${t('selection.label')}" hidden>
    <button type="button" class="button quiet small icon-only" data-action="clear" aria-label="${t('selection.clear')}">${icon('close')}</button>
    <p></p><button type="button" class="button small" data-action="all">${t('selection.all')}</button>
    <button type="button" class="button small" popovertarget="selection-menu">${t('selection.visibility')}</button>
    <div class="menu" id="selection-menu" popover>${[['public', 'public'], ['unlisted', 'link'], ['private', 'lock']].map(([value, name]) => html`<button
      type="button" data-action="visibility" value="${value}">${icon(name)}${t(`pictures.${value}`)}</button>`)}</div>
    <button type="button" class="button small danger" data-action="delete">${icon('trash')}${t('selection.delete')}</button></div>`));
  const bar = find(root, '.selection-bar');
  const selection = new Selection(items);
  const chosen = () => items().filter(({ id }) => selection.ids.has(id));
  /** @type {Set<() => void>} */
  const undos = new Set();

  /** Offers to take something back, by the message or by Ctrl+Z. @param {string} message @param {() => void} run */
  const offerUndo = (message, run) => {
    const undo = () => {
      end();
      run();
    };
    const close = toast(message, { label: t('common.undo'), run: undo });
    const end = () => {
      close();
      undos.delete(undo);
    };
    undos.add(undo);
    setTimeout(end, UNDO);
    return end;
  };

  const call = (/** @type {object} */ change, /** @type {Set<string>} */ ids, keepalive = false) =>
    api.call('bulkUpdateImages', { body: /** @type {any} */ ({ ...change, ids: [...ids].slice(0, 100) }), keepalive });

  /** Does one thing to pictures, 100 a call, which leave the set. @param {object} change @param {Set<string>} ids @param {(ids: string[]) => void} done */
  const bulk = async (change, ids, done) => {
    const missing = new Set();
    try {
      while (ids.size) {
        const outcomes = (await call(change, ids)).items;
        for (const { id, outcome } of outcomes) if (ids.delete(id) && outcome === 'not_found') missing.add(id);
        done(outcomes.map(({ id }) => id).filter((id) => !missing.has(id)));
      }
    } catch (error) {
      toast(explain(error), { label: t('common.retry'), run: () => void bulk(change, ids, done) });
    }
    if (!missing.size) return;
    lists.remove(missing);
    toast(t('selection.missing', { count: missing.size }));
  };

  /** Hides pictures, and deletes them when it is too late to undo or the page is left. @param {readonly Image[]} images */
  const remove = (images) => {
    const all = new Set(images.map(({ id }) => id));
    const ids = new Set(all);
    const over = new AbortController();
    const end = offerUndo(t('selection.deleted', { count: all.size }), () => show());
    const timer = setTimeout(() => void bulk({ action: 'delete' }, ids, (done) => lists.remove(new Set(done))).then(show), UNDO);
    const show = () => {
      clearTimeout(timer);
      over.abort();
      hidden.set({ ids: new Set([...hidden.state.ids].filter((id) => !all.has(id))) });
    };
    hidden.set({ ids: new Set([...hidden.state.ids, ...all]) });
    window.addEventListener('pagehide', () => {
      end();
      lists.remove(all);
      for (; ids.size; [...ids].slice(0, 100).forEach((id) => ids.delete(id))) call({ action: 'delete' }, ids, true).catch(() => {});
      show();
    }, { signal: over.signal });
    // A browser sends no more than 64 KiB after a page was left.
    window.addEventListener('beforeunload', (event) => ids.size > 3000 && event.preventDefault(), { signal: over.signal });
  };

  /** @param {readonly Image[]} images @param {Visibility} visibility */
  const publish = async (images, visibility) => {
    const before = list.state.items;
    const old = new Map(images.map((image) => [image.id, image]));
    /** @param {Iterable<string>} ids @param {Visibility} to */
    const change = (ids, to) => bulk({ action: 'set_visibility', visibility: to }, new Set(ids), (done) =>
      lists.replace(done.map((id) => /** @type {Image} */ ({ ...old.get(id), visibility: to }))));
    await change(old.keys(), visibility);
    offerUndo(t(`selection.made_${visibility}`, { count: old.size }), async () => {
      // What the list no longer showed comes back to where it was.
      const ids = new Set(before.map(({ id }) => id));
      list.set({ items: [...before, ...list.state.items.filter(({ id }) => !ids.has(id))] });
      for (const to of new Set(images.map((image) => image.visibility))) {
        await change(images.filter((image) => image.visibility === to).map(({ id }) => id), to);
      }
    });
  };

  const take = () => {
    const images = chosen();
    if (bar.contains(document.activeElement)) focus();
    selection.set([]);
    return images;
  };
  const actions = {
    clear: take,
    all: () => selection.set(items().map(({ id }) => id)),
    delete: () => remove(take()),
    visibility: (/** @type {HTMLElement} */ button) => void publish(take(), /** @type {any} */ (button).value),
  };
  onAction(bar, actions, signal);
  selection.addEventListener('change', () => {
    const images = chosen();
    const count = t('selection.count', { count: images.length });
    const size = formatSize(images.reduce((sum, image) => sum + image.size, 0));
    bar.hidden = !images.length;
    find(root, '[role=status]').textContent = images.length ? `${count}, ${size}` : '';
    render(find(bar, 'p'), html`${count}<span>${size}</span>`);
  });
  window.addEventListener('keydown', (event) => {
    if (document.querySelector('dialog[open], :popover-open') || /** @type {Element} */ (event.target).matches('input, textarea, select')) return;
    const command = event.ctrlKey || event.metaKey;
    const run = command && event.code === 'KeyA' ? actions.all : command && event.code === 'KeyZ' ? [...undos].pop()
      : !command && selection.ids.size ? { Escape: actions.clear, Delete: actions.delete }[event.key] : null;
    if (!run) return;
    event.preventDefault();
    run();
  }, { signal });

  // A finger that stays selects; what the browser makes of it is not meant.
  let held = false;
  let timer = 0;
  /** @type {Record<string, (event: Event) => void>} */
  const gestures = {
    pointerdown: (event) => {
      held = false;
      const tile = /** @type {Element} */ (event.target).closest('.tile');
      if (tile && /** @type {PointerEvent} */ (event).pointerType === 'touch') {
        timer = setTimeout(() => {
          find(tile, 'button').click();
          held = true;
        }, 400);
      }
    },
    pointerup: () => clearTimeout(timer),
    pointermove: () => clearTimeout(timer),
    pointercancel: () => clearTimeout(timer),
    contextmenu: (event) => held && event.preventDefault(),
    click: (event) => held && [event.preventDefault(), event.stopPropagation()],
  };
  for (const type of Object.keys(gestures)) root.addEventListener(type, gestures[type], { signal, capture: true });
  return selection;
}
