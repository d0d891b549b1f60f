/** One module's history as chart models, and the figure each cell of the map shows. Drawing only; verdicts come from the engine. */
import type { SnapshotRecord } from '../../../main/protocol/records.ts';
import type { LineModel, LineSeries } from '../../charts/model.ts';
import { formatChange, formatLoss } from '../../format.ts';
import { moduleChange } from '../live/heat.ts';
import { formatX, type LiveSource, markersOf, xOfStep } from '../live/panels.ts';

export const FIGURES = ['rank', 'change', 'norm', 'grad', 'displacement'] as const;
export type Figure = (typeof FIGURES)[number];

export const FIGURE_TITLES: Record<Figure, string> = {
  rank: 'rank',
  change: 'change, %',
  norm: 'weight norm',
  grad: 'gradient norm',
  displacement: 'displacement',
};

/** A figure of a module at one snapshot; rank is not one of a snapshot. */
export function figureAt(
  snapshots: readonly SnapshotRecord[],
  index: number,
  module: string,
  figure: Figure,
  metric: 'norm' | 'displacement',
): number | null {
  const snapshot = snapshots[index];
  const norms = snapshot?.modules[module];
  if (!snapshot || !norms) return null;
  if (figure === 'norm') return norms.weightNorm;
  if (figure === 'grad') return norms.gradNorm;
  if (figure === 'displacement') return norms.displacement;
  const before = snapshots[index - 1];
  return before ? moduleChange(before, snapshot, module, metric) : null;
}

export function formatFigure(figure: Figure, value: number | null): string {
  return figure === 'change' ? formatChange(value) : formatLoss(value);
}

/** Norm, change or gradient norm of up to two modules over the run. */
export function moduleModel(source: LiveSource, modules: readonly string[], figure: Exclude<Figure, 'rank'>): LineModel {
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
        xs: snapshots.map(({ step }) => xOfStep(source, step)),
        ys: snapshots.map((_, index) => figureAt(snapshots, index, module, figure, normMetric)),
      },
      format: (value) => formatFigure(figure, value),
    }),
  );
  const last = series[0]?.data.ys.at(-1) ?? null;
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
