/** `/settings`: what belongs to an account, in sections that the fragment names. */

import { fetchFile } from '../api.js';
import { copyAction } from '../components/copy.js';
import { errorNotice } from '../components/notice.js';
import { confirmDialog, find, onAction } from '../dom.js';
import { mountForm } from '../form.js';
import { formatSize, formatTime } from '../format.js';
import { element, html, render } from '../html.js';
import { t } from '../i18n.js';
import { problemPage } from './message.js';

// As user agents name them, and others that they are like: the first counts.
const BROWSERS = 'Edg OPR YaBrowser Firefox FxiOS CriOS Chrome Safari '.split(' ');
const SYSTEMS = 'iPhone iPad Android Windows Mac CrOS Linux '.split(' ');
const PROGRAMS = { ShareX: 'sharex.sxcu', Flameshot: 'screenshot.sh', Spectacle: 'screenshot.sh', curl: 'curl.sh', PicGo: 'picgo.json', Typora: 'typora.sh' };

/** @type {Record<string, import('../types').Section>} */
const SECTIONS = {
  profile(root, { api, signOut, toast }, account, change) {
    form(root, 'profile', ['new_name', 'email'], account, (body) => change({ ...body, email: body.email || null }));
    form(root, 'delete', ['confirm'], {}, async (query) => {
      await api.call('deleteAccount', { query });
      await signOut();
      toast(t('settings.deleted'));
    }, 'danger');
  },
  uploads(root, { api }, account, change) {
    form(root, 'uploads', ['keep_metadata', 'default_visibility'], account, (body) => change({ ...body, keep_metadata: body.keep_metadata === 'true' }));
    fill(card(root, 'usage'), api, async () => {
      const { bytes, images, quota_bytes: quota } = await api.call('getAccountUsage');
      return html`<p>${t('settings.used', { count: images, size: formatSize(bytes) })}</p>${quota !== null && html`<meter max="${quota}"
        high="${quota * 0.9}" value="${bytes}" aria-label="${t('settings.usage')}"></meter><p>${t('settings.quota', { size: formatSize(quota) })}</p>`}`;
    });
  },
  security(root, { api }, account, change) {
    form(root, 'password', ['name', 'current_password', 'new_password'], account, async ({ current_password, password }, filled) => {
      await change({ current_password, password });
      filled.reset();
      again();
    });
    const again = fill(card(root, 'sessions'), api, async () => {
      const { items } = await api.call('listSessions', { query: { limit: 100 } });
      const others = items.filter(({ current }) => !current).map(({ id }) => id);
      return html`${rows(items, 'deleteSession', ({ user_agent: agent, address, created_at, last_used_at }) =>
        [[...new Set([BROWSERS, SYSTEMS].map((names) => t(`settings.is_${names.find((name) => agent.includes(name))}`)))].join(', '),
          t('settings.session', { address, made: time(created_at), used: time(last_used_at) })])}
        ${others[0] && html`<button class="button" data-action="deleteSession" data-ids="${others.join()}">${t('settings.others')}</button>`}`;
    });
  },
  keys(root, { api }) {
    form(root, 'keys', ['key_name', 'scopes', 'days'], {}, async ({ name, days }, form) => {
      const { key } = await api.call('createAPIKey', { body: { name, scopes: Object(new FormData(form).getAll('scopes')),
        expires_at: days > 0 ? new Date(Date.now() + days * 864e5).toISOString() : null } });
      form.reset();
      again();
      return once(key);
    });
    const again = fill(card(root, 'made'), api, async () => rows((await api.call('listAPIKeys', { query: { limit: 100 } })).items, 'deleteAPIKey',
      ({ name, prefix, scopes, created_at, last_used_at, expires_at }) => [name, t('settings.key', { prefix, made: time(created_at),
        scopes: scopes.map((scope) => t(`field.${scope}`)).join(', '), used: time(last_used_at), expires: time(expires_at) })]));
  },
  integrations(root, { api }) {
    for (const [name, file] of Object.entries(PROGRAMS)) {
      form(root, name, [], {}, async () => {
        const template = await (await fetchFile(`/integrations/${file}`)).text();
        const { key } = await api.call('createAPIKey', { body: { name, scopes: ['images:write'] } });
        const [program, type] = [name.toLowerCase(), file.split('.')[1]];
        const values = Object({ base: api.base || location.origin, key, program });
        return once(template.replace(/\{\{(\w+)\}\}/g, (_, value) => type === 'sh' ? values[value].replaceAll("'", "'\\''")
          : JSON.stringify(values[value]).slice(1, -1)), `kadr-${program}.${type}`);
      }, '');
    }
  },
};

