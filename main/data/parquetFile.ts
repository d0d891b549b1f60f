/** A parquet file opened with hyparquet, which is loaded for such files alone; its faults become ours, with the name of the file. */
import { open } from 'node:fs/promises';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { AsyncBuffer, Compressors, FileMetaData } from 'hyparquet';
import { PreloraError } from '../protocol/reply.ts';
import { fileError } from './sharedFile.ts';

export interface ParquetFile {
  path: string;
  metadata: FileMetaData;
  /** Values of these columns by name, of the rows from `rowStart` up to `rowEnd`. */
  rows(columns: string[], rowStart: number, rowEnd: number): Promise<Record<string, unknown>[]>;
}

/** Opens the file for as long as `use` takes. Throws what `use` throws, data-not-found, and data-unreadable for what is no parquet. */
export async function withParquet<T>(path: string, use: (file: ParquetFile) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw fileError(path, error);
  });
  try {
    const { size } = await handle.stat();
    const file: AsyncBuffer = {
      byteLength: size,
      async slice(start, end = size) {
        const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
        return bytes.buffer.slice(0, bytesRead);
      },
    };
    const { parquetMetadataAsync, parquetReadObjects } = await import('hyparquet');
    const metadata = await parquetMetadataAsync(file);
    const compressors = await loadCompressors();
    return await use({
      path,
      metadata,
      // utf8: false, because hyparquet would take the bytes of images for text and destroy them.
      rows: (columns, rowStart, rowEnd) => parquetReadObjects({ file, metadata, columns, rowStart, rowEnd, compressors, utf8: false }),
    });
  } catch (error) {
    throw error instanceof PreloraError ? error : new PreloraError('data-unreadable', `${path}: ${(error as Error).message}`);
  } finally {
    await handle.close();
  }
}

/** What a page may be compressed with. */
export async function loadCompressors(): Promise<Compressors> {
  const { compressors } = await import('hyparquet-compressors');
  return {
    ...compressors,
    // Node's own are native, and stop at the length that the page declares.
    GZIP: (input, maxOutputLength) => gunzipSync(input, { maxOutputLength }),
    BROTLI: (input, maxOutputLength) => brotliDecompressSync(input, { maxOutputLength }),
  };
}
