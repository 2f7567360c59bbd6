/** The queue of uploads: three at a time, paused while the network is away. */

import { Problem } from './problem.js';

/** @import { Queue, Upload } from './types' */

/** The way to the server comes with the first file. @type {import('./types').Transfer} */
const transfer = async (...call) => (await import('./upload-transfer.js')).transfer(...call);

/** @implements {Queue} */
export class UploadQueue extends EventTarget {
  items = /** @type {Upload[]} */ ([]);
  most = Infinity;

  /** @param {import('./api.js').API} api */
  constructor(api, send = transfer, where = window) {
    super();
    this.api = api;
    this.send = send;
    this.online = () => where.navigator.onLine;
    where.addEventListener('online', () => this.retry(this.in('paused')));
    where.addEventListener('offline', () => this.#abort(this.items));
    where.addEventListener('pagehide', () => this.#drop(this.items));
  }

  get busy() {
    return this.in('waiting', 'sending', 'paused').length > 0;
  }

  /** @type {Queue['in']} */
  in(...states) {
    return this.items.filter(({ state }) => states.includes(state));
  }

  /** @type {Queue['add']} */
  add(files, fields) {
    for (const file of files) {
      const code = foretell(file, this.most);
      this.items.push({
        id: Date.now() + Math.random().toString(36), file, fields: { description: '', ...fields }, edits: 0, remote: '', sent: 0, speed: 0,
        tries: 0, abort: new AbortController(), state: code ? 'foretold' : 'waiting', error: code && new Problem({ code, status: 0 }),
      });
    }
    this.#changed();
  }

  /** @type {Queue['retry']} */
  retry(uploads, tries = 0) {
    for (const upload of uploads) Object.assign(upload, { state: 'waiting', tries });
    this.#changed();
  }

  /** @type {Queue['remove']} */
  remove(uploads) {
    this.items = this.items.filter((upload) => !uploads.includes(upload));
    this.#abort(uploads);
    this.#drop(uploads);
    this.#changed();
  }

  /** @type {Queue['edit']} */
  async edit(upload, fields) {
    Object.assign(upload.fields, fields);
    upload.edits++;
    const { image } = upload;
    const body = Object.fromEntries(Object.entries(upload.fields).filter(([name, value]) => value !== Object(image)[name]));
    if (!image || !Object.keys(body).length) return;
    upload.image = await this.api.call('updateImage', { path: { id: image.id }, body });
    this.#changed('edited', upload.image);
  }

  forget() {
    this.#abort(this.items.splice(0));
    this.#changed();
  }

  #changed(type = 'change', image = {}) {
    const free = 3 - this.in('sending').length;
    if (this.online() || !this.in('paused').length) this.in('waiting').slice(0, free).forEach((upload) => this.#run(upload));
    this.dispatchEvent(Object.assign(new Event(type), { image }));
  }

  /** @param {Upload} upload */
  async #run(upload) {
    const abort = new AbortController();
    Object.assign(upload, { abort, state: 'sending', speed: 0 });
    try {
      const { body: image, duplicate } = await this.send(this.api, upload, () => {
        upload.tries = 0;
        this.#changed();
      });
      if (!this.items.includes(upload)) return;
      Object.assign(upload, { image, state: duplicate ? 'duplicate' : 'done' });
      if (duplicate) upload.fields = { visibility: image.visibility, description: upload.fields.description || image.description };
      else this.#changed('uploaded', image);
      // What was said while it was on its way.
      void this.edit(upload, {});
    } catch (error) {
      const { code, status, retryAfter } = Object(error);
      const passes = abort.signal.aborted || code === 'network' || [408, 409, 502, 503, 504].includes(status);
      Object.assign(upload, { error, state: passes && (!this.online() || upload.tries < 5) ? 'paused' : 'failed' });
      // Who does not want to sign in is not asked for each of the others.
      if (status === 401) for (const other of this.in('waiting')) Object.assign(other, { error, state: 'failed' });
      if (this.online()) {
        setTimeout(() => {
          if (upload.abort === abort && upload.state === 'paused') this.retry([upload], upload.tries + 1);
        }, 1000 * Math.min(30, retryAfter ?? 2 ** upload.tries));
      }
    }
    this.#changed();
  }

  /** @param {Upload[]} uploads */
  #abort(uploads) {
    for (const { abort } of uploads) abort.abort();
  }

  /** @param {Upload[]} uploads */
  #drop(uploads) {
    for (const { remote: id, image } of uploads) if (id && !image) this.api.call('deleteUpload', { path: { id }, keepalive: true }).catch(() => {});
  }
}

/** What the server is going to say, by all appearances: it looks at the bytes. @param {File} file @param {number} most */
export function foretell({ size, type }, most) {
  if (!size) return 'image_empty';
  // Systems that do not know a type leave it empty.
  if (type && !/^image\/(jpeg|png|gif|webp|avif|hei[cf]|tiff)$/.test(type)) return 'image_type_not_allowed';
  return size > most ? 'file_too_large' : '';
}
