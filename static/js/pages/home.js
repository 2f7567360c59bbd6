/** The first page: for visitors what this is, for members a place to put pictures; for both what is new. */

import { mountGrid } from '../components/grid.js';
import { chooseVisibility, chosenVisibility } from '../components/intake.js';
import { errorNotice } from '../components/notice.js';
import { visibilityOptions } from '../components/upload-tray.js';
import { find, icon, onAction } from '../dom.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { PictureList } from '../store.js';

/** @type {import('../types').Page} */
export const page = (root, context, _, signal) => {
  const { api, instance, lists, queue, session } = context;
  render(root, html`<section class="home-top"></section>
    <section class="home-feed"><h2>${t('home.feed')}</h2><div></div></section>`);
  const top = find(root, '.home-top');
  const choose = (/** @type {string} */ kind, /** @type {string} */ image, style = 'quiet small') =>
    html`<button type="button" class="button ${style} home-${kind}" data-action="choose" data-kind="${kind}">${icon(image)}${t(`home.${kind}`)}</button>`;
  const draw = () => {
    const { account, error } = session.state;
    const registration = instance.state.settings?.registration;
    render(top, account ? html`<h1 class="sr-only">${t('home.upload')}</h1>
      <div class="drop-zone">${choose('files', 'upload', 'primary')}
        <p class="drop-title">${t('home.drop')}</p><p class="drop-hint">${t('home.hint')}</p>
        <p class="drop-more">${choose('folder', 'folder')}${choose('camera', 'camera')}</p></div>
      <label class="inline-field"><span>${t('upload.visibility')}</span>
        <select class="input select">${visibilityOptions(chosenVisibility(account))}</select></label>`
      : account === null ? html`<div class="hero"><h1>${t('home.title')}</h1><p>${t('home.text')}</p>
        <p class="hero-actions">${registration && registration !== 'closed' && html`<a class="button primary" href="/register">${t(`home.register_${registration}`)}</a>`}
          <a class="button" href="/sign-in">${t('home.sign_in')}</a></p></div>`
      : html`${error && errorNotice(error, { retry: 'reload' })}`);
  };
  session.watch(draw, signal);
  instance.watch(draw, signal);
  onAction(top, {
    choose: ({ dataset }) => queue.dispatchEvent(new CustomEvent('choose', { detail: dataset.kind })),
    reload: () => void context.loadAccount(),
  }, signal);
  top.addEventListener('change', ({ target }) => {
    if (session.state.account) chooseVisibility(session.state.account, Object(target).value);
  });
  mountGrid(find(root, '.home-feed div'), context, {
    list: lists.get('feed', () => new PictureList((cursor) => api.call('listFeed', { query: { cursor, limit: 50 } }),
      { has: ({ visibility }) => visibility === 'public', newestFirst: true })),
    empty: { title: t('home.empty'), text: t('home.empty_text') }, signal,
  });
};
