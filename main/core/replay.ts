/**
 * What the rule would have done with recorded snapshots under other settings (method.md section 7): per snapshot the newest changes
 * and the verdict on the window, the step of the first pass, and the ranks from there. The rule alone: no vetoes or deferrals;
 * graceSteps are added. With a run's own settings it gives the run's own switch step and ranks (section 16, invariant 10).
 */
import { ModelConfig } from '../protocol/config/model.ts';
import type { ModelShape, RunConfig } from '../protocol/config.ts';
import type { Family } from '../protocol/families.ts';
import type { RankReason, SnapshotRecord } from '../protocol/records.ts';
import { PreloraError } from '../protocol/reply.ts';
import { type ConvergenceSettings, convergenceSettings, judge, snapshotComparer, type Verdict, withWords } from './convergence.ts';
import type { ConvergenceReport, SnapshotComparison } from './convergenceReport.ts';
import { parseModuleName } from './modules.ts';
import { assignRanks, type RankConfig } from './rankAssignment.ts';

export interface ReplaySettings {
  model: ModelShape;
  prelora: RunConfig['prelora'];
  control: RunConfig['control'];
  train: Pick<RunConfig['train'], 'decayGroups'>;
  /** prelora.minStep, graceSteps and jointSteps in steps. */
  minStep: number;
  graceSteps: number;
  jointSteps: number;
  /** T; null when it is not known, and then no pass comes too late. */
  totalSteps: number | null;
}

export interface ReplayWindow {
  step: number;
  /** Δ of each tested family between this snapshot and the one before, percent. */
  families: Partial<Record<Family, number>>;
  lossChange: number;
  /** Of the whole window; false while it is short. */
  weightsOk: boolean;
  lossOk: boolean;
}

export interface ReplayResult {
  /** Step of the first pass plus graceSteps; null when the rule never switches. */
  switchStep: number | null;
  /** One entry per snapshot of phase full from the second on. */
  windows: ReplayWindow[];
  /** Ranks at the switch; empty without one. */
  ranks: Record<string, number>;
  reasons: RankReason[];
  /** The verdict on the window that passed, else on the newest. */
  report: ConvergenceReport;
}

/** Replays live snapshots (abandoned segments dropped), oldest first. Throws `bad-arguments` when they lack what the settings ask for. */
export function replay(snapshots: readonly SnapshotRecord[], settings: ReplaySettings): ReplayResult {
  const full = snapshots.filter(({ phase }) => phase === 'full');
  const test = convergenceSettings(settings.prelora, settings.control, settings.model.depth);
  checkRecorded(full, test);
  const compare = snapshotComparer(test);
  const comparisons = full.slice(1).map((snapshot, index) => compare(full[index] as SnapshotRecord, snapshot));
  const verdicts = full.map((_, index) => verdictAt(index, full, comparisons, { test, minStep: settings.minStep }));
  const passing = verdicts.findIndex(({ passes, step }) => passes && inTime(step as number, settings));
  const windows = comparisons.map((pair, index) => windowOf(pair, verdicts[index + 1] as Verdict));
  const newest = verdicts.at(-1) ?? judge({ step: null, snapshots: 0, comparisons: [] }, test);
  if (passing < 0) return { switchStep: null, windows, ranks: {}, reasons: [], report: withWords(newest) };
  const report = withWords(verdicts[passing] as Verdict);
  const { ranks, modules } = assignRanks(full.slice(0, passing + 1), rankConfig(settings));
  return { switchStep: (report.step as number) + settings.graceSteps, windows, ranks, reasons: modules, report };
}

/** The rule's guard: it does not switch when what is left is no longer than grace time and joint phase. */
function inTime(step: number, { totalSteps, graceSteps, jointSteps }: ReplaySettings): boolean {
  return totalSteps === null || totalSteps - step > jointSteps + graceSteps;
}

/** The verdict after the snapshot at `index`, from comparisons made once. */
function verdictAt(
  index: number,
  full: readonly SnapshotRecord[],
  comparisons: readonly SnapshotComparison[],
  { test, minStep }: { test: ConvergenceSettings; minStep: number },
): Verdict {
  const { step } = full[index] as SnapshotRecord;
  const firstEligible = full.findIndex((snapshot) => snapshot.step >= minStep);
  if (firstEligible < 0 || index < firstEligible) return judge({ step, snapshots: 0, comparisons: [] }, test);
  const start = Math.max(firstEligible, index - test.windowSize + 1);
  return judge({ step, snapshots: index - start + 1, comparisons: comparisons.slice(start, index) }, test);
}

function windowOf(pair: SnapshotComparison, { weightsOk, lossOk }: Verdict): ReplayWindow {
  const families: Partial<Record<Family, number>> = {};
  for (const { family, mean } of pair.families) families[family] = mean;
  return { step: pair.toStep, families, lossChange: pair.lossChange, weightsOk, lossOk };
}

function rankConfig({ model, prelora, control, train }: ReplaySettings): RankConfig {
  return { model, prelora, control, train };
}

function checkRecorded(full: readonly SnapshotRecord[], { normMetric, tested }: ConvergenceSettings): void {
  const [module] = Object.values(tested).flat();
  const newest = full.at(-1);
  if (!module || !newest) return;
  if (!newest.modules[module]) {
    throw new PreloraError('bad-arguments', `the snapshots hold no module ${module}; they are of another model`);
  }
  if (normMetric === 'displacement' && full.length > 1 && newest.modules[module].displacement === null) {
    throw new PreloraError(
      'bad-arguments',
      'normMetric displacement: this run recorded no displacement (prelora.trackDisplacement was off)',
      'normMetric',
    );
  }
}

/**
 * A stand-in for the model of a snapshot file that came without its config: the names give the depth, and the widest model the schema
 * allows leaves every rank unclamped. Sizes and shares computed from it mean nothing.
 */
export function modelFromSnapshots(snapshots: readonly SnapshotRecord[]): ModelShape {
  const layers = Object.keys(snapshots[0]?.modules ?? {}).flatMap((name) => parseModuleName(name)?.layer ?? []);
  if (layers.length === 0) throw new PreloraError('bad-arguments', 'no module norms in the snapshots: nothing to replay');
  const size = { embedDim: 4096, depth: Math.max(...layers) + 1, numHeads: 1, imageSize: 16, patchSize: 16, inChannels: 1, numClasses: 2 };
  return { ...ModelConfig.parse({}), ...size, size: 'custom' };
}
