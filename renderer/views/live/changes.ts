/**
 * How much modules change from snapshot to snapshot, for the charts. Up to the switch the numbers are the engine's, with its verdicts;
 * after it nothing is tested any more, and the curves go on with plain means over the layers, because history must not vanish.
 */
import type { Family } from '../../../main/protocol/families.ts';
import type { ReplayResult } from '../../../main/protocol/results.ts';
import { firstAfter } from '../../charts/series.ts';
import { FAMILIES } from '../../modules.ts';
import { NumberColumn } from '../../state/numberColumn.ts';
import type { Metric, Snapshots } from '../../state/snapshots.ts';
import type { LiveSource } from './source.ts';

/** The comparisons on show, oldest first, as columns: charts draw 5,000 of them several times a second. */
export interface ShownChanges {
  steps: Float64Array;
  /** Of the families that were compared; NaN where one was not. */
  families: ReadonlyMap<Family, Float64Array>;
  lossChange: Float64Array;
  /** Of the first comparisons, up to the switch. */
  verdicts: readonly Verdict[];
}

export interface Verdict {
  weightsOk: boolean;
  lossOk: boolean;
}

/** Grows with the snapshots; begun anew when the engine has judged anew. */
interface Grown {
  replay: ReplayResult | null;
  metric: Metric;
  steps: NumberColumn;
  families: Record<Family, NumberColumn>;
  lossChange: NumberColumn;
}

const shown = new WeakMap<Snapshots, Grown>();

/** The changes on show, tested ones and after the switch untested ones. Its columns grow in place: they are made anew only with new verdicts. */
export function shownChanges({ replay, records: { snapshots }, config, status }: LiveSource): ShownChanges {
  const metric = config.prelora.normMetric;
  let grown = shown.get(snapshots);
  if (!grown || grown.replay !== replay || grown.metric !== metric) {
    grown = testedChanges(replay, metric);
    shown.set(snapshots, grown);
  }
  if (status.phase !== 'full' && status.switchStep !== null) appendUntested(grown, snapshots);
  const compared = FAMILIES.filter((family) => grown.families[family].values.some((value) => !Number.isNaN(value)));
  return {
    steps: grown.steps.values,
    families: new Map(compared.map((family) => [family, grown.families[family].values])),
    lossChange: grown.lossChange.values,
    verdicts: replay?.windows ?? [],
  };
}

function testedChanges(replay: ReplayResult | null, metric: Metric): Grown {
  const families = Object.fromEntries(FAMILIES.map((family) => [family, new NumberColumn()])) as Grown['families'];
  const grown: Grown = { replay, metric, steps: new NumberColumn(), families, lossChange: new NumberColumn() };
  for (const window of replay?.windows ?? []) {
    grown.steps.push(window.step);
    grown.lossChange.push(window.lossChange);
    for (const family of FAMILIES) families[family].push(window.families[family]);
  }
  return grown;
}

function appendUntested({ metric, steps, families, lossChange }: Grown, snapshots: Snapshots): void {
  const from = Math.max(1, firstAfter(snapshots.steps, steps.values.at(-1) ?? 0));
  if (from >= snapshots.length) return;
  const means = familyMeans(snapshots, metric);
  FAMILIES.forEach((family, row) => {
    families[family].append((means[row] as Float64Array).subarray(from - 1));
  });
  steps.append(snapshots.steps.subarray(from));
  for (let i = from; i < snapshots.length; i++) lossChange.push(lossChangeAt(snapshots, i));
}

function lossChangeAt(snapshots: Snapshots, index: number): number {
  const [before, after] = [snapshots.at(index - 1)?.loss ?? Number.NaN, snapshots.at(index)?.loss ?? Number.NaN];
  return (100 * Math.abs(after - before)) / Math.abs(before);
}

function familyMeans(snapshots: Snapshots, metric: Metric): readonly Float64Array[] {
  const rows = FAMILIES.map((family) => snapshots.modules.filter((module) => module.endsWith(`.${family}`)));
  return combinedChanges(snapshots, { rows, metric, by: 'mean' });
}

/** Rows grow with the snapshots: of 720,000 changes of a long run only those of new snapshots are computed. */
const rowsOf = new WeakMap<Snapshots, Map<string, NumberColumn[]>>();

/** Per row of modules their largest or their mean change, up to the second snapshot, the third …; NaN when none is known. */
export function combinedChanges(
  snapshots: Snapshots,
  { rows, metric, by }: { rows: readonly (readonly string[])[]; metric: Metric; by: 'max' | 'mean' },
): readonly Float64Array[] {
  const known = rowsOf.get(snapshots) ?? new Map<string, NumberColumn[]>();
  rowsOf.set(snapshots, known);
  const key = `${by} ${metric} ${rows.map((row) => row.join()).join(';')}`;
  const columns = known.get(key) ?? rows.map(() => new NumberColumn());
  known.set(key, columns);
  const places = rows.map((row) => row.flatMap((module) => snapshots.placeOf(module) ?? []));
  const changes = snapshots.allChanges(metric);
  // Snapshot by snapshot, because the changes of one lie side by side in memory.
  for (let i = (columns[0]?.length ?? 0) + 1; i < snapshots.length; i++) {
    const first = i * snapshots.modules.length;
    columns.forEach((column, row) => {
      column.push(combine(changes, first, places[row] as number[], by));
    });
  }
  return columns.map((column) => column.values);
}

/** Of the places after `first` those that are known. */
function combine(changes: Float64Array, first: number, places: readonly number[], by: 'max' | 'mean'): number {
  let [sum, top, count] = [0, Number.NEGATIVE_INFINITY, 0];
  for (const place of places) {
    const value = changes[first + place] as number;
    if (Number.isNaN(value)) continue;
    sum += value;
    if (value > top) top = value;
    count++;
  }
  if (count === 0) return Number.NaN;
  return by === 'mean' ? sum / count : top;
}
