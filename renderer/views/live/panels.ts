/** From a run's records to the models of the Live charts and to their tables. Pure: plain data in, plain data out. */
import type { RunConfig } from '../../../main/protocol/config.ts';
import type { EpochRecord } from '../../../main/protocol/records.ts';
import type { ReplayResult } from '../../../main/protocol/results.ts';
import type { StatusFile } from '../../../main/protocol/run.ts';
import type { LineModel, LineSeries, Marker, PhaseSpan, Threshold } from '../../charts/model.ts';
import { lowerBound } from '../../charts/series.ts';
import { FAMILY_DASH } from '../../charts/theme.ts';
import {
  formatAccuracy,
  formatBytes,
  formatChange,
  formatCount,
  formatDuration,
  formatLoss,
  formatLr,
  formatMs,
  formatPercent,
  formatRate,
  unbroken,
} from '../../format.ts';
import { eventWords, markerLetter } from '../../journal.ts';
import type { ActiveRun, Thresholds } from '../../state/activeRun.svelte.ts';
import type { XAxis } from '../../state/plots.svelte.ts';
import type { MetricName, RunRecords } from '../../state/records.ts';
import { shownChanges } from './changes.ts';

const GIB = 2 ** 30;

/** All that the panels look at. */
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

/** A run as the panels look at it; a new object per version, so that everything derived from it is made anew. Null until it is read. */
export function liveSource(run: ActiveRun, change: Partial<LiveSource> = {}): LiveSource | null {
  const { drawnStatus: status, summary, replay, phaseSpans, plots, records } = run;
  if (!status || !summary || run.version < 0) return null;
  const { axis, logLoss, logChange, smoothing } = plots;
  const { config } = summary;
  const range = plots.shownOf(fullRange({ records, status, axis }));
  return { records, status, config, replay, phaseSpans, axis, range, logLoss, logChange, smoothing, curves: new Set(), ...change };
}

/** Where a step lies on the chosen axis. */
export function xOfStep({ records: { metrics }, status, axis }: Pick<LiveSource, 'records' | 'status' | 'axis'>, step: number): number {
  if (axis === 'step') return step;
  if (axis === 'epoch') return step / Math.max(1, status.stepsPerEpoch);
  const index = Math.min(lowerBound(metrics.step, step), metrics.step.length - 1);
  return metrics.seconds[index] ?? 0;
}

/** Where rising steps lie on the chosen axis. */
export function xsOfSteps(source: Pick<LiveSource, 'records' | 'status' | 'axis'>, steps: Float64Array): Float64Array {
  return source.axis === 'step' ? steps : steps.map((step) => xOfStep(source, step));
}

/** The whole x range: up to now, because an empty right half hides what there is. */
export function fullRange(source: Pick<LiveSource, 'records' | 'status' | 'axis'>): [number, number] {
  return [0, Math.max(xOfStep(source, source.status.step), 1e-9)];
}

export function formatX(axis: XAxis): (value: number) => string {
  if (axis === 'step') return formatCount;
  if (axis === 'time') return formatDuration;
  return (value) => String(Math.round(value * 100) / 100);
}

const X_LABELS: Record<XAxis, string> = { step: 'step', epoch: 'epoch', time: 'time' };

export function markersOf(source: LiveSource): Marker[] {
  return source.records.events.flatMap((event) => {
    const letter = markerLetter(event.kind);
    return letter === null ? [] : [{ x: xOfStep(source, event.step), step: event.step, letter, label: eventWords(event) }];
  });
}

function base(source: LiveSource): Pick<LineModel, 'xLabel' | 'xRange' | 'formatX' | 'markers' | 'phases' | 'thresholds'> {
  const { axis, range, phaseSpans } = source;
  return {
    xLabel: X_LABELS[axis],
    xRange: range,
    formatX: formatX(axis),
    markers: markersOf(source),
    phases: phaseSpans.map(({ phase, from, to }) => ({ phase, from: xOfStep(source, from), to: xOfStep(source, to) })),
    thresholds: [],
  };
}

/** x of every metrics row on the chosen axis. */
function metricXs({ records: { metrics }, axis }: LiveSource): Float64Array {
  return axis === 'step' ? metrics.step : axis === 'epoch' ? metrics.epoch : metrics.seconds;
}

/** A metric as it was recorded, faint, and a strong smoothed curve of it; alone when nothing is smoothed. */
function rawAndSmooth(source: LiveSource, name: MetricName, look: Omit<LineSeries, 'data'>): LineSeries[] {
  const xs = metricXs(source);
  const raw: LineSeries = { ...look, data: { xs, ys: source.records.metrics[name] } };
  if (source.smoothing <= 0) return [raw];
  return [
    { ...raw, key: `${look.key}-raw`, raw: true, unlabelled: true },
    { ...look, data: { xs, ys: source.records.smoothed(name, source.smoothing) } },
  ];
}

