/**
 * The rank of every target module, with the numbers and the reason behind it, in the order of method.md section 8: bins → control →
 * clamp → overrides → budget → α from the final rank. Pure: equal input, equal plan.
 */
import type { ModelShape, RunConfig } from '../protocol/config.ts';
import type { RankReason, SnapshotRecord } from '../protocol/records.ts';
import { PreloraError } from '../protocol/reply.ts';
import { le, same } from './equality.ts';
import type { ModuleName } from './modules.ts';
import { linearShape } from './parameterShapes.ts';
import { measuredField, type RankBin, rankBins, rankLadder, recordedChanges } from './rankBins.ts';
import { type Budget, type BudgetVisit, budgetUnreachable, fitBudget } from './rankBudget.ts';
import { type RankDraft, rankWords, withoutAdapterWords } from './rankWords.ts';
import { checkRankOverrides, type PreloraSettings, placeOf, type Ranks, targetModules } from './targets.ts';
import { countInPhase, rankUnit } from './trainableSet.ts';

/** The part of a config that ranks depend on. */
export interface RankConfig {
  model: ModelShape;
  prelora: PreloraSettings;
  control: RunConfig['control'];
  train: Pick<RunConfig['train'], 'decayGroups'>;
}

export interface RankAssignment {
  /** Rank of every target in module order; 0 = no adapter. */
  ranks: Record<string, number>;
  modules: RankReason[];
  /** Halvings of the budget in order; empty without one, and for uniform ranks. */
  visits: BudgetVisit[];
  adapterParameters: number;
  trainableAfterFreeze: number;
  /** Percent of the parameters of the model without adapters. */
  share: number;
}

/**
 * Assigns ranks from the last two of `snapshots` (phase full, same snapshotEvery). Throws `not-enough-snapshots` where they are
 * needed and missing, `budget-unreachable` naming the smallest share possible, `bad-config` for an override that fits no target.
 */
export function assignRanks(snapshots: readonly SnapshotRecord[], config: RankConfig): RankAssignment {
  const targets = targetModules(config.prelora.targetModules, config.model.depth);
  checkRankOverrides(config.prelora.rankOverrides, targets, config.model);
  if (config.control.action !== 'prelora') return withoutAdapters(targets, config);
  const bins = binsFrom(snapshots, targets, config);
  const drafts = draftRanks(bins, targets, config);
  const visits = applyBudget(drafts, config);
  const ranks = ranksOf(drafts);
  return { ranks, modules: drafts.map((draft) => reasonOf(draft, config)), visits, ...countsOf(config, ranks) };
}

/** Whether ranks come from snapshots at all: not for uniform ranks with a number, nor when every target is set by hand. */
export function needsMeasurement(config: Pick<RankConfig, 'prelora' | 'control'> & { model: Pick<ModelShape, 'depth'> }): boolean {
  const { prelora, control } = config;
  if (control.action !== 'prelora') return false;
  if (control.ranks === 'uniform' && control.uniformRank !== 'matched') return false;
  return targetModules(prelora.targetModules, config.model.depth).some((module) => prelora.rankOverrides[module] === undefined);
}

/** Largest power of two that a module's matrices can carry. */
export function rankCap(model: ModelShape, module: ModuleName): number {
  return 2 ** Math.floor(Math.log2(Math.min(...linearShape(model, placeOf(module).family))));
}

/** α of a final rank; 0 where there is no adapter. */
export function alphaOf(rank: number, { alphaMode, alphaValue }: Pick<PreloraSettings, 'alphaMode' | 'alphaValue'>): number {
  if (rank === 0) return 0;
  if (alphaMode === 'constant') return alphaValue;
  return alphaMode === '2r' ? 2 * rank : rank;
}

/** Smallest share any snapshots could lead to under this config: every free module at its floor. Percent. */
export function smallestShare(config: RankConfig): number {
  const targets = targetModules(config.prelora.targetModules, config.model.depth);
  const ranks = Object.fromEntries(targets.map((module) => [module, config.prelora.rankOverrides[module] ?? floorOf(module, config)]));
  return countInPhase(config, 'lora', ranks).share;
}

