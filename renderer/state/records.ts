/**
 * A run's records as growing columns: what charts read without copying. Plain data, no runes; ActiveRun counts versions. Frames
 * append; a record of an earlier or the same step is a repetition and is left out, so that a repeated frame changes nothing.
 */
import type { RunFrame } from '../../main/protocol/events.ts';
import type { EpochRecord, EventRecord, MetricsRecord } from '../../main/protocol/records.ts';
import type { RunState } from '../../main/protocol/results.ts';
import { Smoother } from '../charts/series.ts';
import { NumberColumn } from './numberColumn.ts';
import { Snapshots } from './snapshots.ts';

const METRICS = ['loss', 'lr', 'imagesPerSecond', 'stepMs', 'dataWaitMs', 'memoryBytes', 'gradNorm'] as const;
export type MetricName = (typeof METRICS)[number];
/** `seconds` is training time up to the step: step times summed, pauses left out. */
const COLUMNS = ['step', 'epoch', 'seconds', ...METRICS] as const;
type ColumnName = (typeof COLUMNS)[number];

/** One value per row; NaN where it is missing. */
export type MetricColumns = Readonly<Record<ColumnName, Float64Array>>;

interface Smoothed {
  weight: number;
  smoother: Smoother;
  column: NumberColumn;
}

export class RunRecords {
  #columns = emptyColumns();
  #views: MetricColumns | null = null;
  readonly #smoothed = new Map<MetricName, Smoothed>();
  epochs: EpochRecord[] = [];
  snapshots = new Snapshots();
  events: EventRecord[] = [];
  abandoned: RunState['abandoned'] = { metrics: [], epochs: [] };

  get metrics(): MetricColumns {
    this.#views ??= Object.fromEntries(COLUMNS.map((name) => [name, this.#columns[name].values])) as Record<ColumnName, Float64Array>;
    return this.#views;
  }

  /** Forgets everything and takes a catch-up, whose snapshots are unpacked already. */
  replace(state: RunState, snapshots: Snapshots): void {
    this.#columns = emptyColumns();
    this.#smoothed.clear();
    for (const record of state.metrics) this.#appendMetrics(record);
    this.epochs = [...state.epochs];
    this.snapshots = snapshots;
    this.events = [...state.events];
    this.abandoned = state.abandoned;
  }

  /** Takes a frame. Gives false when it belongs to a new segment, whose start the page must ask for. */
  append(frame: RunFrame): boolean {
    const segment = this.snapshots.at(-1)?.segment ?? this.epochs.at(-1)?.segment;
    const first = frame.snapshots[0] ?? frame.epochs[0];
    if (segment !== undefined && first !== undefined && first.segment > segment) return false;
    for (const record of frame.metrics) this.#appendMetrics(record);
    for (const epoch of frame.epochs) if (epoch.step > (this.epochs.at(-1)?.step ?? -1)) this.epochs.push(epoch);
    for (const snapshot of frame.snapshots) this.snapshots.push(snapshot);
    this.events.push(...frame.events.filter((event) => !this.events.some((known) => isSame(known, event))));
    return true;
  }

  /** A metric smoothed before anything is thinned; only what came since the last call is computed. */
  smoothed(name: MetricName, weight: number): Float64Array {
    let known = this.#smoothed.get(name);
    if (known?.weight !== weight) {
      known = { weight, smoother: new Smoother(weight), column: new NumberColumn() };
      this.#smoothed.set(name, known);
    }
    const raw = this.metrics[name];
    for (let i = known.column.length; i < raw.length; i++) known.column.push(known.smoother.next(raw[i] as number));
    return known.column.values;
  }

  /** Median throughput and largest memory of the steps after `from` up to `to`; null where nothing was recorded. */
  measuredFrom(from: number, to: number | null): { imagesPerSecond: number | null; peakMemoryBytes: number | null } {
    const { step, imagesPerSecond, memoryBytes } = this.metrics;
    const inside = (value: number, i: number): boolean =>
      !Number.isNaN(value) && (step[i] as number) > from && (to === null || (step[i] as number) <= to);
    const speeds = imagesPerSecond.filter(inside).sort();
    const memory = memoryBytes.filter(inside);
    return {
      imagesPerSecond: speeds[speeds.length >> 1] ?? null,
      peakMemoryBytes: memory.length === 0 ? null : memory.reduce((top, value) => Math.max(top, value)),
    };
  }

  #appendMetrics(record: MetricsRecord): void {
    const columns = this.#columns;
    const previous = columns.step.last;
    if (previous !== undefined && record.step <= previous) return;
    const steps = record.step - (previous ?? 0);
    columns.seconds.push((columns.seconds.last ?? 0) + ((record.stepMs ?? 0) * steps) / 1000);
    columns.step.push(record.step);
    columns.epoch.push(record.epoch);
    for (const name of METRICS) columns[name].push(record[name]);
    this.#views = null;
  }
}

function isSame(a: EventRecord, b: EventRecord): boolean {
  return a.time === b.time && a.kind === b.kind && a.step === b.step;
}

function emptyColumns(): Record<ColumnName, NumberColumn> {
  return Object.fromEntries(COLUMNS.map((name) => [name, new NumberColumn()])) as Record<ColumnName, NumberColumn>;
}
