/**
 * How much modules change from snapshot to snapshot, for the charts. Up to the switch the numbers are the engine's, with its verdicts;
 * after it nothing is tested any more, and the curves go on with plain means over the layers, because history must not vanish.
 */
import type { Family } from '../../../main/protocol/config.ts';
import { FAMILIES, moduleName } from '../../modules.ts';
import { NumberColumn } from '../../state/numberColumn.ts';
import type { Metric, Snapshots } from '../../state/snapshots.ts';
import type { LiveSource } from './panels.ts';

export interface ShownWindow {
  step: number;
  families: Record<string, number>;
  lossChange: number;
  /** Null after the switch. */
  verdict: { weightsOk: boolean; lossOk: boolean } | null;
}

/** The comparisons on show, oldest first. */
export function shownWindows({ replay, records: { snapshots }, config, status }: LiveSource): ShownWindow[] {
  const tested = (replay?.windows ?? []).map(({ weightsOk, lossOk, ...rest }) => ({ ...rest, verdict: { weightsOk, lossOk } }));
  if (status.phase === 'full' || status.switchStep === null) return tested;
  const from = Math.max(
    1,
    snapshots.steps.findIndex((step) => step > (tested.at(-1)?.step ?? 0)),
  );
  const means = FAMILIES.map((family) => [family, familyMeans(snapshots, family, config.prelora.normMetric)] as const);
  const later: ShownWindow[] = [];
  for (let i = from; i < snapshots.length; i++) {
    const families = Object.fromEntries(means.map(([family, values]) => [family, values[i - 1] ?? Number.NaN]));
    later.push({ step: snapshots.at(i)?.step ?? 0, families, lossChange: lossChange(snapshots, i), verdict: null });
  }
  return [...tested, ...later];
}

function lossChange(snapshots: Snapshots, index: number): number {
  const [before, after] = [snapshots.at(index - 1)?.loss ?? Number.NaN, snapshots.at(index)?.loss ?? Number.NaN];
  return (100 * Math.abs(after - before)) / Math.abs(before);
}

function familyMeans(snapshots: Snapshots, family: Family, metric: Metric): Float64Array {
  const depth = snapshots.modules.filter((module) => module.endsWith(`.${family}`)).length;
  const modules = Array.from({ length: depth }, (_, layer) => moduleName(layer, family));
  return combinedChanges(snapshots, { modules, metric, by: 'mean' });
}

/** Rows grow with the snapshots: of 720,000 changes of a long run only those of new snapshots are computed. */
const grown = new WeakMap<Snapshots, Map<string, NumberColumn>>();

/** The largest or the mean change of some modules, up to the second snapshot, the third …; NaN when none is known. */
export function combinedChanges(
  snapshots: Snapshots,
  { modules, metric, by }: { modules: readonly string[]; metric: Metric; by: 'max' | 'mean' },
): Float64Array {
  const known = grown.get(snapshots) ?? new Map<string, NumberColumn>();
  grown.set(snapshots, known);
  const key = `${by} ${metric} ${modules.join()}`;
  const column = known.get(key) ?? new NumberColumn();
  known.set(key, column);
  const from = column.length + 1;
  const changes = modules.map((module) => snapshots.changes(module, metric, from, snapshots.length));
  for (let i = 0; from + i < snapshots.length; i++) column.push(combine(changes, i, by));
  return column.values;
}

function combine(changes: readonly Float64Array[], i: number, by: 'max' | 'mean'): number {
  let [sum, top, count] = [0, Number.NEGATIVE_INFINITY, 0];
  for (const column of changes) {
    const value = column[i] as number;
    if (Number.isNaN(value)) continue;
    sum += value;
    top = Math.max(top, value);
    count++;
  }
  if (count === 0) return Number.NaN;
  return by === 'mean' ? sum / count : top;
}
