/**
 * What augmentation makes of one training image: the draws of the first steps, by the code that builds the batches of training and from the
 * same random streams. Mixing needs a partner, which here is another image of the split, so a mixed draw shows the kind and not the very picture.
 */
import type { ResolvedConfig } from '../protocol/config.ts';
import { BatchBuilder } from './buildBatch.ts';
import type { Dataset } from './dataset.ts';
import type { RawImage } from './images.ts';
import { type PatchLayout, patchOffset, valuesPerImage } from './patchify.ts';

export interface AugmentedDraw {
  image: RawImage;
  /** Classes of its target with their shares, largest first; what label smoothing spreads over all classes is left out. */
  labels: { name: string; share: number }[];
}

/** `count` draws of training image `sample`, as updates 1, 2, … would see it; the streams number updates from 0. */
export async function previewAugment(dataset: Dataset, config: ResolvedConfig, sample: number, count: number): Promise<AugmentedDraw[]> {
  const { train, classNames } = dataset;
  const { imageSize, patchSize, inChannels: channels, numClasses } = config.model;
  const layout = { imageSize, patchSize, channels };
  const builder = new BatchBuilder(train, { seed: config.train.seed, model: config.model, data: config.data });
  const draws: AugmentedDraw[] = [];
  for (let step = 0; step < count; step++) {
    const samples = Uint32Array.of(sample, (sample + Math.ceil(((step + 1) * train.count) / (count + 1))) % train.count);
    const { patches, targets } = await builder.build({ purpose: 'train', step, micro: 0, samples });
    const labels = sharesOf(targets.subarray(0, numClasses), config.data.labelSmoothing / numClasses);
    draws.push({
      image: pictureOf(patches, layout, config.data),
      labels: labels.map(({ label, share }) => ({ name: classNames[label] ?? `class ${label}`, share })),
    });
  }
  return draws;
}

function sharesOf(target: Float32Array, smoothed: number): { label: number; share: number }[] {
  const own = Array.from(target, (value, label) => ({ label, share: value - smoothed })).filter(({ share }) => share > 1e-6);
  const whole = own.reduce((sum, { share }) => sum + share, 0);
  return own.map(({ label, share }) => ({ label, share: share / whole })).sort((a, b) => b.share - a.share);
}

/** The first image of a batch, back in bytes: the other way round than `writePatches`. */
function pictureOf(
  patches: Float32Array,
  layout: PatchLayout,
  { mean, std }: { mean: readonly number[]; std: readonly number[] },
): RawImage {
  const { imageSize, channels } = layout;
  const pixels = new Uint8Array(valuesPerImage(layout));
  for (let y = 0, to = 0; y < imageSize; y++) {
    for (let x = 0; x < imageSize; x++) {
      const from = patchOffset(layout, y, x);
      for (let k = 0; k < channels; k++) {
        const value = (patches[from + k] as number) * (std[k] as number) + (mean[k] as number);
        pixels[to++] = Math.max(0, Math.min(255, Math.round(255 * value)));
      }
    }
  }
  return { pixels, height: imageSize, width: imageSize, channels };
}
