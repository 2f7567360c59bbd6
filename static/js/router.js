/** A small router on the History API: addresses in, pages out. Links that it does not know are left to the browser. */

/** @typedef {() => Promise<{ page: import('./types').Page }>} Load */

/**
 * Finds the first route that fits. A route is a path whose segments may be `:names`; a trailing slash does not matter.
 * @template To
 * @param {readonly (readonly [string, To])[]} routes
 * @param {string} path
 * @returns {{ to: To, params: Record<string, string> } | null}
 */
export function matchRoute(routes, path) {
  const segments = path.split('/').filter(Boolean);
  for (const [pattern, to] of routes) {
    const wanted = pattern.split('/').filter(Boolean);
    /** @type {Record<string, string>} */
    const params = {};
    const fits = wanted.length === segments.length && wanted.every((name, i) => {
      if (!name.startsWith(':')) return name === segments[i];
      try {
        params[name.slice(1)] = decodeURIComponent(segments[i]);
        return true;
      } catch {
        return false; // broken percent-encoding
      }
    });
    if (fits) return { to, params };
  }
  return null;
}

/**
 * Tells whether a click on a link is the router's: a plain click, on a link into this tab.
 * @param {Pick<MouseEvent, 'button' | 'defaultPrevented' | 'metaKey' | 'ctrlKey' | 'shiftKey' | 'altKey'>} event
 * @param {Pick<HTMLAnchorElement, 'target' | 'download' | 'origin'>} link
 * @param {string} origin
 */
export function isPlainNavigation(event, link, origin) {
  return event.button === 0 && !event.defaultPrevented && !event.metaKey && !event.ctrlKey && !event.shiftKey
    && !event.altKey && link.origin === origin && (link.target === '' || link.target === '_self') && !link.download;
}

/** Dispatches `navigate` whenever the page changes; `current` is what fits the address. */
export class Router extends EventTarget {
  #routes;
  #window;
  #shown = '';

  /**
   * @param {readonly (readonly [string, Load])[]} routes
   * @param {Window} window
   */
  constructor(routes, window) {
    super();
    this.#routes = routes;
    this.#window = window;
  }

  /** null when no route fits the address */
  get current() {
    return matchRoute(this.#routes, this.#window.location.pathname);
  }

  /** The address without its origin and fragment. */
  get address() {
    return this.#window.location.pathname + this.#window.location.search;
  }

  /** How far down this history entry was scrolled when it was left. */
  get scroll() {
    return Number(this.#window.history.state?.y) || 0;
  }

  /** Listens to links and to the back and forward buttons, and announces where we are. */
  start() {
    this.#window.history.scrollRestoration = 'manual';
    // Where an entry was scrolled to is written down before it is left, whichever way that happens.
    this.#window.addEventListener('scrollend', () => this.#note());
    this.#window.addEventListener('pagehide', () => this.#note());
    this.#window.addEventListener('popstate', () => this.refresh(this.address !== this.#shown));
    this.#window.document.addEventListener('click', (event) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      if (!link?.href || !isPlainNavigation(event, link, this.#window.location.origin)) return;
      // A fragment of this page is the browser's.
      if (link.hash && link.pathname + link.search === this.address) return;
      if (!matchRoute(this.#routes, link.pathname)) return;
      event.preventDefault();
      this.go(link.pathname + link.search + link.hash);
    });
    this.refresh();
  }

  /**
   * Goes to an address of this site.
   * @param {string} path
   * @param {{ replace?: boolean, quiet?: boolean }} [how] `replace` makes no entry in the history; `quiet` only changes
   *   the address, for a page that shows what it says already
   */
  go(path, { replace = false, quiet = false } = {}) {
    if (!replace) this.#note();
    this.#window.history[replace ? 'replaceState' : 'pushState'](replace ? this.#window.history.state : null, '', path);
    if (quiet) this.#shown = this.address;
    else this.refresh();
  }

  /**
   * Shows the page of the address (anew).
   * @param {boolean} [needed] false when only the fragment is another
   */
  refresh(needed = true) {
    if (!needed) return;
    this.#shown = this.address;
    this.dispatchEvent(new Event('navigate'));
  }

  #note() {
    const { history, scrollY } = this.#window;
    if (this.address === this.#shown) history.replaceState({ ...history.state, y: scrollY }, '');
  }
}
