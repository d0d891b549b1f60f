/**
 * What a shard holds, found in one pass over it and remembered: which samples, with which labels, and where the bytes of each image lie.
 * In a plain tar they lie in the shard. Out of a compressed tar or a parquet file no image can be read by itself, so the pass also unpacks
 * the images, behind each other, into a file beside the index; training then reads that one. Both lie below the data root, are made anew
 * when the shard changes or they are deleted, and go when nobody has opened them for a month.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, statfs, utimes } from 'node:fs/promises';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { temporaryName, writeFileAtomically } from '../store/atomicFile.ts';
import { diskFault } from '../store/diskFault.ts';
import { unpackedFolder } from '../store/paths.ts';
import { fileError } from './sharedFile.ts';
import { dropUnopened, unpackedFiles } from './unpackedShards.ts';

/** Raised when the files below would be read differently. */
const VERSION = 1;
const KEPT_UNOPENED_MS = 30 * 24 * 3600 * 1000;
/** What a disk must keep free beside the images: checkpoints want room too. */
const LEFT_FREE_BYTES = 256 * 1024 * 1024;
const WRITE_BYTES = 4 * 1024 * 1024;

/** Samples of a shard, in its own order. */
export interface ShardSamples {
  /** What each is called within the shard. */
  names: string[];
  /** A class number, or the name of a class. */
  labels: (number | string)[];
  /** Where the bytes of its image begin and how many there are. */
  offsets: number[];
  lengths: number[];
  /** Class names that the shard itself tells, index = class. */
  classNames: string[] | null;
  /** What is worth saying about the shard. */
  notes: string[];
}

export interface IndexedShard extends ShardSamples {
  /** The file that offsets refer to. */
  file: string;
}

/** How a kind of shard is read. */
export interface ShardReading {
  /** Names the way of reading, with the settings that change its outcome. */
  way: readonly unknown[];
  /** Whether the images of this shard must be unpacked, and about how many bytes that will take. */
  unpackedBytes: number | null;
  read(images: ImageSink | null): Promise<ShardSamples>;
}

/** Takes the bytes of one image after the other. */
export interface ImageSink {
  /** Bytes taken so far: where the next image begins. */
  readonly size: number;
  add(bytes: Uint8Array): Promise<void>;
}

/** Shards that are being read now: a form and a report may ask for the same one at once. */
const beingRead = new Map<string, Promise<IndexedShard>>();

/** Throws what the reading throws, and disk-full or not-writable where images must be unpacked and cannot. */
export async function indexShard(file: string, reading: ShardReading): Promise<IndexedShard> {
  const { size, mtimeMs } = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw fileError(file, error);
  });
  const key = createHash('sha256')
    .update(JSON.stringify([VERSION, file, size, mtimeMs, ...reading.way]))
    .digest('hex')
    .slice(0, 32);
  const running = beingRead.get(key);
  if (running) return running;
  const opened = openOrRead(file, key, reading).finally(() => beingRead.delete(key));
  beingRead.set(key, opened);
  return opened;
}

async function openOrRead(file: string, key: string, reading: ShardReading): Promise<IndexedShard> {
  const folder = unpackedFolder();
  const { index, images: unpacked } = unpackedFiles(key);
  const images = reading.unpackedBytes === null ? file : unpacked;
  const known = await readIndex(index, images);
  if (known) return { ...known, file: images };
  if (reading.unpackedBytes === null) {
    const samples = await reading.read(null);
    // A data root that cannot be written to costs time, no more.
    await writeIndex(index, file, samples).catch(() => {});
    return { ...samples, file };
  }
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw cannotUnpack(file, diskFault(error, folder));
  });
  await dropUnopened(folder, Date.now() - KEPT_UNOPENED_MS);
  await checkRoom(file, folder, reading.unpackedBytes);
  const samples = await unpack(file, images, (sink) => reading.read(sink));
  await writeIndex(index, file, samples).catch((error) => {
    throw cannotUnpack(file, error);
  });
  return { ...samples, file: images };
}

/** Null when there is none, or when its images are gone or cut. Both are marked as used. */
async function readIndex(index: string, images: string): Promise<ShardSamples | null> {
  try {
    const samples = JSON.parse(await readFile(index, 'utf8')) as ShardSamples;
    const end = samples.offsets.reduce((most, offset, i) => Math.max(most, offset + (samples.lengths[i] as number)), 0);
    if ((await stat(images)).size < end) return null;
    const now = new Date();
    for (const file of path.dirname(images) === path.dirname(index) ? [index, images] : [index])
      await utimes(file, now, now).catch(() => {});
    return samples;
  } catch {
    return null;
  }
}

/** The shard's path comes first, for those who list what is unpacked. */
async function writeIndex(index: string, shard: string, samples: ShardSamples): Promise<void> {
  await mkdir(path.dirname(index), { recursive: true });
  await writeFileAtomically(index, JSON.stringify({ shard, ...samples }));
}

/** Written beside and renamed, so that what a killed program leaves is never taken for whole. */
async function unpack(file: string, images: string, read: (sink: ImageSink) => Promise<ShardSamples>): Promise<ShardSamples> {
  const beside = temporaryName(images);
  try {
    const handle = await open(beside, 'wx').catch((error) => {
      throw cannotUnpack(file, diskFault(error, path.dirname(images)));
    });
    let samples: ShardSamples;
    try {
      const sink = new FileSink(handle, (error) => cannotUnpack(file, diskFault(error, path.dirname(images))));
      samples = await read(sink);
      await sink.flush();
    } finally {
      await handle.close();
    }
    await rename(beside, images);
    return samples;
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** Gathers small images, so that a million of them are not a million writes. */
class FileSink implements ImageSink {
  size = 0;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;

  constructor(
    private readonly handle: FileHandle,
    private readonly fault: (error: unknown) => PreloraError,
  ) {}

  async add(bytes: Uint8Array): Promise<void> {
    // A copy: the bytes may be a view of memory that is used again.
    this.waiting.push(Uint8Array.from(bytes));
    this.waitingBytes += bytes.length;
    this.size += bytes.length;
    if (this.waitingBytes >= WRITE_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.waiting);
    this.waiting = [];
    this.waitingBytes = 0;
    try {
      for (let from = 0; from < bytes.length; ) from += (await this.handle.write(bytes, from)).bytesWritten;
    } catch (error) {
      throw this.fault(error);
    }
  }
}

async function checkRoom(file: string, folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes + LEFT_FREE_BYTES) return;
  const [needed, free] = [bytes + LEFT_FREE_BYTES, bavail * bsize].map((amount) => `${(amount / 2 ** 30).toFixed(1)} GiB`);
  throw cannotUnpack(file, new PreloraError('disk-full', `${folder}: ${needed} are needed, ${free} are free`));
}

function cannotUnpack(file: string, error: unknown): PreloraError {
  const code = error instanceof PreloraError ? error.code : 'not-writable';
  const cure = 'free some space or let PRELORA_DATA_DIR name another folder';
  return new PreloraError(code, `${file}: its images must be unpacked to be shuffled; ${(error as Error).message}; ${cure}`, 'data.source');
}
