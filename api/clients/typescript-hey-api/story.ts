// How a program uses Kadr by the client that Hey API generates: it registers, makes an API key, and does with it what can be
// done with a photograph.
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { createClient } from './kadr/client/index.js';
import * as kadr from './kadr/index.js';

const { KADR_URL: baseUrl = '', KADR_NAME: name = '', KADR_PHOTO: photo = '' } = process.env;

const key = await makeKey();
const client = createClient({ baseUrl, auth: ({ scheme }) => (scheme === 'bearer' ? key : undefined) });

await upload(photo);
await upload(photo);
const { image, etag } = await upload(photo);
console.log('uploaded');

let listed = 0;
let cursor: string | null | undefined;
do {
  const page = must(await kadr.listImages({ client, query: { limit: 2, ...(cursor && { cursor }) } }));
  listed += page.items.length;
  cursor = page.next_cursor;
} while (cursor);
console.log('listed', listed);

const retitle = () =>
  kadr.updateImage({ client, path: { id: image.id }, headers: { 'If-Match': etag }, body: { title: 'Far hills' } });
must(await retitle());
console.log('retitled');
tell(await retitle()); // the ETag is now that of the picture as it was
tell(await kadr.getImage({ client, path: { id: 'aaaaaaaaaaaaa' } }));

// The direct link is for everybody, so this takes no client and no key.
const link = await fetch(image.url);
const [got, want] = [Buffer.from(await link.arrayBuffer()), await readFile(photo)];
if (!got.equals(want)) throw new Error("the link gives other bytes than the photograph's");
console.log('fetched');

must(await kadr.deleteImage({ client, path: { id: image.id } }));
console.log('deleted');
if ((await fetch(image.url)).status !== 410) throw new Error('the link still gives the picture');
tell(await kadr.getImage({ client, path: { id: image.id } }));

/** Registers, signs in, and makes an API key: all that a program needs from then on. */
async function makeKey(): Promise<string> {
  const body = { name, password: 'a long and private sentence' };
  const stranger = createClient({ baseUrl });
  must(await kadr.createAccount({ client: stranger, body }));
  const session = await kadr.createSession({ client: stranger, body });
  must(session);
  console.log('registered');
  const cookie = /=([^;]+)/.exec(session.response.headers.get('Set-Cookie') ?? '')?.[1];
  const made = await kadr.createApiKey({
    client: createClient({ baseUrl, auth: ({ in: where }) => (where === 'cookie' ? cookie : undefined) }),
    body: { name: 'story', scopes: ['images:read', 'images:write', 'images:delete'] },
  });
  const { key } = must(made);
  console.log('key made');
  return key;
}

/**
 * Sends a file as it is read. The generated function knows forms alone, so this calls what is below it. With the same
 * Idempotency-Key a request that broke could be repeated.
 */
async function upload(file: string) {
  const streamed = { duplex: 'half' }; // fetch needs it for a stream, and TypeScript's types of fetch don't know it yet
  const result = await client.post<kadr.UploadImageResponses, kadr.UploadImageErrors>({
    url: '/api/v1/images',
    security: [{ type: 'http', scheme: 'bearer' }],
    query: { allow_duplicate: true },
    headers: { 'Idempotency-Key': randomUUID(), 'Content-Type': 'image/jpeg' },
    body: Readable.toWeb(createReadStream(file)),
    bodySerializer: null,
    ...streamed,
  });
  const image = must(result);
  if (typeof image === 'string') throw new Error('only format=txt is answered with plain text');
  return { image, etag: result.response.headers.get('ETag') ?? '' };
}

function must<T>({ data, error }: { data?: T; error?: kadr.Problem }): NonNullable<T> {
  if (error) throw new Error(`${error.title}: ${error.detail} (request ${error.request_id})`);
  return data as NonNullable<T>;
}

/** Prints the problem that has to come. */
function tell({ error }: { error?: kadr.Problem }) {
  if (!error) throw new Error('this should have been refused');
  console.log(error.status, error.type.split('/').pop());
}
