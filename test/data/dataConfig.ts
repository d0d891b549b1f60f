/** Shared by the data tests: a small resolved configuration and tiny IDX files. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Dataset, openDataset } from '../../main/data/dataset.ts';
import type { DataSettings } from '../../main/data/rawSource.ts';
import { type ResolvedConfig, RunConfig } from '../../main/protocol/config.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

interface Overrides {
  model?: Partial<ResolvedConfig['model']>;
  data?: Partial<ResolvedConfig['data']>;
  train?: Partial<ResolvedConfig['train']>;
}

export function dataSettings(overrides: Partial<DataSettings> = {}): DataSettings {
  return { ...RunConfig.parse({}).data, ...overrides };
}

/** A configuration that fits the data set: 8-pixel images in 4-pixel patches unless said otherwise, no workers. */
export function configFor(dataset: Dataset, { model, data, train }: Overrides = {}): ResolvedConfig {
  const base = RunConfig.parse({});
  const { mean, std } = dataset.normalization;
  const shape = { ...base.model, imageSize: 8, patchSize: 4, inChannels: dataset.channels, numClasses: dataset.classNames.length };
  return {
    ...base,
    model: { ...shape, embedDim: 8, depth: 2, numHeads: 2, ...model },
    data: { ...base.data, mean, std, workers: 0, ...data },
    train: { ...base.train, batchSize: 4, microBatch: 4, lrWarmupSteps: 0, ...train },
    prelora: { ...base.prelora, minStep: 0 },
  };
}

/** The bytes of an IDX file: magic of this many dimensions, the dimensions, the body. */
export function idxBytes(dimensions: readonly number[], body: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * dimensions.length);
  header.writeUInt32BE(0x800 + dimensions.length, 0);
  dimensions.forEach((side, i) => {
    header.writeUInt32BE(side, 4 + 4 * i);
  });
  return Buffer.concat([header, body]);
}

/** Images of an uneven pattern, and labels 0 1 2 0 1 2 … */
export function writeTinyIdx(folder: string, count: number, { split = 'train', side = 8, classes = 3 } = {}): void {
  const pixels = Buffer.from(Array.from({ length: count * side * side }, (_, i) => (i * 37 + (i >> 3) * 11) % 256));
  const labels = Buffer.from(Array.from({ length: count }, (_, i) => i % classes));
  writeFileSync(path.join(folder, `${split}-images-idx3-ubyte`), idxBytes([count, side, side], pixels));
  writeFileSync(path.join(folder, `${split}-labels-idx1-ubyte`), idxBytes([count], labels));
}

/** An opened data set of tiny IDX images. */
export async function tinyDataset({ train = 10, test = 7 } = {}): Promise<Dataset> {
  const folder = temporaryFolder();
  writeTinyIdx(folder, train);
  writeTinyIdx(folder, test, { split: 't10k' });
  return openDataset(dataSettings({ source: folder }));
}
