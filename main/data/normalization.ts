/**
 * Mean and standard deviation per channel, as fractions of full brightness: the value known for a data set, the one the user gives,
 * or one measured on at most 5,000 training images (formats.md section 9). The figures are those in common use for these sets.
 */
import type { RawImage } from './images.ts';

export interface Normalization {
  mean: number[];
  std: number[];
  /** Where it comes from, in words. */
  origin: string;
}

const KNOWN = {
  'fashion-mnist': { mean: [0.286], std: [0.353] },
  cifar10: { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] },
  cifar100: { mean: [0.5071, 0.4865, 0.4409], std: [0.2673, 0.2564, 0.2762] },
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
} as const;
export type KnownNormalization = keyof typeof KNOWN;

export const MEASURED_IMAGES = 5000;

/** The known figures for images given with `channels` channels, or null when they are for another number of channels. */
export function knownNormalization(name: KnownNormalization, channels: number): Normalization | null {
  const { mean, std } = KNOWN[name];
  const origin = `known values of ${name}`;
  if (mean.length === channels) return { mean: [...mean], std: [...std], origin };
  if (mean.length === 1) return { mean: Array(channels).fill(mean[0]), std: Array(channels).fill(std[0]), origin };
  return null;
}

/**
 * Mean and std over all pixels of the images, every image with equal weight whatever its size; the images have `channels` channels.
 * A channel that never changes gets std 1, so that it is not divided by 0.
 */
export async function measureNormalization(images: AsyncIterable<RawImage>, channels: number): Promise<Normalization> {
  const sum = new Float64Array(channels);
  const squares = new Float64Array(channels);
  let count = 0;
  for await (const image of images) {
    count++;
    addImage(image, sum, squares);
  }
  const mean = Array.from(sum, (value) => value / count);
  const std = Array.from(squares, (value, k) => Math.sqrt(Math.max(0, value / count - (mean[k] as number) ** 2)) || 1);
  return { mean: mean.map(round), std: std.map(round), origin: `measured on ${count} training images` };
}

function addImage(image: RawImage, sum: Float64Array, squares: Float64Array): void {
  const { pixels, channels } = image;
  const weight = 1 / (image.height * image.width * 255);
  for (let k = 0; k < channels; k++) {
    let total = 0;
    let square = 0;
    for (let i = k; i < pixels.length; i += channels) {
      const value = pixels[i] as number;
      total += value;
      square += value * value;
    }
    sum[k] = (sum[k] as number) + total * weight;
    squares[k] = (squares[k] as number) + (square / 255) * weight;
  }
}

/** Four significant places are far below the spread of any data set, and read well in a config. */
function round(value: number): number {
  return Math.max(1e-4, Math.round(value * 1e4) / 1e4);
}
