/**
 * Hostile bytes for every parser of data files (reliability.md R11): whatever they hold, opening ends in a data set or in a
 * PreloraError with a code and the file's name, and takes little memory. A few thousand inputs in `npm test`, 20,000 in test/stress.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { openCifar } from '../../main/data/cifar.ts';
import { decodeImage, UnreadableImage } from '../../main/data/decode.ts';
import { openParquet } from '../../main/data/hfParquet.ts';
import { openIdx } from '../../main/data/idx.ts';
import { openWebDataset } from '../../main/data/webDataset.ts';
import { PreloraError } from '../../main/protocol/reply.ts';
import { dataSettings, idxBytes } from './dataConfig.ts';
import { golden, goldenTar } from './shardSets.ts';

const dimension = fc.oneof(fc.nat(4), fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(2 ** 31, 2 ** 32 - 1));
const body = fc.uint8Array({ maxLength: 64 });

const idxFile = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.tuple(fc.array(dimension, { minLength: 1, maxLength: 4 }), body).map(([dimensions, rest]) => idxBytes(dimensions, rest)),
);
const maybeCompressed = fc
  .tuple(idxFile, fc.constantFrom('plain', 'gzip', 'cut', 'flipped'), fc.nat(100))
  .map(([bytes, form, at]) => spoil(bytes, form, at));

function spoil(bytes: Uint8Array, form: string, at: number): Uint8Array {
  if (form === 'plain') return bytes;
  const packed = gzipSync(bytes);
  if (form === 'cut') return packed.subarray(0, at % packed.length);
  if (form === 'flipped') packed[at % packed.length] = (packed[at % packed.length] as number) ^ 0x55;
  return packed;
}

async function opens(open: () => Promise<unknown>): Promise<boolean> {
  try {
    await open();
    return true;
  } catch (error) {
    return (error instanceof PreloraError && error.code !== 'internal') || error instanceof UnreadableImage;
  }
}

export async function fuzzIdx(folder: string, numRuns: number): Promise<void> {
  const property = fc.asyncProperty(maybeCompressed, maybeCompressed, async (images, labels) => {
    writeFileSync(path.join(folder, 'train-images-idx3-ubyte'), images);
    writeFileSync(path.join(folder, 'train-labels-idx1-ubyte'), labels);
    return opens(() => openIdx(folder));
  });
  await fc.assert(property, { numRuns, seed: 1 });
}

export async function fuzzCifar(folder: string, numRuns: number): Promise<void> {
  const record = fc
    .tuple(fc.nat(255), fc.nat(255))
    .map(([label, value]) => Buffer.concat([Buffer.from([label]), Buffer.alloc(3072, value)]));
  const file = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.array(record, { maxLength: 3 }).map((list) => Buffer.concat(list)),
  );
  const names = fc.string({ unit: 'binary', maxLength: 20 });
  const property = fc.asyncProperty(file, fc.option(file), fc.option(names), async (train, test, classes) => {
    for (const name of ['test_batch.bin', 'batches.meta.txt']) rmSync(path.join(folder, name), { force: true });
    writeFileSync(path.join(folder, 'data_batch_1.bin'), train);
    if (test) writeFileSync(path.join(folder, 'test_batch.bin'), test);
    if (classes !== null) writeFileSync(path.join(folder, 'batches.meta.txt'), classes);
    return opens(() => openCifar(folder, 'cifar10', 'fine'));
  });
  await fc.assert(property, { numRuns, seed: 2 });
}

/** Real images with one byte changed, or cut. */
export async function fuzzImages(numRuns: number): Promise<void> {
  const folder = fileURLToPath(new URL('../fixtures/odd-images/', import.meta.url));
  const sources = ['plain.png', 'plain.webp', 'plain.tiff', 'palette.gif', 'photo.jpg', 'animated.gif'].map((name) =>
    readFileSync(folder + name),
  );
  const property = fc.asyncProperty(
    fc.constantFrom(...sources),
    fc.nat(2000),
    fc.nat(255),
    fc.boolean(),
    async (source, at, value, cut) => {
      const bytes = Buffer.from(source);
      bytes[at % bytes.length] = value;
      return opens(() => decodeImage(cut ? bytes.subarray(0, at % bytes.length) : bytes, { channels: 3, convertUnusual: true }));
    },
  );
  await fc.assert(property, { numRuns, seed: 3 });
}

/** A real file with a few bytes changed, or cut. Its end, where parquet has its table of contents, is hit as often as the rest. */
function damaged(sources: Buffer[]): fc.Arbitrary<Buffer> {
  const change = fc.tuple(fc.oneof(fc.nat(20_000), fc.integer({ min: -1200, max: -1 })), fc.nat(255));
  return fc
    .tuple(fc.constantFrom(...sources), fc.array(change, { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([source, changes, cut]) => {
      const bytes = Buffer.from(source);
      for (const [at, value] of changes) bytes[((at % bytes.length) + bytes.length) % bytes.length] = value;
      return cut ? bytes.subarray(0, (changes[0] as [number, number])[1] * 16) : bytes;
    });
}

export async function fuzzTar(folder: string, numRuns: number): Promise<void> {
  const settings = dataSettings();
  const tar = damaged([goldenTar('ustar'), goldenTar('pax'), goldenTar('gnu'), golden('gnu.tar.gz')]);
  const property = fc.asyncProperty(fc.oneof(tar, fc.uint8Array({ maxLength: 1024 })), async (bytes) => {
    writeFileSync(path.join(folder, 'train.tar'), bytes);
    return opens(() => openWebDataset(folder, settings));
  });
  await fc.assert(property, { numRuns, seed: 4 });
}

export async function fuzzParquet(folder: string, numRuns: number): Promise<void> {
  const settings = dataSettings();
  const parquet = damaged(['hf', 'none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4', 'words'].map((name) => golden(`${name}.parquet`)));
  const property = fc.asyncProperty(fc.oneof(parquet, fc.uint8Array({ maxLength: 200 })), async (bytes) => {
    writeFileSync(path.join(folder, 'train.parquet'), bytes);
    return opens(() => openParquet(folder, settings));
  });
  await fc.assert(property, { numRuns, seed: 5 });
}
