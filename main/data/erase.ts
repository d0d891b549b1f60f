/**
 * Random erasing (Zhong et al. 2020, arXiv 1708.04896) with timm's figures: one rectangle of 2 % to a third of the area and aspect
 * 0.3 to 1/0.3. After normalisation 0 is the mean colour, so that is what it is filled with.
 */
import type { RandomStream } from '../core/random.ts';
import { type PatchLayout, patchOffset } from './patchify.ts';

const MIN_AREA = 0.02;
const MAX_AREA = 1 / 3;
const MIN_ASPECT = 0.3;
const ATTEMPTS = 10;

/** Erases a rectangle, with chance `probability`, of the image whose patches begin at `offset`; in place. */
export function eraseRandomly(patches: Float32Array, offset: number, { layout, probability, random }: ErasingInput): void {
  if (random.uniform() >= probability) return;
  const { imageSize: side, channels } = layout;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const area = side * side * (MIN_AREA + (MAX_AREA - MIN_AREA) * random.uniform());
    const aspect = Math.exp(Math.log(MIN_ASPECT) * (1 - 2 * random.uniform()));
    const height = Math.round(Math.sqrt(area * aspect));
    const width = Math.round(Math.sqrt(area / aspect));
    if (height >= side || width >= side) continue;
    const top = random.integer(side - height + 1);
    const left = random.integer(side - width + 1);
    for (let y = top; y < top + height; y++) {
      for (let x = left; x < left + width; x++) {
        const at = offset + patchOffset(layout, y, x);
        for (let k = 0; k < channels; k++) patches[at + k] = 0;
      }
    }
    return;
  }
}

export interface ErasingInput {
  layout: PatchLayout;
  probability: number;
  random: RandomStream;
}
