import assert from 'node:assert/strict';
import test from 'node:test';

import { Router, isPlainNavigation, matchRoute } from './router.js';

const routes = [['/', 'home'], ['/p/:id', 'picture'], ['/p/new', 'never']];

test('paths find their routes', () => {
  assert.deepEqual(matchRoute(routes, '/'), { view: 'home', params: {} });
  assert.deepEqual(matchRoute(routes, '/p/w7c2xq5kt3mza'), { view: 'picture', params: { id: 'w7c2xq5kt3mza' } });
  assert.deepEqual(matchRoute(routes, '/p/w7c2xq5kt3mza/'), { view: 'picture', params: { id: 'w7c2xq5kt3mza' } });
  assert.deepEqual(matchRoute(routes, '/p/%D0%BA%2F1').params, { id: 'к/1' });
  for (const path of ['/docs', '/p', '/p/a/b', '/p/%zz', '/i/a.jpg']) {
    assert.equal(matchRoute(routes, path), null, path);
  }
});

test('only plain clicks on links into this tab are the router\'s', () => {
  const event = { button: 0, defaultPrevented: false, metaKey: false, ctrlKey: false, shiftKey: false, altKey: false };
  const link = { target: '', download: '', origin: 'https://a', hash: '' };
  assert.equal(isPlainNavigation(event, link, 'https://a'), true);
  const others = ['metaKey', 'ctrlKey', 'shiftKey', 'altKey', 'defaultPrevented'].map((name) => ({ [name]: true }));
  for (const change of [{ button: 1 }, ...others]) {
    assert.equal(isPlainNavigation({ ...event, ...change }, link, 'https://a'), false, JSON.stringify(change));
  }
  for (const change of [{ target: '_blank' }, { download: 'x' }, { origin: 'https://b' }, { hash: '#main' }]) {
    assert.equal(isPlainNavigation(event, { ...link, ...change }, 'https://a'), false, JSON.stringify(change));
  }
});

test('the router announces where it is, where it goes and where it comes back to', () => {
  const listeners = {};
  const location = { pathname: '/', origin: 'https://a' };
  const window = {
    location,
    history: { pushState: (_state, _title, path) => { location.pathname = path; } },
    document: { addEventListener: (type, listener) => { listeners[type] = listener; } },
    addEventListener: (type, listener) => { listeners[type] = listener; },
    scrollTo: () => {},
  };
  const router = new Router(routes, window);
  const seen = [];
  router.addEventListener('navigate', () => seen.push(router.current?.view));
  router.start();
  router.navigate('/p/a');
  location.pathname = '/';
  listeners.popstate();
  location.pathname = '/nowhere';
  listeners.popstate();
  assert.deepEqual(seen, ['home', 'picture', 'home', undefined]);
});
