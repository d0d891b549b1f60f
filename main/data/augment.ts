/**
 * One training image: a random crop, perhaps a flip, perhaps colour changes. All draws of a sample come from its own stream in a
 * fixed order, so that neither the number of workers nor the other samples matter (method.md section 3, randomness).
 */
import type { RandomStream } from '../core/random.ts';
import { evalGeometry, flipped, randomPadCrop, randomResizedCrop, resizeAndCrop } from './crop.ts';
import type { RawImage } from './images.ts';
import type { DataSettings } from './rawSource.ts';

/** The image as training sees it this time, imageSize × imageSize bytes; the given image is left as it is. */
export function augment(image: RawImage, imageSize: number, data: DataSettings, random: RandomStream): RawImage {
  let current = randomCrop(image, imageSize, data, random);
  if (random.uniform() < data.flip) current = flipped(current);
  return current;
}

function randomCrop(image: RawImage, imageSize: number, data: DataSettings, random: RandomStream): RawImage {
  if (data.crop === 'randomResized') return randomResizedCrop(image, imageSize, data.cropScaleMin, random);
  const whole = resizeAndCrop(image, evalGeometry(imageSize, data.crop));
  return data.crop === 'pad' ? randomPadCrop(whole, data.cropPadding, random) : whole;
}
