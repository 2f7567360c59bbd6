import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import test from 'node:test';

import { Problem, networkProblem } from './problem.js';
import { UploadQueue, foretell } from './upload-queue.js';

globalThis.File ??= File;

const settled = () => new Promise((resolve) => { setImmediate(resolve); });
const file = (name) => new File(['x'], name, { type: 'image/png' });
const states = (queue) => queue.items.map(({ state }) => state).join(' ');

/** A queue whose uploads end when the test says so, in a window of its own. */
function setUp() {
  const where = Object.assign(new EventTarget(), { navigator: { onLine: true } });
  const calls = [];
  const api = { call: async (operation, { path, body }) => {
    calls.push([operation, path.id, body]);
    return { id: path.id, ...body };
  } };
  const sent = [];
  const send = (_, upload, moved) => new Promise((resolve, reject) => {
    upload.abort.signal.addEventListener('abort', () => reject(new DOMException('given up', 'AbortError')));
    sent.push({
      name: upload.file.name, upload, fail: reject,
      move: (bytes) => { upload.sent = bytes; moved(); },
      succeed: (duplicate = false, image = {}) => resolve({ duplicate, body: { id: upload.file.name, description: '', ...upload.fields, ...image } }),
    });
  });
  const queue = new UploadQueue(api, send, where);
  const uploaded = [];
  queue.addEventListener('uploaded', ({ image }) => uploaded.push(image.id));
  const network = (onLine) => {
    where.navigator.onLine = onLine;
    where.dispatchEvent(new Event(onLine ? 'online' : 'offline'));
  };
  return { api, calls, network, queue, sent, uploaded, where };
}

test('three at a time, in order, and the next when one ends', async () => {
  const { queue, sent, uploaded } = setUp();
  queue.add(['a', 'b', 'c', 'd', 'e'].map(file), { visibility: 'public' });
  assert.equal(states(queue), 'sending sending sending waiting waiting');
  sent[1].succeed();
  await settled();
  assert.equal(states(queue), 'sending done sending sending waiting');
  sent[0].fail(new Error('no'));
  await settled();
  assert.equal(states(queue), 'failed done sending sending sending');
  assert.equal(queue.busy, true);
  for (const one of sent.slice(2)) one.succeed();
  await settled();
  assert.equal(states(queue), 'failed done done done done');
  assert.equal(queue.busy, false);
  assert.deepEqual(uploaded, ['b', 'c', 'd', 'e']);
  assert.deepEqual(sent.map(({ name }) => name), ['a', 'b', 'c', 'd', 'e']);
  assert.equal(sent[4].upload.fields.visibility, 'public');
});

test('never more than three, however they end', async () => {
  let running = 0;
  let most = 0;
  const where = Object.assign(new EventTarget(), { navigator: { onLine: true } });
  const queue = new UploadQueue({}, async (_, { file: { name } }) => {
    most = Math.max(most, ++running);
    await settled();
    running--;
    if (Number(name) % 3 === 0) throw new Error('no');
    return { body: { id: name, description: '' }, duplicate: false };
  }, where);
  queue.add(Array.from({ length: 40 }, (_, i) => file(String(i))));
  while (queue.busy) await settled();
  assert.equal(most, 3);
  assert.equal(queue.in('failed').length, 14);
});

test('without a network all wait, also those that come, and go on by themselves', async () => {
  const { network, queue, sent } = setUp();
  queue.add(['a', 'b', 'c', 'd'].map(file));
  sent[0].move(1);
  network(false);
  await settled();
  assert.equal(states(queue), 'paused paused paused waiting');
  assert.equal(queue.busy, true);
  queue.add([file('e')]);
  await settled();
  assert.equal(sent.length, 3, 'nothing is tried in vain');
  network(true);
  assert.equal(states(queue), 'sending sending sending waiting waiting');
  assert.equal(sent[3].upload, sent[0].upload);
  assert.equal(sent[3].upload.sent, 1, 'from the byte where it stopped');
});

test('a server that does not answer is asked again, later and later, and not for ever', async (t) => {
  const timers = [];
  t.mock.method(globalThis, 'setTimeout', (run, milliseconds) => timers.push({ run, milliseconds }));
  const { queue, sent } = setUp();
  queue.add([file('a')]);
  for (let i = 0; i < 5; i++) {
    sent.at(-1).fail(networkProblem());
    await settled();
    assert.equal(states(queue), 'paused');
    timers[i].run();
    assert.equal(states(queue), 'sending');
  }
  sent.at(-1).fail(networkProblem());
  await settled();
  assert.equal(states(queue), 'failed');
  assert.deepEqual(timers.slice(0, 5).map(({ milliseconds }) => milliseconds), [1000, 2000, 4000, 8000, 16_000]);

  queue.retry(queue.items);
  timers.at(-1).run();
  assert.equal(sent.length, 7, 'a timer that is too late does nothing');
  sent.at(-1).fail(new Problem({ code: 'unavailable', status: 503, retryAfter: 7 }));
  await settled();
  assert.equal(timers.at(-1).milliseconds, 7000, 'as the server said');
  timers.at(-1).run();
  sent.at(-1).move(1);
  assert.equal(queue.items[0].tries, 0, 'what gets on may be tried as often again');
});

