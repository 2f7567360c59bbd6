/** Rules of the house that no type and no browser would hold. */

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';

const root = new URL('..', import.meta.url);
const read = (path) => readFileSync(new URL(path, root), 'utf8');
const modules = ['', 'js/', 'js/components/', 'js/pages/'].flatMap((folder) =>
  readdirSync(new URL(folder, root)).filter((name) => name.endsWith('.js')).map((name) => folder + name));
const styles = readdirSync(new URL('css/', root)).map((name) => `css/${name}`);

/** Leaves out comments, which may name what the code must not do. */
const code = (path) => read(path).replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');

test('the rules look at files', () => {
  assert.ok(modules.length > 20 && styles.length > 2);
});

test('only html.js makes markup of text', () => {
  const sinks = new RegExp(['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'document\\.write', 'DOMParser',
    'setHTMLUnsafe', 'createContextualFragment', '\\beval\\b', 'new Function', 'createPolicy'].join('|'));
  for (const path of modules) {
    if (path !== 'js/html.js') assert.doesNotMatch(code(path), sinks, path);
  }
});

test('only api.js talks to the server', () => {
  const calls = /\bfetch\s*\(|XMLHttpRequest|sendBeacon|WebSocket|EventSource/;
  for (const path of modules) {
    // The service worker answers for the network, and knows nothing of the API.
    if (path !== 'js/api.js' && path !== 'sw.js') assert.doesNotMatch(code(path), calls, path);
  }
});

test('no styles, scripts or handlers inside of markup', () => {
  for (const path of ['index.html', ...modules]) assert.doesNotMatch(code(path), /\sstyle="|\son[a-z]+="|<style/, path);
  assert.doesNotMatch(read('index.html'), /<script(?![^>]*\ssrc=)/);
});

test('nothing comes from another host', () => {
  for (const path of ['index.html', ...modules, ...styles]) {
    assert.doesNotMatch(code(path), /(?:src|href)="(?:https?:)?\/\/|url\(|@import|from 'https?:/, path);
  }
});

test('files stay small', () => {
  for (const path of [...modules, ...styles]) assert.ok(read(path).split('\n').length <= 400, path);
});
