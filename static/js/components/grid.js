/** A list of pictures as a justified grid. Only the tiles near the window are in the page, however long the list is. */

import { onAction, find, icon } from '../dom.js';
import { element, html, render } from '../html.js';
import { t } from '../i18n.js';
import { Layout } from '../justify.js';
import { localAddress, nameOf } from '../snippets.js';
import { drawThumbHash } from '../thumbhash.js';
import { errorNotice } from './notice.js';
import { hidden, mountSelection } from './selection.js';

/** How far beyond the window tiles are drawn, in pixels. */
const MARGIN = 800;

/** What was opened from a list, to come back to. @type {WeakMap<object, string>} */
const opened = new WeakMap();

/**
 * Draws a list into an element of the page, and gets more of it as it is scrolled.
 * @param {HTMLElement} root
 * @param {import('../types').Context} context
 * @param {object} how
 * @param {import('../store.js').PictureList} how.list
 * @param {boolean} [how.selectable] whether they are one's own
 * @param {() => import('../types').Markup} how.empty what to say when there are none
 * @param {AbortSignal} how.signal
 */
export function mountGrid(root, context, { list, selectable = false, empty, signal }) {
  render(root, html`<ul class="grid" aria-label="${t('grid.label')}"></ul><div class="grid-foot"></div>`);
  const grid = find(root, '.grid');
  const foot = find(root, '.grid-foot');
  /** @type {Map<string, { image: import('../types').Image, tile: HTMLElement, link: HTMLAnchorElement }>} */
  const drawn = new Map();
  let items = list.state.items;
  let layout = new Layout(grid.clientWidth);
  // The one picture that Tab leads to. It stays in the page, so that the focus does.
  let active = opened.get(list) ?? '';
  let at = 0;
  let range = '';
  let kind = '';

  const focus = () => drawn.get(active)?.link.focus({ preventScroll: true });
  const selection = selectable
    ? mountSelection(root, context, { list, items: () => items.slice(0, layout.rows.at(-1)?.to), focus, signal }) : null;

  /** @param {boolean} [anew] also when the same rows are to be seen */
  const draw = (anew = false) => {
    const top = -grid.getBoundingClientRect().top;
    const { rows } = layout;
    const first = layout.rowAt('top', top - MARGIN);
    const last = layout.rowAt('top', top + window.innerHeight + MARGIN);
    if (anew || range !== `${first} ${last}`) {
      range = `${first} ${last}`;
      const focused = grid.contains(document.activeElement);
      const found = items.findIndex(({ id }) => id === active);
      at = Math.max(0, Math.min(found < 0 ? at : found, (rows.at(-1)?.to ?? 0) - 1));
      let there = layout.rowAt('from', at);
      if (!focused && rows[there] && (there < first || there > last)) {
        there = layout.rowAt('top', top + 99);
        at = rows[there].from;
      }
      active = items[at]?.id ?? '';
      const seen = rows.slice(first, last + 1);
      if (there < first) seen.unshift(rows[there]);
      if (there > last) seen.push(rows[there]);
      const gone = new Set(drawn.keys());
      for (const { from, to } of seen) for (let i = from; i < to; i++) gone.delete(items[i].id);
      for (const id of gone) {
        // What is still loading is no longer wanted.
        find(/** @type {any} */ (drawn.get(id)).tile, 'img').removeAttribute('srcset');
        drawn.get(id)?.tile.remove();
        drawn.delete(id);
      }
      let next = grid.firstChild;
      for (const row of seen) {
        layout.boxes(row).forEach(({ left, width }, n) => {
          const image = items[row.from + n];
          let one = drawn.get(image.id);
          if (one?.image !== image) {
            if (next === one?.tile) next = next?.nextSibling ?? null;
            one?.tile.remove();
            one = { image, ...makeTile(image, selectable, context.api.base) };
            drawn.set(image.id, one);
          }
          const { tile, link } = one;
          Object.assign(tile.style, { transform: `translate(${left}px, ${row.top}px)`, width: `${width}px`, height: `${row.height}px` });
          Object.assign(tile, { ariaPosInSet: row.from + n + 1, ariaSetSize: list.state.cursor === null ? items.length : -1 });
          find(tile, 'img', HTMLImageElement).sizes = `${Math.ceil(Math.max(width, row.height * image.width / image.height))}px`;
          link.tabIndex = image.id === active ? 0 : -1;
          if (selection) {
            tile.classList.toggle('selected', selection.ids.has(image.id));
            tile.querySelector('.tile-check')?.setAttribute('aria-checked', String(selection.ids.has(image.id)));
          }
          if (tile === next) next = tile.nextSibling;
          else grid.insertBefore(tile, next);
        });
      }
      if (focused && !grid.contains(document.activeElement)) focus();
    }
    if (!list.state.error && layout.height - top < window.innerHeight * 3) void list.more();
  };

  const update = () => {
    const { cursor, error } = list.state;
    const { ids } = hidden.state;
    items = ids.size ? list.state.items.filter(({ id }) => !ids.has(id)) : list.state.items;
    layout.update(items, cursor === null || Boolean(error));
    grid.style.height = `${layout.height}px`;
    grid.hidden = !items.length;
    const now = error ? 'error' : cursor !== null ? 'more' : items.length ? '' : 'empty';
    if (now !== kind) {
      kind = now;
      render(foot, error ? errorNotice(error, { retry: 'retry' }) : now === 'empty' ? empty() : html`${now
        && html`<div class="skeleton"><p class="sr-only">${t('common.loading')}</p>${Array.from({ length: 40 }, () => html`<i></i>`)}</div>`}`);
    }
    draw(true);
  };

  grid.addEventListener('click', (event) => {
    const tile = event.target instanceof Element && event.target.closest('.tile');
    const index = items.findIndex(({ id }) => drawn.get(id)?.tile === tile);
    if (!tile || index < 0) return;
    active = items[index].id;
    if (selection?.clicked(event, index)) return;
    context.lists.current = list;
    opened.set(list, active);
  });
  grid.addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || !layout.rows.length) return;
    if (event.key === ' ' && selection) {
      event.preventDefault();
      selection.pick(at, event.shiftKey);
      return;
    }
    const to = layout.step(at, event.key, window.innerHeight);
    if (to === undefined) return;
    event.preventDefault();
    if (event.shiftKey) selection?.extend(at, to);
    active = items[to].id;
    draw(true);
    focus();
    drawn.get(active)?.tile.scrollIntoView({ block: 'nearest' });
  });
  // By mouse or by a screen reader the focus comes to any tile.
  grid.addEventListener('focusin', ({ target }) => {
    for (const [id, { link }] of drawn) if (link === target) active = id;
    at = items.findIndex(({ id }) => id === active);
    for (const [id, { link }] of drawn) link.tabIndex = id === active ? 0 : -1;
  });
  // The placeholder would be seen through a transparent picture.
  grid.addEventListener('load', ({ target }) => /** @type {Element} */ (target).previousElementSibling?.remove(), true);
  onAction(foot, { retry: () => void list.more() }, signal);
  window.addEventListener('online', () => list.state.error && list.more(), { signal });
  window.addEventListener('scroll', () => draw(), { signal, passive: true });
  const sizes = new ResizeObserver(() => {
    const { clientWidth: width } = grid;
    if (!width || width === layout.width) return draw();
    const top = -grid.getBoundingClientRect().top;
    const row = layout.rows[layout.rowAt('top', top)];
    layout = new Layout(width);
    update();
    // What was on top stays there.
    if (top > 0 && row) window.scrollBy(0, layout.rows[layout.rowAt('from', row.from)].top - row.top);
  });
  sizes.observe(grid);
  sizes.observe(document.documentElement);
  signal.addEventListener('abort', () => sizes.disconnect());
  list.watch(update, signal);
  hidden.addEventListener('change', update, { signal });
  selection?.addEventListener('change', () => draw(true));
  if (opened.has(list)) {
    // After the router scrolled to where one was.
    queueMicrotask(() => {
      draw();
      const box = drawn.get(active)?.tile.getBoundingClientRect();
      if (box && box.bottom > 0 && box.top < window.innerHeight) focus();
    });
  }
}

