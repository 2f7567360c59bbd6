/** The queue of uploads: a few at a time, each with a state, retried on demand. It knows neither HTTP nor the page. */

/** @typedef {import('./api.js').UploadResult} UploadResult */
/** @typedef {import('./store.js').Image} Image */
/** @typedef {'waiting' | 'sending' | 'done' | 'duplicate' | 'failed'} UploadState */
/**
 * @template Options
 * @typedef {object} Upload
 * @property {string} id
 * @property {File} file
 * @property {Options} options as they were when the file was added
 * @property {UploadState} state
 * @property {Image | null} image once it is done, or known to be a duplicate
 * @property {unknown} error why it failed; a string when it was foretold and never sent
 */

/**
 * Dispatches `change` after every change of `items`, and `uploaded` (an `UploadedEvent`) for each new picture.
 * @template Options
 */
export class UploadQueue extends EventTarget {
  /** @type {readonly Readonly<Upload<Options>>[]} */
  #items = [];
  #send;
  #foretell;
  #limit;
  #count = 0;

  /**
   * @param {object} init
   * @param {(file: File, options: Options) => Promise<UploadResult>} init.send
   * @param {(file: File) => string | null} [init.foretell] why a file need not be tried; `retry` sends it nevertheless
   * @param {number} [init.limit] how many are sent at once
   */
  constructor({ send, foretell = () => null, limit = 3 }) {
    super();
    this.#send = send;
    this.#foretell = foretell;
    this.#limit = limit;
  }

  /** @returns {readonly Readonly<Upload<Options>>[]} in the order they were added */
  get items() {
    return this.#items;
  }

  /** @returns {boolean} whether anything is waiting or being sent */
  get busy() {
    return this.#items.some(({ state }) => state === 'waiting' || state === 'sending');
  }

  /**
   * Adds files at the end.
   * @param {Iterable<File>} files
   * @param {Options} options
   */
  add(files, options) {
    const added = Array.from(files, (file) => {
      const error = this.#foretell(file);
      const state = /** @type {UploadState} */ (error === null ? 'waiting' : 'failed');
      return Object.freeze({ id: `upload-${++this.#count}`, file, options, state, image: null, error });
    });
    if (added.length === 0) return;
    this.#items = [...this.#items, ...added];
    this.#changed();
  }

  /**
   * Sends a failed upload once more.
   * @param {string} id
   */
  retry(id) {
    const item = this.#items.find((one) => one.id === id);
    if (item?.state === 'failed') this.#update(id, { state: 'waiting', error: null });
  }

  /** Takes everything out that is neither waiting nor being sent. */
  clearFinished() {
    this.#items = this.#items.filter(({ state }) => state === 'waiting' || state === 'sending');
    this.#changed();
  }

  /** Forgets everything. What is being sent arrives, but is no longer told of. */
  reset() {
    this.#items = [];
    this.#changed();
  }

  /** Starts what may be started now, and tells of all that changed at once. */
  #changed() {
    const sending = this.#items.filter(({ state }) => state === 'sending').length;
    const waiting = this.#items.filter(({ state }) => state === 'waiting');
    const starting = new Set(waiting.slice(0, Math.max(0, this.#limit - sending)));
    this.#items = this.#items.map((item) => (starting.has(item) ? Object.freeze({ ...item, state: 'sending' }) : item));
    this.dispatchEvent(new Event('change'));
    for (const item of starting) void this.#run(item);
  }

  /** @param {Readonly<Upload<Options>>} item */
  async #run({ id, file, options }) {
    try {
      const { image, duplicate } = await this.#send(file, options);
      const known = this.#update(id, { state: duplicate ? 'duplicate' : 'done', image });
      if (known && !duplicate) this.dispatchEvent(new UploadedEvent(image));
    } catch (error) {
      this.#update(id, { state: 'failed', error });
    }
  }

  /**
   * @param {string} id
   * @param {Partial<Upload<Options>>} patch
   * @returns {boolean} false when it was taken out in the meantime
   */
  #update(id, patch) {
    if (!this.#items.some((item) => item.id === id)) return false;
    this.#items = this.#items.map((item) => (item.id === id ? Object.freeze({ ...item, ...patch }) : item));
    this.#changed();
    return true;
  }
}

/** Tells of a picture that was not there before. */
export class UploadedEvent extends Event {
  /** @param {Image} image */
  constructor(image) {
    super('uploaded');
    this.image = image;
  }
}