export function lossModel(source: LiveSource): LineModel {
  const { records, status } = source;
  const { epochs } = records;
  const epochXs = epochs.map(({ step }) => xOfStep(source, step));
  const train = { key: 'train', label: 'train loss', colour: 'accent', format: formatLoss } as const;
  const perEpoch = (look: Omit<LineSeries, 'data' | 'points'>, of: (epoch: EpochRecord) => number | null): LineSeries => ({
    ...look,
    points: true,
    data: { xs: epochXs, ys: epochs.map(of) },
  });
  const accuracy = { right: true, format: formatAccuracy } as const;
  const series = [
    ...rawAndSmooth(source, 'loss', train),
    perEpoch({ key: 'val', label: 'val loss', colour: 'validation', dash: [6, 3], format: formatLoss }, ({ valLoss }) => valLoss),
    perEpoch({ ...accuracy, key: 'top1', label: 'val top-1', colour: 'ok', dash: [2, 2] }, ({ valTop1 }) => valTop1),
  ];
  if (source.curves.has('valTop5')) {
    series.push(perEpoch({ ...accuracy, key: 'top5', label: 'val top-5', colour: 'v', dash: [8, 2, 2, 2] }, ({ valTop5 }) => valTop5));
  }
  if (source.curves.has('trainTop1')) {
    series.push(
      perEpoch({ ...accuracy, key: 'trainTop1', label: 'train top-1', colour: 'fc2', dash: [1, 3] }, ({ trainTop1 }) => trainTop1),
    );
  }
  if (source.curves.has('lr')) series.push(lrSeries(source));
  const abandoned: LineSeries = {
    ...train,
    key: 'abandoned',
    label: 'abandoned',
    abandoned: true,
    data: { xs: records.abandoned.metrics.map(({ step }) => xOfStep(source, step)), ys: records.abandoned.metrics.map(({ loss }) => loss) },
  };
  const { best } = status;
  return {
    ...base(source),
    logY: source.logLoss,
    yLabel: 'loss',
    rightLabel: 'top-1, %',
    series: records.abandoned.metrics.length > 0 ? [abandoned, ...series] : series,
    formatTick: (value) => String(Number(value.toPrecision(3))),
    formatRightTick: (value) => String(Math.round(value * 1000) / 10),
    ...(best && {
      best: { x: xOfStep(source, best.step), y: best.valTop1, label: `best ${formatAccuracy(best.valTop1)} @ ${best.epoch}`, right: true },
    }),
    summary: lossSummary(source),
  };
}

function lossSummary({ records, status }: LiveSource): string {
  const last = records.epochs.at(-1);
  const loss = records.metrics.loss.at(-1);
  const parts = [`train loss ${formatLoss(loss)} at step ${formatCount(records.metrics.step.at(-1))}`];
  if (last)
    parts.push(
      `validation top-1 ${formatAccuracy(last.valTop1)} at epoch ${last.epoch}, ${trend(records.epochs.map(({ valTop1 }) => valTop1))}`,
    );
  if (status.best) parts.push(`best ${formatAccuracy(status.best.valTop1)} at epoch ${status.best.epoch}`);
  return `${parts.join('; ')}.`;
}

function trend(values: readonly (number | null)[]): string {
  const [before, now] = [values.at(-4), values.at(-1)];
  if (typeof before !== 'number' || typeof now !== 'number') return 'too early for a trend';
  return now > before + 0.001 ? 'rising' : now < before - 0.001 ? 'falling' : 'level';
}

/** `peak` is the largest memory of the phase in progress, bytes. */
export function throughputModel(source: LiveSource, peak: number | null): LineModel {
  const { records } = source;
  const xs = metricXs(source);
  const speed = { key: 'speed', label: 'img/s', colour: 'accent', format: formatRate } as const;
  const memory: LineSeries = {
    key: 'memory',
    label: 'memory',
    colour: 'proj',
    dash: [6, 3],
    right: true,
    // In GiB, so that the axis has round ticks.
    data: { xs, ys: records.metrics.memoryBytes.map((bytes) => bytes / GIB) },
    format: (value) => formatBytes(value * GIB),
  };
  return {
    ...base(source),
    logY: false,
    yLabel: `images/s · waiting for data ${formatPercent((100 * (records.metrics.dataWaitMs.at(-1) ?? Number.NaN)) / (records.metrics.stepMs.at(-1) ?? Number.NaN), 0)} of the step`,
    rightLabel: `memory, GiB${peak === null ? '' : ` · peak ${(peak / GIB).toFixed(2)}`}`,
    series: [...rawAndSmooth(source, 'imagesPerSecond', speed), memory],
    formatTick: formatCount,
    formatRightTick: (value) => value.toFixed(2),
    summary: `${formatRate(records.metrics.imagesPerSecond.at(-1))}, ${formatMs(records.metrics.stepMs.at(-1))} per step, ${formatBytes(records.metrics.memoryBytes.at(-1))} in use.`,
  };
}

export interface ThresholdHooks {
  draft: Thresholds;
  setDraft: ((change: Partial<Thresholds>) => void) | null;
}

