/**
 * The writing end of one event file: events are gathered and written many at a time. Readers take the files of a folder in the order of
 * their names and hold the last one for the one that still grows (formats.md section 10).
 */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { diskFault } from '../store/diskFault.ts';
import { type BoardEvent, eventRecord, versionEvent } from './eventRecords.ts';

const BUFFER_BYTES = 1 << 20;
const NAME = /^events\.out\.tfevents\.(\d{10})\./;

/** Names of the event files among those of a folder, in the order in which they are read. */
export function eventFileNames(names: readonly string[]): string[] {
  return names.filter((name) => NAME.test(name)).sort();
}

/** A name that is read after those that are `there`, also where the clock was set back meanwhile. `now` in seconds. */
export function nextEventFileName(there: readonly string[], now: number): string {
  const newest = Number(NAME.exec(there.at(-1) ?? '')?.[1] ?? 0);
  const seconds = Math.max(Math.floor(now), there.length > 0 ? newest + 1 : 0);
  return `events.out.tfevents.${String(seconds).padStart(10, '0')}.prelora.${process.pid}.${there.length}`;
}

export class EventFile {
  /** Written or waiting, the first one included. */
  events = 0;
  #descriptor: number;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #bytes = 0;
  #closed = false;

  /** Creates `file`, which must not exist. `wallTime` in seconds. Throws `disk-full`, `not-writable` or the system's error. */
  constructor(
    readonly file: string,
    wallTime: number,
  ) {
    try {
      this.#descriptor = openSync(file, 'wx');
    } catch (error) {
      throw diskFault(error, file);
    }
    this.append(versionEvent(wallTime));
  }

  /** Writes only when much has gathered. */
  append(event: BoardEvent): void {
    const record = eventRecord(event);
    this.events++;
    this.#waiting.push(record);
    this.#waitingBytes += record.length;
    if (this.#waitingBytes >= BUFFER_BYTES) this.flush();
  }

  /** After a failure (`disk-full`, `not-writable`) the file ends with a whole record, and what waited is gone. */
  flush(): void {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written, bytes.length - written, this.#bytes + written);
      this.#bytes += bytes.length;
    } catch (error) {
      if (written > 0) ftruncateSync(this.#descriptor, this.#bytes);
      throw diskFault(error, this.file);
    }
  }

  /** Without what still waits; safe to repeat. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#descriptor);
  }
}
