/** The loss panel: training loss per step, validation per epoch, and whatever is switched on beside them. */
import type { EpochRecord } from '../../../main/protocol/records.ts';
import type { LineModel, LineSeries } from '../../charts/model.ts';
import { formatAccuracy, formatCount, formatLoss } from '../../format.ts';
import { frameOf, lrSeries, rawAndSmooth } from './modelParts.ts';
import { type ExtraCurve, type LiveSource, xOfStep } from './source.ts';

type EpochCurve = Omit<LineSeries, 'data' | 'points'> & {
  of: (epoch: EpochRecord) => number | null;
  /** Set for a curve that is drawn on demand. */
  extra?: ExtraCurve;
};

const TRAIN = { key: 'train', label: 'train loss', colour: 'accent', format: formatLoss } as const;
const ACCURACY = { right: true, format: formatAccuracy } as const;
const EPOCH_CURVES: readonly EpochCurve[] = [
  { key: 'val', label: 'val loss', colour: 'validation', dash: [6, 3], format: formatLoss, of: ({ valLoss }) => valLoss },
  { ...ACCURACY, key: 'top1', label: 'val top-1', colour: 'ok', dash: [2, 2], of: ({ valTop1 }) => valTop1 },
  { ...ACCURACY, key: 'top5', label: 'val top-5', colour: 'v', dash: [8, 2, 2, 2], of: ({ valTop5 }) => valTop5, extra: 'valTop5' },
  {
    ...ACCURACY,
    key: 'trainTop1',
    label: 'train top-1',
    colour: 'fc2',
    dash: [1, 3],
    of: ({ trainTop1 }) => trainTop1,
    extra: 'trainTop1',
  },
];

/** Losses on the left axis, accuracies on the right one. */
export function lossModel(source: LiveSource): LineModel {
  const { best } = source.status;
  return {
    ...frameOf(source),
    logY: source.logLoss,
    yLabel: 'loss',
    rightLabel: 'top-1, %',
    series: [
      ...abandonedSeries(source),
      ...rawAndSmooth(source, 'loss', TRAIN),
      ...epochSeries(source),
      ...(source.curves.has('lr') ? [lrSeries(source)] : []),
    ],
    formatTick: (value) => String(Number(value.toPrecision(3))),
    formatRightTick: (value) => String(Math.round(value * 1000) / 10),
    ...(best && {
      best: { x: xOfStep(source, best.step), y: best.valTop1, label: `best ${formatAccuracy(best.valTop1)} @ ${best.epoch}`, right: true },
    }),
    summary: lossSummary(source),
  };
}

function epochSeries(source: LiveSource): LineSeries[] {
  const { epochs } = source.records;
  const xs = epochs.map(({ step }) => xOfStep(source, step));
  return EPOCH_CURVES.filter(({ extra }) => extra === undefined || source.curves.has(extra)).map(({ of, extra: _, ...look }) => ({
    ...look,
    points: true,
    data: { xs, ys: epochs.map(of) },
  }));
}

/** The training loss of segments that were undone. */
function abandonedSeries(source: LiveSource): LineSeries[] {
  const { metrics } = source.records.abandoned;
  if (metrics.length === 0) return [];
  const data = { xs: metrics.map(({ step }) => xOfStep(source, step)), ys: metrics.map(({ loss }) => loss) };
  return [{ ...TRAIN, key: 'abandoned', label: 'abandoned', abandoned: true, data }];
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
