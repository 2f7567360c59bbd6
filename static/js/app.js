/** Puts the pages together: the server, the state, the addresses, and the frame around every page. */

import { API, apiBase } from './api.js';
import { mountShell } from './components/shell.js';
import { makeToast } from './components/toast.js';
import { find } from './dom.js';
import { serviceWorkerURL } from './html.js';
import { loadLanguage, t } from './i18n.js';
import { messagePage } from './pages/message.js';
import { explain } from './problem.js';
import { Router } from './router.js';
import { PictureLists, Store } from './store.js';
import { UploadQueue } from './upload-queue.js';

/** @typedef {import('./types').Context} Context */

/** @type {[string, import('./router.js').Load][]} */
const ROUTES = [
  ['/', () => import('./pages/home.js')],
  ['/pictures', () => import('./pages/pictures.js')],
  ['/p/:id', () => import('./pages/picture.js')],
  ['/u/:name', () => import('./pages/person.js')],
  ['/settings', () => import('./pages/settings.js')],
  ['/sign-in', () => import('./pages/sign-in.js')],
  ['/register', () => import('./pages/sign-in.js')],
];

const main = find(document, 'main');
const context = makeContext();
let shown = new AbortController();

context.router.addEventListener('navigate', () => void show());
await loadLanguage();
mountShell(context);
context.router.start();
void context.loadAccount();
if (navigator.serviceWorker && window.isSecureContext && !context.api.base) {
  // Without it the pages work as well, only not without a network.
  navigator.serviceWorker.register(serviceWorkerURL).catch(() => {});
}

/** Shows the page of the address in the place of what is there. */
async function show() {
  const first = main.hasAttribute('aria-busy');
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  const { current, scroll } = context.router;
  let page = messagePage({ code: '404', title: t('message.404_title'), text: t('message.404_text') });
  if (current) {
    try {
      ({ page } = await current.to());
    } catch {
      page = messagePage({ code: '…', title: t('message.load_title'), text: t('message.load_text'), retry: () => location.reload() });
    }
  }
  if (signal.aborted) return;
  main.removeAttribute('aria-busy');
  main.replaceChildren();
  context.title();
  page(main, context, current?.params ?? {}, signal);
  window.scrollTo(0, scroll);
  // A screen reader goes on where the new content is; at the first load the browser does that by itself.
  if (!first && !main.contains(document.activeElement)) main.focus({ preventScroll: true });
}

/** @returns {Context} */
function makeContext() {
  const api = new API({ base: apiBase(location, document.querySelector('meta[name=kadr-api]')?.getAttribute('content') ?? '') });
  /** @type {Context['session']} */
  const session = new Store(/** @type {import('./types').Session} */ ({ account: undefined, error: null }));
  /** @type {Context['instance']} */
  const instance = new Store(/** @type {{ settings: import('./types').Instance | null }} */ ({ settings: null }));
  const lists = new PictureLists();
  const toast = makeToast(find(document, '#toast'));
  const queue = new UploadQueue(api);
  const router = new Router(ROUTES, window);
  let lastAccount = '';
  /** @type {Promise<boolean> | null} */
  let signingIn = null;

  const forget = () => {
    lists.forget();
    queue.forget();
  };

  /** @type {Context} */
  const made = {
    api, router, session, instance, lists, queue, toast,
    title: (text) => { document.title = text ? `${text} · Kadr` : 'Kadr'; },
    async loadAccount() {
      session.set({ error: null });
      try {
        const account = await api.call('getAccount').catch((error) => {
          if (error.status === 401) return null;
          throw error;
        });
        // Somebody who signs in again after a session ended goes on where they were; somebody else must not.
        if (account && lastAccount && account.id !== lastAccount) forget();
        lastAccount = account?.id ?? lastAccount;
        session.set({ account });
      } catch (error) {
        session.set({ error });
      }
    },
    async signOut() {
      await api.call('deleteCurrentSession').catch((error) => {
        if (error.status !== 401) throw error;
      });
      forget();
      session.set({ account: null });
      router.go('/');
    },
    signIn(reason) {
      signingIn ??= import('./components/sign-in-dialog.js')
        .then(({ signInDialog }) => signInDialog(made, reason))
        .finally(() => { signingIn = null; });
      return signingIn;
    },
  };
  api.signIn = () => {
    const ended = Boolean(session.state.account);
    return made.signIn(t(ended ? 'sign_in.ended' : 'sign_in.needed'));
  };
  queue.addEventListener('uploaded', (event) => lists.add(/** @type {import('./upload-queue.js').UploadedEvent} */ (event).image));
  window.addEventListener('beforeunload', (event) => {
    if (queue.busy) event.preventDefault();
  });
  window.addEventListener('online', () => {
    toast(t('common.online'));
    if (session.state.error) void made.loadAccount();
  });
  window.addEventListener('unhandledrejection', ({ reason }) => toast(explain(reason)));
  api.call('getInstance').then((settings) => instance.set({ settings }), () => {});
  return made;
}
