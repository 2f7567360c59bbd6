import assert from 'node:assert/strict';
import test from 'node:test';

import { Problem, explain, fieldErrors, parseRetryAfter } from './problem.js';

const make = (more) => new Problem({ type: '/problems/x', title: 'Title', status: 400, detail: 'Detail.', ...more });

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-11-23T10:00:00Z');
  assert.equal(parseRetryAfter('30', now), 30);
  assert.equal(parseRetryAfter('0', now), 1);
  assert.equal(parseRetryAfter('Mon, 23 Nov 2026 10:02:00 GMT', now), 120);
  assert.equal(parseRetryAfter('Mon, 23 Nov 2026 09:00:00 GMT', now), 1);
  for (const value of [null, '', 'soon', '-5x']) assert.equal(parseRetryAfter(value, now), null, String(value));
});

test('people are told what happened and when to try again', () => {
  assert.equal(explain(make({})), 'Detail.');
  assert.equal(explain(make({ detail: '' })), 'Title');
  const limited = explain(make({ status: 429, retryAfter: 30, detail: 'Too many attempts. Try again in 30 seconds.' }));
  assert.match(limited, /^Too many attempts\. Try again in 30 seconds, at \d{1,2}:\d\d:\d\d.*\.$/);
  assert.match(explain(make({ status: 503, retryAfter: 5 })), /^Detail\. Try again in 5 seconds, at /);
  assert.equal(explain(make({ type: '/problems/unauthenticated', status: 401, detail: 'Sign in, or send an API key.' })),
    'Your session has ended. Sign in and try again.');
  assert.match(explain(new RangeError('internal words')), /^Something went wrong in this page/);
});

test('errors find their fields by pointer or parameter, each once', () => {
  const problem = make({ errors: [
    { in: 'body', pointer: '/name', code: 'pattern', detail: 'Lower-case letters only.' },
    { in: 'body', pointer: '/name', code: 'min_length', detail: 'Too short.' },
    { in: 'body', pointer: '/elsewhere/0', code: 'x', detail: 'Not a field.' },
    { in: 'query', parameter: 'limit', code: 'maximum', detail: 'At most 100.' },
    { in: 'body', code: 'y', detail: 'Nowhere.' },
    { in: 'body', pointer: '/a~1b', code: 'z', detail: 'Escaped.' },
  ] });
  assert.deepEqual([...fieldErrors(problem, ['name', 'limit', 'a/b'])],
    [['name', 'Lower-case letters only.'], ['limit', 'At most 100.'], ['a/b', 'Escaped.']]);
  assert.equal(problem.is('x'), true);
  assert.equal(problem.is('maximum'), true);
  assert.equal(problem.is('invite_needed'), false);
});
