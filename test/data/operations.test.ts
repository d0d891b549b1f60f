/** Colour and shape operations against Pillow's own bytes. */
import { describe, expect, it } from 'vitest';
import { type Matrix, rotation, transform } from '../../main/data/affine.ts';
import { brightness, color, contrast, sharpness } from '../../main/data/enhance.ts';
import type { RawImage } from '../../main/data/images.ts';
import { autocontrast, equalize, invert, posterize, solarize, solarizeAdd } from '../../main/data/toneCurves.ts';
import { goldens, image } from './goldens.ts';

const fill = (source: RawImage): number[] => (source.channels === 1 ? [77] : [10, 120, 230]);
const byFactor = { posterize, solarize, brightness, contrast, color, sharpness };

function apply(name: string, values: number[], source: RawImage): RawImage {
  if (name === 'rotate') return transform(source, rotation(values[0] as number, source), fill(source));
  if (name === 'affine') return transform(source, values as unknown as Matrix, fill(source));
  const curve = { invert, autocontrast, equalize }[name];
  return curve ? curve(source) : byFactor[name as keyof typeof byFactor](source, values[0] as number);
}

describe('operations on an image', () => {
  for (const name of new Set(goldens.operations.map((golden) => golden.name))) {
    it(`${name} gives Pillow's bytes`, () => {
      for (const golden of goldens.operations.filter((other) => other.name === name)) {
        const result = apply(name, golden.arguments, image(golden.from));
        expect(result, `${name}(${golden.arguments}) of ${golden.from.height}×${golden.from.width}`).toEqual(image(golden.to));
      }
    });
  }

  it('solarizeAdd lightens the darker half only', () => {
    const pixels = Uint8Array.from([0, 100, 127, 128, 255]);
    expect(solarizeAdd({ pixels, height: 1, width: 5, channels: 1 }, 110).pixels).toEqual(Uint8Array.from([110, 210, 237, 128, 255]));
  });

  it('leave the given image as it is and work on 1 to 4 channels', () => {
    for (const channels of [1, 2, 3, 4]) {
      const pixels = Uint8Array.from({ length: 6 * 5 * channels }, (_, i) => (i * 53) % 256);
      const source = { pixels: pixels.slice(), height: 6, width: 5, channels };
      for (const result of [
        ...[invert, autocontrast, equalize].map((operation) => operation(source)),
        ...Object.values(byFactor).map((operation) => operation(source, 2)),
        transform(source, rotation(30, source), [1, 2, 3, 4]),
      ]) {
        expect(result.pixels.length).toBe(pixels.length);
      }
      expect(source.pixels).toEqual(pixels);
    }
  });
});
