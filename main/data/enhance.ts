/**
 * Brightness, contrast, colour and sharpness as Pillow's ImageEnhance: the image is blended with a degenerate version of itself,
 * factor 0 being that version, 1 the image, and more than 1 beyond it (src/libImaging/Blend.c, in float32). New images are returned;
 * what needs a gray version takes the mean of the channels where there are not three.
 */
import { luma, type RawImage } from './images.ts';

export function brightness(image: RawImage, factor: number): RawImage {
  return blend(image, factor, new Uint8Array(image.pixels.length));
}

export function contrast(image: RawImage, factor: number): RawImage {
  const { pixels, channels } = image;
  const count = pixels.length / channels;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += grayAt(image, i * channels);
  return blend(image, factor, new Uint8Array(pixels.length).fill(Math.trunc(sum / count + 0.5)));
}

/** Saturation; an image without three channels has none and comes back unchanged. */
export function color(image: RawImage, factor: number): RawImage {
  if (image.channels !== 3) return image;
  const gray = new Uint8Array(image.pixels.length);
  for (let i = 0; i < gray.length; i += 3) gray[i] = gray[i + 1] = gray[i + 2] = grayAt(image, i);
  return blend(image, factor, gray);
}

export function sharpness(image: RawImage, factor: number): RawImage {
  return blend(image, factor, smoothed(image));
}

function grayAt({ pixels, channels }: RawImage, at: number): number {
  if (channels === 3) return luma(pixels[at] as number, pixels[at + 1] as number, pixels[at + 2] as number);
  let sum = 0;
  for (let k = 0; k < channels; k++) sum += pixels[at + k] as number;
  return Math.trunc(sum / channels + 0.5);
}

function blend(image: RawImage, factor: number, degenerate: Uint8Array): RawImage {
  const { pixels } = image;
  const out = new Uint8Array(pixels.length);
  const alpha = Math.fround(factor);
  for (let i = 0; i < pixels.length; i++) {
    const from = degenerate[i] as number;
    const value = Math.trunc(Math.fround(from + Math.fround(alpha * ((pixels[i] as number) - from))));
    out[i] = value < 0 ? 0 : Math.min(value, 255);
  }
  return { ...image, pixels: out };
}

/** ImageFilter.SMOOTH: 3 × 3 with 5 in the middle and 1 around, over 13, rounded; the border is kept. */
function smoothed({ height, width, channels, pixels }: RawImage): Uint8Array {
  const out = pixels.slice();
  const stride = width * channels;
  for (let y = 1; y < height - 1; y++) {
    for (let at = y * stride + channels; at < (y + 1) * stride - channels; at++) {
      let sum = 4 * (pixels[at] as number);
      for (let row = at - stride; row <= at + stride; row += stride) {
        sum += (pixels[row - channels] as number) + (pixels[row] as number) + (pixels[row + channels] as number);
      }
      out[at] = Math.floor((2 * sum + 13) / 26); // sum / 13 rounded; never a tie, since 13 is odd
    }
  }
  return out;
}
