/** Pictures as a justified grid, of which only what is near the window is in the page. */

import { find, icon, onAction, reconcile } from '../dom.js';
import { element, html, render } from '../html.js';
import { t } from '../i18n.js';
import { Layout } from '../justify.js';
import { localAddress, nameOf } from '../links.js';
import { Selection, hidden } from '../selection.js';
import { drawThumbHash } from '../thumbhash.js';
import { errorNotice } from './notice.js';

/** The picture that was opened last from a list, to come back to. @type {WeakMap<object, string>} */
const opened = new WeakMap();

/** Draws a list, and gets more of it as one scrolls. @type {import('../types').MountGrid} */
export function mountGrid(root, context, { list, selectable = false, empty, signal }) {
  render(root, html`<ul class="grid" aria-label="${t('grid.label')}"></ul><div></div>`);
  const grid = find(root, 'ul');
  let foot = find(root, 'div');
  let layout = new Layout(grid.clientWidth);
  let { items } = list.state;
  // Tab leads to one picture, which stays in the page, so that the focus does.
  let active = '';
  let at = 0;
  let drawn = '';
  let below = '';
  const shown = () => items.slice(0, layout.rows.at(-1)?.to ?? 0);
  const focus = () => find(grid, '[tabindex="0"]').focus({ preventScroll: true });
  const selection = selectable ? new Selection(shown) : null;
  const topOf = () => -grid.getBoundingClientRect().top;
  const indexOf = (/** @type {any} */ target) => Number(target.closest('.tile')?.ariaPosInSet) - 1;

  const draw = (anew = true) => {
    const { rows } = layout;
    const [first, last] = [-800, window.innerHeight + 800].map((by) => layout.rowAt('top', topOf() + by));
    if (anew || drawn !== `${first} ${last}`) {
      drawn = `${first} ${last}`;
      const focused = grid.contains(document.activeElement);
      const found = items.findIndex(({ id }) => id === active);
      at = Math.max(0, Math.min(found < 0 ? at : found, shown().length - 1));
      let row = layout.rowAt('from', at);
      if (!focused && (row < first || row > last)) {
        row = layout.rowAt('top', topOf() + 99);
        at = rows[row].from;
      }
      active = items[at]?.id;
      const boxes = rows.filter((_, i) => i === row || (i >= first && i <= last)).flatMap((one) => layout.boxes(one));
      const before = [...grid.children];
      reconcile(grid, boxes, {
        key: ({ index }) => items[index].id + items[index].updated_at + items[index].visibility,
        create: ({ index }) => makeTile(items[index], selectable, context.api.base, index),
      });
      // What is on its way to a tile that is gone is no longer wanted.
      for (const tile of before) if (!tile.isConnected) find(tile, 'img').removeAttribute('srcset');
      boxes.forEach(({ index, left, top, width, height }, i) => {
        const tile = /** @type {HTMLElement} */ (grid.children[i]);
        const image = items[index];
        Object.assign(tile.style, { transform: `translate(${left}px, ${top}px)`, width: `${width}px`, height: `${height}px` });
        Object.assign(tile, { ariaPosInSet: index + 1, ariaSetSize: list.state.cursor === null ? items.length : -1 });
        const img = find(tile, 'img', HTMLImageElement);
        const sizes = `${Math.ceil(Math.max(width, height * image.width / image.height))}px`;
        if (img.sizes !== sizes) img.sizes = sizes;
        find(tile, 'a').tabIndex = index === at ? 0 : -1;
        const chosen = Boolean(selection?.state.ids.has(image.id));
        tile.classList.toggle('selected', chosen);
        tile.querySelector('button')?.setAttribute('aria-checked', `${chosen}`);
      });
      if (focused && active && !grid.contains(document.activeElement)) focus();
    }
    if (!list.state.error && layout.height - topOf() < window.innerHeight * 3) void list.more();
  };

  const update = () => {
    const { cursor, error } = list.state;
    const { ids } = hidden.state;
    items = ids.size ? list.state.items.filter(({ id }) => !ids.has(id)) : list.state.items;
    layout.update(items, cursor === null || Boolean(error));
    grid.style.height = `${layout.height}px`;
    grid.hidden = !layout.height;
    const kind = error ? 'error' : cursor !== null ? 'more' : items.length ? 'end' : 'empty';
    if (below !== kind + layout.height) {
      below = kind + layout.height;
      const old = foot;
      // Made anew, as what moves down is a shift of the layout.
      foot = element(html`<div class="grid-foot">${error ? errorNotice(error, { retry: 'retry' }) : kind === 'empty' ? empty() : kind === 'more'
        && html`<div class="skeleton"><p class="sr-only">${t('common.loading')}</p>${Array.from('skeleton of a grid of many pictures', () => html`<i></i>`)}</div>`}</div>`);
      old.replaceWith(foot);
    }
    draw();
  };

  let held = false;
  let timer = 0;
  /** @type {Record<string, (event: any) => unknown>} */
  const gestures = {
    click(event) {
      const index = indexOf(event.target);
      const plain = !event.ctrlKey && !event.metaKey && (event.shiftKey || selection?.state.ids.size);
      if (selection && index >= 0 && (plain || event.target.matches('button'))) {
        event.preventDefault();
        selection.pick(index, event.shiftKey);
      } else if (index >= 0) {
        context.lists.current = list;
        opened.set(list, items[index].id);
      }
    },
    focusin({ target }) {
      active = items[indexOf(target)].id;
      draw();
    },
    keydown(event) {
      const { key, shiftKey } = event;
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const to = key === ' ' && selection ? at : layout.step(at, key, window.innerHeight);
      if (to === undefined) return;
      event.preventDefault();
      if (key === ' ') selection?.pick(at, shiftKey);
      else if (shiftKey) selection?.extend(at, to);
      active = items[to].id;
      draw();
      focus();
      grid.querySelector(':focus')?.scrollIntoView({ block: 'nearest' });
    },
    // A finger that stays selects; what the browser makes of it is not meant.
    pointerdown({ pointerType, target }) {
      held = false;
      if (pointerType === 'touch' && selection) {
        timer = setTimeout(() => {
          target.closest('.tile')?.querySelector('button').click();
          held = true;
        }, 400);
      }
    },
    pointerup: () => clearTimeout(timer),
    pointermove: () => clearTimeout(timer),
    pointercancel: () => clearTimeout(timer),
    contextmenu: (event) => held && event.preventDefault(),
  };
  for (const type of Object.keys(gestures)) {
    grid.addEventListener(type, (event) => (held && type === 'click' ? event.preventDefault() : gestures[type](event)));
  }
  // A placeholder would be seen through a transparent picture.
  grid.addEventListener('load', ({ target }) => /** @type {Element} */ (target).previousElementSibling?.remove(), true);
  onAction(root, { retry: () => void list.more() }, signal);
  window.addEventListener('keydown', (event) => {
    if (!selection || event.code !== 'KeyA' || !(event.ctrlKey || event.metaKey) || document.querySelector('dialog[open]')
      || /** @type {Element} */ (event.target).matches('input, textarea')) return;
    event.preventDefault();
    selection.all();
  }, { signal });
  window.addEventListener('online', () => list.state.error && list.more(), { signal });
  window.addEventListener('scroll', () => draw(false), { signal });
  const resized = new ResizeObserver(() => {
    const { clientWidth } = grid;
    if (!clientWidth || clientWidth === layout.width) return draw(false);
    const top = topOf();
    const row = layout.rows[layout.rowAt('top', top)];
    layout = new Layout(clientWidth);
    update();
    // What was on top stays there.
    if (top > 0 && row) window.scrollBy(0, layout.rows[layout.rowAt('from', row.from)].top - row.top);
  });
  for (const one of [grid, document.documentElement]) resized.observe(one);
  signal.addEventListener('abort', () => resized.disconnect());
  list.watch(update, signal);
  hidden.addEventListener('change', update, { signal });
  selection?.addEventListener('change', () => draw());
  // What can be done to a selection comes with the first.
  selection?.addEventListener('change', () => import('./selection-bar.js').then(({ mountSelectionBar }) =>
    signal.aborted || mountSelectionBar(root, context, { selection, list, focus, signal })).catch(context.toast), { once: true });
  const back = opened.get(list);
  // After the router has scrolled to where one was.
  if (back) {
    queueMicrotask(() => {
      active = back;
      draw();
      if (active === back) focus();
    });
  }
}

