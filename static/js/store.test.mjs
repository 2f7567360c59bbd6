import assert from 'node:assert/strict';
import test from 'node:test';

import { PictureList, Store } from './store.js';

const image = (id, more = {}) => ({ id, ...more });
const ids = (list) => list.state.items.map(({ id }) => id);

test('a store tells of changes, and of nothing else', () => {
  const store = new Store({ a: 1, b: 2 });
  const seen = [];
  const controller = new AbortController();
  store.watch((state) => seen.push(state.a), controller.signal);
  store.set({ a: 1 });
  store.set({ a: 5 });
  controller.abort();
  store.set({ a: 6 });
  assert.deepEqual(seen, [1, 5]);
  assert.deepEqual(store.state, { a: 6, b: 2 });
  assert.throws(() => { store.state.a = 7; }, TypeError);
});

test('nobody watches with a signal that is over', () => {
  new Store({ a: 1 }).watch(() => assert.fail(), AbortSignal.abort());
});

test('a list grows by cursor to its end', async () => {
  const asked = [];
  const pages = new Map([[undefined, [['a', 'b'], 'two']], ['two', [['b', 'c'], null]]]);
  const list = new PictureList(async (cursor) => {
    asked.push(cursor);
    const [names, next] = pages.get(cursor);
    return { items: names.map((id) => image(id)), next_cursor: next };
  });
  await Promise.all([list.more(), list.more()]);
  assert.deepEqual(ids(list), ['a', 'b']);
  await list.more();
  await list.more();
  assert.deepEqual(asked, [undefined, 'two']);
  assert.deepEqual(ids(list), ['a', 'b', 'c']);
});

test('a failed page is in the state and can be asked for again', async () => {
  let fails = true;
  const list = new PictureList(async () => {
    if (fails) throw new Error('no');
    return { items: [image('a')], next_cursor: null };
  });
  await list.more();
  assert.equal(list.state.error.message, 'no');
  assert.equal(list.state.loading, false);
  fails = false;
  await list.more();
  assert.equal(list.state.error, null);
  assert.deepEqual(ids(list), ['a']);
});

test('pictures are put on top once, replaced and removed', () => {
  const list = new PictureList(async () => ({ items: [], next_cursor: null }));
  list.prepend(image('a'));
  list.prepend(image('b'));
  list.prepend(image('a'));
  assert.deepEqual(ids(list), ['a', 'b']);
  list.replace(image('b', { title: 'new' }));
  assert.equal(list.state.items[1].title, 'new');
  list.remove('a');
  assert.deepEqual(ids(list), ['b']);
});

test('a page that comes after a reset is dropped', async () => {
  let answer;
  const list = new PictureList(() => new Promise((resolve) => { answer = resolve; }));
  const coming = list.more();
  list.reset();
  answer({ items: [image('old')], next_cursor: null });
  await coming;
  assert.deepEqual(ids(list), []);
  assert.equal(list.state.cursor, undefined);
});
