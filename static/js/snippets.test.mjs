import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';

import { linkOf, localAddress, nameOf, sourcesOf } from './links.js';
import { SNIPPETS } from './snippets.js';

// The parsers are development tools, which live with the others.
const require = createRequire(new URL('../../api/package.json', import.meta.url));
const { Parser } = require('commonmark');
const markdownIt = require('markdown-it')({ html: true, linkify: true });
const { parseFragment } = await import(require.resolve('parse5'));

const image = {
  id: 'abc', url: 'https://k.example/i/abc.jpg', page_url: 'https://k.example/p/abc',
  thumbnail_url: 'https://k.example/i/abc.webp?v=1&w=320', width: 4032, height: 3024, size: 1, media_type: 'image/jpeg',
  filename: 'sunset.jpg', title: '', description: '', visibility: 'public', placeholder: 'AA', account_name: 'anna',
  created_at: '', updated_at: '',
  variants: [
    { media_type: 'image/avif', width: 320, height: 240, url: 'https://k.example/i/abc.avif?v=1&w=320' },
    { media_type: 'image/avif', width: 640, height: 480, url: 'https://k.example/i/abc.avif?v=1&w=640' },
    { media_type: 'image/webp', width: 320, height: 240, url: 'https://k.example/i/abc.webp?v=1&w=320' },
  ],
};

const NASTY = [
  'a](http://evil)[b', '[', ']', '](', '![x](y)', 'back\\slash', '\\', '\\]', '<img src=x onerror=alert(1)>', '"><script>alert(1)</script>',
  '</picture><b>', "it's \"quoted\"", '`code`', '``', 'a `b](c) `d', '*bold* _it_ ~~no~~ __x__', '| a | b |', 'a|b', '&lt; &amp; &copy; &#91;',
  'two\n\nparagraphs\t', '\n- list\n# head', '[/img]', '[/url][img]', '[img]x[/img]', ':alt: x', '   :target: http://evil', '.. image:: x', '`a <http://x>`_',
  'name_', '|sub|_', 'IMG_2024_1.jpg', 'Закат «над» бухтой_2 “q” 🌅', 'www.evil.example http://evil.example', '<!-- x', ']]>', '${x} {{y}}', '$&',
];

/** All nodes of a CommonMark tree, of the types that mean something. */
function nodesOf(text) {
  const found = [];
  const walker = new Parser().parse(text).walker();
  for (let event = walker.next(); event; event = walker.next()) {
    if (event.entering) found.push(event.node);
  }
  return found;
}

const textIn = (node) => nodesOfTree(node).map((one) => one.literal ?? '').join('');
function nodesOfTree(node) {
  const all = [];
  for (let child = node.firstChild; child; child = child.next) all.push(child, ...nodesOfTree(child));
  return all;
}
const flat = (text) => text.replace(/\s+/g, ' ').trim();

for (const name of NASTY) {
  const nasty = { ...image, title: name };
  const alt = flat(name);

  test(`Markdown keeps a text: ${JSON.stringify(name)}`, () => {
    const [doc, paragraph, picture, ...rest] = nodesOf(SNIPPETS.markdown(nasty));
    assert.deepEqual([doc.type, paragraph.type, picture.type, picture.destination], ['document', 'paragraph', 'image', image.url]);
    assert.ok(rest.every(({ type }) => type === 'text'), 'only text in the picture');
    assert.equal(textIn(picture), alt);

    const linked = nodesOf(SNIPPETS.markdown_thumbnail(nasty));
    const links = linked.filter(({ type }) => type === 'link');
    assert.deepEqual(links.map((link) => link.destination), [image.page_url]);
    assert.deepEqual(linked.filter(({ type }) => type === 'image').map((one) => one.destination), [image.thumbnail_url]);
    assert.ok(linked.slice(4).every(({ type }) => type === 'text'));
    assert.equal(textIn(links[0]), alt);

    const inTable = markdownIt.parse(`| a | b |\n| - | - |\n| ${SNIPPETS.markdown_thumbnail(nasty)} | c |\n`, {});
    const cells = inTable.filter(({ type }) => type === 'inline').map(({ children }) => children.flatMap((one) => [one, ...one.children ?? []]));
    assert.equal(cells.length, 4, 'a cell stays a cell');
    assert.deepEqual(cells[2].filter(({ type }) => type === 'image').map((one) => [one.attrGet('src'), one.content !== undefined]),
      [[image.thumbnail_url, true]]);
  });

  test(`HTML keeps a text: ${JSON.stringify(name)}`, () => {
    const [img, ...none] = parseFragment(SNIPPETS.html(nasty)).childNodes;
    assert.equal(none.length, 0);
    assert.deepEqual([img.nodeName, Object.fromEntries(img.attrs.map(({ name: key, value }) => [key, value]))],
      ['img', { src: image.url, alt, width: '4032', height: '3024' }]);

    const [picture, ...rest] = parseFragment(SNIPPETS.picture(nasty)).childNodes;
    assert.equal(rest.length, 0);
    const children = picture.childNodes.filter(({ nodeName }) => nodeName !== '#text');
    assert.deepEqual(children.map(({ nodeName }) => nodeName), ['source', 'source', 'img']);
    assert.equal(children[2].attrs.find(({ name: key }) => key === 'alt').value, alt);
    assert.equal(children[0].attrs.find(({ name: key }) => key === 'srcset').value,
      'https://k.example/i/abc.avif?v=1&w=320 320w, https://k.example/i/abc.avif?v=1&w=640 640w, https://k.example/i/abc.jpg 4032w');
  });

  test(`BBCode and reStructuredText keep a text: ${JSON.stringify(name)}`, () => {
    // BBCode has no place for a name, and its addresses no brackets.
    assert.equal(SNIPPETS.bbcode(nasty), `[img]${image.url}[/img]`);
    assert.equal(SNIPPETS.bbcode_thumbnail(nasty), `[url=${image.page_url}][img]${image.thumbnail_url}[/img][/url]`);
    // Docutils takes the text of an option as it is, up to the end of its line.
    assert.deepEqual(SNIPPETS.rst(nasty).split('\n'), [`.. image:: ${image.url}`, `   :alt: ${alt}`, `   :target: ${image.page_url}`, '']);
  });
}

