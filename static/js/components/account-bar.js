import { onAction } from '../dom.js';
import { html, render } from '../html.js';
import { explain } from '../problem.js';

/**
 * Shows in the page's head who is signed in, with a way out; to a visitor the way in, but where its form is.
 * @param {HTMLElement} root
 * @param {import('../app.js').Context} context
 */
export function mountAccountBar(root, { api, session, router, toast, forget }) {
  const update = () => {
    const { account } = session.state;
    const elsewhere = window.location.pathname !== '/';
    render(root, html`${account && html`<span class="account-name">${account.name}</span>
      <button type="button" class="button small quiet" data-action="sign-out">Sign out</button>`}
      ${account === null && elsewhere && html`<a class="button small" href="/">Sign in</a>`}`);
  };
  session.watch(update);
  router.addEventListener('navigate', update);
  onAction(root, {
    'sign-out': async () => {
      try {
        await api.deleteCurrentSession();
      } catch (error) {
        toast.show(explain(error));
        return;
      }
      forget();
      session.set({ account: null, notice: '' });
      router.navigate('/');
    },
  });
}
