/** A picture in its page, and on the whole screen: its neighbours, zoom and pan, by mouse, finger and keys. */

import { on, onAction } from '../dom.js';
import { t } from '../i18n.js';
import { linkOf, localAddress, nameOf, sourcesOf } from '../links.js';
import { parts } from '../stencil.js';
import { hidden } from '../selection.js';
import { drawThumbHash } from '../thumbhash.js';

/** @typedef {import('../types').Image} Image */

/** @type {import('../types').MountViewer} */
export function mountViewer(root, { api, toast }, list, signal, turned) {
  const [dialog, all, pane, stage, previous, next] = parts(root, 'dialog, .viewer-all, .viewer-pane, .stage, .viewer-previous, .viewer-next');
  const pointers = /** @type {Map<number, PointerEvent>} */ (new Map());
  /** The neighbours. @type {Record<string, ReturnType<typeof make>>} */
  let ready = {};
  let image = /** @type {any} */ ({});
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
    // What is about to be deleted is none.
    const items = (list?.state.items ?? []).filter(({ id }) => id === image.id || !hidden.state.ids.has(id));
    const at = items.findIndex(({ id }) => id === image.id);
    if (at + 3 > items.length && !list?.state.error) void list?.more();
    return at < 0 ? undefined : items[at + step];
  };
  const make = (/** @type {Image} */ one) => {
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
  /** Shows a picture as soon as that can be without a flash. @param {Image} to */
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
  const turn = (/** @type {number} */ step) => {
    const to = near(step);
    if (!to) return;
    turned(to);
    void show(to);
  };

  const plus = () => zoomBy(1.5);
  const actions = /** @type {Record<string, () => void>} */ ({
    ArrowLeft: () => turn(-1), ArrowRight: () => turn(1), '+': plus, '=': plus, '-': () => zoomBy(1 / 1.5), 0: () => zoomBy(0), close: () => dialog.close(),
    open: () => isOpen() || dialog.showModal(),
    f: () => (!isOpen() ? dialog.showModal() : document.fullscreenElement ? document.exitFullscreen() : all.requestFullscreen?.()),
  });
  onAction(dialog, actions);
  on(document, 'keydown', (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || !actions[key] || document.querySelector('.dialog') || (zoom > 1 && /Arrow/.test(key))
      || target.matches('[name]') || (!isOpen() && !/Arrow|f/.test(key))) return;
    event.preventDefault();
    actions[key]();
  }, { signal });
  on(dialog, 'close', () => zoomBy(0));

  /** The middle of the fingers, and how far they are apart. */
  const middle = () => {
    const [a, b = a] = pointers.values();
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) || 1 };
  };
  on(dialog, 'pointerdown', (event) => {
    if (!isOpen() || event.button) return;
    if (!pointers.size) [dx, dy, moved] = [0, 0, 0];
    pointers.set(event.pointerId, event);
  });
  on(dialog, 'pointermove', (event) => {
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
  on(dialog, 'pointerup pointercancel', ({ pointerId, type }) => {
    if (!pointers.delete(pointerId) || pointers.size) return;
    stage.style.translate = '';
    if (zoom > 1 || type !== 'pointerup') return;
    if (Math.abs(dx) > Math.max(50, Math.abs(dy))) turn(-Math.sign(dx));
    else if (dy > 80) dialog.close();
  });
  on(pane, 'click', ({ target }) => target === pane && dialog.close());
  on(stage, 'dblclick', (event) => isOpen() && zoomBy(zoom > 1 ? 0 : Math.max(2, natural()), event));
  on(dialog, 'wheel', (event) => {
    if (!isOpen()) return;
    event.preventDefault();
    zoomBy(Math.exp(event.deltaY * (event.deltaMode ? 20 : 1) * (event.ctrlKey ? -0.01 : -0.002)), event);
  }, { passive: false });
  list?.addEventListener('change', () => image.id && around(), { signal });
  return show;
}
