/**
 * The fixed geometry of evaluation, from a decoded image to the square the model takes (formats.md section 8). One place for data/,
 * which applies it, and exchange/, which writes it into exported folders.
 */
import type { RunConfig } from '../protocol/config.ts';

/** How an image is brought to size without chance; the `resize` and `crop` of prelora.json. */
export interface EvalGeometry {
  /** Length the shorter edge is scaled to, pixels. */
  shortEdge: number;
  /** Side of the centre crop, pixels. */
  crop: number;
}

/**
 * Evaluation scales to 256/224 of the image size and takes the centre, as training with random resized crops expects. With pad crops
 * training shows the images at their full size, so evaluation does the same.
 */
export function evalGeometry(imageSize: number, crop: RunConfig['data']['crop']): EvalGeometry {
  return { shortEdge: crop === 'pad' ? imageSize : Math.floor((imageSize * 256) / 224), crop: imageSize };
}
