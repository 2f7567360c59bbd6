import assert from 'node:assert/strict';
import test from 'node:test';

import { formatClock, formatDimensions, formatSize, formatTime, formatWait, pickLocale } from './format.js';

/** Intl puts various spaces between a number and its unit. */
const plain = (text) => text.replace(/\s/gu, ' ');

test('sizes are in human units', () => {
  const sizes = [[0, '0 bytes'], [1, '1 byte'], [999, '999 bytes'], [1000, '1 kB'], [1536, '1.5 kB'],
    [999_949, '1,000 kB'], [999_950, '1 MB'],
    [3_845_689, '3.8 MB'], [52_428_800, '52.4 MB'], [10_737_418_240, '10.7 GB'], [5e15, '5,000 TB']];
  for (const [bytes, text] of sizes) assert.equal(plain(formatSize(bytes, 'en')), text);
});

test('dimensions', () => {
  assert.equal(formatDimensions(4032, 3024, 'en'), '4,032 × 3,024');
});

test('times', () => {
  const time = formatTime('2026-11-23T10:00:00Z', { locale: 'en-GB', timeZone: 'UTC' });
  assert.match(plain(time), /^23 November 2026(,| at) 10:00$/);
  assert.equal(formatTime('nonsense'), 'nonsense');
  assert.equal(formatClock(Date.UTC(2026, 10, 23, 10, 0, 5), { locale: 'en-GB', timeZone: 'UTC' }), '10:00:05');
});

test('waits', () => {
  const waits = [[1, 'in 1 second'], [30, 'in 30 seconds'], [89, 'in 89 seconds'], [90, 'in 2 minutes'],
    [600, 'in 10 minutes'], [5400, 'in 2 hours']];
  for (const [seconds, text] of waits) assert.equal(formatWait(seconds, 'en'), text);
});

test('the locale is a kind of English', () => {
  assert.equal(pickLocale(['ru-RU', 'en-GB', 'en-US']), 'en-GB');
  assert.equal(pickLocale(['ru']), 'en');
  assert.equal(pickLocale([]), 'en');
});
