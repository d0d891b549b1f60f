/** From a run's records to the models of the Live charts and to their tables. Pure: plain data in, plain data out. */
import type { RunConfig } from '../../../main/protocol/config.ts';
import type { ReplayResult } from '../../../main/protocol/requests.ts';
import type { StatusFile } from '../../../main/protocol/run.ts';
import type { LineModel, LineSeries, Marker, PhaseSpan, Threshold } from '../../charts/model.ts';
import { lowerBound, smooth } from '../../charts/series.ts';
import { FAMILY_DASH } from '../../charts/theme.ts';
import type { TableCell, TableModel } from '../../components/tableModel.ts';
import {
  formatAccuracy,
  formatBytes,
  formatChange,
  formatCount,
  formatDuration,
  formatLoss,
  formatLr,
  formatMs,
  formatRate,
  plain,
} from '../../format.ts';
import { eventWords, markerLetter } from '../../journal.ts';
import { FAMILIES } from '../../modules.ts';
import type { Thresholds } from '../../state/activeRun.svelte.ts';
import type { XAxis } from '../../state/plots.svelte.ts';
import type { RunRecords } from '../../state/records.ts';

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
}

/** Where a step lies on the chosen axis. */
export function xOfStep({ records: { metrics }, status, axis }: Pick<LiveSource, 'records' | 'status' | 'axis'>, step: number): number {
  if (axis === 'step') return step;
  if (axis === 'epoch') return step / Math.max(1, status.stepsPerEpoch);
  const index = Math.min(lowerBound(metrics.step, step), metrics.step.length - 1);
  return metrics.seconds[index] ?? 0;
}

