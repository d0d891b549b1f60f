/** Single images: the sample that is shown is the stored one, and a picture is prepared exactly as evaluation prepares it. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openEvalBatches } from '../../main/data/batches.ts';
import { openDataset } from '../../main/data/dataset.ts';
import { decodeSample, imageToPatches, preprocessImage } from '../../main/data/showImage.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { configFor, dataSettings, tinyDataset } from './dataConfig.ts';

const fixture = fileURLToPath(new URL('../fixtures/odd-images/photo.jpg', import.meta.url));

async function photoSet() {
  const root = temporaryFolder();
  for (const name of ['a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'b/2.jpg']) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    copyFileSync(fixture, path.join(root, name));
  }
  return openDataset(dataSettings({ source: root }));
}

describe('a sample to look at', () => {
  it('comes as stored, with its class and place', async () => {
    const packed = await decodeSample(await tinyDataset(), 'val', 4);
    expect([packed.label, packed.className, packed.path, packed.image.height, packed.image.channels]).toEqual([
      1,
      '1',
      'test image 4',
      8,
      1,
    ]);
    const file = await decodeSample(await photoSet(), 'train', 1);
    expect([file.label, file.className, path.basename(file.path), file.image.height, file.image.width]).toEqual([1, 'b', '1.jpg', 30, 40]);
  });

  it('is refused outside the split', async () => {
    const dataset = await tinyDataset();
    for (const index of [-1, 7, 0.5, Number.NaN]) {
      await expect(decodeSample(dataset, 'val', index)).rejects.toMatchObject({
        code: 'bad-arguments',
        message: `index ${index} is outside 0…6 of val`,
      });
    }
  });
});

describe('a picture to classify', () => {
  it('has the values evaluation gives it, by path, from memory and decoded', async () => {
    const dataset = await photoSet();
    const config = configFor(dataset, { model: { imageSize: 16 } });
    const { image } = await decodeSample(dataset, 'val', 0);
    for await (const batch of openEvalBatches(dataset, config, 1)) {
      expect(await preprocessImage(fixture, config)).toEqual(batch.patches);
      expect(await preprocessImage(readFileSync(fixture), config)).toEqual(batch.patches);
      expect(imageToPatches(image, config)).toEqual(batch.patches);
    }
  });

  it('that cannot be read is refused with the reason', async () => {
    const dataset = await tinyDataset();
    await expect(preprocessImage(Buffer.from('not an image'), configFor(dataset))).rejects.toMatchObject({
      code: 'data-unreadable',
      message: 'the picture: is empty or not a JPEG, PNG, WebP, GIF or TIFF image',
    });
  });

  it('is refused for a model of two channels', async () => {
    const dataset = await tinyDataset();
    const config = configFor(dataset, { model: { inChannels: 2 } });
    await expect(preprocessImage(fixture, config)).rejects.toThrow('the model takes 2 channels');
  });
});
