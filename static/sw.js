/**
 * Keeps the shell of the pages, so that they open without a network and say what does not work. It never keeps an
 * answer of the API or a picture: those may be private, and are somebody's.
 */

const CACHE = 'kadr-shell';

/** The shell: files that are the same for everybody. */
const isShell = (/** @type {URL} */ url) => url.origin === location.origin
  && /^\/(?:(?:css|js|locales|icons)\/[\w./-]+|favicon\.svg|manifest\.webmanifest)$/.test(url.pathname);

self.addEventListener('install', (/** @type {any} */ event) => {
  // `/index.html` is the shell without anything of anybody's in it.
  event.waitUntil(caches.open(CACHE).then((cache) => cache.add('/index.html')));
  /** @type {any} */ (self).skipWaiting();
});

self.addEventListener('activate', (/** @type {any} */ event) => event.waitUntil(/** @type {any} */ (self).clients.claim()));

self.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  if (request.mode === 'navigate') {
    // The network first: pages are never kept, and only what a navigation within the site may need stands in for them.
    event.respondWith(fetch(request).catch(async () => await caches.match('/index.html') ?? Response.error()));
  } else if (isShell(new URL(request.url))) {
    event.respondWith(networkFirst(request));
  }
});

/**
 * A new version shows at once where there is a network; the browser asks by ETag, so little is sent.
 * @param {Request} request
 */
async function networkFirst(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}
