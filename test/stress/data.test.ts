/** The long form of reliability.md R11 for data files: 20,000 inputs to each parser, fixed seed. */
import { it, vi } from 'vitest';
import { fuzzCifar, fuzzIdx, fuzzImages, fuzzParquet, fuzzTar } from '../data/fuzz.ts';
import { ownDataRoot } from '../data/shardSets.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const INPUTS = 20_000;

it(`${INPUTS} IDX files of any bytes open or are refused by name`, async () => {
  await fuzzIdx(temporaryFolder(), INPUTS);
});

it(`${INPUTS} CIFAR files of any bytes open or are refused by name`, async () => {
  await fuzzCifar(temporaryFolder(), INPUTS);
});

it(`${INPUTS} damaged images decode or are refused with a reason`, async () => {
  await fuzzImages(INPUTS);
});

it.each([
  ['tar', fuzzTar],
  ['parquet', fuzzParquet],
] as const)(`${INPUTS} damaged %s files open or are refused by name`, async (_, fuzz) => {
  ownDataRoot();
  await fuzz(temporaryFolder(), INPUTS);
  vi.unstubAllEnvs();
});
