import assert from 'node:assert/strict';
import test from 'node:test';

import { PictureList, PictureLists, Store } from './store.js';

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

/** Lists with some pictures in each, by name. */
async function listsOf(kinds) {
  const lists = new PictureLists();
  const made = {};
  for (const [name, { has, newestFirst, names }] of Object.entries(kinds)) {
    made[name] = lists.get(name, () => new PictureList(
      async () => ({ items: names.map((id) => image(id, { visibility: 'public' })), next_cursor: null }), { has, newestFirst }));
    await made[name].more();
  }
  return { lists, ...made };
}
const isPublic = ({ visibility }) => visibility === 'public';

test('a new picture comes on top where it belongs, once', async () => {
  const { lists, mine, feed, byName } = await listsOf({
    mine: { names: ['a'], newestFirst: true }, feed: { names: ['a'], newestFirst: true, has: isPublic }, byName: { names: ['a'] },
  });
  lists.add(image('b', { visibility: 'private' }));
  lists.add(image('b', { visibility: 'private' }));
  assert.deepEqual([mine, feed, byName].map(ids), [['b', 'a'], ['a'], ['a']]);
});

test('a changed picture leaves the lists that it no longer belongs into', async () => {
  const { lists, mine, feed, other } = await listsOf({
    mine: { names: ['a', 'b'] }, feed: { names: ['a', 'b'], has: isPublic }, other: { names: ['c'], has: isPublic },
  });
  lists.replace(image('b', { visibility: 'private', title: 'new' }));
  assert.deepEqual([mine, feed].map(ids), [['a', 'b'], ['a']]);
  assert.equal(mine.state.items[1].title, 'new');
  lists.current = feed;
  lists.replace(image('b', { visibility: 'public' }));
  assert.deepEqual(ids(feed), ['a'], 'the list that is looked at stays');
  assert.equal(other.state.cursor, undefined, 'any other is asked for anew');
});

test('removed pictures can be put back where they were', async () => {
  const { lists, mine, feed } = await listsOf({ mine: { names: ['a', 'b', 'c', 'd'], newestFirst: true }, feed: { names: ['d', 'a'] } });
  const undo = lists.remove(new Set(['a', 'b', 'd']));
  assert.deepEqual([mine, feed].map(ids), [['c'], []]);
  lists.add(image('new'));
  undo();
  assert.deepEqual([mine, feed].map(ids), [['a', 'b', 'new', 'c', 'd'], ['d', 'a']]);
});

test('only the lists that were looked at last are kept, and none after forgetting', async () => {
  const lists = new PictureLists();
  const make = () => new PictureList(async () => ({ items: [], next_cursor: null }));
  const first = lists.get('0', make);
  assert.equal(lists.get('0', make), first);
  for (let i = 1; i <= 8; i++) lists.get(String(i), make);
  assert.notEqual(lists.get('0', make), first);
  lists.current = first;
  lists.forget();
  assert.equal(lists.current, null);
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

test('lists that are old are made anew, those that are not stay', async () => {
  const lists = new PictureLists();
  const make = () => new PictureList(async () => ({ items: [], next_cursor: null }));
  const first = lists.get('feed', make);
  lists.expire(first.made);
  assert.equal(lists.get('feed', make), first);
  lists.expire(first.made + 1);
  assert.notEqual(lists.get('feed', make), first);
});
