/** The preview of augmentation shows what training sees: the same draws, the same labels. */
import { expect, it } from 'vitest';
import { openTrainBatches } from '../../main/data/batches.ts';
import { normalizationTable, writePatches } from '../../main/data/patchify.ts';
import { previewAugment } from '../../main/data/previewAugment.ts';
import { configFor, tinyDataset } from './dataConfig.ts';

it('is bit for bit what the updates of those steps get', async () => {
  const dataset = await tinyDataset({ train: 12 });
  const config = configFor(dataset, { data: { colorJitter: 0.4, randAugmentOps: 2, flip: 0.5, crop: 'randomResized' } });
  const { imageSize, patchSize, inChannels: channels } = config.model;
  const layout = { imageSize, patchSize, channels };
  const table = normalizationTable(config.data.mean, config.data.std);
  const stream = openTrainBatches(dataset, config);
  let compared = 0;
  for (let update = 1; update <= 6; update++) {
    const { patches, sampleIds, count } = await stream.next();
    for (let i = 0; i < count; i++) {
      const draw = (await previewAugment(dataset, config, sampleIds[i] as number, 6))[update - 1]!;
      const shown = new Float32Array(patches.length / count);
      writePatches(draw.image, layout, table, shown, 0);
      expect([...shown]).toEqual([...patches.subarray(i * shown.length, (i + 1) * shown.length)]);
      compared++;
    }
  }
  await stream.close();
  expect(compared).toBe(24);
});

it('names the classes of a mixed draw with their shares, and of an unmixed one its own alone', async () => {
  const dataset = await tinyDataset({ train: 12 });
  const plain = await previewAugment(dataset, configFor(dataset, { data: { labelSmoothing: 0.2 } }), 4, 12);
  expect(plain.map(({ labels }) => labels)).toEqual(Array(12).fill([{ name: '1', share: 1 }]));
  const mixed = await previewAugment(dataset, configFor(dataset, { data: { mixupAlpha: 1, labelSmoothing: 0.2 } }), 4, 12);
  expect(mixed.some(({ labels }) => labels.length === 2)).toBe(true);
  for (const { labels } of mixed) expect(labels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 5);
});
