/** The queue of uploads: three at a time, paused while the network is away. */

import { Problem } from './problem.js';
import { transfer } from './upload-transfer.js';

/** @typedef {import('./types').Upload} Upload */
/** @typedef {Partial<import('./types').UploadFields>} Fields */

/** What the contract takes. */
export const TYPES = ['jpeg', 'png', 'gif', 'webp', 'avif', 'heic', 'heif', 'tiff'].map((name) => `image/${name}`);

/** Tells of a picture that is new (`uploaded`) or has changed (`edited`). */
export class UploadedEvent extends Event {
  /** @param {string} type @param {import('./types').Image} image */
  constructor(type, image) {
    super(type);
    this.image = image;
  }
}

/** Dispatches `change` besides, and `choose` when somebody wants the file chooser. */
export class UploadQueue extends EventTarget {
  /** @type {Upload[]} in the order they were added */
  items = [];
  /** Bytes of the largest file that the instance takes. */
  most = Infinity;
  #api;
  #send;
  #window;

  /** @param {import('./api.js').API} api */
  constructor(api, send = transfer, where = window) {
    super();
    this.#api = api;
    this.#send = send;
    this.#window = where;
    where.addEventListener('online', () => this.retry(this.in('paused')));
    where.addEventListener('offline', () => {
      for (const upload of this.in('sending', 'waiting')) {
        upload.abort.abort();
        upload.state = 'paused';
      }
      this.#changed();
    });
    where.addEventListener('pagehide', () => this.items.forEach((upload) => this.#drop(upload)));
  }

  get busy() {
    return this.in('waiting', 'sending', 'paused').length > 0;
  }

  /** @param {...Upload['state']} states */
  in(...states) {
    return this.items.filter(({ state }) => states.includes(state));
  }

  /** @param {Iterable<File>} files @param {Fields} [fields] */
  add(files, fields) {
    for (const file of files) {
      // Foretold, not decided: the server looks at the bytes. Systems that do not know a type leave it empty.
      const code = !file.size ? 'image_empty'
        : file.type && !TYPES.includes(file.type) ? 'image_type_not_allowed'
        : file.size > this.most && 'file_too_large';
      this.items.push({
        id: Date.now() + Math.random().toString(36), file, fields: { description: '', ...fields }, edits: 0, sent: 0, speed: 0,
        tries: 0, abort: new AbortController(), ...(code
          ? { state: 'failed', foretold: true, error: new Problem({ code, status: 0 }) } : { state: 'waiting' }),
      });
    }
    this.#changed();
  }

  /** Sends what failed or is paused. @param {Upload[]} uploads */
  retry(uploads, tries = 0) {
    for (const upload of uploads) Object.assign(upload, { state: 'waiting', foretold: false, tries });
    this.#changed();
  }

  /** Takes uploads out, and what has arrived of those that are not finished. @param {Upload[]} uploads */
  remove(uploads) {
    this.items = this.items.filter((upload) => !uploads.includes(upload));
    for (const upload of uploads) {
      upload.abort.abort();
      this.#drop(upload);
    }
    this.#changed();
  }

  /** Says something of a picture, now or once it has arrived. @param {Upload} upload @param {Fields} fields */
  async edit(upload, fields) {
    Object.assign(upload.fields, fields);
    upload.edits++;
    const { image } = upload;
    if (!image) return;
    const body = Object.fromEntries(Object.entries(upload.fields).filter(([name, value]) => value !== Object(image)[name]));
    if (!Object.keys(body).length) return;
    upload.image = await this.#api.call('updateImage', { path: { id: image.id }, body });
    this.dispatchEvent(new UploadedEvent('edited', upload.image));
    this.#changed();
  }

  /** Forgets everything, as when somebody else signs in. */
  forget() {
    for (const { abort } of this.items.splice(0)) abort.abort();
    this.#changed();
  }

  #changed() {
    for (const upload of this.in('waiting').slice(0, Math.max(0, 3 - this.in('sending').length))) void this.#run(upload);
    this.dispatchEvent(new Event('change'));
  }

  /** @param {Upload} upload */
  async #run(upload) {
    const abort = new AbortController();
    Object.assign(upload, { abort, state: 'sending', speed: 0 });
    try {
      const { body: image, duplicate } = await this.#send(this.#api, upload, () => {
        upload.tries = 0;
        this.#changed();
      });
      if (abort.signal.aborted) return;
      const { description } = upload.fields;
      Object.assign(upload, { image, remote: '', state: duplicate ? 'duplicate' : 'done' });
      if (duplicate) upload.fields = { visibility: image.visibility, description: description || image.description };
      else this.dispatchEvent(new UploadedEvent('uploaded', image));
      // What was said while it was on its way.
      void this.edit(upload, {});
    } catch (error) {
      if (abort.signal.aborted) return;
      const { code, status, retryAfter } = Object(error);
      const { onLine } = this.#window.navigator;
      const passes = code === 'network' || [408, 409, 502, 503, 504].includes(status);
      Object.assign(upload, { error, state: passes && (!onLine || upload.tries < 5) ? 'paused' : 'failed' });
      if (onLine && upload.state === 'paused') {
        setTimeout(() => {
          if (upload.abort === abort && upload.state === 'paused') this.retry([upload], upload.tries + 1);
        }, 1000 * Math.min(30, retryAfter ?? 2 ** upload.tries));
      }
    }
    this.#changed();
  }

  /** @param {Upload} upload */
  #drop({ remote, image }) {
    if (remote && !image) this.#api.call('deleteUpload', { path: { id: remote }, keepalive: true }).catch(() => {});
  }
}
