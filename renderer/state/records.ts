/**
 * A run's records: what charts read without copying. Plain data, no runes; ActiveRun counts versions. Frames append; a record of an earlier
 * or the same step is a repetition and is left out, so that a repeated frame changes nothing.
 */
import type { RunFrame } from '../../main/protocol/events.ts';
import type { EpochRecord, EventRecord } from '../../main/protocol/records.ts';
import type { RunState } from '../../main/protocol/results.ts';
import { type MetricColumns, type MetricName, MetricTable } from './metricTable.ts';
import { Snapshots } from './snapshots.ts';
import type { WholeRun } from './wholeRun.ts';

export class RunRecords {
  #metrics = new MetricTable();
  epochs: EpochRecord[] = [];
  snapshots = new Snapshots();
  events: EventRecord[] = [];
  abandoned: RunState['abandoned'] = { metrics: [], epochs: [] };

  get metrics(): MetricColumns {
    return this.#metrics.columns;
  }

  /** Forgets everything and takes a catch-up. */
  replace({ state, metrics, snapshots }: WholeRun): void {
    this.#metrics = metrics;
    this.snapshots = snapshots;
    this.epochs = [...state.epochs];
    this.events = [...state.events];
    this.abandoned = state.abandoned;
  }

  /** Takes a frame. Gives false when it belongs to a new segment, whose start the page must ask for. */
  append(frame: RunFrame): boolean {
    const segment = this.snapshots.at(-1)?.segment ?? this.epochs.at(-1)?.segment;
    const first = frame.snapshots[0] ?? frame.epochs[0];
    if (segment !== undefined && first !== undefined && first.segment > segment) return false;
    this.#metrics.append(frame.metrics);
    for (const epoch of frame.epochs) if (epoch.step > (this.epochs.at(-1)?.step ?? -1)) this.epochs.push(epoch);
    for (const snapshot of frame.snapshots) this.snapshots.push(snapshot);
    this.events.push(...frame.events.filter((event) => !this.events.some((known) => isSame(known, event))));
    return true;
  }

  /** See MetricTable. */
  smoothed(name: MetricName, weight: number): Float64Array {
    return this.#metrics.smoothed(name, weight);
  }

  /** See MetricTable. */
  measuredFrom(from: number, to: number | null): ReturnType<MetricTable['measuredFrom']> {
    return this.#metrics.measuredFrom(from, to);
  }
}

function isSame(a: EventRecord, b: EventRecord): boolean {
  return a.time === b.time && a.kind === b.kind && a.step === b.step;
}
