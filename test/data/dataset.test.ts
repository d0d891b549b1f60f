/** Opening a data set: the shipped sample, validation, limits, normalisation, fingerprint; and the real Fashion-MNIST end to end. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openEvalBatches, openTrainBatches } from '../../main/data/batches.ts';
import { openDataset } from '../../main/data/dataset.ts';
import { openSystemFashionMnist } from '../../main/data/sources.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { configFor, dataSettings, tinyDataset, writeTinyIdx } from './dataConfig.ts';

const CLASSES = ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'];
const SYSTEM_FASHION_MNIST = '/usr/share/datasets/fashion-mnist';

function tinyFolder(train = 30): string {
  const folder = temporaryFolder();
  writeTinyIdx(folder, train);
  return folder;
}

function countPerClass(labels: Uint32Array, classes: number): number[] {
  const counts = Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] as number) + 1;
  return counts;
}

it('turns images over the diagonal where data.transpose asks for it, as EMNIST needs', async () => {
  const source = tinyFolder();
  const pixelsOf = async (transpose: boolean) => {
    const { train } = await openDataset(dataSettings({ source, transpose }));
    return train.images.kind === 'packed' ? [...train.images.pixels.subarray(0, 64)] : [];
  };
  const [plain, turned] = [await pixelsOf(false), await pixelsOf(true)];
  expect(turned).toEqual(plain.map((_, i) => plain[8 * (i % 8) + Math.floor(i / 8)]));
  expect(turned).not.toEqual(plain);
});

describe('the shipped sample', () => {
  it('is a class-balanced Fashion-MNIST subset with its known mean and std', async () => {
    const dataset = await openDataset(dataSettings());
    expect(dataset.classNames).toEqual(CLASSES);
    expect(countPerClass(dataset.train.labels, 10)).toEqual(Array(10).fill(1200));
    expect(countPerClass(dataset.val.labels, 10)).toEqual(Array(10).fill(200));
    expect([dataset.channels, dataset.rawSize]).toEqual([1, [28, 28]]);
    expect(dataset.normalization).toEqual({ mean: [0.286], std: [0.353], origin: 'known values of fashion-mnist' });
    expect(dataset.report).toMatchObject({
      source: 'sample',
      format: 'idx',
      classes: 10,
      images: { train: 12_000, val: 2000 },
      skipped: [],
    });
  });

  it('really has about that mean and std when they are measured', async () => {
    const { train } = await openDataset(dataSettings());
    if (train.images.kind !== 'packed') throw new Error('not packed');
    const { pixels } = train.images;
    const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length / 255;
    expect(Math.abs(mean - 0.286)).toBeLessThan(0.002);
  });
});

describe('Fashion-MNIST of the system', () => {
  it('says how to get it where it is not installed', async () => {
    await expect(openSystemFashionMnist('/nowhere/fashion-mnist')).rejects.toMatchObject({
      code: 'data-not-found',
      message: expect.stringMatching(/^\/nowhere\/fashion-mnist: not found; install it with "apt-get install dataset-fashion-mnist"/),
    });
  });

  it.skipIf(!existsSync(SYSTEM_FASHION_MNIST))(
    'opens whole and gives batches (skipped without package dataset-fashion-mnist)',
    async () => {
      const dataset = await openDataset(dataSettings({ source: 'fashion-mnist' }));
      expect([dataset.train.count, dataset.val.count, dataset.classNames]).toEqual([60_000, 10_000, CLASSES]);
      expect(countPerClass(dataset.train.labels, 10)).toEqual(Array(10).fill(6000));
      const config = configFor(dataset, {
        model: { imageSize: 28, patchSize: 7 },
        data: { workers: 2, crop: 'pad' },
        train: { batchSize: 100, microBatch: 100 },
      });
      const stream = openTrainBatches(dataset, config, { fromStep: 599 });
      const last = await stream.next();
      const next = await stream.next();
      await stream.close();
      expect([last.step, next.step, last.patches.length]).toEqual([599, 600, 100 * 784]);
      let seen = 0;
      let sum = 0;
      for await (const batch of openEvalBatches(dataset, config, 1000)) {
        seen += batch.count;
        sum += batch.patches.reduce((total, value) => total + value, 0);
      }
      expect(seen).toBe(10_000);
      expect(Math.abs(sum / (seen * 784))).toBeLessThan(0.02); // normalised with the known mean
    },
  );
});

describe('validation', () => {
  it('is a part of every class of the training images where there is no other', async () => {
    const dataset = await openDataset(dataSettings({ source: tinyFolder(30), valFraction: 0.2 }));
    expect(countPerClass(dataset.val.labels, 3)).toEqual([2, 2, 2]);
    expect(countPerClass(dataset.train.labels, 3)).toEqual([8, 8, 8]);
    expect(dataset.valOrigin).toBe('20 % of each class of the training images, chosen by hash (key "prelora")');
  });

  it('is the same each time and another under another key', async () => {
    const source = tinyFolder(60);
    const print = async (splitKey: string) => (await openDataset(dataSettings({ source, splitKey }))).fingerprint;
    expect(await print('prelora')).toBe(await print('prelora'));
    expect(await print('prelora')).not.toBe(await print('other'));
  });

  it('may come from another folder', async () => {
    const other = temporaryFolder();
    writeTinyIdx(other, 5, { split: 't10k' });
    const dataset = await openDataset(dataSettings({ source: tinyFolder(30), valSource: other }));
    expect([dataset.train.count, dataset.val.count, dataset.valOrigin]).toEqual([30, 5, `${other} (data.valSource)`]);
  });

  it('from another folder must have the same channels and classes', async () => {
    const other = temporaryFolder();
    writeTinyIdx(other, 8, { split: 't10k', classes: 4 });
    await expect(openDataset(dataSettings({ source: tinyFolder(30), valSource: other }))).rejects.toMatchObject({
      code: 'data-class-mismatch',
    });
  });
});

describe('limits', () => {
  it('take the first images of packed data', async () => {
    const dataset = await openDataset(dataSettings({ maxTrain: 100, maxVal: 50 }));
    expect([dataset.train.count, dataset.val.count]).toEqual([100, 50]);
    const whole = await openDataset(dataSettings());
    expect(dataset.train.labels).toEqual(whole.train.labels.subarray(0, 100));
    expect(dataset.fingerprint).not.toBe(whole.fingerprint);
  });

  it('that leave one class are refused', async () => {
    await expect(openDataset(dataSettings({ source: tinyFolder(30), maxTrain: 1 }))).rejects.toMatchObject({ code: 'data-one-class' });
  });
});

describe('mean and standard deviation', () => {
  it('are measured where they are not known', async () => {
    const dataset = await tinyDataset({ train: 10 });
    if (dataset.train.images.kind !== 'packed') throw new Error('not packed');
    const pixels = [...dataset.train.images.pixels].map((value) => value / 255);
    const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
    const variance = pixels.reduce((sum, value) => sum + (value - mean) ** 2, 0) / pixels.length;
    expect(dataset.normalization.mean[0]).toBeCloseTo(mean, 4);
    expect(dataset.normalization.std[0]).toBeCloseTo(Math.sqrt(variance), 4);
    expect(dataset.normalization.origin).toBe('measured on 10 training images');
  });

  it('are taken as given', async () => {
    const dataset = await openDataset(dataSettings({ mean: [0.1], std: [0.2] }));
    expect(dataset.normalization).toEqual({ mean: [0.1], std: [0.2], origin: 'given' });
  });

  it('are repeated when gray images are given as RGB', async () => {
    const dataset = await openDataset(dataSettings(), { channels: 3 });
    expect(dataset.normalization.mean).toEqual([0.286, 0.286, 0.286]);
    expect(dataset.report.converted).toEqual({ 'gray repeated to RGB': 14_000 });
  });

  it('are refused half given, or for another number of channels', async () => {
    await expect(openDataset(dataSettings({ mean: [0.5] }))).rejects.toThrow(
      'data.std is empty but data.mean is given; give both or neither',
    );
    await expect(openDataset(dataSettings({ mean: [0.5, 0.5], std: [1, 1] }))).rejects.toMatchObject({
      code: 'bad-config',
      field: 'data.mean',
      message: 'data.mean has 2 values; the images have 1 channels',
    });
  });
});

it('channels that the images cannot be given with are refused', async () => {
  await expect(openDataset(dataSettings(), { channels: 4 })).rejects.toMatchObject({ code: 'bad-config', field: 'model.inChannels' });
});
