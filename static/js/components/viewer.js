/** A picture in its page, and on the whole screen: its neighbours, zoom and pan, by mouse, finger and keys. */

import { find, icon, onAction } from '../dom.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { linkOf, localAddress, nameOf, sourcesOf } from '../links.js';
import { drawThumbHash } from '../thumbhash.js';

/** The buttons by their keys. */
const BUTTONS = Object.entries({ ArrowLeft: 'previous', ArrowRight: 'next', '-': 'minus', '+': 'plus', f: 'fullscreen', Escape: 'close' });

/** @type {import('../types').MountViewer} */
export function mountViewer(root, { api, toast }, list, signal, turned) {
  render(root, html`<dialog class="viewer" aria-label="${t('viewer.label')}"><div class="viewer-all"><div class="viewer-pane">
    <button type="button" class="stage" data-action="f"></button></div>${BUTTONS.map(([key, name]) =>
      html`<button type="button" class="viewer-${name}" data-action="${key}" title="${t(`viewer.${name}`)}">${icon(name)}</button>`)}
    <div class="toasts" data-toasts role="status"></div></div></dialog>`);
  const dialog = find(root, 'dialog', HTMLDialogElement);
  const [all, pane, stage, previous, next] = ['-all', '-pane', '-pane button', '-previous', '-next'].map((name) => find(root, `.viewer${name}`));
  const pointers = /** @type {Map<number, PointerEvent>} */ (new Map());
  let image = /** @type {import('../types').Image} */ ({});
  /** The neighbours. @type {Record<string, ReturnType<typeof make>>} */
  let ready = {};
  let [zoom, dx, dy, moved] = [1, 0, 0, 0];
  const isOpen = () => dialog.matches(':modal');
  const natural = () => Math.max(1, image.width / stage.clientWidth * zoom);

  /** @param {number} factor @param {{ x: number, y: number }} [at] what stays where it is */
  const zoomBy = (factor, { x, y } = { x: innerWidth / 2, y: innerHeight / 2 }) => {
    const was = stage.getBoundingClientRect();
    zoom = Math.max(1, Math.min(zoom * factor, natural() * 4));
    stage.style.setProperty('--zoom', `${zoom}`);
    all.classList.toggle('zoomed', zoom > 1);
    const { left, top, width, height } = stage.getBoundingClientRect();
    pane.scrollBy(left - x + (x - was.left) * width / was.width, top - y + (y - was.top) * height / was.height);
    const img = stage.querySelector('img');
    // The browser gets a larger size when it needs one.
    if (img && zoom > 1) img.sizes = `${Math.max(parseInt(img.sizes), width)}px`;
  };

  /** A neighbour, in a list that grows in time. @param {number} step */
  const near = (step) => {
    const { items, error } = list?.state ?? { items: [] };
    const at = items.findIndex(({ id }) => id === image.id);
    if (at + 3 > items.length && !error) void list?.more();
    return at < 0 ? undefined : items[at + step];
  };
  const make = (/** @type {import('../types').Image} */ one) => {
    const local = (/** @type {string} */ address) => localAddress(address, api.base);
    const img = Object.assign(new Image(), {
      alt: one.description || nameOf(one), draggable: false, sizes: '100vw', srcset: sourcesOf(one, local).at(-1)?.srcset ?? '', src: local(linkOf(one)),
    });
    return { img, done: img.decode().then(() => true, () => false) };
  };
  const around = () => {
    const three = [near(-1), near(1)];
    [previous.hidden, next.hidden] = [!three[0], !three[1]];
    ready = Object.fromEntries(three.flatMap((one) => (one ? [[one.id, ready[one.id] ?? make(one)]] : [])));
  };
  const put = (/** @type {HTMLElement} */ what) => {
    stage.style.setProperty('--ratio', `${image.width / image.height}`);
    stage.style.setProperty('--width', `${image.width}px`);
    stage.replaceChildren(what);
    zoomBy(0);
  };
  /** Shows a picture as soon as that can be without a flash. @param {import('../types').Image} to */
  const show = async (to) => {
    image = to;
    const { img, done } = ready[to.id] ?? make(to);
    if (!stage.firstChild) {
      const canvas = document.createElement('canvas');
      drawThumbHash(canvas, to.placeholder);
      put(canvas);
    }
    stage.ariaBusy = 'true';
    const good = await done;
    if (image !== to) return;
    stage.ariaBusy = 'false';
    put(img);
    around();
    if (!good) toast(t('viewer.failed'));
  };
  /** @param {number} step */
  const turn = (step) => {
    const to = near(step);
    if (!to) return;
    turned(to);
    void show(to);
  };

  const actions = /** @type {Record<string, () => void>} */ ({
    ArrowLeft: () => turn(-1), ArrowRight: () => turn(1), '+': () => zoomBy(1.5), '=': () => zoomBy(1.5), '-': () => zoomBy(1 / 1.5), 0: () => zoomBy(0),
    f: () => (isOpen() ? document.fullscreenElement ? document.exitFullscreen() : all.requestFullscreen?.() : dialog.showModal()),
    Escape: () => dialog.close(),
  });
  onAction(dialog, { ...actions, f: (button) => (button !== stage || !isOpen()) && actions.f() });
  document.addEventListener('keydown', (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || key === 'Escape' || !actions[key] || document.querySelector('.dialog')
      || /** @type {Element} */ (target).matches('[name]') || (zoom > 1 && /Arrow/.test(key)) || (!isOpen() && !/Arrow|f/.test(key))) return;
    event.preventDefault();
    actions[key]();
  }, { signal });
  dialog.addEventListener('close', () => zoomBy(0));

  /** The middle of the fingers, and how far they are apart. */
  const middle = () => {
    const [a, b = a] = pointers.values();
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) || 1 };
  };
  dialog.addEventListener('pointerdown', (event) => {
    if (!isOpen() || event.button) return;
    if (!pointers.size) [dx, dy, moved] = [0, 0, 0];
    pointers.set(event.pointerId, event);
  });
  dialog.addEventListener('pointermove', (event) => {
    // The buttons come back, and go again by themselves.
    for (const animation of all.getAnimations({ subtree: true })) animation.currentTime = 0;
    if (!pointers.has(event.pointerId)) return;
    const was = middle();
    pointers.set(event.pointerId, event);
    const now = middle();
    moved += Math.hypot(now.x - was.x, now.y - was.y) + Math.abs(now.apart - was.apart);
    if (moved < 8) return;
    dialog.setPointerCapture(event.pointerId);
    if (pointers.size > 1) zoomBy(now.apart / was.apart, now);
    if (zoom > 1) return pane.scrollBy(was.x - now.x, was.y - now.y);
    [dx, dy] = [dx + now.x - was.x, dy + now.y - was.y];
    stage.style.translate = `${dx}px ${dy}px`;
  });
  const up = (/** @type {PointerEvent} */ { pointerId, type }) => {
    if (!pointers.delete(pointerId) || pointers.size) return;
    stage.style.translate = '';
    if (zoom > 1 || type !== 'pointerup') return;
    if (Math.abs(dx) > Math.max(50, Math.abs(dy))) turn(-Math.sign(dx));
    else if (dy > 80) dialog.close();
  };
  dialog.addEventListener('pointerup', up);
  dialog.addEventListener('pointercancel', up);
  pane.addEventListener('click', ({ target }) => target === pane && dialog.close());
  stage.addEventListener('dblclick', (event) => isOpen() && zoomBy(zoom > 1 ? 0 : Math.max(2, natural()), event));
  dialog.addEventListener('wheel', (event) => {
    if (!isOpen()) return;
    event.preventDefault();
    zoomBy(Math.exp(event.deltaY * (event.deltaMode ? 20 : 1) * (event.ctrlKey ? -0.01 : -0.002)), event);
  }, { passive: false });
  list?.addEventListener('change', () => image.id && around(), { signal });
  return show;
}
