/** My pictures: all that one has put here, to search, sort and tidy up. What is looked at is in the address. */

import { mountGrid } from '../components/grid.js';
import { hidden } from '../components/selection.js';
import { find, icon, onAction } from '../dom.js';
import { formatSize } from '../format.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { PictureList } from '../store.js';

const SORTS = ['', 'created_at asc', 'name asc', 'size desc', 'size asc'];
const TYPES = ['JPEG', 'PNG', 'GIF', 'WebP', 'AVIF', 'HEIC', 'TIFF'];

/** @type {import('../types').Page} */
export const page = (root, context, _, signal) => {
  const { api, router, session, lists, queue } = context;
  context.title(t('pictures.title'));
  /** @param {string} name @param {(readonly [string, string])[]} options */
  const select = (name, options) => html`<select class="input select" name="${name}" aria-label="${t(`pictures.${name}`)}">
    ${options.map(([value, text]) => html`<option value="${value}">${text}</option>`)}</select>`;
  render(root, html`<header class="page-head"><h1>${t('pictures.title')}</h1><p></p></header>
    <form class="list-tools" role="search">
      <label class="list-search">${icon('search')}<input class="input select" type="search" name="q" maxlength="100"
        placeholder="${t('pictures.search')}" aria-label="${t('pictures.search')}"></label>
      ${select('sort', SORTS.map((sort) => [sort, t(`pictures.sort_${sort.replace(' ', '_') || 'created_at_desc'}`)]))}
      ${select('visibility', ['', 'public', 'unlisted', 'private'].map((name) => [name, t(`pictures.${name || 'any_visibility'}`)]))}
      ${select('media_type', [['', t('pictures.any_type')], ...TYPES.map((name) => /** @type {const} */ ([`image/${name.toLowerCase()}`, name]))])}
    </form><div></div>`);
  const form = find(root, 'form', HTMLFormElement);
  const fields = /** @type {(HTMLInputElement | HTMLSelectElement)[]} */ ([...form.elements]);
  let shown = new AbortController();

  const show = () => {
    shown.abort();
    shown = new AbortController();
    const { q, sort: both, visibility, media_type } = Object.fromEntries(fields.map(({ name, value }) => [name, value]));
    const text = q.replace(/\p{Cc}+/gu, ' ').trim();
    const [sort, order] = both.split(' ');
    const query = /** @type {any} */ ({ q: text, sort, order, visibility, media_type });
    const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
    const list = lists.get(`pictures ${search}`, () => new PictureList(
      (cursor) => api.call('listImages', { query: { ...query, cursor, limit: 100 } }), {
        newestFirst: !sort,
        has: (image) => image.account_name === session.state.account?.name
          && (!visibility || image.visibility === visibility) && (!media_type || image.media_type === media_type)
          && `${image.filename}\n${image.title}\n${image.description}`.toLowerCase().includes(text.toLowerCase()),
      }));
    mountGrid(/** @type {HTMLElement} */ (form.nextElementSibling), context, {
      list, selectable: true, signal: AbortSignal.any([signal, shown.signal]),
      empty: () => html`<section class="message">${icon('picture')}${text || visibility || media_type
        ? html`<h2>${t('pictures.nothing')}</h2><p>${t('pictures.nothing_text')}</p>
          <button type="button" class="button" data-action="clear">${t('pictures.clear')}</button>`
        : html`<h2>${t('pictures.none')}</h2><p>${t('pictures.none_text')}</p>
          <button type="button" class="button primary" data-action="upload">${icon('upload')}${t('pictures.upload')}</button>`}</section>`,
    });
    return search && `?${search}`;
  };
  /** @param {boolean} [replace] */
  const change = (replace) => {
    const path = `/pictures${show()}`;
    if (path !== router.address) router.go(path, { replace, quiet: true });
  };

  const given = new URLSearchParams(location.search);
  given.set('sort', `${given.get('sort') ?? ''} ${given.get('order') ?? ''}`.trim());
  for (const field of fields) {
    field.value = given.get(field.name) ?? '';
    if (!field.value) field.value = '';
  }
  show();
  let typing = 0;
  form.addEventListener('input', ({ target }) => {
    clearTimeout(typing);
    // A search is one entry of the history, not one for each letter.
    const replace = new URLSearchParams(location.search).has('q');
    if (target === fields[0]) typing = setTimeout(() => signal.aborted || change(replace), 300);
    else change();
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  onAction(root, {
    clear: () => {
      for (const field of fields) if (field.name !== 'sort') field.value = '';
      change();
      fields[0].focus();
    },
    upload: () => queue.dispatchEvent(new Event('choose')),
  }, signal);

  const count = async () => {
    const { images, bytes } = await api.call('getAccountUsage', { signal }).catch(() => ({ images: 0, bytes: 0 }));
    find(root, '.page-head p').textContent = images ? t('pictures.usage', { count: images, size: formatSize(bytes) }) : '';
  };
  hidden.watch(count, signal);
  queue.addEventListener('uploaded', count, { signal });
};
