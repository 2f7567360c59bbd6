import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';

import { setCatalogue } from './i18n.js';
import { Problem, explain, fieldErrors, parseRetryAfter } from './problem.js';

const make = (more) => new Problem({ code: 'x', status: 400, detail: 'Detail.', ...more });
const WORDS = {
  'problem.page': 'PAGE', 'problem.unknown': 'UNKNOWN {status}', 'problem.again': 'AGAIN {when}', 'problem.field': 'FIELD',
  'problem.name_taken': 'TAKEN', 'problem.status_400': 'STATUS',
};
beforeEach(() => setCatalogue('en', WORDS));

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-11-23T10:00:00Z');
  assert.equal(parseRetryAfter('30', now), 30);
  assert.equal(parseRetryAfter('0', now), 1);
  assert.equal(parseRetryAfter('Mon, 23 Nov 2026 10:02:00 GMT', now), 120);
  assert.equal(parseRetryAfter('Mon, 23 Nov 2026 09:00:00 GMT', now), 1);
  for (const value of ['', 'soon', '-5x']) assert.equal(parseRetryAfter(value, now), null, value);
});

test('people are told what happened in the page\'s words, else in the server\'s, and when to try again', () => {
  assert.equal(explain(make({ code: 'name_taken' })), 'TAKEN');
  assert.equal(explain(make({})), 'Detail.');
  assert.equal(explain(make({ errors: [{ code: 'y', detail: 'One field.' }] })), 'One field.');
  assert.equal(explain(make({ detail: '' })), 'STATUS');
  assert.equal(explain(make({ detail: '', status: 418 })), 'UNKNOWN 418');
  assert.equal(explain(make({ retryAfter: 30 })), 'Detail. AGAIN in 30 seconds');
  assert.equal(explain(new RangeError('internal words')), 'PAGE');
});

test('in another language the server\'s English is not shown', () => {
  setCatalogue('ru', WORDS);
  assert.equal(explain(make({})), 'STATUS');
  assert.equal(explain(make({ status: 418 })), 'UNKNOWN 418');
  const problem = make({ errors: [{ pointer: '/name', code: 'pattern', detail: 'English.' }] });
  assert.deepEqual([...fieldErrors(problem, ['name'])], [['name', 'FIELD']]);
});

test('errors find their fields by pointer or parameter, each once', () => {
  const problem = make({ errors: [
    { in: 'body', pointer: '/name', code: 'pattern', detail: 'Lower-case letters only.' },
    { in: 'body', pointer: '/name', code: 'min_length', detail: 'Too short.' },
    { in: 'body', pointer: '/elsewhere/0', code: 'x', detail: 'Not a field.' },
    { in: 'query', parameter: 'limit', code: 'maximum', detail: 'At most 100.' },
    { in: 'body', code: 'y', detail: 'Nowhere.' },
  ] });
  assert.deepEqual([...fieldErrors(problem, ['name', 'limit'])], [['name', 'Lower-case letters only.'], ['limit', 'At most 100.']]);
  assert.deepEqual([...fieldErrors(new Error('x'), ['name'])], []);
  assert.equal(problem.is('x') && problem.is('maximum'), true);
  assert.equal(problem.is('invite_needed'), false);
});
