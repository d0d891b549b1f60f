/**
 * Writes what happens in a run to its folder and tells a listener the same. The files are the truth; whoever watches live gets exactly the
 * records that were written (architecture.md section 7).
 */
import type { EpochRecord, EventRecord, MetricsRecord, RanksFile, SnapshotRecord } from '../protocol/records.ts';
import type { StatusFile } from '../protocol/run.ts';
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

  constructor(
    readonly store: RunStore,
    readonly listener: RunListener,
  ) {}

  metrics(record: MetricsRecord): void {
    this.store.appendMetrics(record);
    this.listener.metrics?.(record);
  }

  snapshot(record: SnapshotRecord): void {
    this.store.appendSnapshot(record);
    this.listener.snapshot?.(record);
  }

  async epoch(record: EpochRecord): Promise<void> {
    this.store.appendEpoch(record);
    this.listener.epoch?.(record);
    await this.store.writeSummary();
  }

  event(event: Pick<EventRecord, 'kind' | 'step' | 'by' | 'detail'>, segment: number): void {
    const record: EventRecord = { ...event, segment, time: new Date().toISOString() };
    this.store.appendEvent(record);
    this.listener.event?.(record);
  }

  ranks(file: RanksFile): Promise<void> {
    return this.store.writeRanks(file);
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
}
