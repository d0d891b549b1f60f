/** A run as the Live charts look at it, and where its steps lie on the axis they share. */
import type { RunConfig } from '../../../main/protocol/config.ts';
import type { ReplayResult } from '../../../main/protocol/results.ts';
import type { StatusFile } from '../../../main/protocol/run.ts';
import type { PhaseSpan } from '../../charts/model.ts';
import { lowerBound } from '../../charts/series.ts';
import { formatCount, formatDuration } from '../../format.ts';
import type { ActiveRun } from '../../state/activeRun.svelte.ts';
import type { XAxis } from '../../state/plots.svelte.ts';
import type { RunRecords } from '../../state/records.ts';

/** All that the Live charts look at. */
export interface LiveSource {
  records: RunRecords;
  status: StatusFile;
  config: RunConfig;
  replay: ReplayResult | null;
  phaseSpans: readonly PhaseSpan[];
  axis: XAxis;
  range: [number, number];
  logLoss: boolean;
  logChange: boolean;
  smoothing: number;
  /** Curves drawn beside the usual ones. */
  curves: ReadonlySet<ExtraCurve>;
}

/** Curves of the loss panel that are drawn on demand. */
export const EXTRA_CURVES = { trainTop1: 'train top-1', valTop5: 'val top-5', lr: 'learning rate' } as const;
export type ExtraCurve = keyof typeof EXTRA_CURVES;

/** A run as the charts look at it; a new object per version, so that everything derived from it is made anew. Null until it is read. */
export function liveSource(run: ActiveRun, change: Partial<LiveSource> = {}): LiveSource | null {
  const { drawnStatus: status, summary, replay, phaseSpans, plots, records } = run;
  if (!status || !summary || run.version < 0) return null;
  const { axis, logLoss, logChange, smoothing } = plots;
  const { config } = summary;
  const range = plots.shownOf(fullRange({ records, status, axis }));
  return { records, status, config, replay, phaseSpans, axis, range, logLoss, logChange, smoothing, curves: new Set(), ...change };
}

/** What it takes to place a step on the chosen axis. */
type AxisSource = Pick<LiveSource, 'records' | 'status' | 'axis'>;

/** Where a step lies on the chosen axis. */
export function xOfStep({ records: { metrics }, status, axis }: AxisSource, step: number): number {
  if (axis === 'step') return step;
  if (axis === 'epoch') return step / Math.max(1, status.stepsPerEpoch);
  const index = Math.min(lowerBound(metrics.step, step), metrics.step.length - 1);
  return metrics.seconds[index] ?? 0;
}

/** Where rising steps lie on the chosen axis. */
export function xsOfSteps(source: AxisSource, steps: Float64Array): Float64Array {
  return source.axis === 'step' ? steps : steps.map((step) => xOfStep(source, step));
}

/** The whole x range: up to now, because an empty right half hides what there is. */
export function fullRange(source: AxisSource): [number, number] {
  return [0, Math.max(xOfStep(source, source.status.step), 1e-9)];
}

/** How a value of the axis is said: a count, an epoch to the hundredth, a duration. */
export function formatX(axis: XAxis): (value: number) => string {
  if (axis === 'step') return formatCount;
  if (axis === 'time') return formatDuration;
  return (value) => String(Math.round(value * 100) / 100);
}
