import assert from 'node:assert/strict';
import test from 'node:test';

import { Router, isPlainNavigation, matchRoute } from './router.js';

const routes = [['/', 'home'], ['/p/:id', 'picture'], ['/p/new', 'never']];

test('paths find their routes', () => {
  assert.deepEqual(matchRoute(routes, '/'), { to: 'home', params: {} });
  assert.deepEqual(matchRoute(routes, '/p/w7c2xq5kt3mza'), { to: 'picture', params: { id: 'w7c2xq5kt3mza' } });
  assert.deepEqual(matchRoute(routes, '/p/w7c2xq5kt3mza/'), { to: 'picture', params: { id: 'w7c2xq5kt3mza' } });
  assert.deepEqual(matchRoute(routes, '/p/%D0%BA%2F1').params, { id: 'к/1' });
  for (const path of ['/docs', '/p', '/p/a/b', '/p/%zz', '/i/a.jpg']) {
    assert.equal(matchRoute(routes, path), null, path);
  }
});

test('only plain clicks on links into this tab are the router\'s', () => {
  const event = { button: 0, defaultPrevented: false, metaKey: false, ctrlKey: false, shiftKey: false, altKey: false };
  const link = { target: '', download: '', origin: 'https://a' };
  assert.equal(isPlainNavigation(event, link, 'https://a'), true);
  assert.equal(isPlainNavigation(event, { ...link, target: '_self' }, 'https://a'), true);
  const others = ['metaKey', 'ctrlKey', 'shiftKey', 'altKey', 'defaultPrevented'].map((name) => ({ [name]: true }));
  for (const change of [{ button: 1 }, ...others]) {
    assert.equal(isPlainNavigation({ ...event, ...change }, link, 'https://a'), false, JSON.stringify(change));
  }
  for (const change of [{ target: '_blank' }, { download: 'x' }, { origin: 'https://b' }]) {
    assert.equal(isPlainNavigation(event, { ...link, ...change }, 'https://a'), false, JSON.stringify(change));
  }
});

/** A window's history, as far as the router uses it. */
function browse() {
  const listeners = {};
  const entries = [{ path: '/', state: null }];
  let at = 0;
  const listen = (type, listener) => { listeners[type] = listener; };
  Object.assign(globalThis, {
    addEventListener: listen,
    document: { addEventListener: listen },
    scrollY: 0,
    location: {
      origin: 'https://a', hash: '',
      get pathname() { return entries[at].path.split('?')[0]; },
      get search() { return entries[at].path.replace(/^[^?]*/, ''); },
    },
    history: {
      get state() { return entries[at].state; },
      pushState(state, _, path) {
        entries.splice(++at, entries.length, { state, path });
      },
      replaceState(state, _, path = entries[at].path) { entries[at] = { state, path }; },
    },
  });
  return { back() { at--; listeners.popstate(); }, length: () => entries.length };
}

test('the router announces where it is, where it goes and where it comes back to, and how far down that was', () => {
  const { back, length } = browse();
  const router = new Router(routes);
  const seen = [];
  router.addEventListener('navigate', () => seen.push([router.current?.to, router.scroll]));
  router.start();
  globalThis.scrollY = 700;
  router.go('/p/a');
  router.go('/p/b', { replace: true });
  router.go('/p/b?x=1', { quiet: true });
  assert.equal(length(), 3);
  globalThis.scrollY = 0;
  back();
  back();
  router.go('/nowhere');
  assert.deepEqual(['/p/a?x=1#y', '/', '/docs'].map((path) => router.knows(path)), [true, true, false]);
  assert.deepEqual(seen, [['home', 0], ['picture', 0], ['picture', 0], ['picture', 700], ['home', 700], [undefined, 0]]);
});