export function changeModel(source: LiveSource, { draft, setDraft }: ThresholdHooks, withLr: boolean): LineModel {
  const changes = shownChanges(source);
  const { tau } = source.config.prelora;
  const limit = draft.tau ?? tau;
  const xs = xsOfSteps(source, changes.steps);
  const series = [...changes.families].map(
    ([family, ys]): LineSeries => ({
      key: family,
      label: family,
      colour: family,
      dash: FAMILY_DASH[family],
      data: { xs, ys },
      format: (value) => formatChange(value, limit),
    }),
  );
  if (withLr) series.push(lrSeries(source));
  return {
    ...base(source),
    logY: source.logChange,
    yLabel: `mean change per interval, %${calmNote(source)}`,
    series,
    formatTick: (value) => String(Number(value.toPrecision(2))),
    thresholds: [
      threshold({ label: 'τ weight threshold', value: tau, draft: draft.tau, onDraft: setDraft && ((value) => setDraft({ tau: value })) }),
    ],
    verdicts: { xs, ok: (i) => changes.verdicts[i]?.weightsOk ?? null },
    summary: changeSummary(source, limit),
  };
}

/** What takes from the curves' calm: the schedule's share of it, and that nothing is tested after the switch. */
function calmNote(source: LiveSource): string {
  if (source.status.phase !== 'full') return ' · not tested after the switch';
  const fall = lrFall(source, source.config.prelora.windowSize);
  return fall !== null && fall > 0.1 ? ` · LR fell ${formatPercent(fall * 100, 0)} here: part of the calm` : '';
}

function lrSeries(source: LiveSource): LineSeries {
  return {
    key: 'lr',
    label: 'LR',
    colour: 'fg-3',
    dash: [3, 2],
    ownScale: true,
    data: { xs: metricXs(source), ys: source.records.metrics.lr },
    format: formatLr,
  };
}

function threshold({ label, value, draft, onDraft }: Pick<Threshold, 'label' | 'value' | 'draft' | 'onDraft'>): Threshold {
  return { label, value, draft, min: 0.01, max: 100, step: 0.01, format: formatChange, onDraft };
}

/** "5 of 6 families below τ 0.80 %; the highest is fc1 with 0.93 %." */
export function changeSummary({ replay }: Pick<LiveSource, 'replay'>, tau: number): string {
  const last = replay?.windows.at(-1);
  if (!last) return 'No comparison yet: two snapshots are needed.';
  const entries = Object.entries(last.families);
  const below = entries.filter(([, change]) => change < tau).length;
  const [family, change] = entries.reduce((top, one) => (one[1] > top[1] ? one : top));
  const where = `${below} of ${entries.length} families below τ ${formatChange(tau)} at step ${formatCount(last.step)}`;
  return unbroken(`${where}; the highest is ${family} with ${formatChange(change, tau)}.`);
}

/** The newest verdict in words; empty once nothing is tested any more. */
export function verdictWords(source: LiveSource): string {
  const { config, records, replay, status } = source;
  if (status.phase !== 'full') return '';
  const { tau, zeta, windowSize } = config.prelora;
  const last = replay?.windows.at(-1);
  if (!last) return `First test needs ${windowSize} snapshots; there are ${records.snapshots.length}.`;
  const loss = `Loss change ${formatChange(last.lossChange, zeta)} ${last.lossChange <= zeta ? '≤' : '>'} ζ ${formatChange(zeta)}`;
  return unbroken(`Test: ${changeSummary(source, tau)} ${loss}.`);
}

export function lossChangeModel(source: LiveSource, { draft, setDraft }: ThresholdHooks): LineModel {
  const changes = shownChanges(source);
  const xs = xsOfSteps(source, changes.steps);
  const { zeta } = source.config.prelora;
  const limit = draft.zeta ?? zeta;
  const last = changes.lossChange.at(-1);
  return {
    ...base(source),
    logY: source.logChange,
    yLabel: 'change of the mean training loss, %',
    series: [
      {
        key: 'loss-change',
        label: 'loss',
        colour: 'accent',
        data: { xs, ys: changes.lossChange },
        format: (value) => formatChange(value, limit),
      },
    ],
    formatTick: (value) => String(Number(value.toPrecision(2))),
    thresholds: [
      threshold({ label: 'ζ loss threshold', value: zeta, draft: draft.zeta, onDraft: setDraft && ((value) => setDraft({ zeta: value })) }),
    ],
    verdicts: { xs, ok: (i) => changes.verdicts[i]?.lossOk ?? null },
    summary:
      last === undefined
        ? 'No comparison yet.'
        : `Loss change ${formatChange(last, limit)} at step ${formatCount(changes.steps.at(-1))}, threshold ζ ${formatChange(limit)}.`,
  };
}

/** Share by which the learning rate fell over the last test window, 0…1; null when it cannot be told. */
export function lrFall({ records: { metrics, snapshots } }: Pick<LiveSource, 'records'>, windowSize: number): number | null {
  const from = snapshots.at(-windowSize)?.step;
  const to = snapshots.at(-1)?.step;
  if (from === undefined || to === undefined) return null;
  const before = metrics.lr[lowerBound(metrics.step, from)];
  const after = metrics.lr[Math.min(lowerBound(metrics.step, to), metrics.lr.length - 1)];
  return before !== undefined && after !== undefined && before > 0 ? 1 - after / before : null;
}
