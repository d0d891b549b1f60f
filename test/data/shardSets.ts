/** Shared by the tests of shards: the golden files of test/reference/shards.py, tars made on the spot, and a data root of their own. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { vi } from 'vitest';
import { type Dataset, openDataset } from '../../main/data/dataset.ts';
import type { Split } from '../../main/data/images.ts';
import type { DataSettings } from '../../main/data/rawSource.ts';
import { decodeSample } from '../../main/data/showImage.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { dataSettings } from './dataConfig.ts';

const fixtures = fileURLToPath(new URL('../fixtures/shards/', import.meta.url));

export const expected = JSON.parse(readFileSync(path.join(fixtures, 'expected.json'), 'utf8')) as {
  pixels: string[];
  labels: number[];
} & Record<'ustar' | 'pax' | 'gnu', string[]>;

/** Unpacked images go below a data root that ends with the test. */
export function ownDataRoot(): string {
  const folder = path.join(temporaryFolder(), 'data');
  vi.stubEnv('PRELORA_DATA_DIR', folder);
  return folder;
}

export function golden(name: string): Buffer {
  return readFileSync(path.join(fixtures, name));
}

/** A new folder with these files: bytes, or the name of a golden file. */
export function folderWith(files: Record<string, Uint8Array | string>): string {
  const root = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    const target = path.join(root, name);
    mkdirSync(path.dirname(target), { recursive: true });
    if (typeof content === 'string') copyFileSync(path.join(fixtures, content), target);
    else writeFileSync(target, content);
  }
  return root;
}

export function goldenTar(name: string): Buffer {
  return gunzipSync(golden(`${name}.tar.gz`));
}

/** A tar of these members, in this order. */
export async function tarOf(members: readonly (readonly [string, string | Uint8Array])[]): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of members) tar.entry({ name }, Buffer.from(content as Uint8Array));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A PNG of one colour, with a pattern that tells `index`. */
export function pngOf(index: number, side = 8): Promise<Buffer> {
  const pixels = Buffer.from(Array.from({ length: side * side * 3 }, (_, i) => (i * 7 + index * 53) % 256));
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
}

/** `count` samples from number `from` on, their labels 0 1 2 0 1 2 … */
export async function numberedTar(count: number, { from = 0, classes = 3 } = {}): Promise<Buffer> {
  const members: [string, string | Uint8Array][] = [];
  for (let i = from; i < from + count; i++) {
    members.push([`${i}.png`, await pngOf(i)], [`${i}.cls`, String(i % classes)]);
  }
  return tarOf(members);
}

export const open = (source: string, overrides: Partial<DataSettings> = {}): Promise<Dataset> =>
  openDataset(dataSettings({ source, ...overrides }));

/** Code and message with which opening ends. */
export async function refusal(source: string, overrides: Partial<DataSettings> = {}): Promise<string> {
  try {
    await open(source, overrides);
    return 'opened';
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
}

export function namesOf({ images }: Split): readonly string[] {
  return images.kind === 'ranges' ? images.names : [];
}

/** Class names and base64 of the pixels of a split, in order. */
export async function contentOf(dataset: Dataset, split: 'train' | 'val'): Promise<{ classes: string[]; pixels: string[] }> {
  const shown = [];
  for (let i = 0; i < dataset[split].count; i++) shown.push(await decodeSample(dataset, split, i));
  return {
    classes: shown.map(({ className }) => className),
    pixels: shown.map(({ image }) => Buffer.from(image.pixels).toString('base64')),
  };
}
