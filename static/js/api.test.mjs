import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { API, OPERATIONS, apiBase } from './api.js';
import { Problem } from './problem.js';

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

test('every operation is in the contract, with its method and path', () => {
  const contract = readFileSync(new URL('../../api/openapi.yaml', import.meta.url), 'utf8');
  const found = new Map();
  let path = '';
  let method = '';
  for (const line of contract.split('\ncomponents:')[0].split('\n')) {
    path = /^ {2}(\/\S*):$/.exec(line)?.[1] ?? path;
    method = /^ {4}(get|post|put|patch|delete):$/.exec(line)?.[1] ?? method;
    const id = /^ {6}operationId: (\w+)$/.exec(line)?.[1];
    if (id) found.set(id, `${method.toUpperCase()} ${path}`);
  }
  assert.ok(found.size > 20);
  for (const [id, call] of Object.entries(OPERATIONS)) assert.equal(found.get(id), call, id);
});

test('a problem document becomes a Problem', async () => {
  const errors = [{ in: 'body', pointer: '/name', code: 'name_taken', detail: 'That name is taken.' }];
  const { api } = stub(problem(409, 'name_taken', { errors }, { 'Retry-After': '30' }));
  await assert.rejects(api.call('createAccount', { body: { name: 'anna', password: '1234567890' } }), (error) => {
    assert.ok(error instanceof Problem);
    const { name, status, code, detail, message, requestId, retryAfter } = error;
    assert.deepEqual({ name, status, code, detail, message, requestId, retryAfter, errors: error.errors }, {
      name: 'Problem', status: 409, code: 'name_taken', detail: 'Detail.', message: 'Detail.', requestId: 'req1',
      retryAfter: 30, errors,
    });
    return true;
  });
});

test('an answer that is no problem document is a Problem nevertheless', async () => {
  const page = new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'X-Request-ID': 'gw7' } });
  const { api } = stub(page, json(500, 'text'), json(418, { detail: 5, errors: 'no' }));
  await assert.rejects(api.call('listFeed'), { name: 'Problem', status: 502, code: 'status_502', requestId: 'gw7' });
  await assert.rejects(api.call('listFeed'), { name: 'Problem', status: 500, code: 'status_500' });
  await assert.rejects(api.call('listFeed'), { name: 'Problem', status: 418, errors: [] });
});

test('no answer is a Problem of its own, a call that was given up is not', async () => {
  const { api } = stub(new TypeError('Failed to fetch'), new DOMException('aborted', 'AbortError'));
  await assert.rejects(api.call('listFeed'), { name: 'Problem', status: 0, code: 'network' });
  await assert.rejects(api.call('getImage', { path: { id: 'a' }, signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('after signing in again a call is made once more; who does not want to gets the problem', async () => {
  const { api, calls } = stub(problem(401, 'unauthenticated'), json(200, { items: [] }), problem(401, 'unauthenticated'));
  const answers = [true, false];
  api.signIn = async () => answers.shift();
  assert.deepEqual(await api.call('listImages'), { items: [] });
  await assert.rejects(api.call('listImages'), { status: 401 });
  assert.equal(calls.length, 3);
});

test('asking who is signed in, signing in and out never ask to sign in', async () => {
  const { api } = stub(...Array.from({ length: 4 }, () => problem(401, 'unauthenticated')));
  api.signIn = () => assert.fail('asked');
  for (const operation of ['getAccount', 'createSession', 'deleteCurrentSession']) {
    await assert.rejects(api.call(operation), { status: 401 });
  }
  await assert.rejects(api.call('bulkUpdateImages', { keepalive: true }), { status: 401 });
});

test('bodies are JSON, merge patches, forms or bytes', async () => {
  const { api, calls } = stub(json(200, {}), json(200, {}), json(200, {}), json(200, {}), new Response(null, { status: 204 }));
  await api.call('createAPIKey', { body: { name: 'x' } });
  await api.call('updateImage', { path: { id: 'a/b' }, body: { title: '' }, headers: { 'If-Match': '"w7c2-1"' } });
  await api.call('uploadImage', { body: new FormData() });
  await api.call('appendUpload', { path: { id: 'u' }, body: new Blob(['x']), headers: { 'Upload-Offset': '0' } });
  assert.equal(await api.call('deleteImage', { path: { id: 'a' } }), undefined);
  assert.deepEqual(calls.map(({ method, headers }) => [method, headers['Content-Type']]), [
    ['POST', 'application/json'], ['PATCH', 'application/merge-patch+json'], ['POST', undefined],
    ['PATCH', 'application/octet-stream'], ['DELETE', undefined],
  ]);
  assert.deepEqual([calls[1].url, calls[1].body, calls[1].headers['If-Match']], ['/api/v1/images/a%2Fb', '{"title":""}', '"w7c2-1"']);
  assert.equal(calls[0].credentials, 'same-origin');
});

test('pages are asked for with what is known only', async () => {
  const { api, calls } = stub(json(200, {}), json(200, {}), json(200, {}));
  await api.call('listFeed', { query: { cursor: undefined, limit: 24 } });
  await api.call('listImages', { query: { cursor: 'a_-', q: '', limit: 24 } });
  await api.call('listFeed');
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
  await new API({ base: 'http://localhost:8080', fetch }).call('listFeed');
  assert.deepEqual([calls[0].url, calls[0].credentials], ['http://localhost:8080/api/v1/feed', 'include']);
});
