/** Small drawn pictures in place of a data set's images. Needs a canvas: runs in the page. */
import { noise } from './history.ts';

/** A gray 28 × 28 blob that differs per class and seed, as a PNG data URL. */
export function picture(classIndex: number, seed: number): string {
  const canvas = document.createElement('canvas');
  canvas.width = 28;
  canvas.height = 28;
  const ctx = canvas.getContext('2d');
  if (!ctx) return '';
  ctx.fillStyle = '#000';
  ctx.fillRect(0, 0, 28, 28);
  for (let i = 0; i < 40; i++) {
    const shade = 120 + Math.round(120 * Math.abs(noise(seed, classIndex, i, 1)));
    ctx.fillStyle = `rgb(${shade} ${shade} ${shade})`;
    const reach = 4 + (classIndex % 5);
    ctx.fillRect(14 + reach * noise(seed, classIndex, i, 2) * 1.6 - 2, 14 + (12 - reach) * noise(classIndex, i, seed, 3) - 2, 4, 4);
  }
  return canvas.toDataURL('image/png');
}
