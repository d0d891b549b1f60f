/**
 * Safetensors files, one tensor at a time: the writer knows all sizes before the first byte, the reader maps the header and then
 * reads what it is asked for, so that a ViT-H (past 2 GiB) needs no more memory than its largest tensor. formats.md section 2.
 * Values are little-endian, as is every platform that Node's builds for this program run on.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { sizeOf } from '../core/parameterShapes.ts';
import { PreloraError } from '../protocol/reply.ts';
import { type WrittenFile, writeNewFile } from './newFile.ts';
import {
  byCodePoint,
  decodeHeader,
  encodeHeader,
  headerLength,
  LENGTH_BYTES,
  type SafetensorsHeader,
  type TensorEntry,
  unsafeTensors,
} from './safetensorsHeader.ts';
import { widenToFloat32 } from './widen.ts';

/** Node's reads take at most 2^31 − 1 bytes at once. */
const PIECE_BYTES = 1 << 26;

if (endianness() !== 'LE') throw new PreloraError('internal', 'safetensors files need a little-endian machine');

export interface Tensor {
  shape: readonly number[];
  data: Float32Array;
}

/** A tensor, or how to fetch its values when its turn comes, so that not all have to be in memory at once. */
export interface TensorSource {
  shape: readonly number[];
  data: Float32Array | (() => Promise<Float32Array>);
}

/** What torch layouts and what our own `[in, out]` layout declare, so that neither is taken for the other. */
export const TORCH_METADATA = { format: 'pt' };
export const NATIVE_METADATA = { format: 'prelora', schema: '1' };

/** Bytes that `writeSafetensors` will write. */
export function safetensorsBytes(tensors: ReadonlyMap<string, { shape: readonly number[] }>, metadata: Record<string, string>): number {
  let total = encodeHeader(shapesInOrder(tensors), metadata).length;
  for (const { shape } of tensors.values()) total += sizeOf(shape) * 4;
  return total;
}

function shapesInOrder(tensors: ReadonlyMap<string, { shape: readonly number[] }>): [string, readonly number[]][] {
  return [...tensors].map(([name, { shape }]): [string, readonly number[]] => [name, shape]).sort(([a], [b]) => byCodePoint(a, b));
}

/**
 * Writes a new file (an existing one is an error) in F32, names sorted by code point, and fsyncs it. Values are fetched tensor by
 * tensor. Throws `disk-full`, `not-writable`, or `internal` when a tensor has not as many values as its shape says.
 */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, TensorSource>,
  metadata: Record<string, string>,
): Promise<WrittenFile> {
  const shapes = shapesInOrder(tensors);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield encodeHeader(shapes, metadata);
    for (const [name, shape] of shapes) yield await valuesOf(name, shape, tensors);
  }
  return writeNewFile(file, pieces());
}

async function valuesOf(name: string, shape: readonly number[], tensors: ReadonlyMap<string, TensorSource>): Promise<Uint8Array> {
  const { data } = tensors.get(name) as TensorSource;
  const values = typeof data === 'function' ? await data() : data;
  if (values.length !== sizeOf(shape)) {
    throw new PreloraError('internal', `${name}: shape [${shape}] has ${sizeOf(shape)} values, ${values.length} were given`);
  }
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** An open file: its header checked, its tensors read on demand. Close it when done. */
export class SafetensorsFile {
  private constructor(
    readonly file: string,
    readonly header: SafetensorsHeader,
    readonly handle: FileHandle,
    readonly dataStart: number,
  ) {}

  /** Opens and checks `file`. Throws `unsafe-tensors` with the tensor and the rule, or the system's error when it is not there. */
  static async open(file: string): Promise<SafetensorsFile> {
    const handle = await open(file, 'r');
    try {
      const fileBytes = (await handle.stat()).size;
      const first = Buffer.alloc(Math.min(LENGTH_BYTES, fileBytes));
      await readInto(file, handle, first, 0);
      const header = Buffer.alloc(headerLength(file, first, fileBytes));
      await readInto(file, handle, header, LENGTH_BYTES);
      const dataStart = LENGTH_BYTES + header.length;
      return new SafetensorsFile(file, decodeHeader(file, header, fileBytes - dataStart), handle, dataStart);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Names and shapes whose values are not F32 and are converted on reading, for a note to the user. */
  get converted(): { name: string; dtype: string }[] {
    return [...this.header.tensors].filter(([, { dtype }]) => dtype !== 'F32').map(([name, { dtype }]) => ({ name, dtype }));
  }

  /** One tensor as F32. Throws `unsafe-tensors` when there is none of that name or the file has become shorter. */
  async read(name: string): Promise<Tensor> {
    const entry = this.header.tensors.get(name);
    if (!entry) throw unsafeTensors(this.file, name, 'is not in the file');
    return { shape: entry.shape, data: await this.#values(entry) };
  }

  async #values({ dtype, begin, end }: TensorEntry): Promise<Float32Array> {
    const bytes = new Uint8Array(end - begin);
    await readInto(this.file, this.handle, bytes, this.dataStart + begin);
    return dtype === 'F32' ? new Float32Array(bytes.buffer) : widenToFloat32(bytes.buffer, dtype);
  }

  /** Every tensor, in the order of the data. */
  async readAll(): Promise<Map<string, Tensor>> {
    const tensors = new Map<string, Tensor>();
    for (const name of this.header.tensors.keys()) tensors.set(name, await this.read(name));
    return tensors;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

/** Fills `target` from `position` on. Throws `unsafe-tensors` when the file has become shorter. */
export async function readInto(file: string, handle: FileHandle, target: Uint8Array, position: number): Promise<void> {
  for (let filled = 0; filled < target.length; ) {
    const { bytesRead } = await handle.read(target, filled, Math.min(PIECE_BYTES, target.length - filled), position + filled);
    if (bytesRead === 0) throw unsafeTensors(file, 'header', 'the file became shorter while it was read');
    filled += bytesRead;
  }
}

/** Reads a whole file. Throws as `SafetensorsFile.open` and `read` do. */
export async function readSafetensors(file: string): Promise<Map<string, Tensor>> {
  const opened = await SafetensorsFile.open(file);
  try {
    return await opened.readAll();
  } finally {
    await opened.close();
  }
}
