import assert from 'node:assert/strict';
import test from 'node:test';

import { decodeThumbHash } from './thumbhash.js';

const near = (actual, expected, by) =>
  assert.ok(Math.abs(actual - expected) <= by, `${actual} is not near ${expected}`);

/** The mean of each channel over all pixels, 0 to 255. */
function mean({ width, height, rgba }) {
  const sums = [0, 0, 0, 0];
  rgba.forEach((value, i) => { sums[i % 4] += value; });
  return sums.map((sum) => sum / (width * height));
}

test('the published example decodes to its shape and average colour', () => {
  const hash = '1QcSHQRnh493V4dIh4eXh1h4kJUI';
  const decoded = decodeThumbHash(hash);
  // The head: bytes d5 07 12 1d 04, so L = 21/63, P = 31/31.5 - 1, Q = 32/31.5 - 1; portrait, 5 frequencies across.
  assert.deepEqual([decoded.width, decoded.height, decoded.rgba.length], [23, 32, 23 * 32 * 4]);
  const [l, p, q] = [21 / 63, 31 / 31.5 - 1, 32 / 31.5 - 1];
  const blue = l - (2 / 3) * p;
  const red = (3 * l - blue + q) / 2;
  const [r, g, b, a] = mean(decoded);
  near(r, red * 255, 3);
  near(g, (red - q) * 255, 3);
  near(b, blue * 255, 3);
  assert.equal(a, 255);
});

/** Packs a hash by hand, field by field, with every frequency in the middle of its range. */
function pack({ l = 0, p = 31, q = 31, lScale = 0, short = 3, landscape = 0, alpha = null, nibbles = [] }) {
  const head = l | (p << 6) | (q << 12) | (lScale << 18) | ((alpha === null ? 0 : 1) << 23);
  const next = short | (landscape << 15);
  const bytes = [head & 255, (head >> 8) & 255, (head >> 16) & 255, next & 255, (next >> 8) & 255];
  if (alpha !== null) bytes.push(alpha);
  for (let i = 0; i < 40; i += 2) bytes.push((nibbles[i] ?? 7) | ((nibbles[i + 1] ?? 7) << 4));
  return btoa(String.fromCharCode(...bytes));
}

test('landscape, portrait and square', () => {
  const size = (fields) => (({ width, height }) => [width, height])(decodeThumbHash(pack(fields)));
  assert.deepEqual(size({ short: 4, landscape: 1 }), [32, 18]);
  assert.deepEqual(size({ short: 4 }), [18, 32]);
  assert.deepEqual(size({ short: 7 }), [32, 32]);
  assert.deepEqual(size({ short: 5, alpha: 15 }), [32, 32]);
});

test('flat colours', () => {
  const white = mean(decodeThumbHash(pack({ l: 63, p: 31, q: 31 })));
  for (const channel of white) near(channel, 255, 6);
  const [r, g, b] = mean(decodeThumbHash(pack({ l: 21, p: 47, q: 63 })));
  near(r, 255, 4);
  near(g, 0, 4);
  near(b, 0, 4);
});

test('the first frequency across makes one side lighter, the first down the top', () => {
  const across = decodeThumbHash(pack({ l: 31, lScale: 31, short: 7, nibbles: [15] }));
  const at = ({ rgba, width }, x, y) => rgba[(y * width + x) * 4];
  assert.ok(at(across, 0, 16) > at(across, 31, 16) + 100);
  near(at(across, 5, 2), at(across, 5, 29), 60);
  // Six more frequencies lie in the first row before the first one down.
  const down = decodeThumbHash(pack({ l: 31, lScale: 31, short: 7, nibbles: [7, 7, 7, 7, 7, 7, 15] }));
  assert.ok(at(down, 16, 0) > at(down, 16, 31) + 100);
});

test('transparency', () => {
  near(mean(decodeThumbHash(pack({ l: 31, short: 5, alpha: 0 })))[3], 0, 3);
  near(mean(decodeThumbHash(pack({ l: 31, short: 5, alpha: 15 })))[3], 255, 3);
});

test('what is no hash is no picture, and never an error', () => {
  for (const text of ['', '!', 'AAAA', '***not base64***', 'AAAAAAA']) assert.equal(decodeThumbHash(text), null, text);
  assert.equal(decodeThumbHash(btoa('\xff\xff\xff\xff\xff')), null, 'alpha, but no byte for it');
  assert.notEqual(decodeThumbHash('1QcSHQRn'), null, 'cut short');
});
