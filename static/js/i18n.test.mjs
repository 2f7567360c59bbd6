import assert from 'node:assert/strict';
import test from 'node:test';

import { formatDimensions, formatSize, formatTime, formatWait } from './format.js';
import { hasText, pickLocale, setCatalogue, t } from './i18n.js';

/** Intl puts various spaces between a number and its unit. */
const plain = (text) => text.replace(/\s/gu, ' ');

test('the first language that there is a catalogue of is chosen, in the browser\'s own kind', () => {
  assert.equal(pickLocale(['de', 'ru-RU', 'en-GB']), 'ru-RU');
  assert.equal(pickLocale(['en-GB', 'ru']), 'en-GB');
  assert.equal(pickLocale(['constructor', 'xx']), 'en');
  assert.equal(pickLocale([]), 'en');
});

test('values go into texts, numbers as they are written in the language', () => {
  setCatalogue('en', { a: '{name} has {n} of {n}', b: { one: '{count} picture', other: '{count} pictures' } });
  assert.equal(t('a', { name: '{n}<b>', n: 1234 }), '{n}<b> has 1,234 of 1,234');
  assert.equal(t('a'), '{name} has {n} of {n}');
  assert.deepEqual([0, 1, 2].map((count) => t('b', { count })), ['0 pictures', '1 picture', '2 pictures']);
  assert.equal(t('missing.key'), 'missing.key');
  assert.equal(hasText('toString'), false);
  setCatalogue('ru', { b: { one: '{count} снимок', few: '{count} снимка', many: '{count} снимков', other: '{count} снимка' } });
  assert.deepEqual([1, 2, 5, 21, 1.5].map((count) => t('b', { count })),
    ['1 снимок', '2 снимка', '5 снимков', '21 снимок', '1,5 снимка']);
});

test('sizes are in human units', () => {
  setCatalogue('en', {});
  const sizes = [[0, '0 bytes'], [1, '1 byte'], [999, '999 bytes'], [1000, '1 kB'], [1536, '1.5 kB'], [999_499, '999 kB'],
    [999_500, '1 MB'], [3_845_689, '3.8 MB'], [52_428_800, '52.4 MB'], [10_737_418_240, '10.7 GB'], [5e15, '5,000 TB']];
  for (const [bytes, text] of sizes) assert.equal(plain(formatSize(bytes)), text);
  assert.equal(plain(formatSize(3_845_689, true)), '3.8 MB/s');
  setCatalogue('ru', {});
  assert.equal(plain(formatSize(3_845_689)), '3,8 МБ');
});

test('dimensions and times', () => {
  setCatalogue('en', {}, 'en-GB');
  assert.equal(formatDimensions(4032, 3024), '4,032 × 3,024');
  const time = '2026-11-23T10:00:00Z';
  assert.match(plain(formatTime(time, { timeZone: 'UTC' })), /^23 November 2026(,| at) 10:00$/);
  assert.equal(formatTime(time, { day: true, timeZone: 'UTC' }), '23 November 2026');
});

test('waits', () => {
  setCatalogue('en', {});
  const waits = [[1, 'in 1 second'], [30, 'in 30 seconds'], [89, 'in 89 seconds'], [90, 'in 2 minutes'],
    [600, 'in 10 minutes'], [5400, 'in 2 hours'], [200_000, 'in 3 days'], [-200_000, '2 days ago']];
  for (const [seconds, text] of waits) assert.equal(formatWait(seconds), text);
});
