/** Reads test/reference/data_images.json, the bytes made by Pillow. */
import { readFileSync } from 'node:fs';
import type { RawImage } from '../../main/data/images.ts';

interface StoredImage {
  height: number;
  width: number;
  channels: number;
  pixels: string;
}

interface Goldens {
  resize: { from: StoredImage; box: [number, number, number, number] | null; to: StoredImage }[];
  operations: { name: string; arguments: number[]; from: StoredImage; to: StoredImage }[];
  processor: { from: StoredImage; imageSize: number; values: string };
}

export const goldens: Goldens = JSON.parse(readFileSync(new URL('../reference/data_images.json', import.meta.url), 'utf8'));

export function image(stored: StoredImage): RawImage {
  return { ...stored, pixels: bytes(stored.pixels) };
}

export function bytes(base64: string): Uint8Array {
  return Uint8Array.from(Buffer.from(base64, 'base64'));
}
