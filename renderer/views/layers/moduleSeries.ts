/** One module's history as chart models, and the figure each cell of the map shows. Drawing only; verdicts come from the engine. */
import type { LineModel, LineSeries } from '../../charts/model.ts';
import { formatChange, formatLoss, middleEllipsis } from '../../format.ts';
import type { Beside } from '../../state/besideRun.svelte.ts';
import type { Metric, Snapshots } from '../../state/snapshots.ts';
import { markersOf } from '../live/modelParts.ts';
import { formatX, type LiveSource, xOfStep, xsOfSteps } from '../live/source.ts';

export const FIGURES = ['rank', 'change', 'norm', 'grad', 'displacement'] as const;
export type Figure = (typeof FIGURES)[number];

export const FIGURE_TITLES: Record<Figure, string> = {
  rank: 'rank',
  change: 'change, %',
  norm: 'weight norm',
  grad: 'gradient norm',
  displacement: 'displacement',
};

const NORM_OF = { norm: 'weightNorm', grad: 'gradNorm', displacement: 'displacement' } as const;

/** A figure of a module at one snapshot; rank is not one of a snapshot. */
export function figureAt(
  snapshots: Snapshots,
  index: number,
  module: string,
  figure: Exclude<Figure, 'rank'>,
  metric: Metric,
): number | null {
  if (figure !== 'change') return snapshots.norm(index, module, NORM_OF[figure]);
  const change = snapshots.change(index, module, metric);
  return Number.isNaN(change) ? null : change;
}

/** A figure of a module at every snapshot; NaN where it is missing. */
function figureOver(snapshots: Snapshots, module: string, figure: Exclude<Figure, 'rank'>, metric: Metric): Float64Array {
  return figure === 'change' ? snapshots.changes(module, metric, 0, snapshots.length) : snapshots.norms(module, NORM_OF[figure]);
}

export function formatFigure(figure: Figure, value: number | null): string {
  return figure === 'change' ? formatChange(value) : formatLoss(value);
}

/** Two figures, or as many as fit into a cell of the map: below 1 without the zero before the point, at most three decimals. */
export function shortFigure(value: number | null): string {
  if (value === null) return '–';
  if (!Number.isFinite(value)) return '∞';
  if (value >= 99.5) return value < 9999.5 ? String(Math.round(value)) : value.toExponential(0).replace('e+', 'e');
  if (value > 0 && value < 0.0005) return '≈0';
  if (value <= 0 || value >= 0.995) return value.toPrecision(2);
  return value.toFixed(value < 0.0995 ? 3 : 2).slice(1);
}

/** A figure of up to two modules over the run, and of the first one in another run. */
export function moduleModel(
  source: LiveSource,
  modules: readonly string[],
  figure: Exclude<Figure, 'rank'>,
  beside: Beside | null = null,
): LineModel {
  const { snapshots } = source.records;
  const { normMetric } = source.config.prelora;
  const colours = ['accent', 'validation'] as const;
  const series = modules.slice(0, 2).map(
    (module, i): LineSeries => ({
      key: module,
      label: module.replace(/^blocks\./, '').replace(/\.(attn|mlp)\./, ' '),
      colour: colours[i] ?? 'fg-2',
      dash: i === 0 ? [] : [6, 3],
      data: {
        xs: xsOfSteps(source, snapshots.steps),
        ys: figureOver(snapshots, module, figure, normMetric),
      },
      format: (value) => formatFigure(figure, value),
    }),
  );
  // The other run's training time is not this one's, so that its curve would lie wrong on the time axis.
  if (beside && source.axis !== 'time') {
    const module = modules[0] ?? '';
    series.push({
      key: beside.runId,
      label: middleEllipsis(beside.name, 9),
      colour: 'fc1',
      dash: [2, 2],
      data: {
        xs: xsOfSteps(source, beside.snapshots.steps),
        ys: figureOver(beside.snapshots, module, figure, normMetric),
      },
      format: (value) => formatFigure(figure, value),
    });
  }
  const last = figureAt(snapshots, snapshots.length - 1, modules[0] ?? '', figure, normMetric);
  return {
    yLabel: FIGURE_TITLES[figure],
    xLabel: source.axis,
    xRange: source.range,
    logY: figure === 'change' && source.logChange,
    formatX: formatX(source.axis),
    formatTick: (value) => String(Number(value.toPrecision(3))),
    markers: markersOf(source),
    phases: source.phaseSpans.map(({ phase, from, to }) => ({ phase, from: xOfStep(source, from), to: xOfStep(source, to) })),
    thresholds: [],
    series,
    summary: `${modules[0] ?? 'no module'}: ${FIGURE_TITLES[figure]} ${formatFigure(figure, last)} at the last snapshot.`,
  };
}
