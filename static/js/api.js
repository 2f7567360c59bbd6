/**
 * The contract, as the pages use it, and the only place that calls `fetch`. Calls are named by their `operationId`; what
 * is no success becomes a `Problem`.
 */

import { networkProblem, problemOf } from './problem.js';

/** Every operation that the pages use. A test holds it against the contract. */
export const OPERATIONS = /** @type {const} */ ({
  createAccount: 'POST /api/v1/accounts',
  getAccount: 'GET /api/v1/account',
  updateAccount: 'PATCH /api/v1/account',
  deleteAccount: 'DELETE /api/v1/account',
  getAccountUsage: 'GET /api/v1/account/usage',
  listAccountImages: 'GET /api/v1/accounts/{name}/images',
  createSession: 'POST /api/v1/sessions',
  listSessions: 'GET /api/v1/sessions',
  deleteSessions: 'DELETE /api/v1/sessions',
  deleteCurrentSession: 'DELETE /api/v1/sessions/current',
  deleteSession: 'DELETE /api/v1/sessions/{id}',
  createAPIKey: 'POST /api/v1/api-keys',
  listAPIKeys: 'GET /api/v1/api-keys',
  deleteAPIKey: 'DELETE /api/v1/api-keys/{id}',
  uploadImage: 'POST /api/v1/images',
  createUpload: 'POST /api/v1/uploads',
  getUpload: 'GET /api/v1/uploads/{id}',
  appendUpload: 'PATCH /api/v1/uploads/{id}',
  completeUpload: 'POST /api/v1/uploads/{id}/complete',
  deleteUpload: 'DELETE /api/v1/uploads/{id}',
  listImages: 'GET /api/v1/images',
  bulkUpdateImages: 'POST /api/v1/images/bulk',
  getImage: 'GET /api/v1/images/{id}',
  updateImage: 'PATCH /api/v1/images/{id}',
  deleteImage: 'DELETE /api/v1/images/{id}',
  listFeed: 'GET /api/v1/feed',
  getInstance: 'GET /api/v1/instance',
});

/** @typedef {keyof typeof OPERATIONS} Operation */

/** Wrong credentials are a 401 too; and to ask who is signed in, or to sign out, is no reason to sign in. */
const NO_LOGIN = ['createSession', 'getAccount', 'deleteCurrentSession'];

/**
 * Finds out where the API is: where the page is, unless the page says otherwise in `<meta name="kadr-api">`, or a
 * development server shows it on port 5500. Then the API, on 8080, has to list the page's origin in KADR_CORS_ORIGINS.
 * @param {{ hostname: string, port: string }} location
 * @param {string} [named] what the page says
 */
export function apiBase({ hostname, port }, named = '') {
  if (named) return named.replace(/\/$/, '');
  return /^(localhost|127\.0\.0\.1)$/.test(hostname) && port === '5500' ? `http://${hostname}:8080` : '';
}

/**
 * Gets one of the pages' own files.
 * @param {string} path
 */
export async function fetchFile(path) {
  const response = await fetch(path).catch((error) => { throw networkProblem(error); });
  if (!response.ok) throw await problemOf(response);
  return response;
}

export class API {
  /**
   * Asked when a call needs somebody to be signed in and nobody is (any more). After a yes the call is made again.
   * @type {() => Promise<boolean>}
   */
  signIn = async () => false;

  /** @param {{ base?: string, fetch?: typeof globalThis.fetch }} [options] */
  constructor({ base = '', fetch = globalThis.fetch.bind(globalThis) } = {}) {
    this.base = base;
    this.fetch = fetch;
  }

  /**
   * @template {Operation} O
   * @param {O} operation
   * @param {import('./types').Call<O>} [call]
   * @returns {Promise<import('./types').Answer<O>>} the body; undefined where there is none
   */
  async call(operation, call) {
    const response = await this.send(operation, call);
    return /** @type {any} */ (response.status === 204 ? undefined : await response.json());
  }

  /**
   * For those who want more of the answer than its body.
   * @template {Operation} O
   * @param {O} operation
   * @param {import('./types').Call<O>} [call]
   * @returns {Promise<Response>} a success
   */
  async send(operation, call = {}) {
    let response = await this.#request(operation, call);
    if (response.status === 401 && !NO_LOGIN.includes(operation) && !call.keepalive && await this.signIn()) {
      response = await this.#request(operation, call);
    }
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  /**
   * @param {Operation} operation
   * @param {import('./types').Call<any>} call
   */
  async #request(operation, { path = {}, query = {}, body, headers, signal, keepalive }) {
    const [method, template] = OPERATIONS[operation].split(' ');
    const filled = template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(path[name]));
    const search = String(new URLSearchParams(Object.entries(query).filter(([, value]) => (value ?? '') !== '')));
    const raw = body instanceof FormData || body instanceof Blob;
    const type = body instanceof Blob ? 'application/octet-stream'
      : raw || !body ? '' // the type of a form is left to the browser, which knows the boundary
      : method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    try {
      return await this.fetch(this.base + filled + (search && `?${search}`), {
        method, signal, keepalive,
        headers: { Accept: 'application/json, application/problem+json', ...type && { 'Content-Type': type }, ...headers },
        body: raw ? body : body && JSON.stringify(body),
        credentials: this.base ? 'include' : 'same-origin', cache: 'no-cache',
      });
    } catch (error) {
      throw signal?.aborted ? error : networkProblem(error);
    }
  }
}
