import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import test from 'node:test';

import { API, apiBase } from './api.js';
import { Problem } from './problem.js';

// Node.js 18 has it, but not among its globals.
globalThis.File ??= File;

/** Makes an API on answers given one after the other, and keeps what was asked. */
function stub(...answers) {
  const calls = [];
  const fetch = async (url, init) => {
    calls.push({ url, ...init });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { api: new API({ fetch }), calls };
}

const json = (status, body, headers = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });
const problem = (status, code, more = {}, headers = {}) => json(status, {
  type: `/problems/${code}`, title: 'Title', status, detail: 'Detail.', request_id: 'req1', ...more,
}, { 'Content-Type': 'application/problem+json', ...headers });

test('a problem document becomes a Problem', async () => {
  const errors = [{ in: 'body', pointer: '/name', code: 'name_taken', detail: 'That name is taken.' }];
  const { api } = stub(problem(409, 'name_taken', { errors }));
  await assert.rejects(api.createAccount({ name: 'anna', password: '1234567890' }), (error) => {
    assert.ok(error instanceof Problem);
    assert.deepEqual(
      [error.status, error.type, error.code, error.title, error.detail, error.message, error.requestId],
      [409, '/problems/name_taken', 'name_taken', 'Title', 'Detail.', 'Detail.', 'req1'],
    );
    assert.deepEqual([error.errors, error.retryAfter], [errors, null]);
    return true;
  });
});

test('Retry-After comes along', async () => {
  const { api } = stub(problem(429, 'rate_limited', {}, { 'Retry-After': '30' }));
  await assert.rejects(api.createSession({ name: 'a', password: 'b' }), { status: 429, retryAfter: 30 });
});

test('an answer that is no problem document is a Problem nevertheless', async () => {
  const page = new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'X-Request-ID': 'gw7' } });
  const { api } = stub(page, json(500, 'text'), json(418, { detail: 5, errors: 'no' }));
  await assert.rejects(api.listFeed(), { name: 'Problem', status: 502, requestId: 'gw7', detail: /cannot be reached/ });
  await assert.rejects(api.listFeed(), { name: 'Problem', status: 500, type: 'about:blank' });
  await assert.rejects(api.listFeed(), { name: 'Problem', status: 418, errors: [] });
});

test('no answer is a Problem of its own', async () => {
  const { api } = stub(new TypeError('Failed to fetch'));
  await assert.rejects(api.listFeed(), { name: 'Problem', status: 0, type: '/problems/network' });
});

test('a call that was given up is not a failure of the network', async () => {
  const { api } = stub(new DOMException('aborted', 'AbortError'));
  await assert.rejects(api.getImage('a', { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('getAccount tells a visitor from a member', async () => {
  const { api, calls } = stub(problem(401, 'unauthenticated'), json(200, { name: 'anna' }), problem(500, 'internal'));
  api.addEventListener('unauthenticated', () => assert.fail('a visitor has lost nothing'));
  assert.equal(await api.getAccount(), null);
  assert.deepEqual(await api.getAccount(), { name: 'anna' });
  await assert.rejects(api.getAccount(), { status: 500 });
  assert.equal(calls[0].credentials, 'same-origin');
});

test('a session that ended is announced, a wrong password is not', async () => {
  const { api } = stub(problem(401, 'wrong_credentials'), problem(401, 'unauthenticated'));
  let announced = 0;
  api.addEventListener('unauthenticated', () => announced++);
  await assert.rejects(api.createSession({ name: 'a', password: 'b' }));
  assert.equal(announced, 0);
  await assert.rejects(api.listImages());
  assert.equal(announced, 1);
});

test('signing out twice is as good as once', async () => {
  const { api, calls } = stub(new Response(null, { status: 204 }), problem(401, 'unauthenticated'));
  await api.deleteCurrentSession();
  await api.deleteCurrentSession();
  assert.deepEqual([calls[0].method, calls[0].url], ['DELETE', '/api/v1/sessions/current']);
});

test('uploads are forms whose fields come before the file', async () => {
  const { api, calls } = stub(json(201, { id: 'a' }), json(200, { id: 'a' }), json(201, { id: 'b' }));
  const name = `a "b" <img onerror>.png`;
  const file = new File(['x'], name, { type: 'image/png' });
  assert.deepEqual(await api.uploadImage(file, { visibility: 'public' }), { image: { id: 'a' }, duplicate: false });
  assert.equal((await api.uploadImage(file)).duplicate, true);
  const [{ method, url, body, headers }, second] = calls;
  assert.deepEqual([method, url, headers.has('Content-Type')], ['POST', '/api/v1/images', false]);
  assert.deepEqual([...body.keys()], ['visibility', 'filename', 'file']);
  assert.deepEqual([body.get('visibility'), body.get('filename')], ['public', name]);
  assert.deepEqual([...second.body.keys()], ['filename', 'file']);
  await api.uploadImage(new File(['x'], 'a/b.png'));
  assert.deepEqual([...calls[2].body.keys()], ['file'], 'a name that the contract refuses stays with its part');
});

test('changes are merge patches, conditional on demand', async () => {
  const { api, calls } = stub(json(200, {}), json(200, {}));
  await api.updateImage('w7c2', { title: '' }, { ifMatch: '"w7c2-1"' });
  await api.updateImage('a/b', { visibility: 'public' });
  assert.deepEqual([calls[0].method, calls[0].url, calls[0].body], ['PATCH', '/api/v1/images/w7c2', '{"title":""}']);
  assert.equal(calls[0].headers.get('Content-Type'), 'application/merge-patch+json');
  assert.equal(calls[0].headers.get('If-Match'), '"w7c2-1"');
  assert.equal(calls[1].headers.has('If-Match'), false);
  assert.equal(calls[1].url, '/api/v1/images/a%2Fb');
});

test('pages are asked for with what is known only', async () => {
  const { api, calls } = stub(json(200, {}), json(200, {}), json(200, {}));
  await api.listFeed({ cursor: undefined, limit: 24 });
  await api.listImages({ cursor: 'a_-', limit: 24 });
  await api.listFeed();
  assert.deepEqual(calls.map(({ url }) => url),
    ['/api/v1/feed?limit=24', '/api/v1/images?cursor=a_-&limit=24', '/api/v1/feed']);
});

test('only the development server\'s page has its API elsewhere', async () => {
  assert.equal(apiBase({ hostname: 'localhost', port: '5500' }), 'http://localhost:8080');
  assert.equal(apiBase({ hostname: '127.0.0.1', port: '5500' }), 'http://127.0.0.1:8080');
  assert.equal(apiBase({ hostname: 'localhost', port: '8080' }), '');
  assert.equal(apiBase({ hostname: 'www.example.org', port: '' }, 'https://kadr.example.org/'), 'https://kadr.example.org');
  assert.equal(apiBase({ hostname: 'pictures.example.org', port: '5500' }), '');
  const calls = [];
  const fetch = async (url, init) => {
    calls.push({ url, ...init });
    return json(200, {});
  };
  const api = new API({ base: 'http://localhost:8080', fetch });
  await api.listFeed();
  assert.deepEqual([calls[0].url, calls[0].credentials], ['http://localhost:8080/api/v1/feed', 'include']);
});
