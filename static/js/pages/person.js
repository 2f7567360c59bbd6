/** A member's public pictures. */

import { mountGrid } from '../components/grid.js';
import { find, icon } from '../dom.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { PictureList } from '../store.js';
import { problemPage } from './message.js';

/** @type {import('../types').Page} */
export const page = (root, context, { name }, signal) => {
  const { api, lists, session } = context;
  const mine = () => session.state.account?.name === name;
  const list = lists.get(`person ${name}`, () => new PictureList(
    (cursor) => api.call('listAccountImages', { path: { name }, query: { cursor, limit: 100 } }),
    { newestFirst: true, has: (image) => image.account_name === name && image.visibility === 'public' }));
  const shown = new AbortController();
  context.title(name);
  render(root, html`<header class="page-head person"><span class="avatar" aria-hidden="true">${name[0]}</span>
    <div><h1>${name}</h1><p></p></div></header><div></div>`);
  session.watch(() => render(find(root, 'h1 + p'), mine() ? html`${t('person.mine')} <a href="/pictures">${t('person.all')}</a>`
    : html`${t('person.about')}`), AbortSignal.any([signal, shown.signal]));
  mountGrid(find(root, 'header + div'), context, {
    list, signal: AbortSignal.any([signal, shown.signal]),
    empty: () => html`<section class="message">${icon('picture')}<h2>${t('person.none')}</h2>
      <p>${t(mine() ? 'person.none_mine' : 'person.none_text', { name })}</p></section>`,
  });
  list.watch(({ error }) => {
    const { status } = Object(error);
    // No account can have a name that the contract does not take.
    if (status !== 404 && status !== 400) return;
    shown.abort();
    list.reset();
    problemPage(Object.assign(Object(error), { status: 404 }), () => {})(root, context, {}, signal);
  }, shown.signal);
};