/** The whole x range: up to now, because an empty right half hides what there is. */
export function fullRange(source: Omit<LiveSource, 'range'>): [number, number] {
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
    return letter === null ? [] : [{ x: xOfStep(source, event.step), letter, label: eventWords(event) }];
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
function metricXs({ records: { metrics }, axis }: LiveSource): number[] {
  return axis === 'step' ? metrics.step : axis === 'epoch' ? metrics.epoch : metrics.seconds;
}

/** A faint raw curve and a strong smoothed one, named as such. */
function rawAndSmooth(series: LineSeries, smoothing: number): LineSeries[] {
  if (smoothing <= 0) return [series];
  const raw: LineSeries = { ...series, key: `${series.key}-raw`, raw: true, unlabelled: true };
  return [raw, { ...series, data: { xs: series.data.xs, ys: smooth(series.data.ys, smoothing) } }];
}

export function lossModel(source: LiveSource): LineModel {
  const { records, status, smoothing } = source;
  const { epochs } = records;
  const epochXs = epochs.map(({ step }) => xOfStep(source, step));
  const train: LineSeries = {
    key: 'train',
    label: 'train loss',
    colour: 'accent',
    data: { xs: metricXs(source), ys: records.metrics.loss },
    format: formatLoss,
  };
  const val: LineSeries = {
    key: 'val',
    label: 'val loss',
    colour: 'validation',
    dash: [6, 3],
    data: { xs: epochXs, ys: epochs.map(({ valLoss }) => valLoss) },
    format: formatLoss,
    points: true,
  };
  const top1: LineSeries = {
    key: 'top1',
    label: 'val top-1',
    colour: 'ok',
    dash: [2, 2],
    right: true,
    data: { xs: epochXs, ys: epochs.map(({ valTop1 }) => valTop1) },
    format: formatAccuracy,
    points: true,
  };
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
    series: [...(records.abandoned.metrics.length > 0 ? [abandoned] : []), ...rawAndSmooth(train, smoothing), val, top1],
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

export function throughputModel(source: LiveSource): LineModel {
  const { records } = source;
  const xs = metricXs(source);
  const speed: LineSeries = {
    key: 'speed',
    label: 'img/s',
    colour: 'accent',
    data: { xs, ys: records.metrics.imagesPerSecond },
    format: formatRate,
  };
  const memory: LineSeries = {
    key: 'memory',
    label: 'memory',
    colour: 'proj',
    dash: [6, 3],
    right: true,
    // In GiB, so that the axis has round ticks.
    data: { xs, ys: records.metrics.memoryBytes.map((bytes) => (bytes === null ? null : bytes / GIB)) },
    format: (value) => formatBytes(value * GIB),
  };
  return {
    ...base(source),
    logY: false,
    yLabel: 'images/s',
    rightLabel: 'memory, GiB',
    series: [...rawAndSmooth(speed, source.smoothing), memory],
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
  const windows = source.replay?.windows ?? [];
  const { tau } = source.config.prelora;
  const limit = draft.tau ?? tau;
  const xs = windows.map(({ step }) => xOfStep(source, step));
  const families = FAMILIES.filter((family) => windows.some((window) => window.families[family] !== undefined));
  const series = families.map(
    (family): LineSeries => ({
      key: family,
      label: family,
      colour: family,
      dash: FAMILY_DASH[family],
      data: { xs, ys: windows.map((window) => window.families[family] ?? null) },
      format: (value) => formatChange(value, limit),
    }),
  );
  if (withLr) series.push(lrSeries(source));
  return {
    ...base(source),
    logY: source.logChange,
    yLabel: 'mean change per snapshot interval, %',
    series,
    formatTick: (value) => String(Number(value.toPrecision(2))),
    thresholds: [
      threshold({ label: 'τ weight threshold', value: tau, draft: draft.tau, onDraft: setDraft && ((value) => setDraft({ tau: value })) }),
    ],
    verdicts: windows.map(({ step, weightsOk }) => ({ x: xOfStep(source, step), ok: weightsOk })),
    summary: changeSummary(source, limit),
  };
}

function lrSeries(source: LiveSource): LineSeries {
  return {
    key: 'lr',
    label: 'LR',
    colour: 'fg-3',
    right: true,
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
  return `${below} of ${entries.length} families below τ ${formatChange(tau)} at step ${formatCount(last.step)}; the highest is ${family} with ${formatChange(change, tau)}.`;
}

export function lossChangeModel(source: LiveSource, { draft, setDraft }: ThresholdHooks): LineModel {
  const windows = source.replay?.windows ?? [];
  const { zeta } = source.config.prelora;
  const limit = draft.zeta ?? zeta;
  const last = windows.at(-1);
  return {
    ...base(source),
    logY: source.logChange,
    yLabel: 'change of the mean training loss, %',
    series: [
      {
        key: 'loss-change',
        label: 'loss',
        colour: 'accent',
        data: { xs: windows.map(({ step }) => xOfStep(source, step)), ys: windows.map(({ lossChange }) => lossChange) },
        format: (value) => formatChange(value, limit),
      },
    ],
    formatTick: (value) => String(Number(value.toPrecision(2))),
    thresholds: [
      threshold({ label: 'ζ loss threshold', value: zeta, draft: draft.zeta, onDraft: setDraft && ((value) => setDraft({ zeta: value })) }),
    ],
    verdicts: windows.map(({ step, lossOk }) => ({ x: xOfStep(source, step), ok: lossOk })),
    summary: last
      ? `Loss change ${formatChange(last.lossChange, limit)} at step ${formatCount(last.step)}, threshold ζ ${formatChange(limit)}.`
      : 'No comparison yet.',
  };
}

/** Share by which the learning rate fell over the last test window, 0…1; null when it cannot be told. */
export function lrFall({ records: { metrics, snapshots } }: Pick<LiveSource, 'records'>, windowSize: number): number | null {
  const from = snapshots.at(-windowSize)?.step;
  const to = snapshots.at(-1)?.step;
  if (from === undefined || to === undefined) return null;
  const before = metrics.lr[lowerBound(metrics.step, from)];
  const after = metrics.lr[Math.min(lowerBound(metrics.step, to), metrics.lr.length - 1)];
  return typeof before === 'number' && typeof after === 'number' && before > 0 ? 1 - after / before : null;
}

function cell(value: number | null | undefined, format: (value: number | null | undefined) => string): TableCell {
  return { text: format(value), copy: plain(value) };
}

export function metricsTable({ records: { metrics } }: LiveSource): TableModel {
  return {
    columns: ['step', 'train loss', 'LR', 'images/s', 'ms/step', 'memory'],
    rows: metrics.step.map((step, i) => [
      cell(step, formatCount),
      cell(metrics.loss[i], formatLoss),
      cell(metrics.lr[i], formatLr),
      cell(metrics.imagesPerSecond[i], formatRate),
      cell(metrics.stepMs[i], formatMs),
      cell(metrics.memoryBytes[i], formatBytes),
    ]),
  };
}

export function epochsTable({ records: { epochs } }: LiveSource): TableModel {
  return {
    columns: ['epoch', 'step', 'train loss', 'val loss', 'val top-1', 'val top-5'],
    rows: epochs.map((epoch) => [
      cell(epoch.epoch, formatCount),
      cell(epoch.step, formatCount),
      cell(epoch.trainLoss, formatLoss),
      cell(epoch.valLoss, formatLoss),
      cell(epoch.valTop1, formatAccuracy),
      cell(epoch.valTop5, formatAccuracy),
    ]),
  };
}

export function windowsTable({ replay, config }: LiveSource): TableModel {
  const { tau, zeta } = config.prelora;
  return {
    columns: ['step', ...FAMILIES, 'loss', 'verdict'],
    rows: (replay?.windows ?? []).map((window) => [
      cell(window.step, formatCount),
      ...FAMILIES.map((family) => cell(window.families[family], (value) => formatChange(value, tau))),
      cell(window.lossChange, (value) => formatChange(value, zeta)),
      verdictCell(window),
    ]),
  };
}

function verdictCell({ weightsOk, lossOk }: { weightsOk: boolean; lossOk: boolean }): TableCell {
  const text = weightsOk && lossOk ? '✓ passes' : `✗ ${weightsOk ? 'loss' : 'weights'}`;
  return { text, copy: String(weightsOk && lossOk) };
}