test('a picture is called by its description, its title, its file', () => {
  assert.equal(SNIPPETS.markdown(image), `![sunset.jpg](${image.url})`);
  assert.equal(SNIPPETS.markdown({ ...image, title: 'Bay' }), `![Bay](${image.url})`);
  assert.equal(SNIPPETS.markdown({ ...image, title: 'Bay', description: 'Three boats' }), `![Three boats](${image.url})`);
  assert.equal(nameOf({ ...image, title: 'Bay' }), 'Bay');
});

test('what is readable in Markdown stays so', () => {
  for (const name of ['IMG_2024_1.jpg', 'Закат «над» бухтой_2 “q” 🌅', "it's #1 - really!"]) {
    assert.equal(SNIPPETS.markdown({ ...image, title: name }), `![${name}](${image.url})`);
  }
});

test('what browsers cannot show is linked to as a JPEG', () => {
  assert.equal(linkOf(image), image.url);
  for (const [type, ending] of [['image/heic', 'heic'], ['image/tiff', 'tif']]) {
    const other = { ...image, url: `https://k.example/i/abc.${ending}`, media_type: type };
    assert.equal(linkOf(other), image.url);
    assert.equal(SNIPPETS.link(other), image.url);
    assert.equal(SNIPPETS.bbcode(other), `[img]${image.url}[/img]`);
  }
});

test('an address cannot end its own brackets', () => {
  const odd = { ...image, url: 'https://k.example/i/a b(c)<d>[e]"f\'g`h|i,j\\k.jpg', page_url: 'https://k.example/p/a_b_' };
  const safe = 'https://k.example/i/a%20b%28c%29%3Cd%3E%5Be%5D%22f%27g%60h%7Ci%2Cj%5Ck.jpg';
  assert.equal(SNIPPETS.link(odd), safe);
  assert.equal(nodesOf(SNIPPETS.markdown(odd))[2].destination, safe);
  assert.equal(SNIPPETS.bbcode(odd), `[img]${safe}[/img]`);
  assert.ok(SNIPPETS.html(odd).startsWith(`<img src="${safe}" `));
  assert.equal(decodeURI(SNIPPETS.link({ ...image, url: 'https://k.example/i/a b.jpg' })), 'https://k.example/i/a b.jpg');
  // A target with a `_` at its end would be the name of a link elsewhere in the document.
  assert.match(SNIPPETS.rst(odd), /:target: https:\/\/k\.example\/p\/a_b%5F\n$/i);
});

test('the page shows pictures from where it is itself', () => {
  assert.equal(localAddress(image.thumbnail_url), '/i/abc.webp?v=1&w=320');
  assert.equal(localAddress(image.thumbnail_url, 'http://localhost:8080'), 'http://localhost:8080/i/abc.webp?v=1&w=320');
});

test('variants become the sources of a picture element, and the original their largest', () => {
  assert.deepEqual(sourcesOf(image, localAddress), [
    { type: 'image/avif', srcset: '/i/abc.avif?v=1&w=320 320w, /i/abc.avif?v=1&w=640 640w, /i/abc.jpg 4032w' },
    { type: 'image/webp', srcset: '/i/abc.webp?v=1&w=320 320w, /i/abc.jpg 4032w' },
  ]);
  assert.deepEqual(sourcesOf({ ...image, variants: [] }, localAddress), []);
});

test('lists leave variants out: the thumbnail knows the other widths', () => {
  const listed = { ...image, variants: undefined, width: 1000, height: 750 };
  assert.deepEqual(sourcesOf(listed, localAddress),
    [{ type: 'image/webp', srcset: '/i/abc.webp?v=1&w=320 320w, /i/abc.webp?v=1&w=640 640w, /i/abc.jpg 1000w' }]);
  // The thumbnail of what moves stands still.
  assert.deepEqual(sourcesOf({ ...listed, thumbnail_url: 'https://k.example/i/abc.jpg?v=1&w=320' }, localAddress), []);
});
