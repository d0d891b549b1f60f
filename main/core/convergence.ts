/**
 * The test for partial convergence: a window of snapshots in, one verdict out, with every number behind it (method.md sections 6
 * and 7). Weight changes must lie strictly below tau, loss changes at most at zeta; both in percent per snapshot interval.
 */
import type { Family } from '../protocol/families.ts';
import type { ModuleNorms, SnapshotRecord } from '../protocol/records.ts';
import { type ConvergenceReport, convergenceWords, type FamilyChange, type SnapshotComparison } from './convergenceReport.ts';
import { le, lt, percentChange, percentOf } from './equality.ts';
import { type LayerWeighting, layerWeights } from './layerWeights.ts';
import type { ModuleName } from './modules.ts';
import { type ControlSettings, type PreloraSettings, type TestedModules, testedModules } from './targets.ts';

export interface ConvergenceSettings {
  /** Snapshots that must agree, 2 … 10. */
  windowSize: number;
  /** Percent, strict. */
  tau: number;
  /** Percent, not strict. */
  zeta: number;
  normMetric: PreloraSettings['normMetric'];
  layerWeighting: LayerWeighting;
  tested: TestedModules;
}

/** The settings of the test out of a config. */
export function convergenceSettings(
  prelora: Pick<PreloraSettings, 'windowSize' | 'tau' | 'zeta' | 'normMetric' | 'layerWeighting' | 'targetModules' | 'testFamilies'>,
  control: Pick<ControlSettings, 'action'>,
  depth: number,
): ConvergenceSettings {
  const { windowSize, tau, zeta, normMetric, layerWeighting } = prelora;
  return { windowSize, tau, zeta, normMetric, layerWeighting, tested: testedModules(prelora, control, depth) };
}

/** The window after a snapshot: the newest `windowSize` of phase full at or after `minStep`. A larger windowSize waits to fill. */
export function pushSnapshot(
  window: readonly SnapshotRecord[],
  snapshot: SnapshotRecord,
  limits: { windowSize: number; minStep: number },
): SnapshotRecord[] {
  const eligible = [...window, snapshot].filter(({ phase, step }) => phase === 'full' && step >= limits.minStep);
  return eligible.slice(-limits.windowSize);
}

/** The verdict on a window (oldest snapshot first). */
export function testPartialConvergence(window: readonly SnapshotRecord[], settings: ConvergenceSettings): ConvergenceReport {
  const newest = window.slice(-settings.windowSize);
  const compare = snapshotComparer(settings);
  const comparisons = newest.slice(1).map((snapshot, index) => compare(newest[index] as SnapshotRecord, snapshot));
  return withWords(judge({ step: newest.at(-1)?.step ?? null, snapshots: newest.length, comparisons }, settings));
}

/** A verdict without its sentence, for those who make hundreds. */
export type Verdict = Omit<ConvergenceReport, 'words'>;

/** The verdict on the comparisons of a window that holds `snapshots` snapshots, the newest at `step`. */
export function judge(window: Pick<Verdict, 'step' | 'snapshots' | 'comparisons'>, settings: ConvergenceSettings): Verdict {
  const { windowSize, tau, zeta } = settings;
  const full = window.snapshots >= windowSize;
  const weightsOk = full && window.comparisons.every((pair) => pair.weightsOk);
  const lossOk = full && window.comparisons.every((pair) => pair.lossOk);
  const everyModuleBelowTau = full && window.comparisons.every((pair) => pair.everyModuleBelowTau);
  return { ...window, windowSize, tau, zeta, weightsOk, lossOk, passes: weightsOk && lossOk, everyModuleBelowTau };
}

/** The verdict with the sentence that journal, page and command line all say. */
export function withWords(verdict: Verdict): ConvergenceReport {
  return { ...verdict, words: convergenceWords(verdict) };
}

/** A function that computes all changes from one snapshot to the next. */
export function snapshotComparer(settings: ConvergenceSettings): (from: SnapshotRecord, to: SnapshotRecord) => SnapshotComparison {
  const { tau, zeta, normMetric, layerWeighting } = settings;
  const families = (Object.entries(settings.tested) as [Family, readonly ModuleName[]][]).map(([family, modules]) => {
    return { family, modules, weights: layerWeights(layerWeighting, modules.length) };
  });
  const compareFamily = (
    { family, modules, weights }: (typeof families)[number],
    from: SnapshotRecord,
    to: SnapshotRecord,
  ): FamilyChange => {
    // A change that was not measured is not known to be small.
    const changes = modules.map((module) => ({
      module,
      change: weightChange(from.modules[module], to.modules[module], normMetric) ?? Number.POSITIVE_INFINITY,
    }));
    const mean = changes.reduce((sum, { change }, index) => sum + (weights[index] as number) * change, 0);
    return { family, modules: changes, mean, belowTau: lt(mean, tau) };
  };
  return (from, to) => {
    const changes = families.map((family) => compareFamily(family, from, to));
    const lossChange = percentChange(from.loss, to.loss);
    return {
      fromStep: from.step,
      toStep: to.step,
      families: changes,
      lossChange,
      weightsOk: changes.every(({ belowTau }) => belowTau),
      lossOk: le(lossChange, zeta),
      everyModuleBelowTau: changes.every(({ modules }) => modules.every(({ change }) => lt(change, tau))),
    };
  };
}

/** p of one module in percent, 0 … Infinity; null when a snapshot lacks the number. */
export function weightChange(
  from: ModuleNorms | undefined,
  to: ModuleNorms | undefined,
  metric: PreloraSettings['normMetric'],
): number | null {
  if (!from || !to) return null;
  if (metric === 'norm') return percentChange(from.weightNorm, to.weightNorm);
  return to.displacement === null ? null : percentOf(to.displacement, from.weightNorm);
}
