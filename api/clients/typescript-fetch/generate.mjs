// Writes kadr.d.ts: the contract's types. What is binary in it is a stream or a Blob here, as fetch takes and gives it.
import { writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';

const [contract, file] = process.argv.slice(2);
const binary = ts.factory.createUnionTypeNode(
  ['ReadableStream', 'Blob'].map((name) => ts.factory.createTypeReferenceNode(name)),
);
const types = await openapiTS(new URL(contract, `file://${process.cwd()}/`), {
  transform: ({ format }) => (format === 'binary' ? binary : undefined),
});
await writeFile(file, astToString(types));
