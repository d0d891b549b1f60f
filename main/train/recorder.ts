/**
 * Writes what happens in a run to its folder and tells a listener the same. The files are the truth; whoever watches live gets exactly the
 * records that were written (architecture.md section 7). Event files for TensorBoard, where they are wanted, follow the same way.
 */
import { LiveEventLog, type LiveEventLogOptions } from '../exchange/liveEventLog.ts';
import type { EpochRecord, EventRecord, MetricsRecord, RanksFile, SnapshotRecord } from '../protocol/records.ts';
import type { StatusFile } from '../protocol/run.ts';
import { isDiskFault } from '../store/diskFault.ts';
import type { RunStore } from '../store/runStore.ts';

/** Gets every record right after it was written; must not throw. */
export interface RunListener {
  metrics?(record: MetricsRecord): void;
  epoch?(record: EpochRecord): void;
  snapshot?(record: SnapshotRecord): void;
  event?(record: EventRecord): void;
  status?(status: StatusFile): void;
  /** What the run is doing now, in a few words. */
  activity?(text: string): void;
}

/** status.json need not follow every step. */
const STATUS_INTERVAL_MS = 1000;

export class Recorder {
  #statusAt = Number.NEGATIVE_INFINITY;
  #eventLog: LiveEventLog | null = null;
  /** Journals why the event log ended; null when there is nothing left to tell. */
  #tellFault: (() => void) | null = null;

  constructor(
    readonly store: RunStore,
    readonly listener: RunListener,
  ) {}

  metrics(record: MetricsRecord): void {
    this.store.appendMetrics(record);
    this.listener.metrics?.(record);
    this.#eventLog?.metrics(record);
    if (this.#tellFault) this.#journalFault(this.#tellFault);
  }

  snapshot(record: SnapshotRecord): void {
    this.store.appendSnapshot(record);
    this.listener.snapshot?.(record);
    this.#eventLog?.snapshot(record);
  }

  async epoch(record: EpochRecord): Promise<void> {
    this.store.appendEpoch(record);
    this.listener.epoch?.(record);
    this.#eventLog?.epoch(record);
    await this.store.writeSummary();
  }

  event(event: Pick<EventRecord, 'kind' | 'step' | 'by' | 'detail'>, segment: number): void {
    const record: EventRecord = { ...event, segment, time: new Date().toISOString() };
    this.store.appendEvent(record);
    this.listener.event?.(record);
    this.#eventLog?.event(record);
  }

  async ranks(file: RanksFile): Promise<void> {
    await this.store.writeRanks(file);
    this.#eventLog?.ranks(file);
  }

  /** One that has just been written. */
  async checkpoint(step: number): Promise<void> {
    await this.#eventLog?.checkpoint(step);
  }

  activity(text: string): void {
    this.listener.activity?.(text);
  }

  /** Tells the listener always, and the file at most once a second unless `now` is set. */
  async status(status: StatusFile, { now = false } = {}): Promise<void> {
    this.listener.status?.(status);
    if (!now && performance.now() - this.#statusAt < STATUS_INTERVAL_MS) return;
    this.#statusAt = performance.now();
    await this.store.writeStatus(status);
  }

  /** From here on event files for TensorBoard follow, in a new file. `tell` journals the fault that ended them; after one they stay away. */
  async openEventLog(from: Pick<LiveEventLogOptions, 'config' | 'step'>, tell: (message: string) => void): Promise<void> {
    if (this.#eventLog?.hasFailed) return;
    this.#eventLog?.close();
    this.#eventLog = new LiveEventLog({
      ...from,
      runDir: this.store.dir,
      onFault: (error) => this.#journalFault(() => tell(error instanceof Error ? error.message : String(error))),
    });
    await this.#eventLog.open();
  }

  closeEventLog(): void {
    this.#eventLog?.close();
  }

  /** A journal on the same full disk must not end the run either: the next line of metrics tries again. */
  #journalFault(tell: () => void): void {
    this.#tellFault = tell;
    try {
      tell();
      this.#tellFault = null;
    } catch (error) {
      if (!isDiskFault(error)) throw error;
    }
  }
}
