/** Pictures for people to look at: a decoded image, or the bytes of some image file, as PNG. Nothing of this goes into training. */
import { PreloraError } from '../protocol/reply.ts';
import type { RawImage } from './images.ts';

/** Larger files are refused before they are decoded. */
const MAX_PIXELS = 100_000_000;

/** Without loss, with the channels it has. */
export async function encodePng(image: RawImage): Promise<Uint8Array> {
  return (await sharpOf(image)).png().toBuffer();
}

/** As a data URL, at most `side` px on a side; small images keep their pixels and are enlarged by whoever shows them. */
export async function pictureUrl(image: RawImage, side: number): Promise<string> {
  return dataUrl(await (await sharpOf(image)).resize(side, side, { fit: 'inside', withoutEnlargement: true }).png().toBuffer());
}

/** The same for the bytes of an image file, turned as its EXIF says. Throws `data-unreadable`. */
export async function fileUrl(bytes: Uint8Array, side: number): Promise<string> {
  const { default: sharp } = await import('sharp');
  try {
    const picture = sharp(bytes, { limitInputPixels: MAX_PIXELS }).autoOrient();
    return dataUrl(await picture.resize(side, side, { fit: 'inside', withoutEnlargement: true }).png().toBuffer());
  } catch (error) {
    throw new PreloraError('data-unreadable', `the picture: ${(error as Error).message.split('\n')[0]}`);
  }
}

async function sharpOf({ pixels, height, width, channels }: RawImage) {
  const { default: sharp } = await import('sharp');
  return sharp(pixels, { raw: { width, height, channels: channels as 1 | 2 | 3 | 4 } });
}

function dataUrl(png: Buffer): string {
  return `data:image/png;base64,${png.toString('base64')}`;
}
