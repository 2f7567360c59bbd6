/** Puts the pages together: the server, the state, the addresses, and the frame around every page. */

import { API, apiBase } from './api.js';
import { mountUploads } from './components/intake.js';
import { mountShell } from './components/shell.js';
import { makeToast } from './components/toast.js';
import { find } from './dom.js';
import { serviceWorkerURL } from './html.js';
import { loadLanguage, t } from './i18n.js';
import { messagePage } from './pages/message.js';
import { Router } from './router.js';
import { PictureLists, Store } from './store.js';
import { UploadQueue } from './upload-queue.js';

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
const named = document.querySelector('meta[name=kadr-api]')?.getAttribute('content');
const api = new API({ base: apiBase(location, named ?? '') });
const router = new Router(ROUTES);
const lists = new PictureLists();
const queue = new UploadQueue(api);
const toast = makeToast(find(document, '#toast'));
/** @type {Store<import('./types').Session>} */
const session = new Store(/** @type {import('./types').Session} */ ({ account: undefined, error: null }));
/** @type {import('./types').Context['instance']} */
const instance = new Store({ settings: null });
/** Who was signed in last. */
let lastAccount = '';
/** @type {Promise<boolean> | null} */
let signingIn = null;
/** Ends what the page that is shown listens to. */
let shown = new AbortController();

/** @type {import('./types').Context} */
const context = {
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
    signingIn ??= import('./pages/sign-in.js')
      .then(({ signInDialog }) => signInDialog(context, reason))
      .finally(() => { signingIn = null; });
    return signingIn;
  },
};

// What is asked for ahead may be refused before there are words.
const spoken = loadLanguage();
api.signIn = () => spoken.then(() => context.signIn(t(session.state.account ? 'sign_in.ended' : 'sign_in.needed')));
queue.addEventListener('uploaded', (event) => lists.add(/** @type {import('./types').UploadedEvent} */ (event).image));
addEventListener('beforeunload', (event) => {
  if (queue.busy) event.preventDefault();
});
addEventListener('online', () => {
  toast(t('common.online'));
  if (session.state.error) void context.loadAccount();
});
addEventListener('unhandledrejection', ({ reason }) => toast(reason));
router.addEventListener('navigate', () => void show());

// The server sees whether there is a session's cookie, which no script can, and says so in its pages.
const { visitor } = JSON.parse(document.querySelector('#kadr-data')?.textContent ?? '{}');
if (visitor) session.set({ account: null });
else void context.loadAccount();
api.call('getInstance').then((settings) => instance.set({ settings }), () => {}); // the server checks anyway
router.current?.to().then(({ ahead }) => ahead?.(context), () => {}); // show tells of a failure
await spoken.catch((error) => {
  find(document, '#broken').hidden = false;
  throw error;
});
mountShell(context);
mountUploads(context);
router.start();
if (navigator.serviceWorker && isSecureContext && !api.base) {
  // Without it the pages work as well, only not without a network.
  const { controller, ready } = navigator.serviceWorker;
  await navigator.serviceWorker.register(serviceWorkerURL).catch(() => {});
  const { active } = await ready;
  if (!controller) active?.postMessage([...new Set(performance.getEntriesByType('resource').map(({ name }) => name.split('#')[0]))]);
}

/** Shows the page of the address in the place of what is there. */
async function show() {
  const first = main.ariaBusy === 'true';
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  const { current, scroll } = router;
  const page = !current ? messagePage('404')
    : await current.to().then((module) => module.page, () => messagePage('load', { retry: () => location.reload() }));
  if (signal.aborted) return;
  main.ariaBusy = null;
  main.replaceChildren();
  context.title();
  // An entry of the history without a state is new; going back shows everything as it was.
  if (!history.state) lists.expire(Date.now() - 60_000);
  page(main, context, current?.params ?? {}, signal);
  scrollTo(0, scroll);
  // A screen reader goes on where the new content is; at the first load the browser does that by itself.
  if (!first && !main.contains(document.activeElement)) main.focus({ preventScroll: true });
}

/** Drops all that belongs to the account. */
function forget() {
  lists.forget();
  queue.forget();
}
