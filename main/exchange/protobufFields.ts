/**
 * Fields of a protobuf message as they lie, from memory or from a file whose large ones stay there, on protobufjs's Reader. Every length is held
 * against what is left of the message before anything is allocated. Wire format: protobuf.dev/programming-guides/encoding.
 */
import { isUtf8 } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import protobuf from 'protobufjs/minimal.js';
import { readInto } from '../store/safetensors.ts';
import { unsafeTensors } from '../store/safetensorsHeader.ts';

const VARINT = 0;
const DELIMITED = 2;
const FIXED32 = 5;
/** Tag and number at their longest. */
const LONGEST_HEAD = 5 + 10;
const WINDOW_BYTES = 1 << 16;

/** What is being read, for the sentence of a refusal. */
export interface Where {
  file: string;
  /** A tensor, a node, or `model`. */
  what: string;
}

/** One field; asking for what it is not is refused with `unsafe-tensors`. */
export class Field {
  readonly #value: number | Uint8Array;
  constructor(
    readonly id: number,
    value: number | Uint8Array,
    readonly where: Where,
  ) {
    this.#value = value;
  }

  get number(): number {
    return typeof this.#value === 'number' ? this.#value : this.refuse('is no number');
  }

  get bytes(): Uint8Array {
    return typeof this.#value === 'number' ? this.refuse('is a number') : this.#value;
  }

  get text(): string {
    const { bytes } = this;
    return isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8') : this.refuse('is not UTF-8');
  }

  /** The fields of the message that this one holds. */
  fields(what = this.where.what): Field[] {
    return fieldsOf(this.bytes, { file: this.where.file, what });
  }

  refuse(rule: string): never {
    throw unsafeTensors(this.where.file, this.where.what, `field ${this.id} ${rule}`);
  }
}

/** All fields of a message in memory. Throws `unsafe-tensors` for bytes that are none. */
export function fieldsOf(bytes: Uint8Array, where: Where): Field[] {
  const reader = protobuf.Reader.create(bytes);
  const fields: Field[] = [];
  while (reader.pos < reader.len) fields.push(guarded(where, () => nextField(reader, where)));
  return fields;
}

function nextField(reader: protobuf.Reader, where: Where): Field {
  const tag = reader.tag();
  const wireType = tag & 7;
  if (wireType === VARINT) return new Field(tag >>> 3, wholeNumber(reader.int64()), where);
  if (wireType === DELIMITED) return new Field(tag >>> 3, reader.bytes(), where);
  if (wireType === FIXED32) return new Field(tag >>> 3, reader.float(), where);
  throw new RangeError(`wire type ${wireType}`);
}

/** protobufjs gives a Long; what no double holds exactly is no size or version. */
function wholeNumber(value: { toString(): string }): number {
  const number = Number(value.toString());
  if (!Number.isSafeInteger(number)) throw new RangeError(`the number ${value} is past 2^53`);
  return number;
}

/** What protobufjs throws, as a refusal. Only its own steps run inside. */
function guarded<T>(where: Where, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw unsafeTensors(where.file, where.what, `is no protobuf message (${(error as Error).message})`);
  }
}

/** Bytes of a file. */
export interface Extent {
  begin: number;
  end: number;
}

/** A field of a message in a file: its contents stay there until `load` is called. */
export interface Span extends Extent {
  id: number;
  /** Null for text, bytes and messages. */
  number: number | null;
}

/** Messages in an open file. */
export class MessageFile {
  #window: Extent & { bytes: Uint8Array } = { begin: 0, end: 0, bytes: new Uint8Array() };
  constructor(
    readonly file: string,
    readonly handle: FileHandle,
    readonly fileBytes: number,
  ) {}

  /** The fields of a message. Throws `unsafe-tensors` for one that does not end within it. */
  async *spans({ begin, end }: Extent, what: string): AsyncGenerator<Span> {
    const where = { file: this.file, what };
    for (let at = begin; at < end; ) {
      const reader = protobuf.Reader.create(await this.#read({ begin: at, end: Math.min(at + LONGEST_HEAD, end) }));
      const { id, number, length } = guarded(where, () => readHead(reader));
      const contents = at + reader.pos;
      at = contents + length;
      if (at > end) throw unsafeTensors(this.file, what, `field ${id} has ${length} bytes, ${end - contents} are left`);
      yield { id, number, begin: contents, end: at };
    }
  }

  /** The field with its contents in memory. */
  async load(span: Span, what: string): Promise<Field> {
    return new Field(span.id, span.number ?? (await this.#read(span)), { file: this.file, what });
  }

  /** Most fields are a few bytes long and lie side by side, so a stretch is read at once. */
  async #read({ begin, end }: Extent): Promise<Uint8Array> {
    if (begin < this.#window.begin || end > this.#window.end) {
      const length = Math.max(end - begin, Math.min(WINDOW_BYTES, this.fileBytes - begin));
      const bytes = new Uint8Array(length);
      await readInto(this.file, this.handle, bytes, begin);
      this.#window = { begin, end: begin + length, bytes };
    }
    return this.#window.bytes.subarray(begin - this.#window.begin, end - this.#window.begin);
  }
}

function readHead(reader: protobuf.Reader): { id: number; number: number | null; length: number } {
  const tag = reader.tag();
  const id = tag >>> 3;
  if ((tag & 7) === VARINT) return { id, number: wholeNumber(reader.int64()), length: 0 };
  if ((tag & 7) === DELIMITED) return { id, number: null, length: wholeNumber(reader.uint64()) };
  throw new RangeError(`wire type ${tag & 7}`);
}
