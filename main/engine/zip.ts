/**
 * Reads a zip file's directory and streams single members to disk, so that a 0.8 GB library never stands in memory. Wheels are zip files
 * (PEP 427). Follows PKWARE's APPNOTE 6.3, sections 4.3 and 4.4: stored and deflated members, no zip64, no encryption.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';

export interface ZipEntry {
  name: string;
  method: number;
  compressedBytes: number;
  bytes: number;
  headerOffset: number;
}

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const LOCAL_BYTES = 30;
const LARGEST_COMMENT = 0xffff;
const STORED = 0;
const DEFLATED = 8;
/** Pieces of a megabyte take a third of the time of Node's 16 KiB. */
const PIECE_BYTES = 1 << 20;

/** The members of the archive, folders left out. Throws when the file is not a whole zip file or needs zip64. */
export async function readZipDirectory(file: string): Promise<ZipEntry[]> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const tail = await readAt(handle, Math.max(0, size - END_BYTES - LARGEST_COMMENT), Math.min(size, END_BYTES + LARGEST_COMMENT));
    const end = findEnd(tail, file);
    const directoryBytes = tail.readUInt32LE(end + 12);
    const directoryOffset = tail.readUInt32LE(end + 16);
    if (directoryOffset + directoryBytes > size) throw new Error(`${file}: the zip directory lies outside the file, or needs zip64`);
    return parseDirectory(await readAt(handle, directoryOffset, directoryBytes), tail.readUInt16LE(end + 10), file);
  } finally {
    await handle.close();
  }
}

function findEnd(tail: Buffer, file: string): number {
  for (let at = tail.length - END_BYTES; at >= 0; at--) if (tail.readUInt32LE(at) === END_SIGNATURE) return at;
  throw new Error(`${file}: not a zip file, or cut short`);
}

function parseDirectory(directory: Buffer, count: number, file: string): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== ENTRY_SIGNATURE) throw new Error(`${file}: damaged zip directory`);
    const nameBytes = directory.readUInt16LE(at + 28);
    const name = directory.toString('utf8', at + 46, at + 46 + nameBytes);
    if (!name.endsWith('/')) {
      entries.push({
        name,
        method: directory.readUInt16LE(at + 10),
        compressedBytes: directory.readUInt32LE(at + 20),
        bytes: directory.readUInt32LE(at + 24),
        headerOffset: directory.readUInt32LE(at + 42),
      });
    }
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

/**
 * Writes one member to `target`, making its folder. `onBytes` hears of each piece written, in bytes.
 * Throws when the member is not of the size the directory gives.
 */
export async function extractZipEntry(
  file: string,
  entry: ZipEntry,
  target: string,
  options: { onBytes?: (bytes: number) => void; signal?: AbortSignal } = {},
): Promise<void> {
  if (entry.method !== STORED && entry.method !== DEFLATED)
    throw new Error(`${file}: ${entry.name} has compression method ${entry.method}`);
  await mkdir(path.dirname(target), { recursive: true });
  const start = await dataOffset(file, entry);
  const meter = new Meter(options.onBytes);
  // An empty range cannot be asked of createReadStream; only an empty stored member has one.
  const source =
    entry.compressedBytes === 0
      ? Readable.from([])
      : createReadStream(file, { start, end: start + entry.compressedBytes - 1, highWaterMark: PIECE_BYTES });
  const output = createWriteStream(target, { mode: 0o755, highWaterMark: PIECE_BYTES });
  const { signal } = options;
  if (entry.method === DEFLATED) await pipeline(source, createInflateRaw({ chunkSize: PIECE_BYTES }), meter, output, { signal });
  else await pipeline(source, meter, output, { signal });
  if (meter.bytes !== entry.bytes) throw new Error(`${file}: ${entry.name} is ${meter.bytes} bytes, its directory says ${entry.bytes}`);
}

/** The member's data follows a local header whose own name and extra fields may differ in length from the directory's. */
async function dataOffset(file: string, entry: ZipEntry): Promise<number> {
  const handle = await open(file, 'r');
  try {
    const header = await readAt(handle, entry.headerOffset, LOCAL_BYTES);
    if (header.length < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL_SIGNATURE)
      throw new Error(`${file}: ${entry.name} has no local header`);
    return entry.headerOffset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  } finally {
    await handle.close();
  }
}

async function readAt(handle: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, position);
  return buffer.subarray(0, bytesRead);
}

/** Passes bytes through and counts them. */
class Meter extends Transform {
  bytes = 0;

  constructor(readonly onBytes: (bytes: number) => void = () => {}) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.bytes += chunk.length;
    this.onBytes(chunk.length);
    this.push(chunk);
    done();
  }
}
