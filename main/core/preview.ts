/**
 * What a switch under proposed settings would do, from recorded snapshots and shapes alone (method.md section 11): verdict, passing
 * step, ranks with reasons, counts, compute and memory of all three phases, each against now and against the present settings. Pure:
 * a run with any number of previews equals the run with none.
 */
import type { ResolvedConfig } from '../protocol/config.ts';
import type { SnapshotRecord } from '../protocol/records.ts';
import { type ErrorCode, PreloraError } from '../protocol/reply.ts';
import type { Phase } from '../protocol/run.ts';
import type { RunLength } from './configRules.ts';
import { testPartialConvergence } from './convergence.ts';
import type { ConvergenceReport } from './convergenceReport.ts';
import { type PhaseCost, phaseCost } from './cost.ts';
import { phaseSettings } from './phaseSettings.ts';
import { assignRanks, type RankAssignment } from './rankAssignment.ts';
import { type ReplayWindow, replay } from './replay.ts';

export interface PreviewInput {
  /** Live snapshots, oldest first. */
  snapshots: readonly SnapshotRecord[];
  /** The run's settings, and those on the table. */
  present: ResolvedConfig;
  proposed: ResolvedConfig;
  length: RunLength;
}

export interface SwitchOutline {
  /** On the newest window. */
  verdict: ConvergenceReport;
  /** Where the rule would have switched; null when nowhere. */
  switchStep: number | null;
  windows: ReplayWindow[];
  /** A switch now; null with `planError` when no plan can be made. */
  plan: RankAssignment | null;
  planError: { code: ErrorCode; message: string; field?: string } | null;
  /** Null without a plan. */
  phases: Record<Phase, PhaseCost> | null;
}

export interface CostDifference {
  trainable: number;
  /** Percentage points. */
  share: number;
  /** Multiply-adds in comparison, 1 = the same. */
  computeRatio: number;
  stateBytes: number;
  totalBytesEstimate: number;
}

export interface SwitchPreview extends SwitchOutline {
  /** What phase full costs. */
  now: PhaseCost;
  /** Each phase of the plan less now. */
  againstNow: Record<Phase, CostDifference> | null;
  /** Each phase of the plan less the same phase under the present settings, and the modules whose rank differs (present, proposed). */
  againstPresent: {
    switchStep: number | null;
    phases: Record<Phase, CostDifference> | null;
    ranks: Record<string, [number, number]>;
  };
}

/** What a switch now would be under `proposed`: rule, ranks and costs, and how they differ from phase full and from the present settings. */
export function previewSwitch({ snapshots, present, proposed, length }: PreviewInput): SwitchPreview {
  const outline = outlineSwitch(snapshots, proposed, length);
  const presently = outlineSwitch(snapshots, present, length);
  const now = phaseCost(present, 'full', {}, present.train.microBatch);
  return {
    ...outline,
    now,
    againstNow: outline.phases && eachPhase((phase) => difference(outline.phases?.[phase] ?? now, now)),
    againstPresent: {
      switchStep: presently.switchStep,
      phases: comparePhases(outline.phases, presently.phases),
      ranks: rankChanges(presently.plan?.ranks ?? {}, outline.plan?.ranks ?? {}),
    },
  };
}

/** Everything a switch under one set of settings would be. */
function outlineSwitch(snapshots: readonly SnapshotRecord[], config: ResolvedConfig, length: RunLength): SwitchOutline {
  const settings = phaseSettings(config, length);
  const { minStep, graceSteps, jointSteps, totalSteps } = settings;
  const full = snapshots.filter(({ phase }) => phase === 'full');
  const { switchStep, windows } = replay(full, { ...settings.config, minStep, graceSteps, jointSteps, totalSteps });
  const verdict = testPartialConvergence(
    full.filter(({ step }) => step >= minStep),
    settings.convergence,
  );
  const { plan, planError } = tryPlan(full, settings.config);
  const phases = plan && eachPhase((phase) => phaseCost(config, phase, plan.ranks, config.train.microBatch));
  return { verdict, switchStep, windows, plan, planError, phases };
}

/** The plan, or why there can be none: the preview shows either. */
function tryPlan(...[snapshots, config]: Parameters<typeof assignRanks>): Pick<SwitchOutline, 'plan' | 'planError'> {
  try {
    return { plan: assignRanks(snapshots, config), planError: null };
  } catch (error) {
    if (!(error instanceof PreloraError)) throw error;
    const { code, message, field } = error;
    return { plan: null, planError: { code, message, ...(field === undefined ? {} : { field }) } };
  }
}

function comparePhases(after: SwitchOutline['phases'], before: SwitchOutline['phases']): Record<Phase, CostDifference> | null {
  return after && before && eachPhase((phase) => difference(after[phase], before[phase]));
}

function difference(after: PhaseCost, before: PhaseCost): CostDifference {
  return {
    trainable: after.parameters.trainable - before.parameters.trainable,
    share: after.parameters.share - before.parameters.share,
    computeRatio: after.multiplyAdds.total / before.multiplyAdds.total,
    stateBytes: after.memory.state - before.memory.state,
    totalBytesEstimate: after.memory.totalEstimate - before.memory.totalEstimate,
  };
}

function rankChanges(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): Record<string, [number, number]> {
  const changes: Record<string, [number, number]> = {};
  for (const module of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const pair: [number, number] = [before[module] ?? 0, after[module] ?? 0];
    if (pair[0] !== pair[1]) changes[module] = pair;
  }
  return changes;
}

function eachPhase<T>(make: (phase: Phase) => T): Record<Phase, T> {
  return { full: make('full'), warmup: make('warmup'), lora: make('lora') };
}
