/**
 * Protobuf messages from field tables, on protobufjs's Writer. Its reflection would build an encoder per message with `Function`, and its static
 * code is 2,000 generated lines; this writes graphs, ours and ONNX's (main/exchange/onnxFile.ts). Wire format: protobuf.dev/programming-guides/encoding.
 */
import protobuf from 'protobufjs/minimal.js';

type Writer = protobuf.Writer;
type Encode<T> = (value: T, writer: Writer) => void;

/** One field: how a value that is present is written, tag included. */
type Field<T> = (value: NonNullable<T>, writer: Writer) => void;
type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

const VARINT = 0;
const DELIMITED = 2;
const FIXED32 = 5;

function tag(writer: Writer, id: number, wireType: number): Writer {
  return writer.uint32((id << 3) | wireType);
}

/** An encoder for messages with these fields; absent ones are left out. Fields are written in the table's order. */
export function message<T extends object>(fields: Fields<T>): Encode<T> {
  const entries = Object.entries(fields) as [keyof T, Field<unknown>][];
  return (value, writer) => {
    for (const [name, write] of entries) {
      const present: unknown = value[name];
      if (present !== undefined && present !== null) write(present, writer);
    }
  };
}

export const int64 =
  (id: number): Field<number | undefined> =>
  (value, writer) => {
    tag(writer, id, VARINT).int64(value);
  };
export const boolean =
  (id: number): Field<boolean | undefined> =>
  (value, writer) => {
    tag(writer, id, VARINT).bool(value);
  };
export const float =
  (id: number): Field<number | undefined> =>
  (value, writer) => {
    tag(writer, id, FIXED32).float(value);
  };
export const text =
  (id: number): Field<string | undefined> =>
  (value, writer) => {
    tag(writer, id, DELIMITED).string(value);
  };
export const bytes =
  (id: number): Field<Uint8Array | undefined> =>
  (value, writer) => {
    tag(writer, id, DELIMITED).bytes(value);
  };
export const packedInt64s =
  (id: number): Field<readonly number[] | undefined> =>
  (values, writer) => {
    tag(writer, id, DELIMITED).fork();
    for (const value of values) writer.int64(value);
    writer.ldelim();
  };
export const nested =
  <T>(id: number, encode: Encode<T>): Field<T | undefined> =>
  (value, writer) => {
    tag(writer, id, DELIMITED).fork();
    encode(value as T, writer);
    writer.ldelim();
  };
export const repeated =
  <T>(field: Field<T>): Field<readonly T[] | undefined> =>
  (values, writer) => {
    for (const value of values) field(value as NonNullable<T>, writer);
  };

/** What stands before a nested message or bytes of that length, for contents that are written piece by piece. */
export function lengthPrefix(id: number, length: number): Uint8Array {
  return tag(protobuf.Writer.create(), id, DELIMITED).uint32(length).finish();
}

/** The message as bytes. */
export function encode<T>(encoder: Encode<T>, value: T): Uint8Array {
  const writer = protobuf.Writer.create();
  encoder(value, writer);
  return writer.finish();
}
