import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  NATIVE_METADATA,
  readSafetensors,
  SafetensorsFile,
  safetensorsBytes,
  type Tensor,
  TORCH_METADATA,
  writeSafetensors,
} from '../../main/store/safetensors.ts';
import { encodeHeader } from '../../main/store/safetensorsHeader.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { headerText } from './hostileHeader.ts';

const fixtures = path.join(import.meta.dirname, '../fixtures/safetensors');
const two = new Map<string, Tensor>([
  ['b.weight', { shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) }],
  ['a.bias', { shape: [3], data: Float32Array.of(0, 1, 2) }],
]);

async function bytesOf(tensors: ReadonlyMap<string, Tensor>, metadata: Record<string, string>): Promise<Buffer> {
  const file = path.join(temporaryFolder(), 'out.safetensors');
  await writeSafetensors(file, tensors, metadata);
  return readFileSync(file);
}

test('two tensors give the bytes of the Python library', async () => {
  expect(await bytesOf(two, TORCH_METADATA)).toEqual(readFileSync(path.join(fixtures, 'two.safetensors')));
});

test('native metadata gives the bytes of the Python library', async () => {
  expect(await bytesOf(two, NATIVE_METADATA)).toEqual(readFileSync(path.join(fixtures, 'native.safetensors')));
});

test('odd names, a scalar and an empty tensor are ordered and escaped as the Python library does', async () => {
  const tensors = await readSafetensors(path.join(fixtures, 'names.safetensors'));
  const shuffled = new Map([...tensors].reverse());
  expect(await bytesOf(shuffled, TORCH_METADATA)).toEqual(readFileSync(path.join(fixtures, 'names.safetensors')));
});

test('F16, BF16 and F64 are widened to the F32 values torch gives', async () => {
  const file = await SafetensorsFile.open(path.join(fixtures, 'types.safetensors'));
  const expected = JSON.parse(readFileSync(path.join(fixtures, 'types.json'), 'utf8')) as Record<string, string[]>;
  for (const [name, bits] of Object.entries(expected)) {
    const { data } = await file.read(name);
    expect([...new Uint32Array(data.buffer)], name).toEqual(bits.map(Number));
  }
  expect(file.converted.map(({ name, dtype }) => `${name} ${dtype}`).sort()).toEqual(['bf16 BF16', 'f16 F16', 'f64 F64']);
  await file.close();
});

test('an unaligned header with tensors in another order is read', async () => {
  const tensors = await readSafetensors(path.join(fixtures, 'reordered.safetensors'));
  expect([...tensors].map(([name, { data }]) => [name, ...data])).toEqual([['a', 1], ['z', 2], ['empty']]);
});

/** What each broken file must be told: the tensor and the rule. */
const refusals: Record<string, string> = {
  short: 'header: the file has 3 bytes, the length alone takes 8',
  'huge-header': 'header: length 1152921504606846976 is over 100000000',
  'header-over-limit': 'header: length 100000001 is over 100000000',
  'header-past-end': 'header: length 10000 does not fit a file of 87 bytes',
  'not-json': 'header: is not JSON in UTF-8',
  'not-object': 'header: does not begin with {',
  'not-utf8': 'header: is not JSON in UTF-8',
  hole: 'b: bytes 8 to 16 before it belong to no tensor',
  'hole-at-start': 'a: bytes 0 to 8 before it belong to no tensor',
  overlap: 'b: begins at 8, inside the tensor that ends at 16',
  'two-names-one-span': 'b: begins at 0, inside the tensor that ends at 24',
  'duplicate-key': 'a: bytes 0 to 8 before it belong to no tensor',
  'shape-not-span': 'a: shape [5] of F32 takes 20 bytes, its span has 24',
  'shape-overflow': 'a: shape is not a list of whole numbers from 0 with a product below 2^53',
  'shape-negative': 'a: shape is not a list of whole numbers from 0 with a product below 2^53',
  'offsets-reversed': 'a: shape [6] of F32 takes 24 bytes, its span has -24',
  truncated: 'a: ends at 24, the file has 20 bytes of data',
  trailing: 'header: 4 bytes after the last tensor',
  'metadata-number': '__metadata__: n is not a string',
  'metadata-list': '__metadata__: is not an object',
  'unknown-dtype': 'a: dtype F99 is not read (F32, F16, BF16 and F64 are)',
  'no-dtype': 'a: has no dtype',
  'entry-not-object': 'a: is not an object',
};

test('every broken file the Python library refuses has its refusal here', () => {
  const names = readdirSync(path.join(fixtures, 'broken')).map((name) => path.basename(name, '.safetensors'));
  expect(names.sort()).toEqual(Object.keys(refusals).sort());
});

