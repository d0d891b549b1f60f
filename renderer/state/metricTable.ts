/** The metrics of a run's steps as growing columns: what charts read without copying. Plain data, no runes. */
import type { MetricsRecord } from '../../main/protocol/records.ts';
import { Smoother } from '../charts/series.ts';
import { NumberColumn } from './numberColumn.ts';

const METRICS = ['loss', 'lr', 'imagesPerSecond', 'stepMs', 'dataWaitMs', 'memoryBytes', 'gradNorm', 'gpuUse', 'gpuMemoryBytes'] as const;
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

export class MetricTable {
  readonly #columns = Object.fromEntries(COLUMNS.map((name) => [name, new NumberColumn()])) as Record<ColumnName, NumberColumn>;
  #views: MetricColumns | null = null;
  readonly #smoothed = new Map<MetricName, Smoothed>();

  get columns(): MetricColumns {
    this.#views ??= Object.fromEntries(COLUMNS.map((name) => [name, this.#columns[name].values])) as Record<ColumnName, Float64Array>;
    return this.#views;
  }

  /** Takes records in order; one of an earlier or the same step is a repetition and left out. */
  append(records: readonly MetricsRecord[]): void {
    for (const record of records) this.#push(record);
  }

  #push(record: MetricsRecord): void {
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

  /** A metric smoothed before anything is thinned; only what came since the last call is computed. */
  smoothed(name: MetricName, weight: number): Float64Array {
    let known = this.#smoothed.get(name);
    if (known?.weight !== weight) {
      known = { weight, smoother: new Smoother(weight), column: new NumberColumn() };
      this.#smoothed.set(name, known);
    }
    const raw = this.columns[name];
    for (let i = known.column.length; i < raw.length; i++) known.column.push(known.smoother.next(raw[i] as number));
    return known.column.values;
  }

  /** Median throughput and largest memory of the steps after `from` up to `to`; null where nothing was recorded. */
  measuredFrom(from: number, to: number | null): { imagesPerSecond: number | null; peakMemoryBytes: number | null } {
    const { step, imagesPerSecond, memoryBytes } = this.columns;
    const inside = (value: number, i: number): boolean =>
      !Number.isNaN(value) && (step[i] as number) > from && (to === null || (step[i] as number) <= to);
    const speeds = imagesPerSecond.filter(inside).sort();
    const memory = memoryBytes.filter(inside);
    return {
      imagesPerSecond: speeds[speeds.length >> 1] ?? null,
      peakMemoryBytes: memory.length === 0 ? null : memory.reduce((top, value) => Math.max(top, value)),
    };
  }
}
