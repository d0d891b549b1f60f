/** Reads images in the form of image files, wherever their bytes lie: in a file of their own, or in a range of a larger one. */
import { open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { UnreadableImage } from './decode.ts';
import type { EncodedImages, ImageFiles, ImageRanges } from './images.ts';

/** What the decoder takes: the path of a file, which it reads by itself, or the bytes. Rejects with UnreadableImage. */
export function encodedInput(images: EncodedImages, sample: number): string | Promise<Uint8Array> {
  return images.kind === 'files' ? filePath(images, sample) : readRange(images, sample);
}

/** Where messages say that an image is. */
export function encodedPath(images: EncodedImages, sample: number): string {
  return images.kind === 'files' ? filePath(images, sample) : (images.names[sample] as string);
}

export async function encodedBytes(images: EncodedImages, sample: number): Promise<Uint8Array> {
  return images.kind === 'files' ? readFile(filePath(images, sample)) : readRange(images, sample);
}

export async function encodedSize(images: EncodedImages, sample: number): Promise<number> {
  return images.kind === 'files' ? (await stat(filePath(images, sample))).size : (images.lengths[sample] as number);
}

function filePath({ root, paths }: ImageFiles, sample: number): string {
  return path.join(root, paths[sample] as string);
}

/** The file is opened for each image: a handle kept for every shard and thread would outlive the run that needs it. */
async function readRange({ files, fileOf, offsets, lengths }: ImageRanges, sample: number): Promise<Uint8Array> {
  const file = files[fileOf[sample] as number] as string;
  const bytes = Buffer.alloc(lengths[sample] as number);
  const read = await readAt(file, bytes, offsets[sample] as number).catch((error: NodeJS.ErrnoException) => {
    throw new UnreadableImage(`${file}: ${error.message}`);
  });
  if (read < bytes.length) throw new UnreadableImage(`${file} has become shorter than when it was opened`);
  return bytes;
}

async function readAt(file: string, target: Buffer, position: number): Promise<number> {
  const handle = await open(file, 'r');
  try {
    let filled = 0;
    while (filled < target.length) {
      const { bytesRead } = await handle.read(target, filled, target.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  } finally {
    await handle.close();
  }
}
