/** Reads one sample of a split as bytes, wherever it is stored. */
import { type DecodeRules, decodeImage } from './decode.ts';
import { encodedInput, encodedPath } from './encodedImages.ts';
import { packedImage, type RawImage, type Split, toChannels } from './images.ts';

/**
 * The sample with rules.channels channels, or gray where it is gray: repeating gray to RGB commutes with every change of geometry or
 * colour, so it waits until after them. Packed images come at once, so that a batch of them needs no await; a file that cannot be
 * used rejects with UnreadableImage.
 */
export function readSample(split: Split, sample: number, rules: DecodeRules): RawImage | Promise<RawImage> {
  const { images } = split;
  if (images.kind !== 'packed') return decodeEncoded(encodedInput(images, sample), rules);
  const image = packedImage(images, sample);
  return image.channels === 1 ? image : toChannels(image, rules.channels);
}

async function decodeEncoded(input: string | Promise<Uint8Array>, rules: DecodeRules): Promise<RawImage> {
  return decodeImage(await input, rules);
}

/** Where a sample is, for messages: its file, its place in a shard, or its number in the split. */
export function samplePath(split: Split, sample: number): string {
  const { images } = split;
  return images.kind === 'packed' ? `${split.name} image ${sample}` : encodedPath(images, sample);
}
