/** Reads one sample of a split as bytes with the channels the model takes, wherever it is stored. */
import path from 'node:path';
import { type DecodeRules, decodeImage } from './decode.ts';
import { packedImage, type RawImage, type Split, toChannels } from './images.ts';

/** Throws UnreadableImage (asynchronously) for a file that cannot be used. Packed images come at once, so that a batch of them needs no await. */
export function readSample(split: Split, sample: number, rules: DecodeRules): RawImage | Promise<RawImage> {
  const { images } = split;
  if (images.kind === 'packed') return toChannels(packedImage(images, sample), rules.channels);
  return decodeImage(samplePath(split, sample), rules);
}

/** Where a sample is, for messages: its file, or its number in the split. */
export function samplePath(split: Split, sample: number): string {
  const { images } = split;
  return images.kind === 'files' ? path.join(images.root, images.paths[sample] as string) : `${split.name} image ${sample}`;
}