/** @param {import('../types').Image} image @param {boolean} mine @param {string} base */
function makeTile(image, mine, base) {
  const name = image.description || nameOf(image);
  const small = localAddress(image.thumbnail_url, base);
  // The narrowest is the address as it is; nothing is made larger than the picture.
  const srcset = [320, 640, 1280].filter((width, i) => !i || image.width * 2 > width)
    .map((width) => `${small.replace(/\bw=320$/, `w=${width}`)} ${Math.min(width, image.width)}w`).join(', ');
  // Thumbnails do not move, and only those of what does are no WebP.
  const moves = !/\.webp\b/.test(small);
  const tile = element(html`<li class="tile"><a href="/p/${image.id}"><canvas></canvas><img srcset="${srcset}" src="${small}" alt="${name}"
    loading="lazy" decoding="async"></a>${mine && html`<button type="button" class="tile-check" role="checkbox" tabindex="-1"
    aria-label="${t('selection.pick', { name })}"></button>`}<span class="tile-badges">${moves && html`<span>${
    image.media_type === 'image/gif' ? 'GIF' : t('grid.animated')}</span>`}${mine && image.visibility !== 'public'
    && html`<span role="img" aria-label="${t(`pictures.${image.visibility}`)}">${icon(image.visibility === 'private' ? 'lock' : 'link')}</span>`}</span></li>`);
  drawThumbHash(find(tile, 'canvas', HTMLCanvasElement), image.placeholder);
  return { tile, link: find(tile, 'a', HTMLAnchorElement) };
}
