/**
 * Follows the record files of a run by byte offset: what was appended since the last look, whole lines only. Whoever has read up to an
 * offset and goes on from there sees every record exactly once, whichever process writes them; nothing waits in memory meanwhile
 * (architecture.md section 7: the live stream is a cache of the files).
 */
import { open, stat } from 'node:fs/promises';
import type { MetricsRecord } from '../protocol/records.ts';
import { Phase } from '../protocol/run.ts';
import { systemCode } from '../store/diskFault.ts';
import { parseJson } from '../store/json.ts';
import { RECORD_FILES, type RecordKind, type Records, recordFile } from '../store/runFolder.ts';
import { sieveLines, stretchFor } from './sieveLines.ts';

export type NewRecords = { [K in RecordKind]: Records[K][] } & {
  /** There was more than one look may take. */
  more: boolean;
  /** Lines that are no records, in words; they are passed over. */
  problems: string[];
};

/** One look takes at most this much of each file, so that a page that was away for long cannot make the host's memory grow. */
const LOOK_BYTES = 1 << 20;
const NEWLINE = 0x0a;
const KINDS = Object.keys(RECORD_FILES) as RecordKind[];

export function noRecords(): NewRecords {
  return { metrics: [], epochs: [], snapshots: [], events: [], more: false, problems: [] };
}

export class RunTail {
  readonly #offsets: Record<RecordKind, number> = { metrics: 0, epochs: 0, snapshots: 0, events: 0 };

  constructor(readonly dir: string) {}

  /** What is new since the last look. */
  async look(): Promise<NewRecords> {
    const found = noRecords();
    for (const kind of KINDS) {
      const { bytes, more } = await this.#newBytes(kind);
      if (more) found.more = true;
      this.#takeAll(kind, bytes.toString('utf8'), found);
    }
    return found;
  }

  /** Everything from the present offset to the end of the files; of very many lines of metrics those that a page may be shown. */
  async lookToEnd(): Promise<NewRecords> {
    const all = noRecords();
    let stretch = 0;
    for (let isMore = true; isMore; ) {
      isMore = false;
      for (const kind of KINDS) {
        const start = this.#offsets[kind];
        const { bytes, more } = await this.#newBytes(kind);
        const text = bytes.toString('utf8');
        if (more) isMore = true;
        if (kind === 'metrics') stretch ||= stretchFor(more ? await this.#linesAhead(start, text) : 0);
        this.#takeAll(kind, kind === 'metrics' ? sieveLines(text, stretch) : text, all);
      }
    }
    return all;
  }

  /** How many lines of metrics there are from `start` on, when `text` is what was read from there: all will be about as long. */
  async #linesAhead(start: number, text: string): Promise<number> {
    const { size } = await stat(recordFile(this.dir, 'metrics'));
    return Math.ceil(((size - start) * text.split('\n').length) / Math.max(1, text.length));
  }

  #takeAll(kind: RecordKind, text: string, found: NewRecords): void {
    for (const line of text.split('\n')) if (line !== '') this.#take(kind, line, found);
  }

  #take(kind: RecordKind, line: string, found: NewRecords): void {
    const value = parseJson(line);
    if (kind === 'metrics' && isPlainMetrics(value)) {
      found.metrics.push(value);
      return;
    }
    const parsed = RECORD_FILES[kind].schema.safeParse(value);
    if (parsed.success) (found[kind] as object[]).push(parsed.data);
    else found.problems.push(`${RECORD_FILES[kind].name}: a line is no record: ${line.slice(0, 60)}`);
  }

  /** Whole lines from the offset on; advances it. A line longer than one look is read whole. */
  async #newBytes(kind: RecordKind): Promise<{ bytes: Buffer; more: boolean }> {
    const handle = await open(recordFile(this.dir, kind), 'r').catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return null;
      throw error;
    });
    if (!handle) return { bytes: Buffer.alloc(0), more: false };
    try {
      const { size } = await handle.stat();
      // A torn tail that was cut off when the run was opened again: what was passed over is gone.
      this.#offsets[kind] = Math.min(this.#offsets[kind], size);
      for (let length = LOOK_BYTES; ; length *= 2) {
        const wanted = Math.min(length, size - this.#offsets[kind]);
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(wanted), 0, wanted, this.#offsets[kind]);
        const end = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1;
        const isAll = this.#offsets[kind] + wanted >= size;
        if (end === 0 && !isAll) continue;
        this.#offsets[kind] += end;
        return { bytes: buffer.subarray(0, end), more: !isAll };
      }
    } finally {
      await handle.close();
    }
  }
}

const METRICS_NUMBERS = ['loss', 'imagesPerSecond', 'stepMs', 'dataWaitMs', 'memoryBytes', 'gradNorm'] as const;
const OPTIONAL_NUMBERS = ['gpuUse', 'gpuMemoryBytes'] as const;

/** The usual line of metrics, told without its schema, which would take a minute for a million of them. Anything unusual goes to the schema. */
function isPlainMetrics(value: unknown): value is MetricsRecord {
  if (typeof value !== 'object' || value === null) return false;
  const line = value as Record<string, unknown>;
  if (typeof line.step !== 'number' || line.step < 0 || typeof line.epoch !== 'number' || typeof line.segment !== 'number') return false;
  if (typeof line.lr !== 'number' || !Phase.options.includes(line.phase as Phase)) return false;
  if (!OPTIONAL_NUMBERS.every((name) => line[name] === undefined || line[name] === null || typeof line[name] === 'number')) return false;
  return METRICS_NUMBERS.every((name) => typeof line[name] === 'number' || line[name] === null);
}
