/** State that tells when it changes, and the lists of pictures made of it. */

/** @typedef {import('./types').Image} Image */

/**
 * A piece of state, read from `state`. Every change dispatches `change`.
 * @template {object} State
 */
export class Store extends EventTarget {
  /** @param {State} initial */
  constructor(initial) {
    super();
    /** @type {Readonly<State>} */
    this.state = Object.freeze({ ...initial });
  }

  /**
   * Changes the members that are given. When none of them is different, nobody is told.
   * @param {Partial<State>} patch
   */
  set(patch) {
    const next = Object.freeze({ ...this.state, ...patch });
    const keys = /** @type {(keyof State)[]} */ (Object.keys(patch));
    if (keys.every((key) => Object.is(this.state[key], next[key]))) return;
    this.state = next;
    this.dispatchEvent(new Event('change'));
  }

  /**
   * Calls back now and at every change, until the signal aborts.
   * @param {(state: Readonly<State>) => void} listener
   * @param {AbortSignal} [signal]
   */
  watch(listener, signal) {
    if (signal?.aborted) return;
    this.addEventListener('change', () => listener(this.state), { signal });
    listener(this.state);
  }
}

/** How a list begins. @type {import('./types').PictureListState} */
const EMPTY = { items: [], cursor: undefined, loading: false, error: null };

/**
 * A list of pictures that grows page by page.
 * @extends {Store<import('./types').PictureListState>}
 */
export class PictureList extends Store {
  /** Grows at every reset: an answer from before it is dropped. */
  #generation = 0;

  /**
   * @param {(cursor: string | undefined) => Promise<import('./types').ImageList>} fetchPage
   * @param {object} [kind]
   * @param {(image: Image) => boolean} [kind.has] whether a picture belongs into it
   * @param {boolean} [kind.newestFirst] whether a new picture comes on top
   */
  constructor(fetchPage, { has = () => true, newestFirst = false } = {}) {
    super(EMPTY);
    this.fetchPage = fetchPage;
    this.has = has;
    this.newestFirst = newestFirst;
    this.made = Date.now();
  }

  /** Gets the next page, unless one is on its way or there is none. A failure ends up in the state. */
  async more() {
    const { cursor, loading } = this.state;
    if (loading || cursor === null) return;
    const generation = this.#generation;
    this.set({ loading: true, error: null });
    /** @type {Partial<import('./types').PictureListState>} */
    let news;
    try {
      const page = await this.fetchPage(cursor);
      // What was put on top in the meantime may come again in a page.
      const have = new Set(this.state.items.map(({ id }) => id));
      news = { items: [...this.state.items, ...page.items.filter(({ id }) => !have.has(id))], cursor: page.next_cursor };
    } catch (error) {
      news = { error };
    }
    if (generation === this.#generation) this.set({ ...news, loading: false });
  }

  reset() {
    this.#generation++;
    this.set(EMPTY);
  }
}

/** The lists that were looked at last, kept so that going back shows them as they were. */
export class PictureLists {
  /** @type {Map<string, PictureList>} */
  #lists = new Map();

  /** The list that a picture was opened from: its neighbours are there. @type {PictureList | null} */
  current = null;

  /**
   * Gets a list by its name, such as `feed`, and makes it at the first time.
   * @param {string} name
   * @param {() => PictureList} make
   */
  get(name, make) {
    const list = this.#lists.get(name) ?? make();
    this.#lists.delete(name);
    this.#lists.set(name, list);
    if (this.#lists.size > 8) this.#lists.delete([...this.#lists.keys()][0]);
    return list;
  }

  /** Forgets the lists that were made before a moment: whoever goes to a page anew expects what is new. @param {number} time */
  expire(time) {
    for (const [name, { made }] of this.#lists) if (made < time) this.#lists.delete(name);
  }

  /**
   * Puts a new picture on top of the lists that it belongs into.
   * @param {Image} image
   */
  add(image) {
    for (const list of this.#all()) {
      if (list.newestFirst && list.has(image)) {
        list.set({ items: [image, ...list.state.items.filter(({ id }) => id !== image.id)] });
      }
    }
  }

  /**
   * Puts changed pictures in the place of what they were, or takes them out where they no longer belong. Where one belongs
   * from now on only the server knows its place: that list is asked for anew.
   * @param {Image | Image[]} images
   */
  replace(images) {
    for (const list of this.#all()) {
      const news = new Map([images].flat().map((image) => [image.id, image]));
      const items = list.state.items.flatMap((old) => {
        const image = news.get(old.id);
        news.delete(old.id);
        return !image ? old : list.has(image) ? image : [];
      });
      if (list !== this.current && [...news.values()].some((image) => list.has(image))) list.reset();
      else if (news.size < [images].flat().length) list.set({ items });
    }
  }

  /**
   * Takes pictures out.
   * @param {ReadonlySet<string>} ids
   * @returns {() => void} puts them back where they were
   */
  remove(ids) {
    const undo = [...this.#all()].map((list) => {
      const { items } = list.state;
      const gone = items.flatMap((image, i) => (ids.has(image.id) ? { image, after: items[i - 1]?.id } : []));
      if (gone.length > 0) list.set({ items: items.filter(({ id }) => !ids.has(id)) });
      return () => {
        const back = list.state.items.filter(({ id }) => !ids.has(id));
        for (const { image, after } of gone) back.splice(back.findIndex(({ id }) => id === after) + 1, 0, image);
        list.set({ items: back });
      };
    });
    return () => undo.forEach((put) => put());
  }

  /** Forgets every list, as when somebody else signs in. */
  forget() {
    for (const list of this.#all()) list.reset();
    this.#lists.clear();
    this.current = null;
  }

  #all() {
    return new Set([...this.#lists.values(), ...this.current ? [this.current] : []]);
  }
}
