/** Single images beside the training stream: one sample to look at, and one picture of the user's to classify. */

import { type EvalGeometry, evalGeometry } from '../core/evalGeometry.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { resizeAndCrop } from './crop.ts';
import type { Dataset } from './dataset.ts';
import { decodeImage, UnreadableImage } from './decode.ts';
import { readSample, samplePath } from './imageReader.ts';
import { type RawImage, toChannels } from './images.ts';
import { normalizationTable, valuesPerImage, writePatches } from './patchify.ts';

/** A sample of a data set as it is stored, with its class. */
export interface ShownSample {
  image: RawImage;
  label: number;
  className: string;
  /** Its file, or its number in the split. */
  path: string;
}

/** Throws bad-arguments for an index outside the split, data-unreadable when the file cannot be decoded. */
export async function decodeSample(dataset: Dataset, split: 'train' | 'val', index: number): Promise<ShownSample> {
  const from = dataset[split];
  if (!Number.isInteger(index) || index < 0 || index >= from.count) {
    throw new PreloraError('bad-arguments', `index ${index} is outside 0…${from.count - 1} of ${split}`, 'index');
  }
  const image = await readable(samplePath(from, index), readSample(from, index, { channels: dataset.channels, convertUnusual: true }));
  const label = from.labels[index] as number;
  return { image, label, className: dataset.classNames[label] as string, path: samplePath(from, index) };
}

/**
 * A picture, by path or as the bytes of a file, as one row of model input (see imageToPatches). Throws data-unreadable with the
 * reason, bad-arguments when the model takes neither gray nor RGB.
 */
export async function preprocessImage(picture: string | Uint8Array, config: Pick<ResolvedConfig, 'model' | 'data'>): Promise<Float32Array> {
  const channels = config.model.inChannels;
  if (channels !== 1 && channels !== 3) {
    throw new PreloraError('bad-arguments', `the model takes ${channels} channels; only gray (1) and RGB (3) can be made from a picture`);
  }
  const name = typeof picture === 'string' ? picture : 'the picture';
  return imageToPatches(await readable(name, decodeImage(picture, { channels, convertUnusual: true })), config);
}

/** [1, tokens − 1, P·P·K]: a decoded image with the evaluation preprocessing of the run; its channels must fit the model's or convert. */
export function imageToPatches(image: RawImage, { model, data }: Pick<ResolvedConfig, 'model' | 'data'>): Float32Array {
  return pixelsFor(image, model, { geometry: evalGeometry(model.imageSize, data.crop), mean: data.mean, std: data.std });
}

/** The same with geometry, mean and deviation from elsewhere; the crop must have the model's image size. */
export function pixelsFor(
  image: RawImage,
  { imageSize, patchSize, inChannels: channels }: Pick<ResolvedConfig['model'], 'imageSize' | 'patchSize' | 'inChannels'>,
  { geometry, mean, std }: { geometry: EvalGeometry; mean: readonly number[]; std: readonly number[] },
): Float32Array {
  const square = toChannels(resizeAndCrop(image, geometry), channels);
  const layout = { imageSize, patchSize, channels };
  const patches = new Float32Array(valuesPerImage(layout));
  writePatches(square, layout, normalizationTable(mean, std), patches, 0);
  return patches;
}

async function readable(name: string, image: RawImage | Promise<RawImage>): Promise<RawImage> {
  try {
    return await image;
  } catch (error) {
    if (error instanceof UnreadableImage) throw new PreloraError('data-unreadable', `${name}: ${error.message}`);
    throw error;
  }
}
