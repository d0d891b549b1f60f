/**
 * Event files in a run's tb/ while it trains, so that `tensorboard --logdir RUN/tb` follows it. Derived from the records, so that the folder may be
 * deleted; a fault in it is told once and ends the log, never the run (formats.md section 10).
 */
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { EpochRecord, EventRecord, MetricsRecord, RanksFile, SnapshotRecord } from '../protocol/records.ts';
import { EventFile, eventFileNames, nextEventFileName } from './eventFile.ts';
import type { BoardEvent, SummaryValue } from './eventRecords.ts';
import { type ChangeSettings, epochValues, metricsValues, RunningValues, rankValues } from './summaryValues.ts';
import { histogramEvent, journalEvent, runEvents } from './tensorboardLog.ts';
import { readWallClock } from './wallClock.ts';

export const EVENTS_FOLDER = 'tb';

/** A step pays for making an event, not for writing it. */
const FLUSH_MS = 1000;

export interface LiveEventLogOptions {
  runDir: string;
  /** As it is now. */
  config: () => ChangeSettings;
  /** The step at which the run stands. */
  step: number;
  /** Gets the one fault after which nothing more is written. */
  onFault: (error: unknown) => void;
}

export class LiveEventLog {
  hasFailed = false;
  readonly #options: LiveEventLogOptions;
  readonly #values: RunningValues;
  /** Null before it is open and after a fault. */
  #file: EventFile | null = null;
  /** Of the newest step, held back: more may happen there. */
  #journal: BoardEvent | null = null;
  /** Step of the newest histograms: the weights of a step are told once, also where its checkpoint is written again. */
  #weightsOf: number | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: LiveEventLogOptions) {
    this.#options = options;
    this.#values = new RunningValues(options.config);
  }

  /**
   * Begins a file with a start marker, which makes readers drop what they have of the run's step and later, and tells again what is live there; in a
   * folder without event files the whole run so far.
   */
  async open(): Promise<void> {
    const { runDir, step } = this.#options;
    try {
      const folder = path.join(runDir, EVENTS_FOLDER);
      mkdirSync(folder, { recursive: true });
      const earlier = eventFileNames(readdirSync(folder));
      const now = Date.now() / 1000;
      const file = new EventFile(path.join(folder, nextEventFileName(earlier, now)), now);
      this.#file = file;
      const from = earlier.length > 0 ? step : 0;
      // In the first file too: TensorBoard's server takes a run's first marker for its beginning, and only later ones for a resume.
      file.append({ wallTime: now, step: from, isStart: true });
      const clock = await readWallClock(runDir);
      for await (const event of runEvents(runDir, { values: this.#values, clock, from })) {
        if (event.values?.some((value) => 'histogram' in value)) this.#weightsOf = event.step;
        file.append(event);
      }
      file.flush();
    } catch (error) {
      this.#stop(error);
    }
  }

  metrics(record: MetricsRecord): void {
    this.#append(record.step, () => metricsValues(record));
  }

  epoch(record: EpochRecord): void {
    this.#append(record.step, () => epochValues(record));
  }

  snapshot(record: SnapshotRecord): void {
    this.#append(record.step, () => this.#values.snapshot(record));
  }

  ranks(file: RanksFile): void {
    this.#append(file.step, () => rankValues(file));
  }

  event(record: EventRecord): void {
    this.#guard((file) => {
      if (this.#journal && this.#journal.step !== record.step) file.append(this.#journal);
      this.#journal = journalEvent(record, this.#values);
    });
  }

  /** A checkpoint that has just been written. */
  async checkpoint(step: number): Promise<void> {
    if (!this.#file || this.#weightsOf === step) return;
    try {
      const event = await histogramEvent(this.#options.runDir, step, Date.now() / 1000);
      this.#weightsOf = step;
      this.#guard((file) => file.append(event));
    } catch (error) {
      this.#stop(error);
    }
  }

  /** Writes what waits. Safe to repeat. */
  close(): void {
    this.#guard((file) => this.#flush(file));
    this.#release();
  }

  #append(step: number, values: () => SummaryValue[]): void {
    this.#guard((file) => file.append({ wallTime: Date.now() / 1000, step, values: values() }));
  }

  #guard(act: (file: EventFile) => void): void {
    if (!this.#file) return;
    try {
      act(this.#file);
      this.#timer ??= setTimeout(() => this.#flushInTime(), FLUSH_MS).unref();
    } catch (error) {
      this.#stop(error);
    }
  }

  #flushInTime(): void {
    this.#guard((file) => this.#flush(file));
    this.#timer = null;
  }

  #flush(file: EventFile): void {
    if (this.#journal) file.append(this.#journal);
    this.#journal = null;
    file.flush();
  }

  #stop(error: unknown): void {
    this.hasFailed = true;
    this.#release();
    this.#options.onFault(error);
  }

  #release(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#file?.close();
    this.#file = null;
  }
}
