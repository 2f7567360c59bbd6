/** State that tells when it changes, and the lists of pictures made of it. */

/** @typedef {import('../../gen/browser/api').components['schemas']['Image']} Image */
/** @typedef {import('../../gen/browser/api').components['schemas']['ImageList']} ImageList */

/**
 * A piece of state. Listeners of `change` read the new one from `state`.
 * @template {object} State
 */
export class Store extends EventTarget {
  /** @type {Readonly<State>} */
  #state;

  /** @param {State} initial */
  constructor(initial) {
    super();
    this.#state = Object.freeze({ ...initial });
  }

  /** @returns {Readonly<State>} */
  get state() {
    return this.#state;
  }

  /**
   * Changes the members that are given. When none of them is different, nobody is told.
   * @param {Partial<State>} patch
   */
  set(patch) {
    const next = Object.freeze({ ...this.#state, ...patch });
    const keys = /** @type {(keyof State)[]} */ (Object.keys(patch));
    if (keys.every((key) => Object.is(this.#state[key], next[key]))) return;
    this.#state = next;
    this.dispatchEvent(new Event('change'));
  }

  /**
   * Calls back now and at every change, until the signal aborts.
   * @param {(state: Readonly<State>) => void} listener
   * @param {AbortSignal} [signal]
   */
  watch(listener, signal) {
    if (signal?.aborted) return;
    this.addEventListener('change', () => listener(this.#state), { signal });
    listener(this.#state);
  }
}

/**
 * @typedef {object} PictureListState
 * @property {readonly Image[]} items
 * @property {string | null | undefined} cursor undefined before the first page, null after the last
 * @property {boolean} loading
 * @property {Error | null} error why the last page did not come
 */

/**
 * A list of pictures that grows page by page.
 * @extends {Store<PictureListState>}
 */
export class PictureList extends Store {
  #fetchPage;
  #generation = 0;

  /** @param {(cursor: string | undefined) => Promise<ImageList>} fetchPage */
  constructor(fetchPage) {
    super({ items: [], cursor: undefined, loading: false, error: null });
    this.#fetchPage = fetchPage;
  }

  /** Gets the next page, unless one is on its way or there is none. A failure ends up in the state. */
  async more() {
    const { cursor, loading } = this.state;
    if (loading || cursor === null) return;
    const generation = this.#generation;
    this.set({ loading: true, error: null });
    try {
      const page = await this.#fetchPage(cursor);
      if (generation !== this.#generation) return;
      // What was put on top in the meantime may come again in a page.
      const have = new Set(this.state.items.map((image) => image.id));
      const items = [...this.state.items, ...page.items.filter((image) => !have.has(image.id))];
      this.set({ items, cursor: page.next_cursor, loading: false });
    } catch (error) {
      if (generation !== this.#generation) return;
      this.set({ loading: false, error: /** @type {Error} */ (error) });
    }
  }

  /**
   * Puts a picture on top.
   * @param {Image} image
   */
  prepend(image) {
    this.set({ items: [image, ...this.state.items.filter((other) => other.id !== image.id)] });
  }

  /**
   * Puts a changed picture in the place of what it was.
   * @param {Image} image
   */
  replace(image) {
    this.set({ items: this.state.items.map((other) => (other.id === image.id ? image : other)) });
  }

  /**
   * Takes a picture out.
   * @param {string} id
   */
  remove(id) {
    this.set({ items: this.state.items.filter((image) => image.id !== id) });
  }

  /** Forgets everything; a page that is still on its way is dropped when it comes. */
  reset() {
    this.#generation++;
    this.set({ items: [], cursor: undefined, loading: false, error: null });
  }
}
