import { find, reconcile } from '../dom.js';
import { html, render } from '../html.js';
import { errorNotice } from './notice.js';
import { watchPictures } from './picture-card.js';

/** @typedef {import('../store.js').Image} Image */

/**
 * Shows a list of pictures as a grid that grows on demand, and says when it is empty, loading or failed.
 * @param {HTMLElement} root
 * @param {object} how
 * @param {import('../store.js').PictureList} how.list
 * @param {string} how.label what the list is, for screen readers
 * @param {(image: Image) => HTMLElement} how.card
 * @param {import('../html.js').Markup} how.empty what to say when there is nothing
 * @param {AbortSignal} how.signal
 */
export function mountGrid(root, { list, label, card, empty, signal }) {
  render(root, html`<ul class="grid" role="list" aria-label="${label}"></ul><div class="grid-foot"></div>`);
  const grid = find(root, '.grid');
  const foot = find(root, '.grid-foot');
  const more = html`<button type="button" class="button" data-more>Try again</button>`;
  watchPictures(grid, signal);
  foot.addEventListener('click', (event) => {
    if (!(event.target instanceof Element) || !event.target.closest('[data-more]')) return;
    const before = grid.children.length;
    void list.more().then(() => {
      // The button may be gone: the focus goes to the first picture that came.
      if (!signal.aborted && grid.children.length > before) grid.children[before].querySelector('a')?.focus();
    });
  }, { signal });

  list.watch(({ items, cursor, loading, error }) => {
    reconcile(grid, items, { key: (image) => `${image.id} ${image.updated_at}`, create: card });
    grid.hidden = items.length === 0;
    grid.setAttribute('aria-busy', String(loading));
    if (error) render(foot, errorNotice(error, more));
    else if (loading) render(foot, html`<p class="loading" role="status">Loading…</p>`);
    else if (cursor) render(foot, html`<button type="button" class="button" data-more>More pictures</button>`);
    else if (items.length === 0 && cursor === null) render(foot, empty);
    else foot.replaceChildren();
  }, signal);
  if (list.state.cursor === undefined) void list.more();
}
