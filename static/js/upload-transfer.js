/**
 * How a file gets to the server: a small one in one request, a larger one in parts, so that it goes on where it stopped and
 * progress is what has arrived, on any version of HTTP. Counting what `fetch` takes of a stream would need HTTP/2, exists in
 * one family of browsers only, and counts what lies in a buffer.
 */

import { t } from './i18n.js';
import { Problem } from './problem.js';

/** @type {import('./types').Transfer} */
export async function transfer(api, upload, moved) {
  const { file, remote, fields } = upload;
  const { size } = file;
  const filename = file.name.replace(/[\p{Cc}/\\]/gu, '_');
  /** @type {(operation: import('./api.js').Operation, call?: object) => Promise<any>} */
  const call = async (operation, more) => {
    const response = await api.send(operation, { path: { id: upload.remote }, signal: upload.abort.signal, ...more });
    return { body: await response.json(), duplicate: response.status === 200 };
  };
  if (size <= 2 ** 19) {
    const body = new FormData();
    // The server reads in order. In a part's own file name browsers write a quote as %22.
    for (const [name, value] of Object.entries({ ...fields, filename })) if (value) body.append(name, value);
    body.append('file', await read(file));
    return call('uploadImage', { body, headers: { 'Idempotency-Key': `${upload.id}-${upload.edits}` } });
  }
  try {
    if (remote) {
      upload.sent = await call('getUpload').then(({ body }) => body.offset, (error) => {
        // It was completed, and the reply got lost: completing again repeats that.
        if (error.status === 404 && upload.sent === size) return size;
        throw error;
      });
    } else upload.remote = (await call('createUpload', { body: { size, filename } })).body.id;
    for (let part = 2 ** 18; upload.sent < size; moved()) {
      const body = await read(file.slice(upload.sent, upload.sent + part));
      const start = performance.now();
      upload.sent = (await call('appendUpload', { body, headers: { 'Upload-Offset': upload.sent } })).body.offset;
      upload.speed = body.size * 1000 / (performance.now() - start);
      // About half a second each.
      part = Math.min(2 ** 23, Math.max(2 ** 18, upload.speed / 2 | 0));
    }
    return await call('completeUpload', { body: fields });
  } catch (error) {
    if (!remote || Object(error).status !== 404) throw error;
    // The server no longer has it.
    Object.assign(upload, { remote: '', sent: 0 });
    return transfer(api, upload, moved);
  }
}

/** Reads bytes first, to tell a file that is gone from a network that is. @param {Blob} blob */
const read = async (blob) => new Blob([await blob.arrayBuffer().catch(() => {
  throw new Problem({ code: '', status: 0, detail: t('upload.unreadable') });
})]);
