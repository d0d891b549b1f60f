/**
 * Fits ranks under a ceiling for the trainable share after the freeze: one halving per visit, least-changing module first, round
 * after round, so that the order of ranks within a pool is kept; stops at the first fit (method.md section 8).
 */
import { PreloraError } from '../protocol/reply.ts';
import { le } from './equality.ts';
import type { ModuleName } from './modules.ts';

/** A module the budget may lower. */
export interface BudgetEntry {
  module: ModuleName;
  rank: number;
  /** Not lowered below this: min(rMin, cap), or 1 for uniform ranks. */
  floor: number;
  /** Parameters per unit of rank. */
  unit: number;
}

/** One halving. `share` is what it led to, in percent. */
export interface BudgetVisit {
  module: ModuleName;
  rank: number;
  share: number;
}

export interface Budget {
  /** Ceiling, percent of the parameters of the model without adapters. */
  ceiling: number;
  /** Those parameters. */
  base: number;
  /** Trainable after the freeze apart from the entries' adapters: what is not frozen, and overridden adapters. */
  others: number;
}

/** Lowers `entries` (in the order of visits) in place until the budget holds; returns the halvings made. */
export function fitBudget(entries: readonly BudgetEntry[], budget: Budget): BudgetVisit[] {
  const visits: BudgetVisit[] = [];
  let trainable = budget.others + entries.reduce((sum, { rank, unit }) => sum + rank * unit, 0);
  const share = (): number => (100 * trainable) / budget.base;
  while (!le(share(), budget.ceiling)) {
    const before = visits.length;
    for (const entry of entries) {
      if (entry.rank <= entry.floor) continue;
      entry.rank /= 2;
      trainable -= entry.rank * entry.unit;
      visits.push({ module: entry.module, rank: entry.rank, share: share() });
      if (le(share(), budget.ceiling)) return visits;
    }
    if (visits.length === before) throw budgetUnreachable(budget.ceiling, share());
  }
  return visits;
}

/** The error that names the smallest share possible, rounded up so that the number given can be used. */
export function budgetUnreachable(ceiling: number, smallest: number): PreloraError {
  const usable = Math.ceil(smallest * 100 - 1e-9) / 100;
  return new PreloraError(
    'budget-unreachable',
    `prelora.rankBudget ${ceiling}: must be at least ${usable} % (the share with every free module at its smallest rank); ` +
      'raise it, lower prelora.rMin or name more in prelora.alsoFreeze',
    'prelora.rankBudget',
  );
}
