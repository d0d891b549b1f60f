/** The short form of the parser fuzz; see fuzz.ts. */
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { fuzzCifar, fuzzIdx, fuzzImages } from './fuzz.ts';

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
