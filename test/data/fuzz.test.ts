/** The short form of the parser fuzz; see fuzz.ts. */
import { expect, it, vi } from 'vitest';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { fuzzCifar, fuzzIdx, fuzzImages, fuzzParquet, fuzzTar } from './fuzz.ts';
import { ownDataRoot } from './shardSets.ts';

it('IDX files of any bytes open or are refused by name', async () => {
  const before = process.memoryUsage().rss;
  await fuzzIdx(temporaryFolder(), 2000);
  expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
});

it('CIFAR files of any bytes open or are refused by name', async () => {
  await fuzzCifar(temporaryFolder(), 500);
});

it('damaged images decode or are refused with a reason', async () => {
  await fuzzImages(300);
});

it.each([
  ['tar', fuzzTar, 300],
  ['parquet', fuzzParquet, 300],
] as const)('damaged %s files open or are refused by name', async (_, fuzz, count) => {
  ownDataRoot();
  const before = process.memoryUsage().rss;
  await fuzz(temporaryFolder(), count);
  expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 29);
  vi.unstubAllEnvs();
});
