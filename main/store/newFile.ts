/** A file written once: created, its bytes on the disk, their sum taken on the way, so that a later reading can be held against it. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { diskFault } from './diskFault.ts';

/** Node writes and sums at most 2^31 − 1 bytes at once. */
const PIECE_BYTES = 1 << 26;

export interface WrittenFile {
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** Fsynced before it returns. Throws `disk-full`, `not-writable`, or the system's error for a file that is there already. */
export async function writeNewFile(file: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<WrittenFile> {
  try {
    const handle = await open(file, 'wx');
    try {
      const written = await writeAll(handle, pieces);
      await handle.sync();
      return written;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw diskFault(error, file);
  }
}

/** A text in UTF-8. */
export function writeNewText(file: string, text: string): Promise<WrittenFile> {
  return writeNewFile(file, [Buffer.from(text)]);
}

async function writeAll(handle: FileHandle, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<WrittenFile> {
  const hash = createHash('sha256');
  let total = 0;
  for await (const bytes of pieces) {
    for (let start = 0; start < bytes.length; ) {
      const { bytesWritten } = await handle.write(bytes, start, Math.min(PIECE_BYTES, bytes.length - start));
      hash.update(bytes.subarray(start, start + bytesWritten));
      start += bytesWritten;
    }
    total += bytes.length;
  }
  return { bytes: total, sha256: hash.digest('hex') };
}
