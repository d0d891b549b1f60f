/**
 * RandAugment (Cubuk et al. 2020, arXiv 1909.13719) as in timm's `rand-m{magnitude}-n{ops}-inc1`: every image gets `ops` operations
 * drawn from fifteen, each applied with chance ½, all at one magnitude. The scale is the paper's own code's: argument = magnitude/10
 * of the figure given with each operation, and "increasing": a larger magnitude always changes more. Places that a shift or turn
 * leaves empty are filled with the mean colour; interpolation is bilinear. Operations on saturation pass images without three
 * channels through.
 */
import type { RandomStream } from '../core/random.ts';
import { type Matrix, rotation, transform } from './affine.ts';
import { brightness, color, contrast, sharpness } from './enhance.ts';
import type { RawImage } from './images.ts';
import { autocontrast, equalize, invert, posterize, solarize, solarizeAdd } from './toneCurves.ts';

interface OperationInput {
  /** Magnitude / 10. */
  level: number;
  random: RandomStream;
  fill: readonly number[];
}

type Operation = (image: RawImage, input: OperationInput) => RawImage;

const OPERATIONS: readonly Operation[] = [
  autocontrast,
  equalize,
  invert,
  (image, { level, random, fill }) => transform(image, rotation(eitherSign(30 * level, random), image), fill),
  (image, { level }) => posterize(image, Math.max(1, 4 - Math.trunc(4 * level))), // timm's would leave no bit at level 1
  (image, { level }) => solarize(image, 256 - Math.min(256, Math.trunc(256 * level))),
  (image, { level }) => solarizeAdd(image, Math.min(128, Math.trunc(110 * level))),
  (image, input) => color(image, enhancement(input)),
  (image, input) => contrast(image, enhancement(input)),
  (image, input) => brightness(image, enhancement(input)),
  (image, input) => sharpness(image, enhancement(input)),
  shift((amount) => [1, 0.3 * amount, 0, 0, 1, 0]),
  shift((amount) => [1, 0, 0, 0.3 * amount, 1, 0]),
  shift((amount, { width }) => [1, 0, 0.45 * amount * width, 0, 1, 0]),
  shift((amount, { height }) => [1, 0, 0, 0, 1, 0.45 * amount * height]),
];

export interface RandAugmentSettings {
  ops: number;
  /** 0 … 30; 9 is usual. */
  magnitude: number;
  /** One byte per channel. */
  fill: readonly number[];
}

/** The image after the drawn operations; a new image unless none was applied. */
export function randAugment(image: RawImage, { ops, magnitude, fill }: RandAugmentSettings, random: RandomStream): RawImage {
  let current = image;
  for (let i = 0; i < ops; i++) {
    const operation = OPERATIONS[random.integer(OPERATIONS.length)] as Operation;
    if (random.uniform() < 0.5) current = operation(current, { level: magnitude / 10, random, fill });
  }
  return current;
}

function shift(matrix: (amount: number, image: RawImage) => Matrix): Operation {
  return (image, { level, random, fill }) => transform(image, matrix(eitherSign(level, random), image), fill);
}

function enhancement({ level, random }: OperationInput): number {
  return Math.max(0.1, 1 + eitherSign(0.9 * level, random));
}

function eitherSign(value: number, random: RandomStream): number {
  return random.uniform() < 0.5 ? value : -value;
}
