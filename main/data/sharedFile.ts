/**
 * Reads a whole file, plain or gzip-compressed, into shared memory. The length is taken from the file's own header, by the caller's
 * rule, and compared with what is really there before any memory is taken (formats.md, conventions; reliability.md R11).
 */
import { type FileHandle, open } from 'node:fs/promises';
import { constants, createGunzip, gunzipSync } from 'node:zlib';
import { PreloraError } from '../protocol/reply.ts';

const HEAD_BYTES = 64;
/** Bytes of a compressed file that certainly hold the first HEAD_BYTES: deflate never makes anything much longer. */
const GZIP_HEAD_BYTES = 4096;
/** Deflate's best ratio is 1032:1, so a file that declares more than this is lying (zlib's technical notes). */
const MAX_DEFLATE_RATIO = 1032;
const READ_BYTES = 64 * 1024 * 1024;

export interface ExpectedLength {
  /** Bytes the file must have, uncompressed, header included. */
  bytes: number;
  /** Error for a file of another length. */
  wrongLength(actual: number): PreloraError;
}

/**
 * The length a file must have, by its first (up to 64) bytes; throws when those are not what they should be. `size` is what the
 * file has now: of a compressed file the compressed bytes.
 */
export type LengthRule = (head: Uint8Array, size: number) => ExpectedLength;

/** All bytes of `file`, unpacked. Throws what `expect` throws, its wrongLength, data-not-found or data-unreadable. */
export async function readSharedFile(file: string, expect: LengthRule): Promise<Uint8Array> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    throw fileError(file, error);
  });
  try {
    const { size } = await handle.stat();
    const start = await readAt(handle, 0, Math.min(size, GZIP_HEAD_BYTES));
    const gzipped = start[0] === 0x1f && start[1] === 0x8b;
    return gzipped
      ? await readGzip(handle, size, expect(gunzipStart(file, start), size))
      : await readPlain(handle, size, expect(start.subarray(0, HEAD_BYTES), size));
  } catch (error) {
    throw error instanceof PreloraError ? error : fileError(file, error as NodeJS.ErrnoException);
  } finally {
    await handle.close();
  }
}

/** `data-not-found` or `data-unreadable`, with the system's own message. */
export function fileError(file: string, error: NodeJS.ErrnoException): PreloraError {
  if (error.code === 'ENOENT') return new PreloraError('data-not-found', `${file}: not found`);
  return new PreloraError('data-unreadable', `${file}: ${error.message}`);
}

async function readPlain(handle: FileHandle, size: number, expected: ExpectedLength): Promise<Uint8Array> {
  if (size !== expected.bytes) throw expected.wrongLength(size);
  const target = new Uint8Array(new SharedArrayBuffer(size));
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await handle.read(target, filled, Math.min(READ_BYTES, size - filled), filled);
    if (bytesRead === 0) throw expected.wrongLength(filled); // cut while we read it
    filled += bytesRead;
  }
  return target;
}

async function readGzip(handle: FileHandle, size: number, expected: ExpectedLength): Promise<Uint8Array> {
  const trailer = await readAt(handle, Math.max(0, size - 4), Math.min(4, size));
  const declared = trailer.length === 4 ? trailer.readUInt32LE(0) : 0; // uncompressed length modulo 2^32 (RFC 1952)
  if (expected.bytes > size * MAX_DEFLATE_RATIO || expected.bytes % 2 ** 32 !== declared) throw expected.wrongLength(declared);
  const target = new Uint8Array(new SharedArrayBuffer(expected.bytes));
  let filled = 0;
  const unzipped = handle.createReadStream({ start: 0, autoClose: false }).pipe(createGunzip());
  try {
    for await (const chunk of unzipped as AsyncIterable<Buffer>) {
      if (filled + chunk.length > target.length) throw expected.wrongLength(filled + chunk.length);
      target.set(chunk, filled);
      filled += chunk.length;
    }
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR' ? expected.wrongLength(filled) : error; // the stream ends early
  }
  if (filled !== target.length) throw expected.wrongLength(filled);
  return target;
}

/** The first bytes of what `start`, the beginning of a gzip file, unpacks to; at most 4 MiB are unpacked for it. */
function gunzipStart(file: string, start: Buffer): Uint8Array {
  try {
    return gunzipSync(start, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, HEAD_BYTES);
  } catch (error) {
    throw fileError(file, error as NodeJS.ErrnoException);
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
