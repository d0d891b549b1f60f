/** Decoding against Pillow, and every odd image of reliability.md R9; the files are made by test/reference/odd_images.py. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { decodeImage, inspectImage } from '../../main/data/decode.ts';
import { bytes } from './goldens.ts';

const folder = fileURLToPath(new URL('../fixtures/odd-images', import.meta.url));
const file = (name: string): string => path.join(folder, name);
const expected: Record<string, { height: number; width: number; pixels: string }> = JSON.parse(readFileSync(file('expected.json'), 'utf8'));

describe('an image that can be used', () => {
  for (const [name, { height, width, pixels }] of Object.entries(expected)) {
    it(`${name} decodes to Pillow's bytes, from its file and from memory`, async () => {
      const channels = bytes(pixels).length / (height * width);
      const wanted = { height, width, channels, pixels: bytes(pixels) };
      expect(await decodeImage(file(name), { channels, convertUnusual: true })).toEqual(wanted);
      expect(await decodeImage(readFileSync(file(name)), { channels, convertUnusual: true })).toEqual(wanted);
    });
  }

  it('is reduced to gray with the luma of Pillow where one channel is wanted', async () => {
    const colour = await decodeImage(file('plain.png'), { channels: 3, convertUnusual: false });
    const gray = await decodeImage(file('plain.png'), { channels: 1, convertUnusual: false });
    const [r, g, b] = colour.pixels as unknown as [number, number, number];
    expect(gray.pixels[0]).toBe(Math.floor((19595 * r + 38470 * g + 7471 * b + 32768) / 65536));
    expect(gray.pixels.length * 3).toBe(colour.pixels.length);
  });

  const conversions: Record<string, string[]> = {
    'plain.png': [],
    'alpha.png': ['alpha channel dropped'],
    'turned.png': ['rotated by EXIF'],
    'is-png.jpg': ['read by content, not by name'],
  };
  for (const [name, list] of Object.entries(conversions)) {
    it(`${name} is told with ${list.length ? list.join() : 'no conversion'}`, async () => {
      expect(await inspectImage(file(name), { convertUnusual: false })).toEqual({ gray: false, conversions: list });
    });
  }
});

describe('no other format is read', () => {
  it('and ours are blocked at no moment, because a block holds for every thread of the process', async () => {
    vi.resetModules();
    const { default: sharp } = await import('sharp');
    const block = vi.spyOn(sharp, 'block');
    const fresh = await import('../../main/data/decode.ts');
    await fresh.inspectImage(file('plain.png'), { convertUnusual: false });
    const blocked = block.mock.calls.flatMap(([{ operation }]) => operation);
    expect(blocked).toContain('VipsForeignLoadSvg');
    // The class of all loaders, and those of the formats that are read.
    expect(blocked.filter((name) => /^VipsForeignLoad(Jpeg|Png|Webp|Nsgif|Tiff)?$/.test(name))).toEqual([]);
  });

  it('whatever else this libvips can read: its loaders are blocked', async () => {
    const { default: sharp } = await import('sharp');
    await inspectImage(file('plain.png'), { convertUnusual: false });
    const avif = Buffer.from('AAAAHGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZgAAAAA=', 'base64');
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
    for (const input of [avif, svg]) await expect(sharp(input).metadata()).rejects.toThrow(/unsupported image format/);
  });
});

describe('an image that cannot be used is refused with its reason', () => {
  const reasons: Record<string, string> = {
    'empty.png': 'is empty or not a JPEG, PNG, WebP, GIF or TIFF image',
    'text.jpg': 'is empty or not a JPEG, PNG, WebP, GIF or TIFF image',
    'vector.png': 'is empty or not a JPEG, PNG, WebP, GIF or TIFF image',
    'tiny.png': '1×1 is smaller than 2×2',
    'huge.png': '30000×30000 is more than 100 megapixels',
    'deep.png': 'has 16 bits per channel; data.convertUnusual takes it converted',
    'cmyk.jpg': 'is CMYK; data.convertUnusual takes it converted',
    'animated.gif': 'has 2 frames; data.convertUnusual takes it converted',
  };
  for (const [name, reason] of Object.entries(reasons)) {
    it(`${name}: ${reason}`, async () => {
      await expect(inspectImage(file(name), { convertUnusual: false })).rejects.toThrow(reason);
      await expect(decodeImage(file(name), { channels: 3, convertUnusual: false })).rejects.toThrow(reason);
    });
  }

  for (const name of ['cut.jpg', 'cut.png']) {
    it(`${name}: when it is decoded`, async () => {
      await expect(decodeImage(file(name), { channels: 3, convertUnusual: true })).rejects.toThrow(/premature end|read error/);
    });
  }

  it('a file that is not there', async () => {
    await expect(inspectImage(file('nowhere.png'), { convertUnusual: false })).rejects.toMatchObject({ name: 'UnreadableImage' });
  });
});

describe('with convertUnusual', () => {
  const taken: Record<string, string> = {
    'deep.png': '16-bit reduced to 8',
    'cmyk.jpg': 'CMYK converted to sRGB',
    'animated.gif': 'first of several frames',
  };
  for (const [name, conversion] of Object.entries(taken)) {
    it(`${name} is taken: ${conversion}`, async () => {
      expect((await inspectImage(file(name), { convertUnusual: true })).conversions).toContain(conversion);
      const { height, width } = await decodeImage(file(name), { channels: 3, convertUnusual: true });
      expect([height, width]).toEqual([6, 9]);
    });
  }
});
