/** The spread of a module's values as a chart: one stepped line per checkpoint, shares of all values so that sizes do not matter. */
import type { Distribution } from '../../../main/protocol/results.ts';
import type { LineModel, LineSeries } from '../../charts/model.ts';
import type { TableModel } from '../../components/tableModel.ts';
import { formatCount, formatPercent, plain } from '../../format.ts';

export const DISTRIBUTIONS: Record<Distribution['kind'], { title: string; note: string; missing: string }> = {
  weight: { title: 'Weights', note: 'with the adapter merged where there is one', missing: '' },
  update: {
    title: 'Update',
    note: 'what the weights moved since the checkpoint before',
    missing: 'There is no earlier checkpoint to count the update from.',
  },
  gradient: {
    title: 'Gradient',
    note: 'Adam’s running mean of the gradients',
    missing: 'The optimizer holds no gradient for this weight: it is frozen, or has not trained yet.',
  },
};

/** Four significant figures, also of very small values. */
export function formatValue(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  const text = Math.abs(value) < 1e-3 && value !== 0 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replace(/^-/, '−');
}

/** Each bin twice, at both of its edges, so that the line has steps. */
export function distributionModel({ kind, edges, series }: Distribution, labels: readonly string[]): LineModel {
  const colours = ['accent', 'validation'] as const;
  const xs = edges.slice(0, -1).flatMap((edge, i) => [edge, edges[i + 1] as number]);
  const lines = series.flatMap((one, i): LineSeries[] => {
    if (!one) return [];
    const shares = one.counts.flatMap((count) => [(100 * count) / one.count, (100 * count) / one.count]);
    return [
      {
        key: String(i),
        label: labels[i] ?? '',
        colour: colours[i] ?? 'fg-2',
        dash: i === 0 ? [] : [6, 3],
        data: { xs, ys: shares },
        format: (value) => formatPercent(value, 2),
        unlabelled: true,
      },
    ];
  });
  const said = series.flatMap((one, i) =>
    one ? [`${labels[i]}: mean ${formatValue(one.mean)}, standard deviation ${formatValue(one.std)}, n ${formatCount(one.count)}`] : [],
  );
  return {
    yLabel: 'share of values, %',
    xLabel: 'value',
    xRange: [edges[0] ?? 0, edges.at(-1) ?? 1],
    logY: false,
    formatX: formatValue,
    formatTick: (value) => String(Number(value.toPrecision(3))),
    series: lines,
    thresholds: [],
    markers: [],
    phases: [],
    summary: `${DISTRIBUTIONS[kind].title}. ${said.join('; ')}.`,
  };
}

export function distributionTable({ edges, series }: Distribution, labels: readonly string[]): TableModel {
  return {
    columns: ['from', 'to', ...labels.map((label) => `values, ${label}`)],
    count: edges.length - 1,
    row: (i) => [
      ...[edges[i], edges[i + 1]].map((edge) => ({ text: formatValue(edge), copy: plain(edge) })),
      ...series.map((one) => ({ text: formatCount(one?.counts[i]), copy: plain(one?.counts[i]) })),
    ],
  };
}
