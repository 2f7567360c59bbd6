import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import test from 'node:test';

import { Problem, networkProblem } from './problem.js';
import { transfer } from './upload-transfer.js';

globalThis.File ??= File;

/** A server that keeps uploads as ours does; `fail` is asked before each call. */
function makeServer(fail = () => null) {
  const server = {
    uploads: new Map(), images: new Map(), calls: [], sizes: [],
    async send(operation, { path = {}, body, headers = {}, signal }) {
      server.calls.push(operation);
      signal.throwIfAborted();
      const error = fail(operation, server);
      if (error?.before) throw error.before;
      const answer = await server[operation]({ id: path.id, body, headers });
      if (error) throw error;
      return new Response(JSON.stringify(answer), { status: operation === 'completeUpload' || operation === 'uploadImage' ? 201 : 200 });
    },
    find(id) {
      if (!server.uploads.has(id)) throw new Problem({ code: 'upload_not_found', status: 404 });
      return server.uploads.get(id);
    },
    createUpload({ body: { size, filename } }) {
      const id = `u${server.calls.length}`;
      server.uploads.set(id, { size, filename, bytes: new Uint8Array() });
      return { id, offset: 0 };
    },
    getUpload: ({ id }) => ({ id, offset: server.find(id).bytes.length }),
    async appendUpload({ id, body, headers }) {
      const upload = server.find(id);
      if (Number(headers['Upload-Offset']) !== upload.bytes.length) throw new Problem({ code: 'upload_offset_mismatch', status: 409 });
      const part = new Uint8Array(await body.arrayBuffer());
      server.sizes.push(part.length);
      upload.bytes = new Uint8Array([...upload.bytes, ...part]);
      return { id, offset: upload.bytes.length };
    },
    completeUpload({ id, body }) {
      if (server.images.has(id)) return server.images.get(id);
      const { size, bytes } = server.find(id);
      if (bytes.length < size) throw new Problem({ code: 'upload_incomplete', status: 409 });
      server.uploads.delete(id);
      server.images.set(id, { id: `image of ${id}`, bytes, ...body });
      return { id: `image of ${id}`, ...body };
    },
    async uploadImage({ body, headers }) {
      return { fields: [...body.keys()], filename: body.get('filename'), size: body.get('file').size, key: headers['Idempotency-Key'] };
    },
  };
  return server;
}

const bytes = (length) => Uint8Array.from({ length }, (_, i) => i * 31 + (i >> 8));
const uploadOf = (size, name = 'a.png') => ({
  id: 'random-id', edits: 0, file: new File([bytes(size)], name, { type: 'image/png' }), fields: { visibility: 'public', description: '' },
  sent: 0, speed: 0, remote: '', abort: new AbortController(),
});

test('a small file goes at once, with its fields before it and its name in a field', async () => {
  const { body, duplicate } = await transfer(makeServer(), uploadOf(1000, 'say "a\\b".png'), () => {});
  assert.deepEqual(body, { fields: ['visibility', 'filename', 'file'], filename: 'say "a_b".png', size: 1000, key: 'random-id-0' });
  assert.equal(duplicate, false);
});

test('a large file goes in parts, and says how much has arrived', async () => {
  const server = makeServer();
  const upload = uploadOf(1_500_000);
  const seen = [];
  const { body } = await transfer(server, upload, () => seen.push(upload.sent));
  assert.deepEqual(server.images.get(upload.remote).bytes, bytes(1_500_000));
  assert.equal(body.visibility, 'public');
  assert.equal(seen.at(-1), 1_500_000);
  assert.equal(server.sizes[0], 262_144);
  assert.ok(seen.length > 1 && seen.every((sent, i) => i === 0 || sent > seen[i - 1]), String(seen));
  assert.ok(upload.speed > 0);
});

test('parts grow on a fast network', async () => {
  const server = makeServer();
  await transfer(server, uploadOf(4_000_000), () => {});
  assert.ok(Math.max(...server.sizes) > 262_144, String(server.sizes));
});

test('it goes on from the byte where it stopped', async () => {
  let broken = false;
  const server = makeServer((operation, { sizes }) => {
    if (operation !== 'appendUpload' || sizes.length !== 1 || broken) return null;
    broken = true;
    return networkProblem(); // the bytes arrived, the answer did not
  });
  const upload = uploadOf(1_500_000);
  await assert.rejects(transfer(server, upload, () => {}), { code: 'network' });
  assert.equal(upload.sent, 262_144);
  await transfer(server, upload, () => {});
  assert.deepEqual(server.images.get(upload.remote).bytes, bytes(1_500_000));
  assert.equal(server.calls.filter((operation) => operation === 'createUpload').length, 1);
  assert.equal(server.sizes.reduce((a, b) => a + b), 1_500_000, 'no byte twice');
});

test('a lost reply does not make two pictures', async () => {
  let lost = false;
  const server = makeServer((operation) => (operation === 'completeUpload' && !lost && (lost = true) ? networkProblem() : null));
  const upload = uploadOf(600_000);
  await assert.rejects(transfer(server, upload, () => {}), { code: 'network' });
  const { body } = await transfer(server, upload, () => {});
  assert.equal(server.images.size, 1);
  assert.equal(body.id, `image of ${upload.remote}`);
});

test('what the server has no more begins anew', async () => {
  let away = true;
  const server = makeServer((operation, { sizes }) => (away && operation === 'appendUpload' && sizes.length === 1 ? { before: networkProblem() } : null));
  const upload = uploadOf(1_500_000);
  await assert.rejects(transfer(server, upload, () => {}), { code: 'network' });
  away = false;
  server.uploads.clear();
  await transfer(server, upload, () => {});
  assert.deepEqual(server.images.get(upload.remote).bytes, bytes(1_500_000));
});

test('what is given up sends no more', async () => {
  const server = makeServer();
  const upload = uploadOf(1_500_000);
  await assert.rejects(transfer(server, upload, () => upload.abort.abort()), { name: 'AbortError' });
  assert.deepEqual(server.calls, ['createUpload', 'appendUpload', 'appendUpload']);
  assert.equal(server.sizes.length, 1);
});

test('a file that cannot be read is told from a network that is away', async () => {
  const upload = uploadOf(600_000);
  upload.file.slice = () => ({ arrayBuffer: async () => { throw new DOMException('moved', 'NotReadableError'); } });
  await assert.rejects(transfer(makeServer(), upload, () => {}), (error) => error.code !== 'network' && error instanceof Problem);
});
