import assert from 'node:assert/strict';
import test from 'node:test';

import { escapeHTML, fragment, html, isSafeURL } from './html.js';

const NASTY = `"><img src=x onerror='alert(1)'>&amp;\``;

test('texts are escaped in content and in attributes', () => {
  assert.equal(String(html`<p>${NASTY}</p>`),
    '<p>&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;amp;&#96;</p>');
  assert.equal(String(html`<p title="${NASTY}">x</p>`).match(/[<>]/g).length, 4);
  assert.equal(String(html`<p title='a ${`' onclick='x`} b'></p>`), "<p title='a &#39; onclick=&#39;x b'></p>");
  assert.equal(escapeHTML(`&<>"'\``), '&amp;&lt;&gt;&quot;&#39;&#96;');
});

test('markup and lists of it go in as they are, nothing leaves nothing', () => {
  const items = ['<a>', 'b'].map((item) => html`<li>${item}</li>`);
  assert.equal(String(html`<ul>${items}</ul>`), '<ul><li>&lt;a&gt;</li><li>b</li></ul>');
  assert.equal(String(html`${null}${undefined}${false}${true}${0}${''}`), '0');
  const [yes, no] = [true, false];
  assert.equal(String(html`<option value="${'a'}" ${yes && html`selected`} ${no && html`disabled`}>`),
    '<option value="a" selected >');
});

test('a piece of markup is no value of an attribute, and a text no attribute', () => {
  assert.throws(() => html`<p title="${html`<b>`}">`, TypeError);
  assert.throws(() => html`<p ${'onclick=x'}>`, TypeError);
});

test('places where escaping does not help are refused, whatever the value', () => {
  const x = 'harmless';
  assert.throws(() => html`<p title=${x}>`, TypeError);
  assert.throws(() => html`<p data-${x}="1">`, TypeError);
  assert.throws(() => html`<${x}>`, TypeError);
  assert.throws(() => html`<p onclick="${x}">`, TypeError);
  assert.throws(() => html`<p OnClick = "${x}">`, TypeError);
  assert.throws(() => html`<p style="color: ${x}">`, TypeError);
  assert.throws(() => html`<iframe srcdoc="${x}">`, TypeError);
  assert.throws(() => html`<script>${x}</script>`, TypeError);
  assert.throws(() => html`title="${x}"`, TypeError);
  assert.throws(() => html`title=${x}`, TypeError);
});

test('a > inside of an attribute does not end the tag', () => {
  assert.throws(() => html`<p title="a > b" onclick="${'x'}">`, TypeError);
  assert.equal(String(html`<p title="a > b" lang="${'"'}">${'<'}</p>`), '<p title="a > b" lang="&quot;">&lt;</p>');
});

test('addresses with a scheme that runs code are refused', () => {
  const scheme = 'javascript';
  const bad = [`${scheme}:alert(1)`, ' JaVaScRiPt:x', 'java\nscript:x', '\u0001javascript:x', 'data:text/html,x',
    'vbscript:x'];
  for (const address of bad) {
    assert.equal(isSafeURL(address), false, address);
    assert.throws(() => html`<a href="${address}">x</a>`, TypeError);
  }
  const good = ['/p/abc', 'i/a.jpg?w=1:2', 'https://a.example/x', 'http://a.example', 'blob:https://a/1', '', '#x'];
  for (const address of good) assert.equal(isSafeURL(address), true, address);
});

test('nobody else can declare a text to be markup', () => {
  assert.throws(() => fragment({ toString: () => '<b>' }), TypeError);
  assert.equal(String(html`<p>${{ toString: () => '<b>' }}</p>`), '<p>&lt;b&gt;</p>');
});
