/** Crops, flips, erasing and RandAugment: shapes, what never happens, and rough distributions. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../main/core/random.ts';
import { type AugmentSettings, augment } from '../../main/data/augment.ts';
import { flipped, randomPadCrop, randomResizedCrop, resizeAndCrop } from '../../main/data/crop.ts';
import { eraseRandomly } from '../../main/data/erase.ts';
import type { RawImage } from '../../main/data/images.ts';
import { randAugment } from '../../main/data/randAugment.ts';
import { dataSettings } from './dataConfig.ts';

function ramp(height: number, width: number, channels = 1): RawImage {
  const pixels = Uint8Array.from({ length: height * width * channels }, (_, i) => (i * 7) % 251);
  return { pixels, height, width, channels };
}

const settings = (overrides: Partial<AugmentSettings> = {}): AugmentSettings => ({
  ...dataSettings(),
  mean: [0.5, 0.5, 0.5],
  ...overrides,
});

describe('augment', () => {
  it('gives a full square from any image, with everything on, and leaves the image alone', () => {
    const crops = fc.constantFrom('randomResized', 'pad', 'none');
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 2, max: 40 }), fc.integer({ min: 2, max: 40 }), crops, (seed, height, width, crop) => {
        for (const channels of [1, 3]) {
          const image = ramp(height, width, channels);
          const all = settings({ crop: crop as 'pad', colorJitter: 0.4, randAugmentOps: 2, cropPadding: 3 });
          const result = augment(image, 12, all, randomStream(seed, 'augment'));
          expect([result.height, result.width, result.channels, result.pixels.length]).toEqual([12, 12, channels, 144 * channels]);
          expect(image).toEqual(ramp(height, width, channels));
        }
      }),
      { numRuns: 150 },
    );
  });

  it('with everything off is the evaluation image', () => {
    const off = settings({ crop: 'none', flip: 0 });
    const image = ramp(20, 31, 3);
    expect(augment(image, 14, off, randomStream(1, 'augment'))).toEqual(resizeAndCrop(image, { shortEdge: 16, crop: 14 }));
  });

  it('flips as often as it should', () => {
    const image = ramp(6, 6);
    const mirrored = flipped(image);
    let flips = 0;
    for (let seed = 0; seed < 2000; seed++) {
      const result = augment(image, 6, settings({ crop: 'pad', cropPadding: 0, flip: 0.3 }), randomStream(seed, 'augment'));
      if (Buffer.compare(result.pixels, mirrored.pixels) === 0) flips++;
    }
    expect(Math.abs(flips / 2000 - 0.3)).toBeLessThan(0.051); // five standard deviations
  });
});

describe('crops', () => {
  it('flipping twice changes nothing', () => {
    const image = ramp(5, 7, 3);
    expect(flipped(flipped(image))).toEqual(image);
    expect([...flipped({ pixels: Uint8Array.from([1, 2, 3]), height: 1, width: 3, channels: 1 }).pixels]).toEqual([3, 2, 1]);
  });

  it('a pad crop moves the image over black by at most the padding, to every place', () => {
    const image: RawImage = { pixels: new Uint8Array(25).fill(9), height: 5, width: 5, channels: 1 };
    const places = new Set<string>();
    for (let seed = 0; seed < 500; seed++) {
      const { pixels } = randomPadCrop(image, 2, randomStream(seed, 'augment'));
      const kept = pixels.filter((value) => value === 9).length;
      expect([9, 12, 15, 16, 20, 25]).toContain(kept); // (5 − |dy|)·(5 − |dx|), each shift at most 2
      places.add(pixels.join());
    }
    expect(places.size).toBe(25);
  });

  it('random resized crops keep to the smallest area and to the image', () => {
    // A horizontal ramp shows the width of the box: value differences across the crop.
    const image: RawImage = { pixels: Uint8Array.from({ length: 64 * 64 }, (_, i) => (i % 64) * 4), height: 64, width: 64, channels: 1 };
    for (let seed = 0; seed < 300; seed++) {
      const { pixels } = randomResizedCrop(image, 16, 0.25, randomStream(seed, 'augment'));
      const span = ((pixels[15] as number) - (pixels[0] as number)) / 4; // 15/16 of the width
      expect(span).toBeGreaterThan((Math.sqrt(0.25 * 0.75) * 64 * 15) / 16 - 2);
      expect(span).toBeLessThanOrEqual(60);
    }
  });

  it('a very long image falls back to a centre crop of the nearest allowed shape', () => {
    const image = ramp(2, 300);
    const result = randomResizedCrop(image, 8, 1, randomStream(0, 'augment'));
    expect([result.height, result.width]).toEqual([8, 8]);
  });
});

describe('random erasing', () => {
  it('sets one rectangle of allowed size to the mean in the chosen image only', () => {
    const layout = { imageSize: 16, patchSize: 4, channels: 2 };
    let erased = 0;
    for (let seed = 0; seed < 400; seed++) {
      const patches = new Float32Array(3 * 512).fill(1);
      eraseRandomly(patches, 512, { layout, probability: 0.5, random: randomStream(seed, 'augment') });
      expect(patches.subarray(0, 512).every((value) => value === 1) && patches.subarray(1024).every((value) => value === 1)).toBe(true);
      const share = patches.subarray(512, 1024).filter((value) => value === 0).length / 512;
      if (share > 0) erased++;
      expect(share).toBeLessThan(0.42); // a third, and the rounding of two sides
    }
    expect(Math.abs(erased / 400 - 0.5)).toBeLessThan(0.125);
  });
});

describe('RandAugment', () => {
  it('gives images for every magnitude and number of channels', () => {
    for (const channels of [1, 2, 3, 4]) {
      for (const magnitude of [0, 9, 10, 30]) {
        for (let seed = 0; seed < 40; seed++) {
          const image = ramp(9, 11, channels);
          const result = randAugment(image, { ops: 3, magnitude, fill: [1, 2, 3, 4] }, randomStream(seed, 'augment'));
          expect([result.height, result.width, result.pixels.length]).toEqual([9, 11, 99 * channels]);
          expect(image).toEqual(ramp(9, 11, channels));
        }
      }
    }
  });

  it('changes more with a larger magnitude', () => {
    const image = ramp(16, 16, 3);
    const change = (magnitude: number): number => {
      let sum = 0;
      for (let seed = 0; seed < 300; seed++) {
        const { pixels } = randAugment(image, { ops: 1, magnitude, fill: [128, 128, 128] }, randomStream(seed, 'augment'));
        sum += pixels.reduce((total, value, i) => total + Math.abs(value - (image.pixels[i] as number)), 0);
      }
      return sum;
    };
    expect(change(9)).toBeGreaterThan(change(3));
  });
});
