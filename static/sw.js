/**
 * Keeps the shell of the pages, so that they open without a network and say what does not work. It never keeps an answer
 * of the API or a picture: those are somebody's.
 */

const SHELL = /^\/((css|js|locales|icons)\/[\w./-]+|favicon\.svg|manifest\.webmanifest)$/;
const cache = caches.open('kadr-shell');
const worker = /** @type {any} */ (self);

worker.addEventListener('install', (/** @type {any} */ event) => {
  worker.skipWaiting();
  event.waitUntil(cache.then((kept) => kept.add('/index.html')));
});

worker.addEventListener('activate', (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const isPage = request.mode === 'navigate';
  if (request.method !== 'GET' || origin !== location.origin || !(isPage || SHELL.test(pathname))) return;
  event.respondWith(networkFirst(request, isPage));
});

// What a page was made of before this worker was there to see it.
worker.addEventListener('message', (/** @type {any} */ event) => event.waitUntil(cache.then((kept) =>
  kept.addAll(event.data.filter((/** @type {string} */ url) => SHELL.test(url.replace(location.origin, ''))))).catch(() => {})));

/**
 * A new version shows at once; the browser asks by ETag, so little is sent. A page itself is never kept, as it may have a
 * picture's data in it: /index.html, which has nothing of anybody's, stands in for it.
 * @param {Request} request
 * @param {boolean} isPage
 */
async function networkFirst(request, isPage) {
  const kept = await cache;
  try {
    const response = await fetch(request);
    if (response.ok && !isPage) await kept.put(request, response.clone());
    return response;
  } catch {
    return await kept.match(isPage ? '/index.html' : request) ?? Response.error();
  }
}
