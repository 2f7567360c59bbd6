import { find } from '../dom.js';
import { field, mountForm } from '../form.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';

/** The form with which one signs in or registers. @type {import('../types').MountAuthForm} */
export function mountAuthForm(root, { api, instance, session, loadAccount }, { mode, reason, name: known, done }) {
  const registers = mode === 'register';
  let made = '';
  const form = mountForm(root, html`<p class="notice" ${!reason && html`hidden`}>${reason}</p>
    ${registers ? html`${field('new_name')}${field('new_password')}${field('email')}<fieldset hidden disabled>${field('invite_code')}</fieldset>`
      : html`${field('name', known)}${field('password')}`}`, t(`auth.${mode}`), async ({ name, password, email, invite_code }) => {
    // An account that was made is not made again when only signing in failed.
    if (registers && made !== name) {
      await api.call('createAccount', { body: { name, password, ...(email && { email }), ...(invite_code && { invite_code }) } })
        .catch((error) => {
          if (error.is?.('invite_needed')) ask(false);
          throw error;
        });
      made = name;
    }
    await api.call('createSession', { body: { name, password } });
    await loadAccount();
    if (session.state.error) throw session.state.error;
    done?.();
  });
  const ask = (/** @type {boolean} */ not) => {
    const invite = find(form, 'fieldset', HTMLFieldSetElement);
    invite.hidden = invite.disabled = not;
  };
  if (registers) {
    instance.watch(({ settings }) => {
      ask(settings?.registration !== 'invite');
      if (settings?.registration === 'closed') render(root, html`<p class="notice">${t('auth.closed')}</p>`);
    });
  }
}
