/**
 * A run's records as growing columns: what charts read without copying. Plain arrays, no runes; ActiveRun counts versions. Frames
 * append; a record of an earlier or the same step is a repetition and is left out, so that a repeated frame changes nothing.
 */
import type { RunFrame } from '../../main/protocol/events.ts';
import type { EpochRecord, EventRecord, MetricsRecord, SnapshotRecord } from '../../main/protocol/records.ts';
import type { RunState } from '../../main/protocol/requests.ts';

type Column = (number | null)[];

export interface MetricColumns {
  step: number[];
  epoch: number[];
  /** Training time up to the step, seconds: step times summed, pauses left out. */
  seconds: number[];
  loss: Column;
  lr: Column;
  imagesPerSecond: Column;
  stepMs: Column;
  dataWaitMs: Column;
  memoryBytes: Column;
  gradNorm: Column;
}

const METRICS = ['loss', 'lr', 'imagesPerSecond', 'stepMs', 'dataWaitMs', 'memoryBytes', 'gradNorm'] as const;

export class RunRecords {
  metrics: MetricColumns = emptyColumns();
  epochs: EpochRecord[] = [];
  snapshots: SnapshotRecord[] = [];
  events: EventRecord[] = [];
  abandoned: RunState['abandoned'] = { metrics: [], snapshots: [], epochs: [] };

  /** Forgets everything and takes a catch-up. */
  replace(state: RunState): void {
    this.metrics = emptyColumns();
    for (const record of state.metrics) this.#appendMetrics(record);
    this.epochs = [...state.epochs];
    this.snapshots = [...state.snapshots];
    this.events = [...state.events];
    this.abandoned = state.abandoned;
  }

  /** Takes a frame. Gives false when it belongs to a new segment, whose start the page must ask for. */
  append(frame: RunFrame): boolean {
    const segment = this.snapshots.at(-1)?.segment ?? this.epochs.at(-1)?.segment;
    const first = frame.snapshots[0] ?? frame.epochs[0];
    if (segment !== undefined && first !== undefined && first.segment > segment) return false;
    for (const record of frame.metrics) this.#appendMetrics(record);
    appendNew(this.epochs, frame.epochs);
    appendNew(this.snapshots, frame.snapshots);
    this.events.push(...frame.events.filter((event) => !this.events.some((known) => isSame(known, event))));
    return true;
  }

  /** Median throughput and largest memory of the steps after `from` up to `to`; null where nothing was recorded. */
  measuredFrom(from: number, to: number | null): { imagesPerSecond: number | null; peakMemoryBytes: number | null } {
    const { step, imagesPerSecond, memoryBytes } = this.metrics;
    const inside = (_: unknown, i: number): boolean => (step[i] as number) > from && (to === null || (step[i] as number) <= to);
    const speeds = imagesPerSecond.filter(inside).filter((value) => value !== null);
    const memory = memoryBytes.filter(inside).filter((value) => value !== null);
    return {
      imagesPerSecond: speeds.length === 0 ? null : (speeds.sort((a, b) => a - b)[speeds.length >> 1] ?? null),
      peakMemoryBytes: memory.length === 0 ? null : memory.reduce((top, value) => Math.max(top, value)),
    };
  }

  #appendMetrics(record: MetricsRecord): void {
    const columns = this.metrics;
    const previous = columns.step.at(-1);
    if (previous !== undefined && record.step <= previous) return;
    const steps = record.step - (previous ?? 0);
    columns.step.push(record.step);
    columns.epoch.push(record.epoch);
    columns.seconds.push((columns.seconds.at(-1) ?? 0) + ((record.stepMs ?? 0) * steps) / 1000);
    for (const name of METRICS) columns[name].push(record[name]);
  }
}

function appendNew<T extends { step: number }>(known: T[], incoming: readonly T[]): void {
  for (const record of incoming) if (record.step > (known.at(-1)?.step ?? -1)) known.push(record);
}

function isSame(a: EventRecord, b: EventRecord): boolean {
  return a.time === b.time && a.kind === b.kind && a.step === b.step;
}

function emptyColumns(): MetricColumns {
  return {
    step: [],
    epoch: [],
    seconds: [],
    loss: [],
    lr: [],
    imagesPerSecond: [],
    stepMs: [],
    dataWaitMs: [],
    memoryBytes: [],
    gradNorm: [],
  };
}