test.each(Object.entries(refusals))('%s is refused: %s', async (name, rule) => {
  const file = path.join(fixtures, 'broken', `${name}.safetensors`);
  await expect(readSafetensors(file)).rejects.toMatchObject({ code: 'unsafe-tensors', message: `unsafe-tensors: ${file}: ${rule}` });
});

test('random bytes and random headers are read or refused by name, and nothing else happens', { timeout: 30_000 }, async () => {
  const file = path.join(temporaryFolder(), 'fuzz.safetensors');
  const length = fc.oneof(fc.bigInt(0n, 2n ** 64n - 1n), fc.constantFrom(0n, 2n, 7n, 2n ** 60n, 100_000_000n));
  const content = fc.oneof(
    fc.tuple(length, fc.uint8Array({ maxLength: 64 })).map(([n, tail]) => fileBytes(n, Buffer.from(tail))),
    fc
      .tuple(headerText, fc.uint8Array({ maxLength: 64 }))
      .map(([text, tail]) => fileBytes(BigInt(text.length), Buffer.concat([text, tail]))),
    fc.uint8Array({ maxLength: 64 }),
  );
  await fc.assert(
    fc.asyncProperty(content, async (bytes) => {
      writeFileSync(file, bytes);
      try {
        await readSafetensors(file);
      } catch (error) {
        expect(error).toMatchObject({ code: 'unsafe-tensors' });
      }
    }),
    { numRuns: 500 },
  );
});

function fileBytes(headerLength: bigint, rest: Uint8Array): Buffer {
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(headerLength);
  return Buffer.concat([start, rest]);
}

test('what was written is read back bit for bit, and its size was known before', async () => {
  const folder = temporaryFolder();
  const tensor = fc.array(fc.nat({ max: 4 }), { maxLength: 3 }).chain((shape) => {
    const size = shape.reduce((product, side) => product * side, 1);
    return fc.float32Array({ minLength: size, maxLength: size }).map((data): Tensor => ({ shape, data: Float32Array.from(data) }));
  });
  const names = fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => name !== '__metadata__');
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(names, tensor), { maxLength: 5 }), async (entries) => {
      const tensors = new Map(entries);
      const file = path.join(folder, `${count++}`);
      const { bytes } = await writeSafetensors(file, tensors, NATIVE_METADATA);
      expect(safetensorsBytes(tensors, NATIVE_METADATA)).toBe(bytes);
      const read = await readSafetensors(file);
      expect(read.size).toBe(tensors.size);
      for (const [name, { shape, data }] of tensors) {
        expect(read.get(name)?.shape).toEqual(shape);
        expect(new Uint8Array(read.get(name)?.data.buffer as ArrayBuffer)).toEqual(new Uint8Array(data.buffer));
      }
    }),
    { numRuns: 200 },
  );
});

test('values can be fetched tensor by tensor, each when its turn comes', async () => {
  const order: string[] = [];
  const fetched = (name: string, data: Float32Array) => async (): Promise<Float32Array> => {
    order.push(name);
    return data;
  };
  const lazy = new Map([...two].map(([name, { shape, data }]) => [name, { shape, data: fetched(name, data) }]));
  const file = path.join(temporaryFolder(), 'lazy.safetensors');
  await writeSafetensors(file, lazy, TORCH_METADATA);
  expect(order).toEqual(['a.bias', 'b.weight']);
  expect(readFileSync(file)).toEqual(readFileSync(path.join(fixtures, 'two.safetensors')));
});

test('a tensor whose values do not fill its shape is refused by name', async () => {
  const file = path.join(temporaryFolder(), 'wrong.safetensors');
  const wrong = new Map([['a', { shape: [2, 2], data: new Float32Array(3) }]]);
  await expect(writeSafetensors(file, wrong, TORCH_METADATA)).rejects.toThrow('a: shape [2,2] has 4 values, 3 were given');
});

test('a tensor past 2 GiB is read without reading what lies before it', async () => {
  const file = path.join(temporaryFolder(), 'sparse.safetensors');
  const sizes: [string, number[]][] = [
    ['big', [600, 1 << 20]],
    ['tail', [2]],
  ];
  const header = encodeHeader(sizes, NATIVE_METADATA);
  const handle = await open(file, 'w');
  await handle.write(header);
  // A hole of 2.3 GiB, which takes no space on the disk.
  await handle.write(Float32Array.of(7, 8), 0, 8, header.length + 600 * 2 ** 22);
  await handle.close();
  const opened = await SafetensorsFile.open(file);
  expect([...(await opened.read('tail')).data]).toEqual([7, 8]);
  await opened.close();
});

test('a tensor that is not there is refused by name', async () => {
  const file = await SafetensorsFile.open(path.join(fixtures, 'two.safetensors'));
  await expect(file.read('c')).rejects.toThrow('c: is not in the file');
  await file.close();
});