test('what is refused fails at once, and is tried again on demand', async () => {
  const { queue, sent } = setUp();
  queue.add([file('a')]);
  const error = new Problem({ code: 'image_broken', status: 422 });
  sent[0].fail(error);
  await settled();
  assert.equal(states(queue), 'failed');
  assert.equal(queue.items[0].error, error);
  queue.retry(queue.items);
  sent[1].succeed();
  await settled();
  assert.equal(states(queue), 'done');
});

test('who does not sign in again is asked once, not for each file', async () => {
  const { queue, sent } = setUp();
  queue.add(['a', 'b', 'c', 'd', 'e'].map(file));
  for (const one of sent.slice(0, 3)) one.fail(new Problem({ code: 'unauthenticated', status: 401 }));
  await settled();
  assert.equal(states(queue), 'failed failed failed failed failed');
  assert.equal(sent.length, 3);
  queue.retry(queue.in('failed'));
  assert.equal(states(queue), 'sending sending sending waiting waiting');
});

test('what is cancelled is gone here and there, and makes room', async () => {
  const { calls, queue, sent } = setUp();
  queue.add(['a', 'b', 'c', 'd'].map(file));
  sent[1].upload.remote = 'b-there';
  queue.remove([sent[1].upload]);
  await settled();
  assert.equal(sent[1].upload.abort.signal.aborted, true);
  assert.deepEqual(calls, [['deleteUpload', 'b-there', undefined]]);
  assert.deepEqual(sent.map(({ name }) => name), ['a', 'b', 'c', 'd']);
  assert.equal(states(queue), 'sending sending sending');
});

test('leaving the page gives up what is unfinished, and nothing else', async () => {
  const { calls, queue, sent, where } = setUp();
  queue.add(['a', 'b', 'c'].map(file));
  for (const { upload } of sent.slice(0, 2)) upload.remote = `${upload.file.name}-there`;
  sent[0].succeed();
  await settled();
  where.dispatchEvent(new Event('pagehide'));
  assert.deepEqual(calls.map(([operation, id]) => `${operation} ${id}`), ['deleteUpload b-there']);
});

test('a duplicate is an outcome, and no new picture', async () => {
  const { calls, queue, sent, uploaded } = setUp();
  queue.add([file('a')], { visibility: 'public' });
  sent[0].succeed(true, { visibility: 'private', description: 'as it was' });
  await settled();
  assert.equal(states(queue), 'duplicate');
  assert.deepEqual(uploaded, []);
  assert.deepEqual(calls, [], 'who may see it stays');
  assert.deepEqual(queue.items[0].fields, { visibility: 'private', description: 'as it was' });
});

test('what is said goes along, or after', async () => {
  const { calls, queue, sent } = setUp();
  const edited = [];
  queue.addEventListener('edited', ({ image }) => edited.push(image.description));
  queue.add([file('a')], { visibility: 'public' });
  const [upload] = queue.items;
  await queue.edit(upload, { description: 'before' });
  assert.deepEqual(calls, []);
  sent[0].succeed(false, { description: '' }); // said when the request had gone already
  await settled();
  assert.deepEqual(calls, [['updateImage', 'a', { description: 'before' }]]);
  upload.image = { ...upload.image, visibility: 'public' };
  await queue.edit(upload, { description: 'after', visibility: 'private' });
  assert.deepEqual(calls[1], ['updateImage', 'a', { description: 'after', visibility: 'private' }]);
  await queue.edit(upload, { description: 'after' });
  assert.deepEqual(edited, ['before', 'after']);
});

test('what is foretold to fail is sent only when asked for', () => {
  const { queue, sent } = setUp();
  queue.add([new File([], 'bad.png'), file('good')]);
  assert.equal(states(queue), 'foretold sending');
  assert.equal(queue.items[0].error.code, 'image_empty');
  queue.retry([queue.items[0]]);
  assert.deepEqual(sent.map(({ name }) => name), ['good', 'bad.png']);
});

test('all can be forgotten', async () => {
  const { calls, queue, sent, uploaded } = setUp();
  queue.add(['a', 'b', 'c', 'd'].map(file));
  queue.forget();
  sent[0].succeed();
  await settled();
  assert.deepEqual([queue.items, uploaded, calls, sent.length], [[], [], [], 3]);
});

test('files are judged by what is known of them', () => {
  assert.equal(foretell({ type: 'image/webp', size: 5 }, 10), '');
  assert.equal(foretell({ type: '', size: 5 }, 10), '');
  assert.equal(foretell({ type: 'image/png', size: 0 }, 10), 'image_empty');
  assert.equal(foretell({ type: 'text/html', size: 5 }, 10), 'image_type_not_allowed');
  assert.equal(foretell({ type: 'image/svg+xml', size: 5 }, 10), 'image_type_not_allowed');
  assert.equal(foretell({ type: 'image/png', size: 11 }, 10), 'file_too_large');
});
