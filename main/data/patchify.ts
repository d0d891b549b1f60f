/**
 * Bytes → the model's input: normalised float32 values, already cut into flattened patches [patches, P·P·K] in row-major grid order,
 * inside a patch by (row, column, channel); see the patch kernel in formats.md section 1.
 */
import type { RawImage } from './images.ts';

export interface PatchLayout {
  imageSize: number;
  patchSize: number;
  channels: number;
}

/** Values of one image: (imageSize / patchSize)² patches of patchSize²·channels. */
export function valuesPerImage({ imageSize, channels }: PatchLayout): number {
  return imageSize * imageSize * channels;
}

/** (x/255 − mean)/std for every byte value and channel: `table[k · 256 + x]`. */
export function normalizationTable(mean: readonly number[], std: readonly number[]): Float32Array {
  const table = new Float32Array(mean.length * 256);
  for (let k = 0; k < mean.length; k++) {
    for (let value = 0; value < 256; value++) table[k * 256 + value] = (value / 255 - (mean[k] as number)) / (std[k] as number);
  }
  return table;
}

/** Writes one imageSize × imageSize image to `target` from `offset` on, normalised and patch by patch. */
export function writePatches(image: RawImage, layout: PatchLayout, table: Float32Array, target: Float32Array, offset: number): void {
  const { imageSize, patchSize, channels } = layout;
  const grid = imageSize / patchSize;
  const run = patchSize * channels; // one row of a patch is contiguous in the image and in the patch
  const { pixels } = image;
  let from = 0;
  for (let y = 0; y < imageSize; y++) {
    const patchRow = Math.floor(y / patchSize) * grid;
    const rowInPatch = y % patchSize;
    for (let column = 0; column < grid; column++) {
      let to = offset + (patchRow + column) * patchSize * run + rowInPatch * run;
      for (let x = 0; x < patchSize; x++) {
        for (let k = 0; k < channels; k++) target[to++] = table[k * 256 + (pixels[from++] as number)] as number;
      }
    }
  }
}

/** Where pixel (y, x), channel 0, of an image stands among its patch values. */
export function patchOffset({ imageSize, patchSize, channels }: PatchLayout, y: number, x: number): number {
  const patch = Math.floor(y / patchSize) * (imageSize / patchSize) + Math.floor(x / patchSize);
  return (patch * patchSize * patchSize + (y % patchSize) * patchSize + (x % patchSize)) * channels;
}
