// How a program uses Kadr by openapi-fetch and the contract's types: it registers, makes an API key, and does with it what can
// be done with a photograph.
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import createClient from 'openapi-fetch';
import type { components, paths } from './kadr.js';

type Problem = components['schemas']['Problem'];

const { KADR_URL: baseUrl = '', KADR_NAME: name = '', KADR_PHOTO: photo = '' } = process.env;

const key = await makeKey();
const kadr = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

await upload(photo);
await upload(photo);
const { image, etag } = await upload(photo);
console.log('uploaded');

let listed = 0;
let cursor: string | null | undefined;
do {
  const page = must(await kadr.GET('/api/v1/images', { params: { query: { limit: 2, ...(cursor && { cursor }) } } }));
  listed += page.items.length;
  cursor = page.next_cursor;
} while (cursor);
console.log('listed', listed);

const retitle = () =>
  kadr.PATCH('/api/v1/images/{id}', {
    params: { path: { id: image.id }, header: { 'If-Match': etag } },
    body: { title: 'Far hills' },
  });
must(await retitle());
console.log('retitled');
tell(await retitle()); // the ETag is now that of the picture as it was
tell(await kadr.GET('/api/v1/images/{id}', { params: { path: { id: 'aaaaaaaaaaaaa' } } }));

// The direct link is for everybody, so this takes no client and no key.
const link = await fetch(image.url);
const [got, want] = [Buffer.from(await link.arrayBuffer()), await readFile(photo)];
if (!got.equals(want)) throw new Error("the link gives other bytes than the photograph's");
console.log('fetched');

must(await kadr.DELETE('/api/v1/images/{id}', { params: { path: { id: image.id } } }));
console.log('deleted');
if ((await fetch(image.url)).status !== 410) throw new Error('the link still gives the picture');
tell(await kadr.GET('/api/v1/images/{id}', { params: { path: { id: image.id } } }));

/** Registers, signs in, and makes an API key: all that a program needs from then on. */
async function makeKey(): Promise<string> {
  const kadr = createClient<paths>({ baseUrl });
  const credentials = { name, password: 'a long and private sentence' };
  must(await kadr.POST('/api/v1/accounts', { body: credentials }));
  const session = await kadr.POST('/api/v1/sessions', { body: credentials });
  must(session);
  console.log('registered');
  // A browser would keep and send it by itself. Debian's Node.js 18 has no getSetCookie, and there is one cookie only.
  const cookie = session.response.headers.get('Set-Cookie') ?? '';
  const made = await kadr.POST('/api/v1/api-keys', {
    body: { name: 'story', scopes: ['images:read', 'images:write', 'images:delete'] },
    headers: { Cookie: cookie.split(';')[0] },
  });
  console.log('key made');
  return must(made).key;
}

/** Sends a file as it is read. With the same Idempotency-Key a request that broke could be repeated. */
async function upload(file: string) {
  const result = await kadr.POST('/api/v1/images', {
    params: { query: { allow_duplicate: true }, header: { 'Idempotency-Key': randomUUID() } },
    body: Readable.toWeb(createReadStream(file)),
    bodySerializer: (body) => body,
    headers: { 'Content-Type': 'image/jpeg' },
    duplex: 'half',
  });
  const image = must(result);
  if (typeof image === 'string') throw new Error('only format=txt is answered with plain text');
  return { image, etag: result.response.headers.get('ETag') ?? '' };
}

interface Result<T> { data?: T; error?: Problem }

function must<T>({ data, error }: Result<T>): T {
  if (error) throw new Error(`${error.title}: ${error.detail} (request ${error.request_id})`);
  return data as T; // undefined is the body of a 204
}

/** Prints the problem that has to come. */
function tell({ error }: Result<unknown>) {
  if (!error) throw new Error('this should have been refused');
  console.log(error.status, error.type.split('/').pop());
}
