/** The bar for what is selected of one's pictures: what is done to all of it, with ten seconds to undo that. */

import { find, icon, onAction } from '../dom.js';
import { formatSize } from '../format.js';
import { fragment, html, render } from '../html.js';
import { t } from '../i18n.js';
import { hidden } from '../selection.js';

/** @import { Change, Image, Visibility } from '../types' */

/** @type {import('../types').MountSelectionBar} */
export function mountSelectionBar(root, { api, lists, toast }, { selection, list, focus, signal }) {
  const { items } = selection;
  const act = (/** @type {string} */ name, look = '', picture = '') => html`<button type="button" class="button small ${look}"
    data-action="${name}" aria-label="${t(`selection.${name}`)}">${picture && icon(picture)}${name !== 'clear' && t(`selection.${name}`)}</button>`;
  root.append(fragment(html`<p class="sr-only" role="status"></p><div class="selection-bar" role="group" aria-label="${t('selection.label')}" hidden>
    ${act('clear', 'quiet icon-only', 'close')}<p></p>${act('all')}
    <button type="button" class="button small" popovertarget="selection-menu">${t('selection.visibility')}</button>
    <div class="menu" id="selection-menu" popover>${[['public', 'public'], ['unlisted', 'link'], ['private', 'lock']].map(([value, name]) => html`<button
      type="button" data-action="publish" value="${value}">${icon(name)}${t(`pictures.${value}`)}</button>`)}</div>${act('delete', 'danger', 'trash')}</div>`));
  const bar = find(root, '.selection-bar');
  const chosen = () => items().filter(({ id }) => selection.state.ids.has(id));
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
    setTimeout(end, 10_000);
    return end;
  };

  /** @param {Change} change @param {Iterable<string>} ids */
  const call = (change, ids, keepalive = false) =>
    api.call('bulkUpdateImages', { body: { ...change, ids: [...ids].slice(0, 100) }, keepalive });

  /** Does one thing to pictures, 100 a call, which leave the set. @param {Change} change @param {Set<string>} ids @param {(ids: string[]) => void} done */
  const bulk = async (change, ids, done) => {
    const missing = new Set();
    try {
      while (ids.size) {
        const outcomes = (await call(change, ids)).items;
        for (const { id, outcome } of outcomes) if (ids.delete(id) && outcome === 'not_found') missing.add(id);
        done(outcomes.map(({ id }) => id).filter((id) => !missing.has(id)));
      }
    } catch (error) {
      toast(error, { label: t('common.retry'), run: () => void bulk(change, ids, done) });
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
    /** @type {Change} */
    const change = { action: 'delete' };
    const show = () => {
      clearTimeout(timer);
      over.abort();
      hidden.set({ ids: new Set([...hidden.state.ids].filter((id) => !all.has(id))) });
    };
    hidden.set({ ids: new Set([...hidden.state.ids, ...all]) });
    const end = offerUndo(t('selection.deleted', { count: all.size }), show);
    const timer = setTimeout(() => bulk(change, ids, (done) => lists.remove(new Set(done))).then(show), 10_000);
    window.addEventListener('pagehide', () => {
      end();
      for (let rest = [...ids]; rest.length; rest = rest.slice(100)) call(change, rest, true).catch(() => {});
      lists.remove(ids);
      show();
    }, { signal: over.signal });
    // A browser sends no more than 64 KiB after a page was left.
    window.addEventListener('beforeunload', (event) => ids.size > 3000 && event.preventDefault(), { signal: over.signal });
  };

  /** @param {readonly Image[]} images @param {Visibility} visibility */
  const publish = async (images, visibility) => {
    const before = list.state.items;
    const old = new Map(images.map((image) => [image.id, image]));
    /** @param {readonly Image[]} some @param {Visibility} to */
    const change = (some, to) => bulk({ action: 'set_visibility', visibility: to }, new Set(some.map(({ id }) => id)), (done) =>
      lists.replace(done.map((id) => /** @type {Image} */ ({ ...old.get(id), visibility: to }))));
    await change(images, visibility);
    offerUndo(t(`selection.made_${visibility}`, { count: old.size }), async () => {
      // What the list no longer showed comes back to where it was.
      const ids = new Set(before.map(({ id }) => id));
      list.set({ items: [...before, ...list.state.items.filter(({ id }) => !ids.has(id))] });
      for (const to of new Set(images.map((image) => image.visibility))) await change(images.filter((image) => image.visibility === to), to);
    });
  };

  const clear = () => {
    const images = chosen();
    if (bar.contains(document.activeElement)) focus();
    selection.set({ ids: new Set() });
    return images;
  };
  const actions = {
    clear,
    all: () => selection.all(),
    delete: () => remove(clear()),
    publish: (/** @type {any} */ button) => void publish(clear(), button.value),
  };
  onAction(bar, actions);
  selection.watch(() => {
    const images = chosen();
    const count = t('selection.count', { count: images.length });
    const size = formatSize(images.reduce((sum, image) => sum + image.size, 0));
    bar.hidden = !images.length;
    find(root, '[role=status]').textContent = images.length ? `${count}, ${size}` : '';
    render(find(bar, 'p'), html`${count}<span>${size}</span>`);
  }, signal);
  window.addEventListener('keydown', (event) => {
    if (document.querySelector('dialog[open], :popover-open') || /** @type {Element} */ (event.target).matches('input, textarea, select')) return;
    const run = event.ctrlKey || event.metaKey ? { KeyZ: [...undos].pop() }[event.code]
      : selection.state.ids.size ? { Escape: clear, Delete: actions.delete }[event.key] : null;
    if (!run) return;
    event.preventDefault();
    run();
  }, { signal });
}
