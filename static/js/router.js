/** A small router on the History API: addresses in, views out. Links that it does not know are left to the browser. */

/** @typedef {Record<string, string>} Params */
/**
 * @template View
 * @typedef {{ view: View, params: Params }} Match
 */

/**
 * Finds the first route that fits. A route is a path whose segments may be `:names`; a trailing slash does not matter.
 * @template View
 * @param {readonly (readonly [string, View])[]} routes
 * @param {string} path
 * @returns {Match<View> | null}
 */
export function matchRoute(routes, path) {
  const segments = split(path);
  for (const [pattern, view] of routes) {
    const wanted = split(pattern);
    if (wanted.length !== segments.length) continue;
    /** @type {Params} */
    const params = {};
    const fits = wanted.every((name, i) => {
      if (!name.startsWith(':')) return name === segments[i];
      const value = decode(segments[i]);
      if (value === null) return false;
      params[name.slice(1)] = value;
      return true;
    });
    if (fits) return { view, params };
  }
  return null;
}

/**
 * Tells whether a click on a link is the router's: a plain click, on a link into this tab.
 * @param {{ button: number, defaultPrevented: boolean, metaKey: boolean, ctrlKey: boolean, shiftKey: boolean,
 *   altKey: boolean }} event
 * @param {{ target: string, download: string, origin: string, hash: string }} link
 * @param {string} origin
 * @returns {boolean}
 */
export function isPlainNavigation(event, link, origin) {
  return event.button === 0 && !event.defaultPrevented && !event.metaKey && !event.ctrlKey && !event.shiftKey
    && !event.altKey && link.origin === origin && (link.target === '' || link.target === '_self')
    && link.download === '' && link.hash === '';
}

/**
 * Dispatches `navigate` whenever the address changes; `current` is what fits it.
 * @template View
 */
export class Router extends EventTarget {
  #routes;
  #window;

  /**
   * @param {readonly (readonly [string, View])[]} routes
   * @param {Window} window
   */
  constructor(routes, window) {
    super();
    this.#routes = routes;
    this.#window = window;
  }

  /** @returns {Match<View> | null} null when no route fits the address */
  get current() {
    return matchRoute(this.#routes, this.#window.location.pathname);
  }

  /** Listens to links and to the back and forward buttons, and announces where we are. */
  start() {
    this.#window.addEventListener('popstate', () => this.#announce());
    this.#window.document.addEventListener('click', (event) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      if (!link?.href || !isPlainNavigation(event, link, this.#window.location.origin)) return;
      if (!matchRoute(this.#routes, link.pathname)) return;
      event.preventDefault();
      this.navigate(link.pathname + link.search);
    });
    this.#announce();
  }

  /**
   * Goes to an address of this page.
   * @param {string} path
   */
  navigate(path) {
    this.#window.history.pushState(null, '', path);
    this.#window.scrollTo(0, 0);
    this.#announce();
  }

  #announce() {
    this.dispatchEvent(new Event('navigate'));
  }
}

/**
 * @param {string} path
 * @returns {string[]}
 */
function split(path) {
  return path.split('/').filter((segment) => segment !== '');
}

/**
 * @param {string} segment
 * @returns {string | null} null for broken percent-encoding
 */
function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
