/**
 * One training image: a random crop, perhaps a flip, then the colour and shape changes that are switched on. All draws of a sample
 * come from its own stream, so that neither the number of workers nor the other samples matter (method.md section 3, randomness).
 */
import { evalGeometry } from '../core/evalGeometry.ts';
import { permutation, type RandomStream } from '../core/random.ts';
import { flipped, randomPadCrop, randomResizedCrop, resizeAndCrop } from './crop.ts';
import { brightness, color, contrast } from './enhance.ts';
import type { RawImage } from './images.ts';
import { randAugment } from './randAugment.ts';
import type { DataSettings } from './rawSource.ts';

export type AugmentSettings = Pick<
  DataSettings,
  'crop' | 'cropScaleMin' | 'cropPadding' | 'flip' | 'randAugmentOps' | 'randAugmentMagnitude' | 'colorJitter'
> & { mean: readonly number[] };

/** The image as training sees it this time, imageSize × imageSize bytes; the given image is left as it is. */
export function augment(image: RawImage, imageSize: number, settings: AugmentSettings, random: RandomStream): RawImage {
  const { flip, randAugmentOps: ops, randAugmentMagnitude: magnitude } = settings;
  let current = randomCrop(image, imageSize, settings, random);
  if (random.uniform() < flip) current = flipped(current);
  if (ops > 0) {
    const fill = settings.mean.map((mean) => Math.round(Math.min(1, Math.max(0, mean)) * 255));
    current = randAugment(current, { ops, magnitude, fill }, random);
  }
  return settings.colorJitter > 0 ? colorJitter(current, settings.colorJitter, random) : current;
}

function randomCrop(image: RawImage, imageSize: number, settings: AugmentSettings, random: RandomStream): RawImage {
  if (settings.crop === 'randomResized') return randomResizedCrop(image, imageSize, settings.cropScaleMin, random);
  const whole = resizeAndCrop(image, evalGeometry(imageSize, settings.crop));
  return settings.crop === 'pad' ? randomPadCrop(whole, settings.cropPadding, random) : whole;
}

/** torchvision's ColorJitter without hue: brightness, contrast and saturation in random order, factors 1 ± strength. */
function colorJitter(image: RawImage, strength: number, random: RandomStream): RawImage {
  const changes = [brightness, contrast, color];
  let current = image;
  for (const which of permutation(random, changes.length)) {
    const factor = 1 + strength * (2 * random.uniform() - 1);
    current = (changes[which] as typeof brightness)(current, factor);
  }
  return current;
}
