/** My pictures: all that one has put here, to search, sort and tidy up. What is looked at is in the address. */

import { mountGrid } from '../components/grid.js';
import { hidden } from '../selection.js';
import { find, icon, onAction } from '../dom.js';
import { formatSize } from '../format.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { PictureList } from '../store.js';

/** What there is to choose, by the query's names; sort and order are one. */
const CHOICES = {
  sort: ['', 'created_at asc', 'name asc', 'size desc', 'size asc'],
  visibility: ['', 'public', 'unlisted', 'private'],
  media_type: ['', 'image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif', 'image/heic', 'image/tiff'],
};

/** @param {import('../types').Context} context @param {Record<'q' | 'sort' | 'order' | 'visibility' | 'media_type', any>} query */
const listOf = ({ api, lists, session }, { q = '', visibility = '', media_type = '', ...order }) => {
  const query = { q, ...order, visibility, media_type };
  const search = `${new URLSearchParams(Object.entries(query).filter(([, value]) => value))}`;
  return { search, list: lists.get(`pictures ${search}`, () => new PictureList((cursor) =>
    api.call('listImages', { query: { ...query, cursor, limit: 100 } }), {
    newestFirst: !order.sort,
    has: (image) => image.account_name === session.state.account?.name && image.visibility.startsWith(visibility)
      && image.media_type.startsWith(media_type) && [image.filename, image.title, image.description].join('\n').toLowerCase().includes(q.toLowerCase()),
  })) };
};

/** @type {import('../types').Ahead} */
export const ahead = (context) =>
  !location.search && context.session.state.account !== null && listOf(context, Object()).list.more();

/** @type {import('../types').Page} */
export const page = (root, context, _, signal) => {
  const { api, router, queue } = context;
  context.title(t('pictures.title'));
  render(root, html`<header class="page-head"><h1>${t('pictures.title')}</h1><p></p></header>
    <form class="list-tools" role="search"><label class="list-search">${icon('search')}<input class="input select" type="search" name="q"
      maxlength="100" placeholder="${t('pictures.search')}" aria-label="${t('pictures.search')}"></label>${Object.entries(CHOICES).map(([name, values]) => html`
      <select class="input select" name="${name}" aria-label="${t(`pictures.${name}`)}">${values.map((value) => html`<option
        value="${value}">${value.startsWith('image') ? value.slice(6).toUpperCase() : t(`pictures.${value.replace(' ', '_') || `any_${name}`}`)}</option>`)}</select>`)}
    </form><div></div>`);
  const form = find(root, 'form', HTMLFormElement);
  /** @type {any[]} */
  const fields = [...form.elements];
  let shown = new AbortController();
  let typing = 0;

  const show = () => {
    shown.abort();
    shown = new AbortController();
    const [q, both, visibility, media_type] = fields.map(({ value }) => value.replace(/\p{Cc}+/gu, ' ').trim());
    const [sort, order] = both.split(' ');
    const { list, search } = listOf(context, { q, sort, order, visibility, media_type });
    mountGrid(find(root, 'form + div'), context, {
      list,
      selectable: true,
      signal: AbortSignal.any([signal, shown.signal]),
      empty: () => {
        const [key, action] = q || visibility || media_type ? ['nothing', 'clear'] : ['none', 'upload'];
        return html`<section class="message">${icon('picture')}<h2>${t(`pictures.${key}`)}</h2><p>${t(`pictures.${key}_text`)}</p>
          <button type="button" class="button primary" data-action="${action}">${t(`pictures.${action}`)}</button></section>`;
      },
    });
    return `/pictures${search && `?${search}`}`;
  };
  const change = () => {
    // A search is one entry of the history, not one for each letter.
    const replace = Boolean(typing && new URLSearchParams(location.search).has('q'));
    typing = 0;
    const path = show();
    if (path !== router.address) router.go(path, { replace, quiet: true });
  };

  const given = new URLSearchParams(location.search);
  if (given.has('sort')) given.set('sort', `${given.get('sort')} ${given.get('order') ?? 'desc'}`);
  for (const field of fields) {
    field.value = given.get(field.name) ?? '';
    if (!field.value) field.value = ''; // what there is no choice for
  }
  show();
  form.addEventListener('input', ({ target }) => {
    clearTimeout(typing);
    typing = 0;
    if (target === fields[0]) typing = setTimeout(() => signal.aborted || change(), 300);
    else change();
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  onAction(root, {
    clear() {
      for (const field of fields) if (field.name !== 'sort') field.value = '';
      change();
      fields[0].focus();
    },
    upload: () => queue.dispatchEvent(new Event('choose')),
  }, signal);

  const count = async () => {
    const usage = await api.call('getAccountUsage', { signal }).catch(() => null);
    find(root, '.page-head p').textContent = usage?.images ? t('pictures.usage', { count: usage.images, size: formatSize(usage.bytes) }) : '';
  };
  hidden.watch(count, signal);
  queue.addEventListener('uploaded', count, { signal });
};
