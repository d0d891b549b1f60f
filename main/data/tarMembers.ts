/**
 * Members of a tar file (ustar, PAX and GNU names, plain or gzip-compressed) in their order, read by tar-stream in one pass that keeps
 * nothing in memory.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Header } from 'tar-stream';
import { PreloraError } from '../protocol/reply.ts';
import { throwIfAborted } from './rawSource.ts';
import { fileError } from './sharedFile.ts';

export interface TarMember {
  name: string;
  size: number;
  /** Where its bytes begin in the unpacked tar. */
  offset: number;
  /** All its bytes. Whoever does not ask for them passes over them. */
  bytes(): Promise<Buffer>;
}

const READ_BYTES = 1024 * 1024;

export async function isGzipped(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    throw fileError(file, error);
  });
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } catch (error) {
    throw fileError(file, error as NodeJS.ErrnoException);
  } finally {
    await handle.close();
  }
}

/** Files among the members; folders, links and devices are passed over. Throws tar-truncated, data-unreadable, interrupted. */
export async function* tarMembers(file: string, gzipped: boolean, signal?: AbortSignal): AsyncGenerator<TarMember> {
  const { extract } = await import('tar-stream');
  const members = extract();
  const source = createReadStream(file, { highWaterMark: READ_BYTES });
  const fed = gzipped ? pipeline(source, createGunzip(), members) : pipeline(source, members);
  fed.catch(() => {}); // told by the members, or below
  let last = 'the first header';
  try {
    for await (const entry of members) {
      throwIfAborted(signal);
      // tar-stream's types do not know of byteOffset.
      const { name, size, type, byteOffset: offset } = entry.header as Header & { byteOffset: number };
      last = name;
      let asked = false;
      const bytes = (): Promise<Buffer> => {
        asked = true;
        return collect(entry).catch((error: NodeJS.ErrnoException) => {
          throw tarError(file, name, error);
        });
      };
      if (type === 'file' || type === 'contiguous-file') yield { name, size, offset, bytes };
      if (!asked) entry.resume();
    }
    await fed;
  } catch (error) {
    throw error instanceof PreloraError ? error : tarError(file, last, error as NodeJS.ErrnoException);
  } finally {
    source.destroy();
  }
}

async function collect(entry: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of entry) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function tarError(file: string, last: string, error: NodeJS.ErrnoException): PreloraError {
  const isCut = error.message === 'Unexpected end of data' || error.code === 'Z_BUF_ERROR';
  return isCut ? new PreloraError('tar-truncated', `${file}: ends inside ${last}`) : fileError(file, error);
}
