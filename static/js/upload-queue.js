/** The queue of uploads. */

/** Tells of a picture that was not there before. */
export class UploadedEvent extends Event {
  /** @param {import('./types').Image} image */
  constructor(image) {
    super('uploaded');
    this.image = image;
  }
}

export class UploadQueue extends EventTarget {
  busy = false;

  /** @param {import('./api.js').API} api */
  constructor(api) {
    super();
    this.api = api;
  }

  forget() {}
}
