/** The first page: for visitors what this is, for members a place to put pictures, for both what is new. */

import { mountGrid } from '../components/grid.js';
import { visibilityKey } from '../components/intake.js';
import { errorNotice } from '../components/notice.js';
import { on, onAction } from '../dom.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { parts, stencil } from '../stencil.js';
import { PictureList } from '../store.js';

/** @param {import('../types').Context} context */
const feedOf = ({ api, lists }) => lists.get('feed', () => new PictureList((cursor) => api.call('listFeed', { query: { cursor, limit: 50 } }),
  { has: ({ visibility }) => visibility === 'public', newestFirst: true }));

/** @type {import('../types').Ahead} */
export const ahead = (context) => feedOf(context).more();

/** @type {import('../types').Page} */
export const page = (root, context, _, signal) => {
  const { instance, queue, session } = context;
  root.append(stencil('home'));
  const [hero, zone, choice, trouble, feed] = parts(root, '.hero, .zone, select, .trouble, .feed');
  session.watch(({ account, error }) => {
    hero.hidden = account !== null;
    zone.hidden = !account;
    choice.value = localStorage[visibilityKey(account)] ?? account?.default_visibility;
    render(trouble, html`${error && errorNotice(error, { retry: 'reload' })}`);
  }, signal);
  instance.watch(({ settings }) => { hero.dataset.registration = settings?.registration; }, signal);
  on(choice, 'change', () => { localStorage[visibilityKey(session.state.account)] = choice.value; });
  onAction(root, {
    choose: ({ dataset }) => queue.dispatchEvent(new CustomEvent('choose', { detail: dataset.kind })),
    reload: () => void context.loadAccount(),
  }, signal);
  mountGrid(feed, context, { list: feedOf(context), empty: () => html`<p>${t('home.empty')}</p>`, signal });
};
