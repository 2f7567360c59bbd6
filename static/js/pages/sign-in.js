import { find, openDialog } from '../dom.js';
import { mountForm } from '../form.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';

/** `/sign-in` and `/register`; `next` is where to go on, on this site. @type {import('../types').Page} */
export const page = (root, context, _, signal) => {
  const [mode, other] = location.pathname.startsWith('/register') ? ['register', 'sign-in'] : ['sign-in', 'register'];
  const next = new URLSearchParams(location.search).get('next') ?? '';
  context.title(t(`auth.${mode}`));
  render(root, html`<section class="auth card"><h1>${t(`auth.${mode}_title`)}</h1><div></div>
    <p>${t(`auth.${mode}_other`)} <a href="/${other}${location.search}">${t(`auth.${other}`)}</a></p></section>`);
  mountAuthForm(find(root, 'div'), context, mode);
  context.session.watch(({ account }) => {
    if (!account) return;
    const path = /^\/(?![/\\\s])/.test(next) ? next : '/';
    if (context.router.knows(path)) context.router.go(path, { replace: true });
    else location.replace(path); // the documentation of the API, say
  }, signal);
};

/** Asks who is here, in the middle of something, which must not go on if that is somebody else. @type {import('../types').SignInDialog} */
export async function signInDialog(context, reason) {
  const { router, session } = context;
  const { account } = session.state;
  const label = t('auth.sign-in');
  const way = await openDialog(html`<h2>${label}</h2><p>${reason}</p><div></div><form method="dialog">
    ${!account && html`<button class="button" value="/register">${t('auth.register')}</button>`}<button class="button">${t('common.cancel')}</button></form>`, {
    label,
    mount: (dialog) => mountAuthForm(find(dialog, 'div'), context, 'sign-in', account, () => dialog.close('/')),
  });
  const goesOn = way === '/' && (!account || session.state.account?.id === account.id);
  if (way && !goesOn) router.go(way);
  return goesOn;
}

/** @type {import('../types').MountAuthForm} */
function mountAuthForm(root, { api, instance, session, loadAccount }, mode, known, done) {
  const registers = mode === 'register';
  let made = '';
  const form = mountForm(root, registers ? ['new_name', 'new_password', 'email', 'invite_code'] : ['name', 'password'], known ?? {}, t(`auth.${mode}`), async (body) => {
    const { name, password } = body;
    // Not again when only signing in failed.
    if (registers && made !== name) {
      await api.call('createAccount', { body: { ...body, email: body.email || null } }).catch((error) => {
        if (error.is?.('invite_needed')) invite.disabled = false;
        throw error;
      });
      made = name;
    }
    await api.call('createSession', { body: { name, password } });
    await loadAccount();
    if (session.state.error) throw session.state.error;
    done?.();
  });
  if (known) find(form, '[name=password]').autofocus = true;
  if (!registers) return;
  const invite = find(form, '[name=invite_code]', HTMLInputElement);
  instance.watch(({ settings }) => {
    invite.disabled = settings?.registration !== 'invite';
    if (settings?.registration === 'closed') render(root, html`<p class="notice">${t('auth.closed')}</p>`);
  });
}