/** @type {import('../types').Page} */
export const page = async (root, context, _, signal) => {
  const { api, router, session, title, toast } = context;
  let tag = '';
  const read = async (/** @type {Response} */ response) => {
    tag = response.headers.get('ETag') ?? '';
    session.set({ account: await response.json() });
  };
  const show = () => {
    const name = Object.keys(SECTIONS).find((key) => location.hash === `#${key}`) ?? 'profile';
    for (const link of root.querySelectorAll('a')) link.ariaCurrent = link.hash === `#${name}` ? 'page' : null;
    root.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    const panel = element(html`<div class="panel"></div>`);
    find(root, '.panel').replaceWith(panel);
    onAction(panel, { copy: copyAction(toast) });
    SECTIONS[name](panel, context, Object(session.state.account), async (body) => {
      await read(await api.send('updateAccount', { body, headers: { 'If-Match': tag } }));
      toast(t('settings.saved'));
    });
  };
  try {
    await read(await api.send('getAccount', { signal }));
  } catch (error) {
    if (Object(error).status === 401) router.go(`/sign-in?next=${encodeURIComponent(`/settings${location.hash}`)}`, { replace: true });
    else if (!signal.aborted) problemPage(error, () => router.refresh())(root, context, {}, signal);
    return;
  }
  title(t('settings.title'));
  render(root, html`<h1>${t('settings.title')}</h1><div class="settings"><nav aria-label="${t('settings.title')}">${Object.keys(SECTIONS).map((key) =>
    html`<a href="#${key}">${t(`settings.to_${key}`)}</a>`)}</nav><div class="panel"></div></div>`);
  addEventListener('hashchange', show, { signal });
  show();
};

/** @type {import('../types').Card} */
function card(root, key) {
  root.append(element(html`<section class="card"><h2>${t(`settings.${key}`)}</h2><p>${t(`settings.${key}_text`)}</p><div tabindex="-1"></div></section>`));
  return find(root, ':scope > :last-child > div');
}

/** @type {import('../types').SectionForm} */
const form = (root, key, keys, values, send, look) => mountForm(card(root, key), keys, values, t(`settings.${key}_do`), send, look);

/** @type {import('../types').When} */
const time = (when) => when ? formatTime(when) : t('settings.never');

/** @type {import('../types').Once} */
const once = (text, file) => html`<p class="notice">${t('settings.once')}</p><pre tabindex="0">${text}</pre>
  <button type="button" class="button small" data-action="copy" data-copy="${text}">${t('settings.copy')}</button>
  ${file && html`<a class="button small" download="${file}" href="${URL.createObjectURL(new Blob([text]))}">${t('settings.download')}</a>`}`;

/** @type {import('../types').Rows} */
const rows = (items, operation, tell) => html`<ul class="rows">${items.map((item) => {
  const [name, text] = tell(item);
  const end = t(`settings.${operation}`);
  return html`<li><p><b>${name}</b>${item.current && html` <mark>${t('settings.current')}</mark>`}<small>${text}</small></p>${!item.current && html`<button
    class="button small" data-action="${operation}" data-ids="${item.id}" aria-label="${end}: ${name}">${end}</button>`}</li>`;
})}</ul>`;

/** @type {import('../types').Fill} */
function fill(root, api, draw) {
  const run = async (/** @type {any} */ operation = '', ids = '') => {
    try {
      for (const id of ids.split(',')) if (id) await api.call(operation, { path: { id } });
      render(root, await draw());
    } catch (error) {
      render(root, errorNotice(error, { retry: 'again' }));
    }
  };
  const end = async (/** @type {any} */ { ariaLabel, dataset: { action, ids }, textContent }) => {
    if (!await confirmDialog({ title: ariaLabel ?? textContent, text: t(`settings.${action}_text`), action: textContent })) return;
    await run(action, ids);
    root.focus();
  };
  onAction(root, { again: () => run(), deleteSession: end, deleteAPIKey: end });
  void run();
  return run;
}
