/** The first page: for a visitor what Kadr is and the public feed, for a member uploads and their pictures. */

import { childController, find, onAction } from '../dom.js';
import { html, render } from '../html.js';
import { mountAuthCard } from './auth-card.js';
import { copyAction } from './copy.js';
import { deletePicture } from './delete.js';
import { mountDropZone } from './drop-zone.js';
import { errorNotice } from './notice.js';
import { feedCard, ownCard } from './picture-card.js';
import { mountGrid } from './picture-grid.js';
import { mountUploadList } from './upload-list.js';

/** @typedef {import('../app.js').Context} Context */
/** @typedef {import('../app.js').Session} Session */

/**
 * @param {Readonly<Session>} state
 * @returns {'member' | 'visitor' | 'failed' | 'loading'}
 */
function modeOf({ account, error }) {
  if (account) return 'member';
  if (account === null) return 'visitor';
  return error ? 'failed' : 'loading';
}

/**
 * Shows a visitor's or a member's first page, and keeps up when somebody signs in or out.
 * @type {import('../app.js').View}
 */
export function homeView(root, context, _params, signal) {
  document.title = 'Kadr';
  let mode = '';
  let shown = childController(signal);
  context.session.watch((state) => {
    if (modeOf(state) === mode) return;
    mode = modeOf(state);
    const focused = root.contains(document.activeElement);
    shown.abort();
    shown = childController(signal);
    if (mode === 'member') mountMember(root, context, shown.signal);
    else if (mode === 'visitor') mountVisitor(root, context, shown.signal);
    else if (mode === 'failed') mountFailure(root, context, shown.signal);
    else render(root, html`<p class="loading" role="status">Loading…</p>`);
    // What had the focus is gone, such as the button that signs in: go on where the new content begins.
    if (focused) root.focus({ preventScroll: true });
  }, signal);
}

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {AbortSignal} signal
 */
function mountVisitor(root, context, signal) {
  render(root, html`
    <section class="hero">
      <div class="hero-text">
        <h1>Your pictures, with links that last.</h1>
        <p>Kadr keeps your pictures on this server and gives each one a permanent direct link.</p>
      </div>
      <div class="panel auth"></div>
    </section>
    <section class="section" aria-labelledby="feed-title">
      <h2 id="feed-title">Public pictures</h2>
      <div class="feed"></div>
    </section>`);
  mountAuthCard(find(root, '.auth'), context, signal);
  mountGrid(find(root, '.feed'), {
    list: context.feed,
    label: 'Public pictures',
    card: (image) => feedCard(image, context.api.base),
    empty: html`<p class="empty">Nobody has made a picture public yet.</p>`,
    signal,
  });
}

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {AbortSignal} signal
 */
function mountMember(root, context, signal) {
  render(root, html`
    <section aria-labelledby="upload-title">
      <h1 class="sr-only" id="upload-title">Upload pictures</h1>
      <div class="drop"></div>
      <div class="uploads"></div>
    </section>
    <section class="section" aria-labelledby="mine-title">
      <h2 id="mine-title" tabindex="-1">My pictures</h2>
      <div class="mine"></div>
    </section>`);
  mountDropZone(find(root, '.drop'), context, signal);
  mountUploadList(find(root, '.uploads'), context, signal);
  mountGrid(find(root, '.mine'), {
    list: context.mine,
    label: 'My pictures',
    card: (image) => ownCard(image, context.api.base),
    empty: html`<p class="empty">Nothing here yet. Drop a picture anywhere on this page.</p>`,
    signal,
  });
  onAction(root, {
    copy: copyAction(context.toast),
    delete: async (button) => {
      const image = context.mine.state.items.find(({ id }) => id === button.dataset.id);
      const next = button.closest('.card')?.nextElementSibling?.querySelector('a');
      if (!image || !await deletePicture(image, context)) return;
      (next ?? find(root, '#mine-title')).focus();
    },
  }, signal);
}

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {AbortSignal} signal
 */
function mountFailure(root, context, signal) {
  render(root, errorNotice(context.session.state.error,
    html`<button type="button" class="button" data-action="again">Try again</button>`));
  onAction(root, { again: () => void context.loadAccount() }, signal);
}