/** Bins of all targets, or null when too little was recorded and nothing is needed. */
function binsFrom(
  snapshots: readonly SnapshotRecord[],
  targets: readonly ModuleName[],
  config: RankConfig,
): Map<ModuleName, RankBin> | null {
  const [from, to] = snapshots.slice(-2);
  const { prelora } = config;
  const changes = from && to ? recordedChanges(targets, [from, to], prelora) : [];
  if (changes.length === targets.length) {
    const bins = rankBins(changes, prelora.rankPool, rankLadder(prelora.rMin, prelora.rMax).length);
    return new Map(bins.map((bin) => [bin.module, bin]));
  }
  if (!needsMeasurement(config)) return null;
  const otherwise = 'wait for the next snapshot, set control.ranks uniform with a number, or give every target a rank by hand';
  if (!from || !to) {
    const number = snapshots.length === 1 ? 'there is 1' : 'there are none';
    throw new PreloraError('not-enough-snapshots', `ranks need the last two snapshots and ${number}; ${otherwise}`);
  }
  throw new PreloraError(
    'not-enough-snapshots',
    `ranks need ${measuredField(prelora)} of every target in the snapshots of steps ${from.step} and ${to.step}, which do not hold it; ${otherwise}`,
  );
}

/** Bins → control → clamp → overrides. */
function draftRanks(bins: Map<ModuleName, RankBin> | null, targets: readonly ModuleName[], config: RankConfig): RankDraft[] {
  const uniform = config.control.ranks === 'uniform' ? uniformRank(bins, targets, config) : null;
  return targets.map((module) => {
    const bin = bins?.get(module) ?? null;
    const cap = rankCap(config.model, module);
    const binRank = uniform ?? (bin && ladderRank(bin, config));
    const clampedRank = binRank === null ? 0 : Math.min(binRank, cap);
    const override = config.prelora.rankOverrides[module] ?? null;
    const rank = override ?? clampedRank;
    return { module, bin, binRank, cap, clamped: binRank !== null && binRank > cap, override, unbudgeted: rank, rank };
  });
}

function ladderRank(bin: RankBin, { prelora, control }: RankConfig): number {
  const ladder = rankLadder(prelora.rMin, prelora.rMax);
  const index = control.ranks === 'reversed' && !bin.tied ? ladder.length - 1 - bin.bin : bin.bin;
  return ladder[index] as number;
}

/** The rank of the uniform control; `matched` is the largest power of two whose adapters are no bigger than the assigned plan's. */
function uniformRank(bins: Map<ModuleName, RankBin> | null, targets: readonly ModuleName[], config: RankConfig): number {
  const { uniformRank: wanted } = config.control;
  if (wanted !== 'matched') return wanted;
  const assigned: RankConfig = { ...config, control: { ...config.control, ranks: 'assigned' } };
  const drafts = draftRanks(bins, targets, assigned);
  applyBudget(drafts, assigned);
  const limit = adapterSize(drafts, config);
  const largest = Math.max(...targets.map((module) => rankCap(config.model, module)));
  let rank = 1;
  while (2 * rank <= largest && adapterSize(atUniformRank(drafts, 2 * rank), config) <= limit) rank *= 2;
  return rank;
}

function atUniformRank(drafts: readonly RankDraft[], rank: number): RankDraft[] {
  return drafts.map((draft) => ({ ...draft, rank: draft.override ?? Math.min(rank, draft.cap) }));
}

function adapterSize(drafts: readonly RankDraft[], { model }: RankConfig): number {
  return drafts.reduce((sum, { module, rank }) => sum + rank * rankUnit(model, module), 0);
}

