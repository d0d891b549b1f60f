/**
 * Rotation, shear and translation as Pillow's Image.transform(AFFINE, BILINEAR): src/libImaging/Geometry.c, bit for bit. The matrix
 * leads from a place in the result to a place in the source; what comes from outside is filled.
 */
import type { RawImage } from './images.ts';

/** x' = a·x + b·y + c, y' = d·x + e·y + f, in pixels with centres at halves. */
export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** Around the centre, counter-clockwise. */
export function rotation(degrees: number, { height, width }: RawImage): Matrix {
  const angle = (-degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)].map((value) => Number(value.toFixed(15))) as [number, number]; // as Pillow
  const [x, y] = [width / 2, height / 2];
  return [cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y];
}

/** The image through the matrix; `fill` has one byte per channel. */
export function transform(image: RawImage, [a, b, c, d, e, f]: Matrix, fill: readonly number[]): RawImage {
  const { height, width, channels, pixels } = image;
  const out = new Uint8Array(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sx = a * (x + 0.5) + b * (y + 0.5) + c;
      const sy = d * (x + 0.5) + e * (y + 0.5) + f;
      const to = (y * width + x) * channels;
      const inside = sx >= 0 && sx < width && sy >= 0 && sy < height;
      for (let k = 0; k < channels; k++) out[to + k] = inside ? bilinear(image, sx - 0.5, sy - 0.5, k) : (fill[k] as number);
    }
  }
  return { ...image, pixels: out };
}

function bilinear({ height, width, channels, pixels }: RawImage, sx: number, sy: number, k: number): number {
  const x = Math.floor(sx);
  const y = Math.floor(sy);
  const x0 = Math.max(0, x) * channels + k;
  const x1 = Math.min(width - 1, x + 1) * channels + k;
  const upper = Math.max(0, y) * width * channels;
  const top = mix(pixels[upper + x0] as number, pixels[upper + x1] as number, sx - x);
  if (y + 1 >= height) return top;
  const lower = (y + 1) * width * channels;
  return mix(top, mix(pixels[lower + x0] as number, pixels[lower + x1] as number, sx - x), sy - y);
}

function mix(from: number, to: number, share: number): number {
  return from + (to - from) * share;
}
