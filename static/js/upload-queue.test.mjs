import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import test from 'node:test';

import { foretell, namePasted } from './files.js';
import { UploadQueue } from './upload-queue.js';

// Node.js 18 has it, but not among its globals.
globalThis.File ??= File;

const file = (name) => ({ name, size: 1, type: 'image/png' });
const states = (queue) => queue.items.map(({ state }) => state).join(' ');
const settled = () => new Promise((resolve) => { setImmediate(resolve); });

/** A queue whose uploads end when the test says so. */
function setUp(options = {}) {
  const sent = [];
  const send = ({ name }, opts) => new Promise((resolve, reject) => {
    const succeed = (duplicate = false) => resolve({ image: { id: name }, duplicate });
    sent.push({ name, opts, succeed, fail: reject });
  });
  const queue = new UploadQueue({ send, ...options });
  const uploaded = [];
  queue.addEventListener('uploaded', ({ image }) => uploaded.push(image.id));
  return { queue, sent, uploaded };
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
  assert.deepEqual(sent[4].opts, { visibility: 'public' });
});

test('never more than the limit, however they end', async () => {
  let running = 0;
  let most = 0;
  const send = async ({ name }) => {
    most = Math.max(most, ++running);
    await settled();
    running--;
    if (name % 3 === 0) throw new Error('no');
    return { image: { id: name }, duplicate: name % 5 === 0 };
  };
  const queue = new UploadQueue({ send, limit: 3 });
  queue.add(Array.from({ length: 40 }, (_, i) => file(i)), {});
  while (queue.busy) await settled();
  assert.equal(most, 3);
  assert.equal(queue.items.filter(({ state }) => state === 'failed').length, 14);
});

test('a duplicate is an outcome, but no new picture', async () => {
  const { queue, sent, uploaded } = setUp();
  queue.add([file('a')], {});
  sent[0].succeed(true);
  await settled();
  assert.equal(queue.items[0].state, 'duplicate');
  assert.equal(queue.items[0].image.id, 'a');
  assert.deepEqual(uploaded, []);
});

test('what failed is retried on demand, and nothing else is', async () => {
  const { queue, sent } = setUp();
  queue.add([file('a')], {});
  const { id } = queue.items[0];
  queue.retry(id);
  assert.equal(sent.length, 1);
  const error = new Error('no');
  sent[0].fail(error);
  await settled();
  assert.equal(queue.items[0].error, error);
  queue.retry(id);
  assert.equal(states(queue), 'sending');
  assert.equal(queue.items[0].error, null);
  sent[1].succeed();
  await settled();
  assert.equal(states(queue), 'done');
  queue.retry(id);
  queue.retry('nobody');
  assert.equal(sent.length, 2);
});

test('what is foretold to fail is sent only when asked for', async () => {
  const { queue, sent } = setUp({ foretell: ({ name }) => (name === 'bad' ? 'Not a picture.' : null) });
  queue.add([file('bad'), file('good')], {});
  assert.equal(states(queue), 'failed sending');
  assert.equal(queue.items[0].error, 'Not a picture.');
  queue.retry(queue.items[0].id);
  assert.deepEqual(sent.map(({ name }) => name), ['good', 'bad']);
});

test('the finished can be cleared, and all be forgotten', async () => {
  const { queue, sent, uploaded } = setUp({ limit: 1 });
  queue.add(['a', 'b', 'c'].map(file), {});
  sent[0].succeed();
  await settled();
  queue.clearFinished();
  assert.equal(states(queue), 'sending waiting');
  queue.reset();
  sent[1].succeed();
  await settled();
  assert.equal(queue.items.length, 0);
  assert.deepEqual(uploaded, ['a']);
  assert.equal(sent.length, 2);
});

test('files are judged by what is known of them', () => {
  assert.equal(foretell({ type: 'image/webp', size: 5 }), null);
  assert.equal(foretell({ type: '', size: 5 }), null);
  assert.match(foretell({ type: 'image/png', size: 0 }), /empty/);
  assert.match(foretell({ type: 'text/html', size: 5 }), /^Not a JPEG/);
  assert.match(foretell({ type: 'image/png', size: 52_428_801 }), /usual limit/);
});

test('pasted pictures get names that tell them apart', async () => {
  const now = new Date(2026, 10, 23, 9, 5, 7);
  const pasted = namePasted(new File(['x'], 'image.png', { type: 'image/png' }), now);
  assert.deepEqual([pasted.name, pasted.type, pasted.size], ['pasted-2026-11-23-090507.png', 'image/png', 1]);
  const own = new File(['x'], 'sunset.png');
  assert.equal(namePasted(own, now), own);
});
