/**
 * Image files → bytes. sharp (libvips) only decodes here; every change of size is our own (see resize.ts). What is odd about an image
 * is decided by its content, never by its name, with the rules of formats.md section 9: cut short, too large, 16-bit, CMYK and
 * animated images are refused (the last three converted on request), alpha is dropped, EXIF rotation applied, gray and RGB converted.
 */
import type { Metadata, Sharp, SharpOptions } from 'sharp';
import { type RawImage, toChannels } from './images.ts';

/** An image that cannot be used, with the reason in words; callers skip it or replace it. */
export class UnreadableImage extends Error {
  override readonly name = 'UnreadableImage';
}

export interface DecodeRules {
  /** Channels wanted: 1 (gray) or 3 (RGB). */
  channels: number;
  /** Take 16-bit, CMYK and animated images: high byte, to sRGB, first frame. */
  convertUnusual: boolean;
}

const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'tiff'];
const EXTENSIONS: Record<string, RegExp> = {
  jpeg: /\.jpe?g$/i,
  png: /\.png$/i,
  webp: /\.webp$/i,
  gif: /\.gif$/i,
  tiff: /\.tiff?$/i,
};
/** Rows of a table have no names that could be wrong. */
const ANY_EXTENSION = /\.[a-z]+$/i;
const MAX_PIXELS = 100_000_000;

type SharpFactory = (input: string | Uint8Array, options?: SharpOptions) => Sharp;
let loaded: Promise<SharpFactory> | null = null;

/** Every loader of libvips 8.18 beside the five we read; those a build lacks are passed over. */
const BLOCKED_LOADERS = [
  ...['Analyze', 'Csv', 'Dcraw', 'Fits', 'Heif', 'Jp2k', 'Jxl', 'Magick', 'Magick7', 'Mat', 'Matrix', 'Nifti', 'Openexr', 'Openslide'],
  ...['Pdf', 'Ppm', 'Rad', 'Raw', 'Svg', 'Uhdr', 'Vips'],
].map((format) => `VipsForeignLoad${format}`);

/**
 * sharp is native and takes about 50 ms to load, so only sources that need it pay for it. Its loaders of other formats (SVG, PDF …)
 * are blocked: data is never interpreted as more than pixels. The block holds for the whole process, and every data worker sets it
 * when it begins; so ours are never blocked, not even for a moment, in which another thread would take good images for unreadable.
 */
function loadSharp(): Promise<SharpFactory> {
  loaded ??= import('sharp').then(({ default: sharp }) => {
    sharp.cache(false);
    sharp.concurrency(1);
    sharp.block({ operation: BLOCKED_LOADERS });
    return sharp;
  });
  return loaded;
}

/** What the header says about an image that can be used. */
export interface ImageFacts {
  gray: boolean;
  /** What about it is odd but handled, such as `alpha channel dropped`. */
  conversions: string[];
}

/** What an inspection goes by; `name` is what an image is called that is given as bytes. */
export type InspectRules = Pick<DecodeRules, 'convertUnusual'> & { name?: string };

/** Reads the header only, of a file or its bytes. Throws UnreadableImage when the image is to be skipped. */
export async function inspectImage(input: string | Uint8Array, rules: InspectRules): Promise<ImageFacts> {
  const { convertUnusual, name = typeof input === 'string' ? input : '' } = rules;
  const sharp = await loadSharp();
  const metadata = await attempt(() => sharp(input, { limitInputPixels: false }).metadata());
  const conversions = checkMetadata(metadata, convertUnusual);
  const extension = EXTENSIONS[metadata.format as string];
  if (metadata.hasAlpha) conversions.push('alpha channel dropped');
  if ((metadata.orientation ?? 1) !== 1) conversions.push('rotated by EXIF');
  if (extension && ANY_EXTENSION.test(name) && !extension.test(name)) conversions.push('read by content, not by name');
  return { gray: isGray(metadata), conversions };
}

/**
 * Decodes a file or its bytes; a gray image stays gray, an RGB one is reduced to gray where one channel is wanted. Throws
 * UnreadableImage with the reason when that fails or the rules refuse the image.
 */
export async function decodeImage(input: string | Uint8Array, { channels, convertUnusual }: DecodeRules): Promise<RawImage> {
  const sharp = await loadSharp();
  const metadata = await attempt(() => sharp(input, { limitInputPixels: false }).metadata());
  checkMetadata(metadata, convertUnusual);
  // Embedded colour profiles are ignored as Pillow does; only CMYK has no meaning without one.
  const options: SharpOptions = { failOn: 'error', limitInputPixels: MAX_PIXELS, ignoreIcc: metadata.space !== 'cmyk' };
  const deep = metadata.depth === 'ushort';
  const space = isGray(metadata) ? (deep ? 'grey16' : 'b-w') : deep ? 'rgb16' : 'srgb';
  const { data, info } = await attempt(() =>
    sharp(input, options)
      .autoOrient()
      .removeAlpha()
      .toColourspace(space)
      .raw({ depth: deep ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true }),
  );
  const pixels = deep ? highBytes(data) : new Uint8Array(data.buffer, data.byteOffset, data.length);
  const image = { pixels, height: info.height, width: info.width, channels: info.channels };
  return image.channels === 1 ? image : toChannels(image, channels);
}

/** Of 16-bit values in the machine's order, which is little-endian wherever sharp runs. */
function highBytes(data: Buffer): Uint8Array {
  return Uint8Array.from({ length: data.length / 2 }, (_, i) => data[2 * i + 1] as number);
}

/** Throws for images that are refused; returns the conversions that unusual ones need. */
function checkMetadata(metadata: Metadata, convertUnusual: boolean): string[] {
  const { format, width, height, pages = 1 } = metadata;
  if (!FORMATS.includes(format as string)) throw new UnreadableImage(`is ${format}; JPEG, PNG, WebP, GIF and TIFF are read`);
  if (width * height > MAX_PIXELS) throw new UnreadableImage(`${width}×${height} is more than 100 megapixels`);
  if (width < 2 || height < 2) throw new UnreadableImage(`${width}×${height} is smaller than 2×2`);
  if (!['uchar', 'ushort'].includes(metadata.depth as string))
    throw new UnreadableImage(`has ${metadata.depth} pixels; 8 and 16 bits are read`);
  const unusual: [boolean, string, string][] = [
    [metadata.depth === 'ushort', 'has 16 bits per channel', '16-bit reduced to 8'],
    [metadata.space === 'cmyk', 'is CMYK', 'CMYK converted to sRGB'],
    [pages > 1, `has ${pages} frames`, 'first of several frames'],
  ];
  const conversions: string[] = [];
  for (const [applies, reason, conversion] of unusual) {
    if (!applies) continue;
    if (!convertUnusual) throw new UnreadableImage(`${reason}; data.convertUnusual takes it converted`);
    conversions.push(conversion);
  }
  return conversions;
}

function isGray({ space }: Metadata): boolean {
  return space === 'b-w' || space === 'grey16';
}

async function attempt<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const [reason = ''] = (error as Error).message.split('\n');
    throw new UnreadableImage(/unsupported image format/.test(reason) ? 'is empty or not a JPEG, PNG, WebP, GIF or TIFF image' : reason);
  }
}
