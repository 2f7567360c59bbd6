/** The frame around every page: where one is, where one can go, who one is. */

import { find, icon, onAction } from '../dom.js';
import { html, render } from '../html.js';
import { LANGUAGES, language, loadLanguage, t } from '../i18n.js';

/** @param {import('../types').Context} context */
export function mountShell(context) {
  const { api, router, session, toast } = context;
  const header = find(document, '#head');
  const footer = find(document, '#foot');

  const update = () => {
    const { account } = session.state;
    const link = (/** @type {string} */ path, /** @type {string} */ text) =>
      html`<a href="${path}" ${location.pathname === path && html`aria-current="page"`}>${text}</a>`;
    find(document, '.skip').textContent = t('shell.skip');
    render(header, html`
      <nav class="head-links" aria-label="${t('shell.nav')}">
        ${link('/', t('shell.home'))}${account && link('/pictures', t('shell.pictures'))}
      </nav>
      ${account && html`<button type="button" class="button primary small" data-action="upload">
        ${icon('upload')}<span class="wide-only">${t('shell.upload')}</span><span class="sr-only">${t('shell.upload')}</span></button>
        <button type="button" class="avatar" popovertarget="account-menu" aria-label="${t('shell.account', { name: account.name })}">
          <span aria-hidden="true">${account.name[0]}</span></button>
        <div class="menu" id="account-menu" popover>
          <p class="menu-name">${account.name}</p>
          <a href="/u/${account.name}">${icon('user')}${t('shell.public_page')}</a>
          <a href="/settings">${icon('settings')}${t('shell.settings')}</a>
          <button type="button" data-action="sign-out">${icon('sign-out')}${t('shell.sign_out')}</button>
        </div>`}
      ${account === null && location.pathname !== '/sign-in'
        && html`<a class="button primary small" href="/sign-in">${t('shell.sign_in')}</a>`}`);
    render(footer, html`
      <span>${t('shell.motto')}</span>
      <nav aria-label="${t('shell.programs')}"><a href="${api.base}/docs">${t('shell.docs')}</a>
        <a href="${api.base}/openapi.yaml">OpenAPI</a></nav>
      <label class="language">${icon('language')}<span class="sr-only">${t('shell.language')}</span>
        <select>${Object.entries(LANGUAGES).map(([code, name]) =>
          html`<option value="${code}" lang="${code}" ${code === language() && html`selected`}>${name}</option>`)}</select></label>`);
  };
  const offline = () => {
    const bar = find(document, '#offline');
    bar.hidden = navigator.onLine;
    bar.textContent = t('shell.offline');
  };

  session.watch(update);
  router.addEventListener('navigate', update);
  for (const type of ['online', 'offline']) window.addEventListener(type, offline);
  offline();
  onAction(header, {
    upload: () => context.queue.dispatchEvent(new Event('choose')),
    'sign-out': () => context.signOut().catch(toast),
  });
  footer.addEventListener('change', async ({ target }) => {
    try {
      await loadLanguage(/** @type {HTMLSelectElement} */ (target).value);
    } catch (error) {
      toast(error);
    }
    update();
    offline();
    router.refresh();
    footer.querySelector('select')?.focus();
  });
}
