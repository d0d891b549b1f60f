/**
 * Soft targets, mixup (Zhang et al. 2018, arXiv 1710.09412) and CutMix (Yun et al. 2019, arXiv 1905.04899) of a whole batch: one λ
 * per batch, sample i mixed with sample count − 1 − i, as in timm's Mixup in batch mode. Works in place on patch values.
 */
import { type RandomStream, symmetricBeta } from '../core/random.ts';
import { type PatchLayout, patchOffset, valuesPerImage } from './patchify.ts';
import type { DataSettings } from './rawSource.ts';

export interface MixInput {
  /** [count, patches, P·P·K], changed in place. */
  patches: Float32Array;
  labels: Int32Array;
  layout: PatchLayout;
  classes: number;
}

/** Mixes the images of the batch as configured and returns the targets, [count, classes]; every row sums to 1. */
export function mixBatch(batch: MixInput, data: DataSettings, random: RandomStream): Float32Array<ArrayBuffer> {
  const { mixupAlpha, cutmixAlpha, labelSmoothing } = data;
  const useCutmix = cutmixAlpha > 0 && (mixupAlpha === 0 || random.uniform() < 0.5);
  let own = 1;
  if (useCutmix) own = cutmix(batch, symmetricBeta(random, cutmixAlpha), random);
  else if (mixupAlpha > 0) own = mixup(batch, symmetricBeta(random, mixupAlpha));
  return softTargets(batch.labels, { classes: batch.classes, smoothing: labelSmoothing, own });
}

interface TargetRule {
  classes: number;
  /** Share of every target spread over all classes. */
  smoothing: number;
  /** λ: share of the sample's own label; the rest goes to its partner's. */
  own: number;
}

/** One row per sample: own · smoothed one-hot of its label + (1 − own) · that of its partner. */
export function softTargets(labels: Int32Array, { classes, smoothing, own }: TargetRule): Float32Array<ArrayBuffer> {
  const count = labels.length;
  const targets = new Float32Array(count * classes).fill(smoothing / classes);
  const add = (row: number, label: number, share: number): void => {
    const at = row * classes + label;
    targets[at] = (targets[at] as number) + share * (1 - smoothing);
  };
  for (let i = 0; i < count; i++) {
    add(i, labels[i] as number, own);
    if (own < 1) add(i, labels[count - 1 - i] as number, 1 - own);
  }
  return targets;
}

function mixup({ patches, labels, layout }: MixInput, own: number): number {
  const size = valuesPerImage(layout);
  const count = labels.length;
  for (let i = 0; i < count >> 1; i++) {
    const a = i * size;
    const b = (count - 1 - i) * size;
    for (let j = 0; j < size; j++) {
      const x = patches[a + j] as number;
      const y = patches[b + j] as number;
      patches[a + j] = own * x + (1 - own) * y;
      patches[b + j] = own * y + (1 - own) * x;
    }
  }
  return own;
}

/** Exchanges one box between partners; its area decides the share that is returned, since the box is cut off at the border. */
function cutmix({ patches, labels, layout }: MixInput, lambda: number, random: RandomStream): number {
  const { imageSize, channels } = layout;
  const [top, bottom] = boxSide(imageSize, lambda, random);
  const [left, right] = boxSide(imageSize, lambda, random);
  const size = valuesPerImage(layout);
  const count = labels.length;
  for (let i = 0; i < count >> 1; i++) {
    const a = i * size;
    const b = (count - 1 - i) * size;
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const at = patchOffset(layout, y, x);
        for (let k = at; k < at + channels; k++) {
          const held = patches[a + k] as number;
          patches[a + k] = patches[b + k] as number;
          patches[b + k] = held;
        }
      }
    }
  }
  return 1 - ((bottom - top) * (right - left)) / (imageSize * imageSize);
}

/** First and end pixel, along one axis, of a box of side √(1 − λ) of the image around a random centre. */
function boxSide(imageSize: number, lambda: number, random: RandomStream): [number, number] {
  const half = Math.floor((imageSize * Math.sqrt(1 - lambda)) / 2);
  const center = random.integer(imageSize);
  return [Math.max(0, center - half), Math.min(imageSize, center + half)];
}
