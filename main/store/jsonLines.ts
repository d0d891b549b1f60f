/**
 * JSON Lines, append-only: one object per line, each appended with one write, fsynced on demand. After a kill at most the last
 * line is torn: opening for writing cuts it off and reports it, reading passes over it. A bad line before the last is damage and
 * an error that names file and line. architecture.md section 7, formats.md section 10.
 */
import { isUtf8 } from 'node:buffer';
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { PreloraError } from '../protocol/reply.ts';
import { diskFault, systemCode } from './diskFault.ts';
import { firstIssue, type Schema, toJson } from './json.ts';

const NEWLINE = 0x0a;
const CHUNK_BYTES = 1 << 20;

/** What opening or reading found at the end of a file and left out. */
export interface TornTail {
  file: string;
  /** Length of the torn line. */
  bytes: number;
}

/** The writing end of one file. Calls are synchronous, so that lines keep the order of the events they tell of. */
export class JsonLinesWriter {
  /** The torn line that opening cut off, or null. */
  readonly torn: TornTail | null;
  #descriptor: number;
  #bytes: number;
  #closed = false;

  /** Opens or creates `file`. Throws `disk-full` or `not-writable`. */
  constructor(readonly file: string) {
    try {
      // Not 'a': appending mode would ignore the position after a cut on some systems.
      this.#descriptor = openForUpdate(file);
      const size = fstatSync(this.#descriptor).size;
      const whole = wholeLength(this.#descriptor, size);
      this.torn = whole < size ? { file, bytes: size - whole } : null;
      this.#bytes = whole;
      if (this.torn) ftruncateSync(this.#descriptor, whole);
      if (whole > 0 && !endsWithNewline(this.#descriptor, whole)) this.#write(Buffer.from('\n'));
    } catch (error) {
      throw diskFault(error, file);
    }
  }

  /** Length in bytes; always the end of a whole line. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends one line. After a failure (`disk-full`, `not-writable`) the file holds the lines before and nothing of this one. */
  append(record: object): void {
    try {
      this.#write(Buffer.from(`${toJson(record)}\n`));
    } catch (error) {
      throw diskFault(error, this.file);
    }
  }

  #write(line: Uint8Array): void {
    let written = 0;
    try {
      while (written < line.length) written += writeSync(this.#descriptor, line, written, line.length - written, this.#bytes + written);
      this.#bytes += line.length;
    } catch (error) {
      if (written > 0) ftruncateSync(this.#descriptor, this.#bytes);
      throw error;
    }
  }

  /** Returns once everything appended so far is on the disk. */
  sync(): void {
    try {
      fsyncSync(this.#descriptor);
    } catch (error) {
      throw diskFault(error, this.file);
    }
  }

  /** Safe to repeat. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#descriptor);
  }
}

function openForUpdate(file: string): number {
  try {
    return openSync(file, 'r+');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return openSync(file, 'wx+');
  }
}

/** Length of the file up to the end of its last line that parses; only the last line is looked at. */
function wholeLength(descriptor: number, size: number): number {
  if (size === 0) return 0;
  const end = endsWithNewline(descriptor, size) ? size - 1 : size;
  const start = lastLineStart(descriptor, end);
  const line = Buffer.alloc(end - start);
  readFully(descriptor, line, start);
  return parseObject(line) === undefined ? start : size;
}

/** Bytes of a file's whole lines, leaving out a torn last one; 0 where there is no file. What another process appends meanwhile is not seen. */
export function wholeBytes(file: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
  try {
    return wholeLength(descriptor, fstatSync(descriptor).size);
  } finally {
    closeSync(descriptor);
  }
}

function endsWithNewline(descriptor: number, size: number): boolean {
  const last = Buffer.alloc(1);
  readFully(descriptor, last, size - 1);
  return last[0] === NEWLINE;
}

/** Position after the last newline before `end`. */
function lastLineStart(descriptor: number, end: number): number {
  let position = end;
  while (position > 0) {
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, position));
    position -= chunk.length;
    readFully(descriptor, chunk, position);
    const newline = chunk.lastIndexOf(NEWLINE);
    if (newline >= 0) return position + newline + 1;
  }
  return 0;
}

function readFully(descriptor: number, target: Uint8Array, position: number): void {
  let filled = 0;
  while (filled < target.length) {
    const count = readSync(descriptor, target, filled, target.length - filled, position + filled);
    if (count === 0) throw new PreloraError('run-damaged', 'a file became shorter while it was read');
    filled += count;
  }
}

/** The object on a line, or undefined when it is not the JSON of an object. */
function parseObject(line: Buffer): object | undefined {
  try {
    // Otherwise a damaged byte would quietly become U+FFFD.
    if (!isUtf8(line)) return undefined;
    const value: unknown = JSON.parse(line.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The records of a file in order, read in pieces, so that its size does not matter; none when the file is not there. A torn last
 * line is left out and told to `onTorn`. Throws `run-damaged` for a bad line in the middle or one that does not fit the schema.
 */
export async function* readJsonLines<T>(
  file: string,
  schema: Schema<T>,
  onTorn?: (tail: TornTail) => void,
): AsyncGenerator<T, void, undefined> {
  let number = 0;
  let bad: { number: number; bytes: number } | null = null;
  for await (const lines of linesOf(file)) {
    for (const line of lines) {
      number++;
      if (bad) throw damaged(file, bad.number, 'is not the JSON of an object');
      const value = parseObject(line);
      if (value === undefined) {
        bad = { number, bytes: line.length };
        continue;
      }
      const parsed = schema.safeParse(value);
      if (!parsed.success) throw damaged(file, number, firstIssue(parsed.error.issues));
      yield parsed.data;
    }
  }
  if (bad) onTorn?.({ file, bytes: bad.bytes });
}

function damaged(file: string, line: number, rule: string): PreloraError {
  return new PreloraError('run-damaged', `${file}: line ${line}: ${rule}`);
}

/**
 * Lines without their ends, as many at a time as a piece of the file holds; the last one also when it has no end. Of a file that is being
 * written, only the first `bytes` are read.
 */
export async function* linesOf(file: string, bytes = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer[], void, undefined> {
  if (bytes === 0) return;
  const handle = await open(file, 'r').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (!handle) return;
  try {
    let rest = Buffer.alloc(0);
    for await (const chunk of handle.createReadStream({
      autoClose: false,
      highWaterMark: CHUNK_BYTES,
      end: bytes - 1,
    }) as AsyncIterable<Buffer>) {
      const piece = Buffer.concat([rest, chunk]);
      const lines: Buffer[] = [];
      let start = 0;
      for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
        lines.push(piece.subarray(start, end));
        start = end + 1;
      }
      rest = piece.subarray(start);
      yield lines;
    }
    if (rest.length > 0) yield [rest];
  } finally {
    await handle.close();
  }
}
