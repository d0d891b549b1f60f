/**
 * Geometry from a decoded image to the square the model takes: the fixed one of evaluation (formats.md section 8) and the random
 * ones of training. Random crops follow torchvision's RandomResizedCrop (ten tries, then a centre crop of the nearest allowed shape)
 * and RandomCrop with a black border.
 */
import type { EvalGeometry } from '../core/evalGeometry.ts';
import type { RandomStream } from '../core/random.ts';
import type { RawImage } from './images.ts';
import { type Box, resize } from './resize.ts';

/** The image scaled so that its shorter edge is `shortEdge`, and its centre of side `crop`. */
export function resizeAndCrop(image: RawImage, { shortEdge, crop }: EvalGeometry): RawImage {
  const { height, width } = image;
  const short = Math.min(height, width);
  const long = Math.floor((shortEdge * Math.max(height, width)) / short);
  const scaled = height <= width ? resize(image, shortEdge, long) : resize(image, long, shortEdge);
  return centerCrop(scaled, crop);
}

function centerCrop(image: RawImage, side: number): RawImage {
  if (image.height === side && image.width === side) return image;
  const top = Math.floor((image.height - side) / 2);
  const left = Math.floor((image.width - side) / 2);
  return shifted(image, { side, top, left });
}

/** A random part of area `scaleMin` … 1 and aspect 3/4 … 4/3, scaled to `side` × `side`. */
export function randomResizedCrop(image: RawImage, side: number, scaleMin: number, random: RandomStream): RawImage {
  return resize(image, side, side, randomBox(image, scaleMin, random));
}

function randomBox({ height, width }: RawImage, scaleMin: number, random: RandomStream): Box {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * (scaleMin + (1 - scaleMin) * random.uniform());
    const aspect = Math.exp(Math.log(3 / 4) + (Math.log(4 / 3) - Math.log(3 / 4)) * random.uniform());
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const top = random.integer(height - h + 1);
    const left = random.integer(width - w + 1);
    return [left, top, left + w, top + h];
  }
  const aspect = Math.min(4 / 3, Math.max(3 / 4, width / height));
  const w = Math.max(1, Math.min(width, Math.round(height * aspect)));
  const h = Math.max(1, Math.min(height, Math.round(width / aspect)));
  const top = Math.floor((height - h) / 2);
  const left = Math.floor((width - w) / 2);
  return [left, top, left + w, top + h];
}

/** The square image moved by up to `padding` pixels each way over black. */
export function randomPadCrop(image: RawImage, padding: number, random: RandomStream): RawImage {
  if (padding === 0) return image;
  const top = random.integer(2 * padding + 1) - padding;
  const left = random.integer(2 * padding + 1) - padding;
  return top === 0 && left === 0 ? image : shifted(image, { side: image.height, top, left });
}

/** The side × side window whose corner lies at (top, left) of the image; black where it reaches beyond. */
function shifted(image: RawImage, { side, top, left }: { side: number; top: number; left: number }): RawImage {
  const { height, width, channels, pixels } = image;
  const out = new Uint8Array(side * side * channels);
  const firstColumn = Math.max(0, left);
  const endColumn = Math.min(width, left + side);
  for (let y = 0; y < side; y++) {
    const row = y + top;
    if (row < 0 || row >= height || firstColumn >= endColumn) continue;
    const part = pixels.subarray((row * width + firstColumn) * channels, (row * width + endColumn) * channels);
    out.set(part, (y * side + firstColumn - left) * channels);
  }
  return { pixels: out, height: side, width: side, channels };
}

/** The image mirrored left to right, as a new image. */
export function flipped(image: RawImage): RawImage {
  const { height, width, channels, pixels } = image;
  const out = new Uint8Array(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * channels;
      const to = (y * width + (width - 1 - x)) * channels;
      for (let k = 0; k < channels; k++) out[to + k] = pixels[from + k] as number;
    }
  }
  return { ...image, pixels: out };
}
