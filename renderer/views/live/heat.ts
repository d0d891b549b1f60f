/**
 * The layer × time picture: per snapshot pair the change of every module, as one row per layer (one family, or the mean or maximum
 * over families). For drawing only; verdicts come from the engine. It goes on after the freeze, with the effective weight's norms.
 */
import type { Family } from '../../../main/protocol/config.ts';
import type { SnapshotRecord } from '../../../main/protocol/records.ts';
import { type HeatModel, type HeatRow, scaleEnds } from '../../charts/heat.ts';
import { formatChange, formatCount } from '../../format.ts';
import { depthOf, FAMILIES, moduleName } from '../../modules.ts';
import { formatX, type LiveSource, xOfStep } from './panels.ts';

export type HeatView = Family | 'max' | 'mean' | 'all';

/** Change of a module between two snapshots, percent, by the run's own metric (method.md section 7). Null when one is missing. */
export function moduleChange(from: SnapshotRecord, to: SnapshotRecord, module: string, metric: 'norm' | 'displacement'): number | null {
  const before = from.modules[module];
  const after = to.modules[module];
  // JSON has no word for NaN: a diverged norm arrives as null.
  if (!Number.isFinite(before?.weightNorm) || !Number.isFinite(after?.weightNorm) || !before || !after) return null;
  const moved = metric === 'norm' ? Math.abs(after.weightNorm - before.weightNorm) : after.displacement;
  if (moved === null) return null;
  if (Math.abs(before.weightNorm) < 1e-12) return moved < 1e-12 ? 0 : Number.POSITIVE_INFINITY;
  return (100 * moved) / Math.abs(before.weightNorm);
}

export function heatModel(source: LiveSource, view: HeatView): HeatModel {
  const { records, status, config } = source;
  const { snapshots } = records;
  const later = snapshots.slice(1);
  const depth = depthOf(Object.keys(snapshots[0]?.modules ?? {}));
  const changes = (layer: number, family: Family): (number | null)[] =>
    later.map((snapshot, i) =>
      moduleChange(snapshots[i] as SnapshotRecord, snapshot, moduleName(layer, family), config.prelora.normMetric),
    );
  const rows: HeatRow[] = [];
  for (let layer = depth - 1; layer >= 0; layer--) rows.push(...rowsOf(layer, view, changes));
  const [low, high] = scaleEnds(rows);
  const at = (step: number | null): number | null => {
    const index = step === null ? -1 : later.findIndex((snapshot) => snapshot.step > step);
    return index < 0 ? null : index;
  };
  return {
    rows,
    columns: later.map(({ step }) => xOfStep(source, step)),
    switchAt: at(status.switchStep),
    frozenFrom: at(status.freezeStep),
    tau: config.prelora.tau,
    low,
    high,
    xLabel: source.axis === 'step' ? 'step' : source.axis,
    formatX: formatX(source.axis),
    formatValue: (value) => formatChange(value, config.prelora.tau),
    summary: heatSummary(rows, later.at(-1)?.step, config.prelora.tau),
  };
}

function rowsOf(layer: number, view: HeatView, changes: (layer: number, family: Family) => (number | null)[]): HeatRow[] {
  if (view === 'all') return FAMILIES.map((family) => ({ label: `${layer} ${family}`, values: changes(layer, family) }));
  if (view !== 'max' && view !== 'mean') return [{ label: String(layer), values: changes(layer, view) }];
  const all = FAMILIES.map((family) => changes(layer, family));
  const count = all[0]?.length ?? 0;
  const values = Array.from({ length: count }, (_, column) => {
    const known = all.flatMap((values) => values[column] ?? []);
    if (known.length === 0) return null;
    return view === 'max' ? Math.max(...known) : known.reduce((sum, value) => sum + value, 0) / known.length;
  });
  return [{ label: String(layer), values }];
}

function heatSummary(rows: readonly HeatRow[], step: number | undefined, tau: number): string {
  if (step === undefined) return 'No snapshot pair yet.';
  const last = rows.map(({ label, values }) => ({ label, value: values.at(-1) ?? null }));
  const below = last.filter(({ value }) => value !== null && value < tau).length;
  return `At step ${formatCount(step)}, ${below} of ${rows.length} rows change by less than τ ${formatChange(tau)}.`;
}
