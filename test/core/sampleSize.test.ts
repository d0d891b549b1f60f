import { describe, expect, it } from 'vitest';
import { SAMPLE_SIZES, type SampleSize, sampleSize } from '../../main/core/sampleSize.ts';

const EPOCHS = 12;
/** Of resources/presets/sample.yaml. */
const PRESET = { batchSize: 64, lrWarmupSteps: 60, lrRampSteps: 60 };
const stepsOf = ({ data, train }: SampleSize): number => Math.floor(data.maxTrain / (train?.batchSize ?? PRESET.batchSize));
const secondsAt = (imagesPerSecond: number): number => {
  const { maxTrain, maxVal } = sampleSize(imagesPerSecond, EPOCHS).data;
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

  it('keeps at every size at least a quarter of the steps of an epoch, and the ramps a third of one', () => {
    const whole = stepsOf(SAMPLE_SIZES[0] as SampleSize);
    for (const size of SAMPLE_SIZES) {
      const steps = stepsOf(size);
      expect(steps).toBeGreaterThanOrEqual(Math.floor(whole / 4));
      expect((size.train?.lrWarmupSteps ?? PRESET.lrWarmupSteps) / steps).toBeCloseTo(1 / 3, 1);
      expect((size.prelora?.lrRampSteps ?? PRESET.lrRampSteps) / steps).toBeCloseTo(1 / 3, 1);
    }
  });
});
