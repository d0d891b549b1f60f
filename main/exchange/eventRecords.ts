/**
 * Event files as TensorBoard reads them, byte by byte (formats.md section 10): TFRecord framing with the masked CRC-32C of length and data, and
 * the Event and Summary messages in protobuf's wire format. What the events of a run are is in summaryValues.ts.
 */
import protobuf from 'protobufjs/minimal.js';

/** One named value at a step. */
export type SummaryValue =
  /** Becomes a float32. */
  | { tag: string; scalar: number }
  | { tag: string; histogram: HistogramValue }
  /** Markdown. What is no Unicode (a lone surrogate) becomes U+FFFD. */
  | { tag: string; text: string };

/** Counts in bins by their right edges; the first begins at `min`. Sums are over all values. */
export interface HistogramValue {
  min: number;
  max: number;
  count: number;
  sum: number;
  sumSquares: number;
  rightEdges: readonly number[];
  counts: readonly number[];
}

/** What one record of the file holds. */
export interface BoardEvent {
  /** Seconds since 1970. */
  wallTime: number;
  /** 0 … 2^53. */
  step: number;
  values?: readonly SummaryValue[];
  /** Readers drop what they have read of this step and later ones: it is told again. */
  isStart?: boolean;
  /** Of the first event of a file. */
  fileVersion?: string;
}

/** With this version readers heed start markers and nothing else; without it a smaller step would drop what came before. */
const FILE_VERSION = 'brain.Event:2';
const TEXT_PLUGIN = 'text';
/** tensorflow.DataType.DT_STRING */
const STRING_TYPE = 7;
/** tensorflow.SessionLog.START */
const SESSION_START = 1;

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Bytes of u64 length and u32 CRC before the data, and of the u32 CRC after it. */
const HEAD_BYTES = 12;
const FOOT_BYTES = 4;

/** The first event of every file. */
export function versionEvent(wallTime: number): BoardEvent {
  return { wallTime, step: 0, fileVersion: FILE_VERSION };
}

/** An event as it stands in the file: u64 length, u32 masked CRC of it, data, u32 masked CRC of the data; little-endian. */
export function eventRecord(event: BoardEvent): Uint8Array {
  const data = encodeEvent(event);
  const record = new Uint8Array(HEAD_BYTES + data.length + FOOT_BYTES);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, HEAD_BYTES);
  view.setUint32(HEAD_BYTES + data.length, maskedCrc(data), true);
  return record;
}

// ---- CRC-32C ---------------------------------------------------------------------------------------------------------

/** Castagnoli's polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78;
const MASK_DELTA = 0xa282ead8;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32C of some bytes. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = (TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** CRC-32C as TFRecord stores it: a CRC over bytes that hold CRCs themselves would be weak, so it is turned and shifted. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}

// ---- messages --------------------------------------------------------------------------------------------------------

type Writer = protobuf.Writer;
type Write = (writer: Writer) => void;

/** tensorflow.Event */
function encodeEvent({ wallTime, step, fileVersion, values, isStart }: BoardEvent): Uint8Array {
  const writer = protobuf.Writer.create();
  double(writer, 1, wallTime);
  // Zero is what an absent number means.
  if (step !== 0) tag(writer, 2, VARINT).int64(step);
  if (fileVersion !== undefined) text(writer, 3, fileVersion);
  if (values) {
    nested(writer, 5, (summary) => {
      for (const value of values) nested(summary, 1, (inner) => writeValue(inner, value));
    });
  }
  if (isStart) nested(writer, 7, (log) => tag(log, 1, VARINT).int32(SESSION_START));
  return writer.finish();
}

/** tensorflow.Summary.Value */
function writeValue(writer: Writer, value: SummaryValue): void {
  text(writer, 1, value.tag);
  if ('scalar' in value) tag(writer, 2, FIXED32).float(value.scalar);
  else if ('histogram' in value) nested(writer, 5, (histogram) => writeHistogram(histogram, value.histogram));
  else {
    nested(writer, 8, (tensor) => writeTextTensor(tensor, value.text));
    // SummaryMetadata with the name of the plugin that shows the tensor.
    nested(writer, 9, (metadata) => nested(metadata, 1, (plugin) => text(plugin, 1, TEXT_PLUGIN)));
  }
}

/** tensorflow.HistogramProto */
function writeHistogram(writer: Writer, { min, max, count, sum, sumSquares, rightEdges, counts }: HistogramValue): void {
  for (const [index, number] of [min, max, count, sum, sumSquares].entries()) double(writer, index + 1, number);
  nested(writer, 6, (packed) => packDoubles(packed, rightEdges));
  nested(writer, 7, (packed) => packDoubles(packed, counts));
}

function packDoubles(writer: Writer, numbers: readonly number[]): void {
  for (const number of numbers) writer.double(number);
}

/** tensorflow.TensorProto of one string and no dimension. */
function writeTextTensor(writer: Writer, words: string): void {
  tag(writer, 1, VARINT).int32(STRING_TYPE);
  nested(writer, 2, () => {});
  text(writer, 8, words);
}

function tag(writer: Writer, id: number, wireType: number): Writer {
  return writer.uint32((id << 3) | wireType);
}

function double(writer: Writer, id: number, value: number): void {
  tag(writer, id, FIXED64).double(value);
}

const UTF8 = new TextEncoder();

function text(writer: Writer, id: number, words: string): void {
  // Not the writer's own `string`: it lets lone surrogates through, which no reader takes for UTF-8.
  tag(writer, id, DELIMITED).bytes(UTF8.encode(words));
}

function nested(writer: Writer, id: number, write: Write): void {
  tag(writer, id, DELIMITED).fork();
  write(writer);
  writer.ldelim();
}
