/** Puts the page together: the server, the state, the addresses and the views. */

import { API, apiBase } from './api.js';
import { foretell } from './files.js';
import { find } from './dom.js';
import { Router } from './router.js';
import { PictureList, Store } from './store.js';
import { UploadQueue, UploadedEvent } from './upload-queue.js';
import { mountAccountBar } from './components/account-bar.js';
import { homeView } from './components/home.js';
import { messageView } from './components/notice.js';
import { pictureView } from './components/picture-page.js';
import { Toast } from './components/toast.js';

/** @typedef {import('./api.js').Schemas['Account']} Account */
/** @typedef {import('./api.js').Schemas['Visibility']} Visibility */
/**
 * @typedef {object} Session
 * @property {Account | null | undefined} account null for a visitor, undefined until it is known
 * @property {unknown} error why it could not be found out
 * @property {string} notice what to say above the sign-in form
 */
/**
 * What every view and component works with.
 * @typedef {object} Context
 * @property {API} api
 * @property {Router<View>} router
 * @property {Store<Session>} session
 * @property {PictureList} mine
 * @property {PictureList} feed
 * @property {UploadQueue<{ visibility: Visibility }>} queue
 * @property {Toast} toast
 * @property {() => Promise<void>} loadAccount asks the server who is signed in
 * @property {() => void} forget drops all that belongs to the account
 */
/**
 * Fills an empty element; whatever it listens to ends with the signal.
 * @typedef {(root: HTMLElement, context: Context, params: Record<string, string>, signal: AbortSignal) => void} View
 */

const PAGE_SIZE = 24;

/** @type {[string, View][]} */
const ROUTES = [['/', homeView], ['/index.html', homeView], ['/p/:id', pictureView]];

const context = makeContext();
const main = find(document, '#main');
let shown = new AbortController();

context.router.addEventListener('navigate', () => {
  const first = !shown.signal.aborted && main.hasAttribute('aria-busy');
  shown.abort();
  shown = new AbortController();
  main.removeAttribute('aria-busy');
  main.replaceChildren();
  const match = context.router.current;
  if (match) match.view(main, context, match.params, shown.signal);
  else messageView(main, { title: 'There is no such page', text: 'The address may be mistyped.' });
  // A screen reader goes on where the new content is; at the first load the browser does that by itself.
  if (!first) main.focus({ preventScroll: true });
});

mountAccountBar(find(document, '#account'), context);
void context.loadAccount();
context.router.start();

/** @returns {Context} */
function makeContext() {
  const api = new API({ base: apiBase(window.location, document.querySelector('meta[name=kadr-api]')?.getAttribute('content') ?? '') });
  for (const link of document.querySelectorAll('footer a')) link.setAttribute('href', api.base + link.getAttribute('href'));
  /** @type {Store<Session>} */
  const session = new Store(/** @type {Session} */ ({ account: undefined, error: null, notice: '' }));
  const mine = new PictureList((cursor) => api.listImages({ cursor, limit: PAGE_SIZE }));
  const feed = new PictureList((cursor) => api.listFeed({ cursor, limit: PAGE_SIZE }));
  const toast = new Toast(find(document, '#toast'));
  /** @type {Context['queue']} */
  const queue = new UploadQueue({ send: (file, options) => api.uploadImage(file, options), foretell });

  const forget = () => {
    mine.reset();
    feed.reset();
    queue.reset();
  };
  let lastAccount = '';
  const loadAccount = async () => {
    session.set({ error: null });
    try {
      const account = await api.getAccount();
      // Somebody who signs in again after a session ended goes on where they were; somebody else must not.
      if (account && account.id !== lastAccount) {
        lastAccount = account.id;
        forget();
      }
      session.set({ account, notice: '' });
    } catch (error) {
      session.set({ error });
    }
  };

  api.addEventListener('unauthenticated', () => {
    if (session.state.account) session.set({ account: null, notice: 'Your session has ended. Sign in to go on.' });
  });
  queue.addEventListener('uploaded', (event) => {
    if (event instanceof UploadedEvent) mine.prepend(event.image);
  });
  window.addEventListener('beforeunload', (event) => {
    if (queue.busy) event.preventDefault();
  });
  window.addEventListener('unhandledrejection', () => toast.show('Something went wrong. Reload the page.'));

  return { api, router: new Router(ROUTES, window), session, mine, feed, queue, toast, loadAccount, forget };
}
