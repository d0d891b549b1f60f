/** Streams of batches: the same bits for any number of workers and any starting point, every validation image exactly once. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Batch, openEvalBatches, openTrainBatches } from '../../main/data/batches.ts';
import { BatchQueue } from '../../main/data/batchQueue.ts';
import type { BatchTask } from '../../main/data/buildBatch.ts';
import type { Dataset } from '../../main/data/dataset.ts';
import type { ResolvedConfig } from '../../main/protocol/config.ts';
import { configFor, tinyDataset } from './dataConfig.ts';

async function take(dataset: Dataset, config: ResolvedConfig, n: number, fromStep = 0): Promise<Batch[]> {
  const stream = openTrainBatches(dataset, config, { fromStep });
  const batches: Batch[] = [];
  for (let i = 0; i < n; i++) batches.push(await stream.next());
  await stream.close();
  return batches;
}

function withoutTime(batches: Batch[]): Omit<Batch, 'waitMs'>[] {
  return batches.map(({ waitMs: _, ...rest }) => rest);
}

const everythingOn = { mixupAlpha: 0.8, cutmixAlpha: 1, colorJitter: 0.4, randAugmentOps: 2, randomErasing: 0.5 };

describe('batches in the making', () => {
  it.each([1, 2, 5])('are as many as data.prefetch says: %d', async (prefetch) => {
    const dataset = await tinyDataset();
    let drawn = 0;
    const tasks = (function* (): Generator<BatchTask> {
      for (;;) yield { purpose: 'train', step: drawn++, micro: 0, samples: Uint32Array.of(0, 1) };
    })();
    const queue = new BatchQueue(dataset.train, configFor(dataset, { data: { prefetch } }), { tasks, workers: 1 });
    expect(drawn).toBe(prefetch);
    await queue.next();
    await queue.next();
    expect(drawn).toBe(prefetch + 1);
    await queue.close();
  });
});

describe('training batches', () => {
  it('are the same bits for 0, 1, 2 and 5 workers', async () => {
    const dataset = await tinyDataset({ train: 23 });
    const inline = withoutTime(await take(dataset, configFor(dataset, { data: everythingOn }), 12));
    for (const workers of [1, 2, 5]) {
      const config = configFor(dataset, { data: { ...everythingOn, workers } });
      expect(withoutTime(await take(dataset, config, 12))).toEqual(inline);
    }
  });

  it('go on from any step exactly as an uninterrupted stream does', async () => {
    const dataset = await tinyDataset({ train: 11 });
    const config = configFor(dataset, { data: everythingOn, train: { dropLast: false, microBatch: 2 } });
    const whole = withoutTime(await take(dataset, config, 40));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 15 }), async (fromStep) => {
        const rest = whole.slice(whole.findIndex(({ step }) => step === fromStep));
        expect(withoutTime(await take(dataset, config, 6, fromStep))).toEqual(rest.slice(0, 6));
      }),
      { numRuns: 10 },
    );
  });

  it('show every sample once per epoch, in another order each time', async () => {
    const dataset = await tinyDataset({ train: 12 });
    const batches = await take(dataset, configFor(dataset), 6);
    const epochs = [batches.slice(0, 3), batches.slice(3)].map((part) => part.flatMap(({ sampleIds }) => [...sampleIds]));
    for (const ids of epochs) expect([...ids].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  it('leave out the incomplete batch with dropLast and end the epoch with a short one without', async () => {
    const dataset = await tinyDataset({ train: 10 });
    const counts = async (dropLast: boolean) =>
      (await take(dataset, configFor(dataset, { train: { dropLast } }), 4)).map((b) => [b.step, b.count]);
    expect(await counts(true)).toEqual([[0, 4], [1, 4], [2, 4], [3, 4]]); // biome-ignore format: one line
    expect(await counts(false)).toEqual([[0, 4], [1, 4], [2, 2], [3, 4]]); // biome-ignore format: one line
  });

  it('split an update into numbered micro-batches, the last of an epoch shorter', async () => {
    const dataset = await tinyDataset({ train: 7 });
    const batches = await take(dataset, configFor(dataset, { train: { dropLast: false, microBatch: 2 } }), 5);
    expect(batches.map(({ step, micro, count }) => [step, micro, count])).toEqual([[0, 0, 2], [0, 1, 2], [1, 0, 2], [1, 1, 1], [2, 0, 2]]); // biome-ignore format: one line
  });

  it('have other pixels and another order under another seed', async () => {
    const dataset = await tinyDataset();
    const [a, b] = [await take(dataset, configFor(dataset), 2), await take(dataset, configFor(dataset, { train: { seed: 1 } }), 2)];
    expect(a[0]?.sampleIds).not.toEqual(b[0]?.sampleIds);
  });

  it('carry the label of every sample, and smoothed targets that sum to 1', async () => {
    const dataset = await tinyDataset();
    const [batch] = await take(dataset, configFor(dataset, { data: { labelSmoothing: 0.3 } }), 1);
    const { sampleIds, labels, targets, count } = batch as Batch;
    for (let i = 0; i < count; i++) {
      expect(labels[i]).toBe((sampleIds[i] as number) % 3);
      const row = [...targets.subarray(i * 3, i * 3 + 3)].map((value) => +value.toFixed(6));
      expect(row).toEqual([0, 1, 2].map((label) => (label === labels[i] ? 0.8 : 0.1)));
    }
  });

  it('reuse recycled memory without changing what follows', async () => {
    const dataset = await tinyDataset({ train: 23 });
    for (const workers of [0, 2]) {
      const config = configFor(dataset, { data: { ...everythingOn, workers } });
      const expected = withoutTime(await take(dataset, config, 10));
      const stream = openTrainBatches(dataset, config);
      for (let i = 0; i < 10; i++) {
        const batch = await stream.next();
        expect(withoutTime([batch])[0]).toEqual(expected[i]);
        stream.recycle(batch);
      }
      await stream.close();
    }
  });

  it('end with a plain error once they are closed', async () => {
    const dataset = await tinyDataset();
    for (const workers of [0, 2]) {
      const stream = openTrainBatches(dataset, configFor(dataset, { data: { workers } }));
      await stream.next();
      await stream.close();
      await expect(stream.next()).rejects.toMatchObject({ code: 'interrupted' });
    }
  });

  it('refuse sizes that do not fit, at once and naming the field', async () => {
    const dataset = await tinyDataset({ train: 10 });
    const open =
      (train: object, model = {}) =>
      () =>
        openTrainBatches(dataset, configFor(dataset, { train, model }));
    expect(open({ batchSize: 16, microBatch: 16 })).toThrow(
      'train.batchSize 16 is larger than the training set of 10 images; lower it or turn train.dropLast off',
    );
    expect(open({ batchSize: 4, microBatch: 3 })).toThrow('train.microBatch 3 does not divide train.batchSize 4');
    expect(open({}, { numClasses: 2 })).toThrow('model.numClasses 2 is less than the 3 classes of the data');
    expect(open({}, { inChannels: 3 })).toThrow('data.mean has 1 values; model.inChannels 3 needs as many');
    expect(open({}, { inChannels: 2 })).toThrow('model.inChannels is 2, but the images have 1');
  });
});

describe('evaluation batches', () => {
  it('give every validation image exactly once for any batch size and number of workers', async () => {
    const dataset = await tinyDataset({ test: 7 });
    for (const [batchSize, workers] of [
      [1, 0],
      [3, 0],
      [3, 2],
      [7, 1],
      [100, 0],
    ] as const) {
      // biome-ignore format: one line
      const ids: number[] = [];
      for await (const batch of openEvalBatches(dataset, configFor(dataset, { data: { workers } }), batchSize))
        ids.push(...batch.sampleIds);
      expect(ids).toEqual([0, 1, 2, 3, 4, 5, 6]);
    }
  });

  it('are not augmented: two passes are the same bits whatever the seed', async () => {
    const dataset = await tinyDataset();
    const pass = async (seed: number) => {
      const patches: number[] = [];
      const config = configFor(dataset, { data: everythingOn, train: { seed } });
      for await (const batch of openEvalBatches(dataset, config, 4)) patches.push(...batch.patches);
      return patches;
    };
    expect(await pass(0)).toEqual(await pass(1));
  });
});