/** Lowers the drafts' ranks in place where a budget asks for it. */
function applyBudget(drafts: readonly RankDraft[], config: RankConfig): BudgetVisit[] {
  const { rankBudget: ceiling } = config.prelora;
  if (ceiling === null) return [];
  const free = drafts.filter(({ override }) => override === null);
  const counts = countInPhase(config, 'lora', ranksOf(drafts));
  const budget: Budget = { ceiling, base: counts.base, others: counts.trainable - adapterSize(free, config) };
  if (config.control.ranks === 'uniform') {
    fitUniform(free, budget, config);
    return [];
  }
  const entries = visitOrder(free, config.control).map((draft) => {
    const { module, rank } = draft;
    return { module, rank, floor: floorOf(module, config), unit: rankUnit(config.model, module), draft };
  });
  const visits = fitBudget(entries, budget);
  for (const { draft, rank } of entries) draft.rank = rank;
  return visits;
}

/** Uniform ranks are halved all together, so that they stay uniform (apart from caps). */
function fitUniform(free: readonly RankDraft[], { ceiling, base, others }: Budget, config: RankConfig): void {
  const share = (): number => (100 * (others + adapterSize(free, config))) / base;
  let rank = Math.max(1, ...free.map((draft) => draft.rank));
  while (!le(share(), ceiling)) {
    if (rank === 1) throw budgetUnreachable(ceiling, share());
    rank /= 2;
    for (const draft of free) draft.rank = Math.min(rank, draft.rank);
  }
}

/** Least-changing first (reversed ranks: most-changing first); ties, up to rounding, in module order. */
function visitOrder(free: readonly RankDraft[], { ranks }: Pick<RankConfig['control'], 'ranks'>): RankDraft[] {
  const direction = ranks === 'reversed' ? -1 : 1;
  const changeOf = (draft: RankDraft): number => draft.bin?.change ?? 0;
  const sorted = [...free].sort((a, b) => (changeOf(a) === changeOf(b) ? 0 : direction * (changeOf(a) - changeOf(b))));
  const groups: RankDraft[][] = [];
  for (const draft of sorted) {
    const group = groups.at(-1);
    if (group && same(changeOf(draft), changeOf(group.at(-1) as RankDraft))) group.push(draft);
    else groups.push([draft]);
  }
  return groups.flatMap((group) => free.filter((draft) => group.includes(draft)));
}

/** A free module is not lowered below this. */
function floorOf(module: ModuleName, { model, prelora, control }: RankConfig): number {
  if (control.ranks === 'uniform' && control.uniformRank !== 'matched') return 1;
  return Math.min(prelora.rMin, rankCap(model, module));
}

function ranksOf(drafts: readonly RankDraft[]): Record<string, number> {
  return Object.fromEntries(drafts.map(({ module, rank }) => [module, rank]));
}

function countsOf(config: RankConfig, ranks: Ranks): Pick<RankAssignment, 'adapterParameters' | 'trainableAfterFreeze' | 'share'> {
  const { adapters, trainable, share } = countInPhase(config, 'lora', ranks);
  return { adapterParameters: adapters, trainableAfterFreeze: trainable, share };
}

function reasonOf(draft: RankDraft, config: RankConfig): RankReason {
  const { module, bin, binRank, cap, rank } = draft;
  return {
    module,
    rank,
    alpha: alphaOf(rank, config.prelora),
    change: bin && (Number.isFinite(bin.change) ? bin.change : 'inf'),
    from: bin?.from ?? null,
    to: bin?.to ?? null,
    poolMin: bin?.poolMin ?? null,
    poolMax: bin?.poolMax ?? null,
    position: bin?.position ?? null,
    binRank,
    cap,
    reason: rankWords(draft, config),
  };
}

/** The controls without adapters: nothing has a rank, and the freeze stops what PreLoRA would have adapted (or nothing). */
function withoutAdapters(targets: readonly ModuleName[], config: RankConfig): RankAssignment {
  const ranks = Object.fromEntries(targets.map((module) => [module, 0]));
  const modules = targets.map((module): RankReason => {
    const cap = rankCap(config.model, module);
    const reason = withoutAdapterWords(config.prelora.rankOverrides[module] ?? null, config.control.action);
    return {
      module,
      rank: 0,
      alpha: 0,
      change: null,
      from: null,
      to: null,
      poolMin: null,
      poolMax: null,
      position: null,
      binRank: null,
      cap,
      reason,
    };
  });
  return { ranks, modules, visits: [], ...countsOf(config, ranks) };
}
