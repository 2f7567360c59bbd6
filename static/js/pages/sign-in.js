import { mountAuthForm } from '../components/auth-form.js';
import { find } from '../dom.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';

/** `/sign-in` and `/register`. One goes on to `next`, if that is of this site. @type {import('../types').Page} */
export const page = (root, context, _, signal) => {
  const [mode, other] = location.pathname.startsWith('/register') ? ['register', 'sign-in'] : ['sign-in', 'register'];
  const next = new URLSearchParams(location.search).get('next') ?? '';
  context.title(t(`auth.${mode}`));
  render(root, html`<section class="auth card"><h1>${t(`auth.${mode}_title`)}</h1><div></div>
    <p>${t(`auth.${mode}_other`)} <a href="/${other}${location.search}">${t(`auth.${other}`)}</a></p></section>`);
  mountAuthForm(find(root, 'div'), context, { mode });
  context.session.watch(({ account }) => account && context.router.go(/^\/(?![/\\\s])/.test(next) ? next : '/', { replace: true }), signal);
};
