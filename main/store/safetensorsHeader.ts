/**
 * The header of a safetensors file, as text and as checked entries. Nothing of a foreign header is believed: every length, offset
 * and count is held against the file size before anything is allocated. formats.md section 2; the layout is that of
 * github.com/huggingface/safetensors (0.8.0), to whose own writer `encodeHeader` is byte-identical for F32.
 */
import { sizeOf } from '../core/parameterShapes.ts';
import { PreloraError } from '../protocol/reply.ts';

/** Bytes per value of the types we read. Everything else is refused by name. */
const DTYPE_BYTES = { F32: 4, F16: 2, BF16: 2, F64: 8 } as const;
export type Dtype = keyof typeof DTYPE_BYTES;

export interface TensorEntry {
  dtype: Dtype;
  shape: number[];
  /** Span [begin, end) in bytes, counted from the end of the header. */
  begin: number;
  end: number;
}

export interface SafetensorsHeader {
  metadata: Record<string, string>;
  /** In the order of the data. */
  tensors: Map<string, TensorEntry>;
}

/** The eight bytes of the length come first. */
export const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 100_000_000;

/** The refusal of a file: `unsafe-tensors: {file}: {tensor}: {rule}`; `header` stands for the tensor where none is at fault. */
export function unsafeTensors(file: string, tensor: string, rule: string): PreloraError {
  return new PreloraError('unsafe-tensors', `unsafe-tensors: ${file}: ${tensor}: ${rule}`);
}

/** Compares by code point, as formats.md sorts names; plain `<` compares UTF-16 units, which differs above U+FFFF. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Length and header bytes of an F32 file whose tensors follow each other in the given order. */
export function encodeHeader(shapes: Iterable<readonly [string, readonly number[]]>, metadata: Record<string, string>): Buffer {
  // Joined by hand: an object would put names such as "0" first, whatever the order they were given in.
  const members = Object.keys(metadata).length > 0 ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  let begin = 0;
  for (const [name, shape] of shapes) {
    const end = begin + sizeOf(shape) * DTYPE_BYTES.F32;
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype: 'F32', shape, data_offsets: [begin, end] })}`);
    begin = end;
  }
  const json = Buffer.from(`{${members.join(',')}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = Buffer.alloc(LENGTH_BYTES + padded, ' ');
  bytes.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(bytes, LENGTH_BYTES);
  return bytes;
}

/**
 * The length of the header, from the first eight bytes. Throws `unsafe-tensors` when it is absurd for a file of `fileBytes`, so
 * that nothing is allocated for it.
 */
export function headerLength(file: string, first: Uint8Array, fileBytes: number): number {
  if (first.length < LENGTH_BYTES) throw unsafeTensors(file, 'header', `the file has ${fileBytes} bytes, the length alone takes 8`);
  const length = Buffer.from(first.buffer, first.byteOffset, LENGTH_BYTES).readBigUInt64LE();
  if (length > BigInt(MAX_HEADER_BYTES)) throw unsafeTensors(file, 'header', `length ${length} is over ${MAX_HEADER_BYTES}`);
  if (LENGTH_BYTES + Number(length) > fileBytes) {
    throw unsafeTensors(file, 'header', `length ${length} does not fit a file of ${fileBytes} bytes`);
  }
  return Number(length);
}

/** Parses and checks a header for a file with `dataBytes` bytes after it. Throws `unsafe-tensors` naming the tensor and the rule. */
export function decodeHeader(file: string, header: Uint8Array, dataBytes: number): SafetensorsHeader {
  const members = parseMembers(file, header);
  let metadata: Record<string, string> = {};
  const entries: [string, TensorEntry][] = [];
  for (const [name, value] of members) {
    if (name === '__metadata__') metadata = checkMetadata(file, value);
    else entries.push([name, checkEntry(file, name, value)]);
  }
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  checkSpans(file, entries, dataBytes);
  return { metadata, tensors: new Map(entries) };
}

function parseMembers(file: string, header: Uint8Array): [string, unknown][] {
  if (header[0] !== 0x7b) throw unsafeTensors(file, 'header', 'does not begin with {');
  try {
    return Object.entries(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header)) as object);
  } catch {
    throw unsafeTensors(file, 'header', 'is not JSON in UTF-8');
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkMetadata(file: string, value: unknown): Record<string, string> {
  if (!isObject(value)) throw unsafeTensors(file, '__metadata__', 'is not an object');
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw unsafeTensors(file, '__metadata__', `${key} is not a string`);
  }
  return value as Record<string, string>;
}

function checkEntry(file: string, name: string, value: unknown): TensorEntry {
  if (!isObject(value)) throw unsafeTensors(file, name, 'is not an object');
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string') throw unsafeTensors(file, name, 'has no dtype');
  if (!isDtype(dtype)) throw unsafeTensors(file, name, `dtype ${dtype} is not read (F32, F16, BF16 and F64 are)`);
  const count = Array.isArray(shape) ? countOf(shape) : null;
  if (count === null) throw unsafeTensors(file, name, 'shape is not a list of whole numbers from 0 with a product below 2^53');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw unsafeTensors(file, name, 'data_offsets are not two whole numbers');
  }
  const [begin, end] = offsets as [number, number];
  if (end - begin !== count * DTYPE_BYTES[dtype]) {
    throw unsafeTensors(file, name, `shape [${shape}] of ${dtype} takes ${count * DTYPE_BYTES[dtype]} bytes, its span has ${end - begin}`);
  }
  return { dtype, shape: shape as number[], begin, end };
}

function isDtype(name: string): name is Dtype {
  return Object.hasOwn(DTYPE_BYTES, name);
}

/** Number of values in a shape, or null when it is not one or is too large to count exactly. */
function countOf(shape: readonly unknown[]): number | null {
  if (!shape.every(isCount)) return null;
  const count = sizeOf(shape);
  return Number.isSafeInteger(count) ? count : null;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Each tensor begins where the last ended, the first at 0, and the last ends with the file. */
function checkSpans(file: string, entries: readonly [string, TensorEntry][], dataBytes: number): void {
  let position = 0;
  for (const [name, { begin, end }] of entries) {
    if (begin > position) throw unsafeTensors(file, name, `bytes ${position} to ${begin} before it belong to no tensor`);
    if (begin < position) throw unsafeTensors(file, name, `begins at ${begin}, inside the tensor that ends at ${position}`);
    position = end;
  }
  if (position > dataBytes) {
    const last = entries.at(-1) as [string, TensorEntry];
    throw unsafeTensors(file, last[0], `ends at ${position}, the file has ${dataBytes} bytes of data`);
  }
  if (position < dataBytes) throw unsafeTensors(file, 'header', `${dataBytes - position} bytes after the last tensor`);
}
