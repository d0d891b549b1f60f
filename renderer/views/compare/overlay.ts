/** The overlay of runs as a chart model: one series of each run, or the mean of each group, on a common axis. */
import type { RunState } from '../../../main/protocol/results.ts';
import type { LineModel, LineSeries, Marker } from '../../charts/model.ts';
import { FAMILY_DASH } from '../../charts/theme.ts';
import type { TableModel } from '../../components/tableModel.ts';
import { formatAccuracy, formatBytes, formatCount, formatDuration, formatLoss, formatRate } from '../../format.ts';
import { FAMILIES } from '../../modules.ts';
import { type Group, meanSpread } from '../../state/comparison.svelte.ts';

export const SERIES = {
  valTop1: { title: 'val top-1', unit: '%', format: formatAccuracy, tick: (value: number) => String(Math.round(value * 1000) / 10) },
  valLoss: { title: 'val loss', unit: '', format: formatLoss, tick: (value: number) => String(Number(value.toPrecision(3))) },
  trainLoss: { title: 'train loss', unit: '', format: formatLoss, tick: (value: number) => String(Number(value.toPrecision(3))) },
  imagesPerSecond: { title: 'throughput', unit: 'img/s', format: formatRate, tick: formatCount },
  peakMemoryBytes: { title: 'peak memory', unit: 'GiB', format: formatBytes, tick: (value: number) => (value / 2 ** 30).toFixed(2) },
} as const;
export type SeriesName = keyof typeof SERIES;
export type Align = 'step' | 'epoch' | 'time' | 'switch';

/** x of every epoch record on the common axis; null when the run has no switch to align at. */
function xsOf(state: RunState, align: Align): number[] | null {
  if (align === 'switch') {
    const { switchStep } = state.summary.status;
    return switchStep === null ? null : state.epochs.map(({ step }) => step - switchStep);
  }
  if (align === 'epoch') return state.epochs.map(({ epoch }) => epoch);
  if (align === 'step') return state.epochs.map(({ step }) => step);
  let seconds = 0;
  return state.epochs.map((epoch) => (seconds += epoch.seconds ?? 0));
}

export function overlayModel(
  groups: readonly Group[],
  name: SeriesName,
  align: Align,
  shown: { hidden: ReadonlySet<string>; chosen: string | null },
): LineModel {
  const look = SERIES[name];
  const visible = groups.filter(({ key }) => !shown.hidden.has(key));
  const series = visible.flatMap((group): LineSeries[] => {
    // Places in the list, not among the visible, so that a colour stays with its run.
    const place = groups.indexOf(group) % FAMILIES.length;
    const family = FAMILIES[place] ?? 'q';
    const data = groupData(group.runs, name, align);
    if (!data) return [];
    const base = { colour: family, dash: FAMILY_DASH[family], format: (value: number) => look.format(value), unlabelled: true };
    const mean: LineSeries = {
      ...base,
      key: group.key,
      label: group.runs.length > 1 ? `${group.label} (n = ${group.runs.length})` : group.label,
      data: { xs: data.xs, ys: data.mean },
    };
    const band =
      group.runs.length > 1
        ? [data.low, data.high].map(
            (ys, i): LineSeries => ({ ...base, key: `${group.key}-${i}`, label: 'band', raw: true, data: { xs: data.xs, ys } }),
          )
        : [];
    const runs = group.key === shown.chosen && group.runs.length > 1 ? [] : band;
    return [...runs, mean];
  });
  const xs = series.flatMap(({ data }) => [data.xs[0] ?? 0, data.xs[data.xs.length - 1] ?? 0]);
  return {
    yLabel: `${look.title}${look.unit ? `, ${look.unit}` : ''}`,
    xLabel: align === 'switch' ? 'after switch' : align,
    xRange: [Math.min(0, ...xs), Math.max(1, ...xs)],
    logY: false,
    formatX: align === 'time' ? formatDuration : formatCount,
    formatTick: look.tick,
    series,
    thresholds: [],
    markers: align === 'switch' ? [{ x: 0, step: 0, letter: 'S', label: 'switch' }] : markersOf(visible, align),
    phases: [],
    summary: `${look.title} of ${visible.length} ${visible.length === 1 ? 'line' : 'lines'}: ${series
      .filter(({ raw }) => !raw)
      .map(({ label, data }) => `${label} ${look.format(data.ys[data.ys.length - 1] ?? null)}`)
      .join('; ')}.`,
  };
}

function markersOf(groups: readonly Group[], align: Align): Marker[] {
  if (align !== 'step') return [];
  return groups.flatMap(({ runs, label }) => {
    const step = runs[0]?.summary.status.switchStep;
    return step === null || step === undefined ? [] : [{ x: step, step, letter: 'S', label: `${label}: switch` }];
  });
}

/** Mean and mean ± spread per record of the runs of a group; runs of one group share their epochs. */
function groupData(
  runs: readonly RunState[],
  name: SeriesName,
  align: Align,
): { xs: number[]; mean: (number | null)[]; low: (number | null)[]; high: (number | null)[] } | null {
  const longest = runs.reduce((top, one) => (one.epochs.length > top.epochs.length ? one : top));
  const xs = xsOf(longest, align);
  if (!xs) return null;
  const stats = xs.map((_, i) => meanSpread(runs.flatMap(({ epochs }) => epochs[i]?.[name] ?? [])));
  return {
    xs,
    mean: stats.map((stat) => stat?.mean ?? null),
    low: stats.map((stat) => (stat ? stat.mean - (stat.spread ?? 0) : null)),
    high: stats.map((stat) => (stat ? stat.mean + (stat.spread ?? 0) : null)),
  };
}

/** The curves as a table: a row for each x of the first one. */
export function overlayTable({ series, xLabel, formatX }: LineModel): TableModel {
  const lines = series.filter(({ raw }) => !raw);
  return {
    columns: [xLabel, ...lines.map(({ label }) => label)],
    count: lines[0]?.data.xs.length ?? 0,
    row: (i) => {
      const x = lines[0]?.data.xs[i] ?? 0;
      return [
        { text: formatX(x), copy: String(x) },
        ...lines.map(({ data: { ys }, format }) => ({ text: ys[i] == null ? '–' : format(ys[i]), copy: String(ys[i] ?? '') })),
      ];
    },
  };
}
