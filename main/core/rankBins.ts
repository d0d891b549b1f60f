/**
 * From how much each module still changes to its bin: min–max position within the pool, then equal-width bins closed above, one per
 * power of two from rMin to rMax (method.md section 8). Larger change, larger rank.
 */
import type { ModuleNorms, SnapshotRecord } from '../protocol/records.ts';
import { weightChange } from './convergence.ts';
import { percentChange } from './equality.ts';
import type { ModuleName } from './modules.ts';
import { type PreloraSettings, placeOf } from './targets.ts';

/** Changes closer together than this many points are ties. */
const TIE_POINTS = 1e-9;
/** Keeps a position that rounding pushed above a bin's edge in that bin. */
const EDGE_TOLERANCE = 1e-9;

/** How much one module changed between the last two snapshots. */
export interface ModuleChange {
  module: ModuleName;
  /** d, percent, 0 … Infinity. */
  change: number;
  /** The numbers compared; with displacement, the norm before and the distance moved. */
  from: number;
  to: number;
}

export interface RankBin extends ModuleChange {
  /** Finite extremes of the pool; null when every change in it is infinite. */
  poolMin: number | null;
  poolMax: number | null;
  /** v, 0 … 1. */
  position: number;
  /** The pool's changes do not differ: rMin, also with reversed ranks. */
  tied: boolean;
  /** 0 … bins − 1. */
  bin: number;
}

type RankMetrics = Pick<PreloraSettings, 'rankMetric' | 'normMetric'>;

/** Changes of the targets between two snapshots; a target whose numbers were not recorded in both is missing. */
export function recordedChanges(
  targets: readonly ModuleName[],
  pair: readonly [SnapshotRecord, SnapshotRecord],
  metrics: RankMetrics,
): ModuleChange[] {
  const [from, to] = pair;
  return targets.flatMap((module) => {
    const measured = measure(from.modules[module], to.modules[module], metrics);
    return measured ? [{ module, ...measured }] : [];
  });
}

/** The record field that ranks are computed from. */
export function measuredField({ rankMetric, normMetric }: RankMetrics): 'gradNorm' | 'displacement' | 'weightNorm' {
  if (rankMetric === 'grad') return 'gradNorm';
  return normMetric === 'displacement' ? 'displacement' : 'weightNorm';
}

function measure(
  from: ModuleNorms | undefined,
  to: ModuleNorms | undefined,
  { rankMetric, normMetric }: RankMetrics,
): Omit<ModuleChange, 'module'> | null {
  if (!from || !to) return null;
  if (rankMetric === 'grad') {
    if (from.gradNorm === null || to.gradNorm === null) return null;
    return { change: percentChange(from.gradNorm, to.gradNorm), from: from.gradNorm, to: to.gradNorm };
  }
  const change = weightChange(from, to, normMetric);
  if (change === null) return null;
  const after = normMetric === 'displacement' ? (to.displacement as number) : to.weightNorm;
  return { change, from: from.weightNorm, to: after };
}

/** R: the powers of two from rMin to rMax. */
export function rankLadder(rMin: number, rMax: number): number[] {
  return Array.from({ length: Math.log2(rMax / rMin) + 1 }, (_, index) => rMin * 2 ** index);
}

/** The bin of each module among `bins`, compared with its family or with all. */
export function rankBins(changes: readonly ModuleChange[], rankPool: PreloraSettings['rankPool'], bins: number): RankBin[] {
  const pools = new Map<string, ModuleChange[]>();
  for (const change of changes) {
    const name = rankPool === 'overall' ? 'overall' : placeOf(change.module).family;
    pools.set(name, [...(pools.get(name) ?? []), change]);
  }
  const binned = new Map<ModuleName, RankBin>();
  for (const pool of pools.values()) for (const entry of binPool(pool, bins)) binned.set(entry.module, entry);
  return changes.map(({ module }) => binned.get(module) as RankBin);
}

function binPool(pool: readonly ModuleChange[], bins: number): RankBin[] {
  const finite = pool.map(({ change }) => change).filter(Number.isFinite);
  const min = finite.length > 0 ? Math.min(...finite) : null;
  const max = finite.length > 0 ? Math.max(...finite) : null;
  return pool.map((entry) => {
    const tied = Number.isFinite(entry.change) && min !== null && max !== null && max - min <= TIE_POINTS;
    const position = tied ? 0 : positionIn(entry.change, min, max);
    return { ...entry, poolMin: min, poolMax: max, position, tied, bin: binOf(position, bins) };
  });
}

function positionIn(change: number, min: number | null, max: number | null): number {
  if (!Number.isFinite(change) || min === null || max === null) return 1;
  return (change - min) / (max - min);
}

/** Index of the bin of position v: (i/bins, (i+1)/bins], 0 for v = 0. */
export function binOf(position: number, bins: number): number {
  if (position === 0) return 0;
  return Math.max(0, Math.ceil(position * bins - EDGE_TOLERANCE) - 1);
}
