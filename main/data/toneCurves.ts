/**
 * Colour changes that look at one byte at a time, as tables of 256 entries: Pillow's ImageOps autocontrast, equalize, invert,
 * posterize and solarize, and AutoAugment's solarizeAdd. Every function returns a new image; any number of channels.
 */
import type { RawImage } from './images.ts';

export function invert(image: RawImage): RawImage {
  return mapBytes(image, () => (value) => 255 - value);
}

/** Keeps the highest `bits` bits, 1 … 8. */
export function posterize(image: RawImage, bits: number): RawImage {
  const mask = (0xff << (8 - bits)) & 0xff;
  return mapBytes(image, () => (value) => value & mask);
}

/** Inverts all values from `threshold` (0 … 256) on. */
export function solarize(image: RawImage, threshold: number): RawImage {
  return mapBytes(image, () => (value) => (value < threshold ? value : 255 - value));
}

/** Adds to the darker half of the values. */
export function solarizeAdd(image: RawImage, amount: number): RawImage {
  return mapBytes(image, () => (value) => (value < 128 ? Math.min(255, value + amount) : value));
}

/** Stretches every channel to the whole range. */
export function autocontrast(image: RawImage): RawImage {
  return mapBytes(image, (counts) => {
    const low = counts.findIndex((count) => count > 0);
    const high = counts.findLastIndex((count) => count > 0);
    if (high <= low) return (value) => value;
    const scale = 255 / (high - low);
    const offset = -low * scale;
    return (value) => Math.min(255, Math.max(0, Math.trunc(value * scale + offset)));
  });
}

/** Makes the values of every channel about equally frequent. */
export function equalize(image: RawImage): RawImage {
  return mapBytes(image, (counts) => {
    const highest = counts.findLast((count) => count > 0) ?? 0;
    const step = Math.floor((image.height * image.width - highest) / 255);
    if (step === 0) return (value) => value;
    const table = new Uint8Array(256);
    let below = Math.floor(step / 2);
    for (let value = 0; value < 256; value++) {
      table[value] = Math.min(255, Math.floor(below / step));
      below += counts[value] as number;
    }
    return (value) => table[value] as number;
  });
}

/** Applies to every channel the curve made from its histogram. */
function mapBytes(image: RawImage, curveOf: (counts: Uint32Array) => (value: number) => number): RawImage {
  const { channels, pixels } = image;
  const out = new Uint8Array(pixels.length);
  for (let k = 0; k < channels; k++) {
    const counts = new Uint32Array(256);
    for (let i = k; i < pixels.length; i += channels) counts[pixels[i] as number] = (counts[pixels[i] as number] as number) + 1;
    const curve = curveOf(counts);
    const table = Uint8Array.from({ length: 256 }, (_, value) => curve(value));
    for (let i = k; i < pixels.length; i += channels) out[i] = table[pixels[i] as number] as number;
  }
  return { ...image, pixels: out };
}
