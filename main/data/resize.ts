/**
 * Pillow's bilinear resize, bit for bit: src/libImaging/Resample.c (Pillow 12), 8-bit path. One axis at a time, columns first; a
 * triangle filter as wide as the shrinkage; weights in fixed point with 22 bits; the result rounded to 8 bits after each axis
 * (formats.md section 8). These weights are never negative and sum to 1, so nothing needs clamping as with Pillow's other filters.
 * sharp's own "linear" kernel is another function, so sharp only decodes. Pillow 13 takes the axes in another order for some tall
 * images, which moves a few bytes by 1.
 */
import type { RawImage } from './images.ts';

/** Left, top, right and bottom edge in pixels of the source; fractions are allowed. */
export type Box = readonly [left: number, top: number, right: number, bottom: number];

const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);

/** For every output position: the first input position, how many, and their weights (row i of `weights`, `size` long). */
interface Coefficients {
  size: number;
  first: Int32Array;
  count: Int32Array;
  weights: Int32Array;
}

/**
 * The image, or the part of it inside `box`, scaled to `height` × `width`. As in Pillow, pixels just outside the box still take part
 * in the filter at its edges. Returns the image itself when nothing changes.
 */
export function resize(image: RawImage, height: number, width: number, box: Box = [0, 0, image.width, image.height]): RawImage {
  const [left, top, right, bottom] = box;
  let current = image;
  let firstRow = 0;
  if (width !== image.width || left !== 0 || right !== width) {
    const vertical = coefficients(image.height, height, top, bottom);
    firstRow = vertical.first[0] as number;
    const endRow = (vertical.first[height - 1] as number) + (vertical.count[height - 1] as number);
    current = resizeColumns(image, width, { box: [left, right], rows: [firstRow, endRow] });
  }
  if (height !== image.height || top !== 0 || bottom !== height) {
    const vertical = coefficients(image.height, height, top, bottom);
    for (let y = 0; y < height; y++) vertical.first[y] = (vertical.first[y] as number) - firstRow;
    current = resizeRows(current, height, vertical);
  }
  return current;
}

function coefficients(inSize: number, outSize: number, start: number, end: number): Coefficients {
  const scale = (end - start) / outSize;
  const filterScale = Math.max(scale, 1);
  const support = filterScale; // the triangle's own support is 1
  const size = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const weights = new Int32Array(outSize * size);
  const exact = new Float64Array(size);
  for (let i = 0; i < outSize; i++) {
    const center = start + (i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(center - support + 0.5));
    const n = Math.min(inSize, Math.trunc(center + support + 0.5)) - from;
    let total = 0;
    for (let j = 0; j < n; j++) {
      const weight = Math.max(0, 1 - Math.abs((j + from - center + 0.5) * (1 / filterScale)));
      exact[j] = weight;
      total += weight;
    }
    first[i] = from;
    count[i] = n;
    // Weights of this filter are never negative, so adding 0.5 and cutting off rounds half away from zero.
    for (let j = 0; j < n; j++) weights[i * size + j] = Math.trunc(0.5 + ((exact[j] as number) / (total || 1)) * (1 << PRECISION_BITS));
  }
  return { size, first, count, weights };
}

interface ColumnRange {
  box: [left: number, right: number];
  /** Only the rows that the other axis will read. */
  rows: [first: number, end: number];
}

function resizeColumns(image: RawImage, width: number, { box, rows }: ColumnRange): RawImage {
  const { channels, pixels } = image;
  const columns = coefficients(image.width, width, box[0], box[1]);
  const height = rows[1] - rows[0];
  const out = new Uint8Array(height * width * channels);
  const [inStride, outStride] = [image.width * channels, width * channels];
  for (let y = 0; y < height; y++) {
    const row = pixels.subarray((rows[0] + y) * inStride, (rows[0] + y + 1) * inStride);
    const target = out.subarray(y * outStride, (y + 1) * outStride);
    if (channels === 3) filterRgbRow(row, target, columns);
    else for (let k = 0; k < channels; k++) filterChannel(row, target, { columns, channels, k });
  }
  return { pixels: out, height, width, channels };
}

interface ChannelFilter {
  columns: Coefficients;
  channels: number;
  /** The channel to filter. */
  k: number;
}

function filterChannel(row: Uint8Array, target: Uint8Array, { columns, channels, k }: ChannelFilter): void {
  const { size, first, count, weights } = columns;
  for (let x = 0; x < first.length; x++) {
    const end = x * size + (count[x] as number);
    let sum = HALF;
    for (let w = x * size, at = (first[x] as number) * channels + k; w < end; w++, at += channels) {
      sum += (row[at] as number) * (weights[w] as number);
    }
    target[x * channels + k] = sum >> PRECISION_BITS;
  }
}

/** The same for all channels of RGB at once: a third less time, since each weight is read once. */
function filterRgbRow(row: Uint8Array, target: Uint8Array, { size, first, count, weights }: Coefficients): void {
  for (let x = 0; x < first.length; x++) {
    const end = x * size + (count[x] as number);
    let red = HALF;
    let green = HALF;
    let blue = HALF;
    for (let w = x * size, at = (first[x] as number) * 3; w < end; w++, at += 3) {
      const weight = weights[w] as number;
      red += (row[at] as number) * weight;
      green += (row[at + 1] as number) * weight;
      blue += (row[at + 2] as number) * weight;
    }
    target[x * 3] = red >> PRECISION_BITS;
    target[x * 3 + 1] = green >> PRECISION_BITS;
    target[x * 3 + 2] = blue >> PRECISION_BITS;
  }
}

function resizeRows(image: RawImage, height: number, { size, first, count, weights }: Coefficients): RawImage {
  const { width, channels, pixels } = image;
  const stride = width * channels;
  const out = new Uint8Array(height * stride);
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let j = 0; j < (count[y] as number); j++) {
      const weight = weights[y * size + j] as number;
      const from = ((first[y] as number) + j) * stride;
      for (let x = 0; x < stride; x++) sums[x] = (sums[x] as number) + (pixels[from + x] as number) * weight;
    }
    for (let x = 0, to = y * stride; x < stride; x++, to++) out[to] = (sums[x] as number) >> PRECISION_BITS;
  }
  return { pixels: out, height, width, channels };
}
