import { find, openDialog } from '../dom.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { mountAuthForm } from './auth-form.js';

/**
 * Asks who is here, in the middle of something. When it is somebody else than before, that something must not go on.
 * @param {import('../types').Context} context @param {string} [reason]
 */
export async function signInDialog(context, reason) {
  const { router, session } = context;
  const { account } = session.state;
  const label = t('auth.sign-in');
  const way = await openDialog(html`<h2>${label}</h2><div></div><form method="dialog">
    ${!account && html`<button class="button wide" value="/register">${t('auth.register')}</button>`}
    <button class="button wide">${t('common.cancel')}</button></form>`, {
    label,
    mount: (dialog) => mountAuthForm(find(dialog, 'div'), context,
      { mode: 'sign-in', reason, name: account?.name, done: () => dialog.close('/') }),
  });
  const same = !account || session.state.account?.id === account.id;
  if (way && (way !== '/' || !same)) router.go(way);
  return way === '/' && same;
}
