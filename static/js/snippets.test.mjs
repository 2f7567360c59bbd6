import assert from 'node:assert/strict';
import test from 'node:test';

import { copyText } from './clipboard.js';
import { escapeMarkdown, linkOf, localAddress, markdownOf, nameOf, sourcesOf } from './snippets.js';

const url = 'https://k.example/i/abc.jpg';
const image = { url, title: '', description: '', filename: 'sunset.jpg', width: 4032, media_type: 'image/jpeg' };

test('Markdown shows the picture under its best name', () => {
  assert.equal(markdownOf(image), `![sunset.jpg](${url})`);
  assert.equal(markdownOf({ ...image, title: 'Bay' }), `![Bay](${url})`);
  assert.equal(markdownOf({ ...image, title: 'Bay', description: 'Three boats' }), `![Three boats](${url})`);
  assert.equal(nameOf({ ...image, title: 'Bay' }), 'Bay');
});

test('what browsers cannot show is linked to as a JPEG', () => {
  assert.equal(linkOf(image), url);
  assert.equal(linkOf({ url: 'https://k.example/i/abc.heic', media_type: 'image/heic' }), url);
  assert.equal(markdownOf({ ...image, url: 'https://k.example/i/abc.tif', media_type: 'image/tiff' }), `![sunset.jpg](${url})`);
});

test('names stay texts in Markdown', () => {
  assert.equal(escapeMarkdown('a](http://evil)[b'), 'a\\]\\(http://evil\\)\\[b');
  assert.equal(escapeMarkdown('back\\slash'), 'back\\\\slash');
  assert.equal(escapeMarkdown('<img onerror="x">'), '\\<img onerror="x"\\>');
  assert.equal(escapeMarkdown('a `code` *b* ~~c~~ &lt; d|e'), 'a \\`code\\` \\*b\\* \\~\\~c\\~\\~ \\&lt; d\\|e');
  assert.equal(escapeMarkdown('IMG_2024_1.jpg _x_'), 'IMG_2024_1.jpg \\_x\\_');
  assert.equal(escapeMarkdown(' two\n\nparagraphs\t '), 'two paragraphs');
  const cyrillic = 'Закат «над» бухтой_2 “q” 🌅';
  assert.equal(escapeMarkdown(cyrillic), cyrillic);
});

test('an address cannot end its own brackets', () => {
  assert.equal(markdownOf({ ...image, url: 'https://k.example/i/a b(c)<d>.jpg' }),
    '![sunset.jpg](https://k.example/i/a%20b%28c%29%3Cd%3E.jpg)');
});

test('the page shows pictures from where it is itself', () => {
  const thumbnail = 'https://k.example/i/a.webp?w=320';
  assert.equal(localAddress(thumbnail), '/i/a.webp?w=320');
  assert.equal(localAddress(thumbnail, 'http://localhost:8080'), 'http://localhost:8080/i/a.webp?w=320');
});

test('variants become the sources of a picture element', () => {
  const variants = [
    { media_type: 'image/avif', width: 320, height: 240, url: 'https://k.example/i/abc.avif?v=1&w=320' },
    { media_type: 'image/avif', width: 640, height: 480, url: 'https://k.example/i/abc.avif?v=1&w=640' },
    { media_type: 'image/webp', width: 320, height: 240, url: 'https://k.example/i/abc.webp?v=1&w=320' },
  ];
  assert.deepEqual(sourcesOf({ variants }), [
    { type: 'image/avif', srcset: '/i/abc.avif?v=1&w=320 320w, /i/abc.avif?v=1&w=640 640w' },
    { type: 'image/webp', srcset: '/i/abc.webp?v=1&w=320 320w' },
  ]);
  assert.deepEqual(sourcesOf({ variants: variants.slice(2) }, 'http://localhost:8080'),
    [{ type: 'image/webp', srcset: 'http://localhost:8080/i/abc.webp?v=1&w=320 320w' }]);
  assert.deepEqual(sourcesOf({ variants: [] }), []);
  assert.deepEqual(sourcesOf({}), []); // as in lists
});

test('copying falls back where the Clipboard API is missing or refuses', async () => {
  const copied = [];
  const writeText = async (text) => { copied.push(`api ${text}`); };
  const copyBySelection = (text) => copied.push(`selection ${text}`) > 0;
  assert.equal(await copyText('a', { navigator: { clipboard: { writeText } }, copyBySelection }), true);
  assert.equal(await copyText('b', { navigator: {}, copyBySelection }), true);
  const refuses = { clipboard: { writeText: async () => { throw new DOMException('', 'NotAllowedError'); } } };
  assert.equal(await copyText('c', { navigator: refuses, copyBySelection }), true);
  assert.equal(await copyText('d', { navigator: {}, copyBySelection: () => false }), false);
  assert.deepEqual(copied, ['api a', 'selection b', 'selection c']);
});
