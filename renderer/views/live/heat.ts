/**
 * The layer × time picture: per snapshot pair the change of every module, as one row per layer (one family, or the mean or maximum
 * over families). For drawing only; verdicts come from the engine. It goes on after the freeze, with the effective weight's norms.
 */
import type { Family } from '../../../main/protocol/families.ts';
import { type HeatModel, type HeatRow, scaleEnds } from '../../charts/heat.ts';
import { firstAfter } from '../../charts/series.ts';
import { formatChange, formatCount } from '../../format.ts';
import { depthOf, FAMILIES, moduleName } from '../../modules.ts';
import type { Metric, Snapshots } from '../../state/snapshots.ts';
import { combinedChanges } from './changes.ts';
import { formatX, type LiveSource, xsOfSteps } from './source.ts';

export type HeatView = Family | 'max' | 'mean' | 'all';

export function heatModel(source: LiveSource, view: HeatView): HeatModel {
  const { records, status, config } = source;
  const { snapshots } = records;
  const later = snapshots.steps.subarray(1);
  const rows = heatRows(snapshots, view, config.prelora.normMetric);
  const [low, high] = scaleEnds(rows);
  const at = (step: number | null): number | null => {
    const index = step === null ? later.length : firstAfter(later, step);
    return index < later.length ? index : null;
  };
  return {
    rows,
    columns: xsOfSteps(source, later),
    xRange: source.range,
    switchAt: at(status.switchStep),
    frozenFrom: at(status.freezeStep),
    tau: config.prelora.tau,
    low,
    high,
    xLabel: source.axis === 'step' ? 'step' : source.axis,
    formatX: formatX(source.axis),
    formatValue: (value) => formatChange(value, config.prelora.tau),
    nameOf: (row, column) => (view === 'mean' ? `layer ${rows[row]?.label}, mean` : (moduleAt(source, view, row, column) ?? '')),
    summary: heatSummary(rows, later.at(-1), config.prelora.tau),
  };
}

function heatRows(snapshots: Snapshots, view: HeatView, metric: Metric): HeatRow[] {
  const by = view === 'mean' ? 'mean' : 'max';
  const rows = rowModules(depthOf(snapshots.modules), view);
  const values = combinedChanges(snapshots, { rows: rows.map(({ modules }) => modules), metric, by });
  return rows.map(({ label }, row) => ({ label, values: values[row] as Float64Array }));
}

/** Top row first: the last layer. */
function rowModules(depth: number, view: HeatView): { label: string; modules: string[] }[] {
  const layers = Array.from({ length: depth }, (_, i) => depth - 1 - i);
  if (view === 'all')
    return layers.flatMap((layer) => FAMILIES.map((family) => ({ label: `${layer} ${family}`, modules: [moduleName(layer, family)] })));
  const families = view === 'max' || view === 'mean' ? FAMILIES : [view];
  return layers.map((layer) => ({ label: String(layer), modules: families.map((family) => moduleName(layer, family)) }));
}

/** The module behind a cell: of several in the row the one that changed most. */
export function moduleAt({ records: { snapshots }, config }: LiveSource, view: HeatView, row: number, column: number): string | null {
  const modules = rowModules(depthOf(snapshots.modules), view)[row]?.modules ?? [];
  const change = (module: string): number => snapshots.change(column + 1, module, config.prelora.normMetric) || 0;
  return modules.reduce<string | null>((top, module) => (top === null || change(module) > change(top) ? module : top), null);
}

function heatSummary(rows: readonly HeatRow[], step: number | undefined, tau: number): string {
  if (step === undefined) return 'No snapshot pair yet.';
  const below = rows.filter(({ values }) => (values[values.length - 1] ?? Number.NaN) < tau).length;
  return `At step ${formatCount(step)}, ${below} of ${rows.length} rows change by less than τ ${formatChange(tau)}.`;
}
