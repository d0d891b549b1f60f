/**
 * What the test for partial convergence hands back: every number behind the verdict, and the verdict in a sentence (what passed, or
 * what still stands in the way). A value is never rounded across its threshold.
 */
import type { Family } from '../protocol/families.ts';
import { same } from './equality.ts';
import type { ModuleName } from './modules.ts';

/** One family between two snapshots: p of every module, and their weighted mean Δ. */
export interface FamilyChange {
  family: Family;
  modules: { module: ModuleName; change: number }[];
  mean: number;
  belowTau: boolean;
}

/** Two neighbouring snapshots of the window. */
export interface SnapshotComparison {
  fromStep: number;
  toStep: number;
  families: FamilyChange[];
  lossChange: number;
  weightsOk: boolean;
  lossOk: boolean;
  /** Every single p, not only the means, is below tau. */
  everyModuleBelowTau: boolean;
}

export interface ConvergenceReport {
  /** Step of the newest snapshot, null when there is none. */
  step: number | null;
  snapshots: number;
  windowSize: number;
  tau: number;
  zeta: number;
  comparisons: SnapshotComparison[];
  /** False while the window is short. */
  weightsOk: boolean;
  lossOk: boolean;
  passes: boolean;
  everyModuleBelowTau: boolean;
  /** Why, or why not yet, in a sentence. */
  words: string;
}

/** Why the test passes, or why not yet. */
export function convergenceWords(report: Omit<ConvergenceReport, 'words'>): string {
  const { snapshots, windowSize, comparisons, tau, zeta } = report;
  if (snapshots < windowSize) return `not yet: the window holds ${snapshots} of ${windowSize} snapshots`;
  if (report.passes) {
    const families = comparisons[0]?.families.length ?? 0;
    const loss = Math.max(...comparisons.map(({ lossChange }) => lossChange));
    const who = families === 1 ? 'the tested family is' : `all ${families} families are`;
    return `passed: ${who} below τ ${tau} % in ${comparisons.length} of ${comparisons.length} comparisons; loss change at most ${percentText(loss, zeta)} ≤ ζ ${zeta} %`;
  }
  return `not yet: ${[...weightReasons(comparisons, tau), ...lossReasons(comparisons, zeta)].join('; ')}`;
}

/** The worst comparison of each family that is not below tau. */
function weightReasons(comparisons: readonly SnapshotComparison[], tau: number): string[] {
  const worst = new Map<string, { mean: number; pair: SnapshotComparison }>();
  for (const pair of comparisons) {
    for (const { family, mean, belowTau } of pair.families) {
      if (!belowTau && mean >= (worst.get(family)?.mean ?? 0)) worst.set(family, { mean, pair });
    }
  }
  return [...worst].map(
    ([family, { mean, pair }]) => `${family} changed ${percentText(mean, tau)} (${steps(pair)}), must be below τ ${tau} %`,
  );
}

function lossReasons(comparisons: readonly SnapshotComparison[], zeta: number): string[] {
  const failed = comparisons.filter(({ lossOk }) => !lossOk).sort((a, b) => b.lossChange - a.lossChange)[0];
  return failed ? [`loss changed ${percentText(failed.lossChange, zeta)} (${steps(failed)}), must be at most ζ ${zeta} %`] : [];
}

function steps({ fromStep, toStep }: SnapshotComparison): string {
  return `steps ${fromStep} → ${toStep}`;
}

/** A percentage with as many digits as it takes to stay on its side of the threshold, at least three. */
export function percentText(value: number, threshold: number): string {
  if (!Number.isFinite(value)) return 'infinitely';
  if (same(value, threshold)) return `${threshold} %`;
  for (let digits = 3; digits <= 15; digits++) {
    const shown = Number(value.toPrecision(digits));
    if (shown !== threshold && shown < threshold === value < threshold) return `${shown} %`;
  }
  return `${value} %`;
}