/** @param {import('../types').Image} image @param {boolean} mine @param {string} base @param {number} index */
function makeTile(image, mine, base, index) {
  const name = image.description || nameOf(image);
  const small = localAddress(image.thumbnail_url, base);
  const srcset = [320, 640, 1280].filter((width) => width < image.width * 2 || width === 320)
    .map((width) => `${small.replace(/\bw=320$/, `w=${width}`)} ${Math.min(width, image.width)}w`).join();
  const tile = element(html`<li class="tile"><a href="/p/${image.id}"><canvas></canvas><img srcset="${srcset}" alt="${name}" loading="${index < 4 ? 'eager' : 'lazy'}"
    fetchpriority="${index < 4 ? 'high' : 'auto'}" decoding="async"></a>${mine && html`<button type="button" class="tile-check" role="checkbox" aria-checked="false" tabindex="-1"
    aria-label="${t('selection.pick', { name })}"></button>`}<span class="tile-badges">${
    // Thumbnails are stills, and no WebP only where the picture moves.
    !/\.webp\b/.test(small) && html`<span>${image.media_type === 'image/gif' ? 'GIF' : t('grid.animated')}</span>`}${
    mine && image.visibility !== 'public' && html`<span role="img" aria-label="${t(`pictures.${image.visibility}`)}">${
    icon(image.visibility === 'private' ? 'lock' : 'link')}</span>`}</span></li>`);
  drawThumbHash(find(tile, 'canvas', HTMLCanvasElement), image.placeholder);
  return tile;
}
