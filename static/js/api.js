/**
 * The contract, as the page uses it: the only place that calls `fetch`. A method is named after its `operationId`,
 * answers what the contract says, and throws a `Problem` for everything else.
 */

import { networkProblem, problemOf } from './problem.js';

/** @typedef {import('../../gen/browser/api').components['schemas']} Schemas */
/** @typedef {{ cursor?: string, limit?: number }} PageQuery */
/** @typedef {{ image: Schemas['Image'], duplicate: boolean }} UploadResult */
/**
 * @typedef {object} CallOptions
 * @property {Record<string, string | number | undefined>} [query]
 * @property {unknown} [json]
 * @property {unknown} [patch] a merge patch
 * @property {FormData} [form]
 * @property {string} [ifMatch]
 * @property {AbortSignal} [signal]
 */

/**
 * Finds out where the API is. It is where the page is, unless the page itself says otherwise in
 * `<meta name="kadr-api" content="https://…">`, or a development server shows it on port 5500 of this machine: then the
 * API runs beside it on 8080. The API has to list the page's origin in KADR_CORS_ORIGINS.
 * @param {{ hostname: string, port: string }} location
 * @param {string} [named] what the page says
 * @returns {string} what comes before `/api/v1`
 */
export function apiBase(location, named = '') {
  if (named !== '') return named.replace(/\/$/, '');
  const here = location.hostname === 'localhost' || location.hostname === '127.0.0.1';
  return here && location.port === '5500' ? `http://${location.hostname}:8080` : '';
}

/** Dispatches `unauthenticated` when a call that needs a login finds that there is none (any more). */
export class API extends EventTarget {
  #fetch;

  /** @param {{ base?: string, fetch?: typeof globalThis.fetch }} [options] */
  constructor({ base = '', fetch = globalThis.fetch.bind(globalThis) } = {}) {
    super();
    this.base = base;
    this.#fetch = fetch;
  }

  /**
   * Registers an account.
   * @param {Schemas['AccountCreate']} account
   * @returns {Promise<Schemas['Account']>}
   */
  async createAccount(account) {
    return (await this.#call('POST', '/api/v1/accounts', { json: account })).json();
  }

  /**
   * Shows who is signed in.
   * @returns {Promise<Schemas['Account'] | null>} null for a visitor
   */
  async getAccount() {
    const response = await this.#send('GET', '/api/v1/account');
    if (response.status === 401) return null;
    return (await succeeded(response)).json();
  }

  /**
   * Signs in. A wrong name or password is a 401 of its own kind, and does not mean that a session ended.
   * @param {Schemas['SessionCreate']} credentials
   * @returns {Promise<Schemas['Session']>}
   */
  async createSession(credentials) {
    const response = await this.#send('POST', '/api/v1/sessions', { json: credentials });
    return (await succeeded(response)).json();
  }

  /**
   * Signs out. To be signed out already is as good.
   * @returns {Promise<void>}
   */
  async deleteCurrentSession() {
    const response = await this.#send('DELETE', '/api/v1/sessions/current');
    if (response.status !== 401) await succeeded(response);
  }

  /**
   * Uploads a picture.
   * @param {File} file
   * @param {{ visibility?: Schemas['Visibility'], signal?: AbortSignal }} [options]
   * @returns {Promise<UploadResult>} `duplicate` when the account had these bytes already
   */
  async uploadImage(file, { visibility, signal } = {}) {
    const form = new FormData();
    if (visibility) form.set('visibility', visibility);
    // Browsers write quotes in a part's file name as %22, so the name goes in a field of its own, where it can. The
    // fields come before the file: the server reads the form as it arrives.
    if (isFilename(file.name)) form.set('filename', file.name);
    form.set('file', file);
    const response = await this.#call('POST', '/api/v1/images', { form, signal });
    return { image: await response.json(), duplicate: response.status === 200 };
  }

  /**
   * Lists my pictures, newest first.
   * @param {PageQuery} [page]
   * @returns {Promise<Schemas['ImageList']>}
   */
  async listImages(page = {}) {
    return (await this.#call('GET', '/api/v1/images', { query: page })).json();
  }

  /**
   * Shows a picture's data.
   * @param {string} id
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Schemas['Image']>}
   */
  async getImage(id, { signal } = {}) {
    return (await this.#call('GET', imagePath(id), { signal })).json();
  }

  /**
   * Changes what is given about a picture, and leaves the rest.
   * @param {string} id
   * @param {Schemas['ImagePatch']} patch
   * @param {{ ifMatch?: string }} [options] the ETag that it must still have
   * @returns {Promise<Schemas['Image']>}
   */
  async updateImage(id, patch, { ifMatch } = {}) {
    return (await this.#call('PATCH', imagePath(id), { patch, ifMatch })).json();
  }

  /**
   * Deletes a picture.
   * @param {string} id
   * @returns {Promise<void>}
   */
  async deleteImage(id) {
    await this.#call('DELETE', imagePath(id));
  }

  /**
   * Lists everybody's public pictures, newest first.
   * @param {PageQuery} [page]
   * @returns {Promise<Schemas['ImageList']>}
   */
  async listFeed(page = {}) {
    return (await this.#call('GET', '/api/v1/feed', { query: page })).json();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {CallOptions} [options]
   * @returns {Promise<Response>} a success
   */
  async #call(method, path, options) {
    const response = await this.#send(method, path, options);
    if (response.status === 401) this.dispatchEvent(new Event('unauthenticated'));
    return succeeded(response);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {CallOptions} [options]
   * @returns {Promise<Response>} any answer
   */
  async #send(method, path, { query = {}, json, patch, form, ifMatch, signal } = {}) {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) search.set(name, String(value));
    }
    const headers = new Headers({ Accept: 'application/json, application/problem+json' });
    // The type of a form is left to the browser, which knows the boundary.
    if (json !== undefined) headers.set('Content-Type', 'application/json');
    if (patch !== undefined) headers.set('Content-Type', 'application/merge-patch+json');
    if (ifMatch !== undefined) headers.set('If-Match', ifMatch);
    const body = form ?? (json === undefined && patch === undefined ? undefined : JSON.stringify(json ?? patch));
    const address = this.base + path + (String(search) === '' ? '' : `?${search}`);
    try {
      return await this.#fetch(address, {
        method, headers, body, signal, credentials: this.base === '' ? 'same-origin' : 'include', cache: 'no-cache',
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw networkProblem(error);
    }
  }
}

/**
 * @param {Response} response
 * @returns {Promise<Response>}
 */
async function succeeded(response) {
  if (!response.ok) throw await problemOf(response);
  return response;
}

/**
 * @param {string} id
 * @returns {string}
 */
function imagePath(id) {
  return `/api/v1/images/${encodeURIComponent(id)}`;
}

/**
 * Tells whether the contract takes a text as a file's name.
 * @param {string} name
 * @returns {boolean}
 */
function isFilename(name) {
  // eslint-disable-next-line no-control-regex
  return /^[^\u0000-\u001f\u007f/\\]+$/.test(name) && [...name].length <= 255;
}
