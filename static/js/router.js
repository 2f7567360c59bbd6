/** A small router on the History API: addresses in, pages out. Links that it does not know are left to the browser. */

/** @typedef {() => Promise<{ page: import('./types').Page, ahead?: import('./types').Ahead }>} Load */

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
    /** @type {Record<string, string>} */
    const params = {};
    const names = pattern.split('/').filter(Boolean);
    if (names.length === segments.length && names.every((name, i) => {
      if (name[0] !== ':') return name === segments[i];
      try {
        params[name.slice(1)] = decodeURIComponent(segments[i]);
        return true;
      } catch {
        return false; // broken percent-encoding
      }
    })) return { to, params };
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
  return !(event.button || event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    && link.origin === origin && /^(_self)?$/.test(link.target) && !link.download;
}

/** Dispatches `navigate` whenever the page changes; `current` is what fits the address. */
export class Router extends EventTarget {
  #routes;
  /** The address whose page is shown. */
  #shown = '';

  /** @param {readonly (readonly [string, Load])[]} routes */
  constructor(routes) {
    super();
    this.#routes = routes;
  }

  /** null when no route fits the address */
  get current() {
    return matchRoute(this.#routes, location.pathname);
  }

  /** Tells whether an address of this site is one of its pages. @param {string} path */
  knows(path) {
    return matchRoute(this.#routes, new URL(path, location.origin).pathname) !== null;
  }

  get address() {
    return location.pathname + location.search;
  }

  /** How far down this history entry was scrolled when it was left, in CSS pixels. */
  get scroll() {
    return Number(history.state?.y) || 0;
  }

  /** Listens to links and to the back and forward buttons, and announces where we are. */
  start() {
    history.scrollRestoration = 'manual';
    addEventListener('scrollend', () => this.#note());
    addEventListener('pagehide', () => this.#note());
    addEventListener('popstate', () => {
      if (this.address !== this.#shown) this.refresh();
    });
    document.addEventListener('click', (event) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      if (!link?.href || !isPlainNavigation(event, link, location.origin) || !matchRoute(this.#routes, link.pathname)) return;
      const path = link.pathname + link.search;
      if (link.hash && path === this.address) return; // a place in this page is the browser's
      event.preventDefault();
      this.go(path + link.hash);
    });
    this.refresh();
  }

  /**
   * Goes to an address of this site.
   * @param {string} path
   * @param {{ replace?: boolean, quiet?: boolean }} [how] `replace` makes no entry in the history; `quiet` only changes
   *   the address, for a page that shows already what it says
   */
  go(path, { replace, quiet } = {}) {
    if (replace) history.replaceState(history.state, '', path);
    else {
      this.#note();
      history.pushState(null, '', path);
    }
    if (quiet) this.#shown = this.address;
    else this.refresh();
  }

  /** Shows the page of the address, anew if it is shown. */
  refresh() {
    this.#shown = this.address;
    this.dispatchEvent(new Event('navigate'));
  }

  /** Writes down where an entry is scrolled to, before it is left in whichever way. */
  #note() {
    if (this.address === this.#shown) history.replaceState({ ...history.state, y: scrollY }, '');
  }
}
