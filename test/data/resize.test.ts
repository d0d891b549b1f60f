/** Our resize against Pillow's own bytes, and the whole evaluation preprocessing against a Hugging Face image processor. */
import { describe, expect, it } from 'vitest';
import { evalGeometry } from '../../main/core/evalGeometry.ts';
import { resizeAndCrop } from '../../main/data/crop.ts';
import { normalizationTable, writePatches } from '../../main/data/patchify.ts';
import { resize } from '../../main/data/resize.ts';
import { bytes, goldens, image } from './goldens.ts';

describe('resize', () => {
  for (const { from, box, to } of goldens.resize) {
    const part = box ? ` inside ${box.join(' ')}` : '';
    it(`from ${from.height}×${from.width}×${from.channels}${part} to ${to.height}×${to.width} gives Pillow's bytes`, () => {
      expect(resize(image(from), to.height, to.width, box ?? undefined)).toEqual(image(to));
    });
  }

  it('of two channels is the resize of each by itself', () => {
    const [gray] = goldens.resize.filter(({ from, box }) => from.channels === 1 && !box);
    if (!gray) throw new Error('no gray golden');
    const source = image(gray.from);
    const doubled = Uint8Array.from({ length: source.pixels.length * 2 }, (_, i) => {
      const value = source.pixels[i >> 1] as number;
      return i % 2 === 0 ? value : 255 - value;
    });
    const both = resize({ ...source, pixels: doubled, channels: 2 }, gray.to.height, gray.to.width);
    expect(both.pixels.filter((_, i) => i % 2 === 0)).toEqual(image(gray.to).pixels);
  });
});

it('evaluation preprocessing gives the pixel tensor of CLIPImageProcessor, patch by patch', () => {
  const { from, imageSize, values } = goldens.processor;
  const expected = new Float32Array(bytes(values).buffer); // [channel, row, column]
  const square = resizeAndCrop(image(from), evalGeometry(imageSize, 'randomResized'));
  const layout = { imageSize, patchSize: 4, channels: 3 };
  const patches = new Float32Array(imageSize * imageSize * 3);
  writePatches(square, layout, normalizationTable([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), patches, 0);
  for (let patch = 0; patch < 16; patch++) {
    for (let row = 0; row < 48; row++) {
      // row of a patch = (ky·P + kx)·K + k (formats.md section 1)
      const [ky, kx, k] = [Math.floor(row / 12), Math.floor((row % 12) / 3), row % 3];
      const [y, x] = [Math.floor(patch / 4) * 4 + ky, (patch % 4) * 4 + kx];
      const wanted = expected[(k * imageSize + y) * imageSize + x] as number;
      expect(Math.abs((patches[patch * 48 + row] as number) - wanted)).toBeLessThan(1e-6);
    }
  }
});
