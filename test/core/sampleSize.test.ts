import { describe, expect, it } from 'vitest';
import { SAMPLE_SIZES, sampleSize } from '../../main/core/sampleSize.ts';

const EPOCHS = 12;
const secondsAt = (imagesPerSecond: number): number => {
  const { maxTrain, maxVal } = sampleSize(imagesPerSecond, EPOCHS);
  return (EPOCHS * (maxTrain + maxVal / 3)) / imagesPerSecond;
};

describe('the sample', () => {
  it('is whole where the engine is fast, and smallest where nothing fits', () => {
    expect(sampleSize(5000, EPOCHS)).toEqual(SAMPLE_SIZES[0]);
    expect(sampleSize(1, EPOCHS)).toEqual(SAMPLE_SIZES.at(-1));
  });

  it('ends within four minutes on every engine that trains 82 images per second or more', () => {
    for (let imagesPerSecond = 82; imagesPerSecond < 3000; imagesPerSecond += 7) {
      expect(secondsAt(imagesPerSecond), `${imagesPerSecond}`).toBeLessThanOrEqual(240);
    }
  });

  it('never wastes more than half of the time it may take, until it is whole', () => {
    for (let imagesPerSecond = 82; imagesPerSecond < 600; imagesPerSecond += 7) {
      expect(secondsAt(imagesPerSecond), `${imagesPerSecond}`).toBeGreaterThan(119);
    }
  });
});
