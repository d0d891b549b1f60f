/**
 * Samples of one parquet file as Hugging Face writes them: a row is an image (struct{bytes, path}, or bytes alone) and a class
 * (formats.md section 9). Read row group by row group, so that memory holds one of them.
 */
import { stat } from 'node:fs/promises';
import type { FileMetaData } from 'hyparquet';
import { PreloraError } from '../protocol/reply.ts';
import { findColumns, type ParquetColumns, type WantedFields } from './parquetColumns.ts';
import { loadCompressors, type ParquetFile, withParquet } from './parquetFile.ts';
import { throwIfAborted } from './rawSource.ts';
import type { ImageSink, ShardReading, ShardSamples } from './shardIndex.ts';
import { fileError } from './sharedFile.ts';

/** What the hub writes where a label is not told, as in test splits. */
export const NO_LABEL = -1;

export async function parquetReading(path: string, wanted: WantedFields, signal?: AbortSignal): Promise<ShardReading> {
  const { size } = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw fileError(path, error);
  });
  return {
    way: ['parquet', wanted.imageField, wanted.labelField],
    unpackedBytes: size,
    read: (images) => withParquet(path, (file) => readSamples(file, wanted, { images: images as ImageSink, signal })),
  };
}

interface Reading {
  images: ImageSink;
  signal: AbortSignal | undefined;
}

async function readSamples(file: ParquetFile, wanted: WantedFields, { images, signal }: Reading): Promise<ShardSamples> {
  const { parquetSchema } = await import('hyparquet');
  const columns = findColumns(file.path, parquetSchema(file.metadata), file.metadata, wanted);
  await checkCodecs(file, columns);
  const samples: ShardSamples = { names: [], labels: [], offsets: [], lengths: [], classNames: columns.classNames, notes: [] };
  let first = 0;
  for (const group of file.metadata.row_groups) {
    throwIfAborted(signal);
    const count = Number(group.num_rows);
    const rows = await file.rows([columns.image, columns.label], first, first + count);
    if (rows.length !== count)
      throw new PreloraError('data-unreadable', `${file.path}: says ${count} rows at row ${first}, has ${rows.length}`);
    for (const row of rows) await addRow(samples, row, { columns, images, path: file.path });
    first += count;
  }
  return samples;
}

interface RowPlace {
  columns: ParquetColumns;
  images: ImageSink;
  path: string;
}

/** A row without bytes (only a path) stays as an empty image: it is then counted and told like any other that cannot be read. */
async function addRow(samples: ShardSamples, row: Record<string, unknown>, { columns, images, path }: RowPlace): Promise<void> {
  const value = row[columns.image];
  const bytes = columns.isStruct ? (value as { bytes?: unknown } | null)?.bytes : value;
  const number = samples.names.length;
  samples.labels.push(labelOf(row[columns.label], `${path}: row ${number}`));
  samples.names.push(`row ${number}`);
  samples.offsets.push(images.size);
  samples.lengths.push(bytes instanceof Uint8Array ? bytes.length : 0);
  if (bytes instanceof Uint8Array) await images.add(bytes);
}

/** Whole numbers arrive as BigInt or number, by the width of the column. */
function labelOf(value: unknown, where: string): number | string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value === null || value === undefined) return NO_LABEL;
  const label = Number(value);
  if (Number.isSafeInteger(label)) return label;
  throw new PreloraError('label-range', `${where}: label ${String(value)} is no class number`);
}

async function checkCodecs({ path, metadata }: { path: string; metadata: FileMetaData }, { image, label }: ParquetColumns): Promise<void> {
  const known = new Set(['UNCOMPRESSED', ...Object.keys(await loadCompressors())]);
  for (const { meta_data: column } of metadata.row_groups.flatMap(({ columns }) => columns)) {
    if (!column || ![image, label].includes(column.path_in_schema[0] as string) || known.has(column.codec)) continue;
    throw new PreloraError(
      'parquet-codec',
      `${path}: codec ${column.codec} is not supported; write it with ${[...known].join(', ').toLowerCase()}`,
    );
  }
}
