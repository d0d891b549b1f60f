/** method.md section 8: TV4, the case table, TV13 visit by visit, and invariants 6 and 7 of section 16. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { le, lt } from '../../main/core/equality.ts';
import { allModules, parseModuleName } from '../../main/core/modules.ts';
import { assignRanks, type RankAssignment, type RankConfig, rankCap } from '../../main/core/rankAssignment.ts';
import { binOf, rankLadder } from '../../main/core/rankBins.ts';
import type { RunConfigInput } from '../../main/protocol/config.ts';
import { pairWithChanges, resolvedConfig, snapshot } from './support.ts';

type Prelora = NonNullable<RunConfigInput['prelora']>;
type Control = NonNullable<RunConfigInput['control']>;

/** The worked example's model; settings as given, unchecked. */
function rankConfig(prelora: Prelora = {}, control: Control = {}): RankConfig {
  const { model, train, prelora: defaults, control: controls } = resolvedConfig();
  return {
    model,
    train,
    prelora: { ...defaults, ...(prelora as Partial<RankConfig['prelora']>) },
    control: { ...controls, ...(control as Partial<RankConfig['control']>) },
  };
}

const Q_CHANGES = { 'blocks.0.attn.q': 1, 'blocks.1.attn.q': 3 };

/** The worked example: changes of q k v proj fc1 fc2 in blocks 0 and 1. */
const EXAMPLE = Object.fromEntries(
  [0.9, 0.6, 1.2, 1.5, 2.4, 1.6, 0.3, 0.4, 0.9, 1.1, 2.0, 2.2].map((change, index) => [allModules(2)[index] as string, change]),
);

describe('bins', () => {
  it.each([
    [0, 4],
    [1e-9, 4],
    [0.1, 4],
    [0.25, 4],
    [0.2500001, 8],
    [0.5, 8],
    [0.51, 16],
    [0.75, 16],
    [0.76, 32],
    [0.999999, 32],
    [1, 32],
  ])('TV4: position %f has rank %i of 4 to 32', (position, rank) => {
    const ladder = rankLadder(4, 32);
    expect(ladder[binOf(position, ladder.length)]).toBe(rank);
  });

  it.each([
    [0, 8],
    [0.2, 8],
    [0.200001, 16],
    [0.4, 16],
    [0.6, 32],
    [0.8, 64],
    [0.800001, 128],
    [1, 128],
  ])('TV4: position %f has rank %i of 8 to 128', (position, rank) => {
    const ladder = rankLadder(8, 128);
    expect(ladder[binOf(position, ladder.length)]).toBe(rank);
  });

  it('keeps a position that rounding pushed above an edge in its bin', () => {
    expect([0.25, 0.5, 0.75].map((edge) => binOf(edge + 1e-12, 4))).toEqual([0, 1, 2]);
  });

  it('has one bin when rMin = rMax', () => {
    expect(rankLadder(8, 8)).toEqual([8]);
    const { ranks } = assignRanks(pairWithChanges(EXAMPLE), rankConfig({ rMin: 8, rMax: 8 }));
    expect(new Set(Object.values(ranks))).toEqual(new Set([8]));
  });
});

describe('the worked example (TV13)', () => {
  const overall: Prelora = { rankPool: 'overall' };

  it('begins with 43,520 adapter parameters and a share of 51.04 %', () => {
    const plan = assignRanks(pairWithChanges(EXAMPLE), rankConfig(overall));
    expect(Object.values(plan.ranks)).toEqual([8, 4, 8, 16, 32, 16, 4, 4, 8, 8, 32, 32]);
    expect(plan.adapterParameters).toBe(43_520);
    expect(plan.share).toBeCloseTo(51.04, 2);
  });

  it('lowers the ranks visit by visit to 31.10 %', () => {
    const plan = assignRanks(pairWithChanges(EXAMPLE), rankConfig({ ...overall, rankBudget: 32 }));
    expect(plan.visits.map(({ module, share }) => [module.replace(/blocks\.|attn\.|mlp\./g, ''), share.toFixed(2)])).toEqual([
      ['0.q', '50.59'],
      ['1.v', '50.14'],
      ['1.proj', '49.70'],
      ['0.v', '49.25'],
      ['0.proj', '48.35'],
      ['0.fc2', '46.11'],
      ['1.fc1', '41.63'],
      ['1.fc2', '37.15'],
      ['0.fc1', '32.67'],
      ['0.proj', '32.22'],
      ['0.fc2', '31.10'],
    ]);
    expect(Object.values(plan.ranks)).toEqual([4, 4, 4, 4, 16, 4, 4, 4, 4, 4, 16, 16]);
    expect(plan.adapterParameters).toBe(20_736);
    expect(plan.trainableAfterFreeze).toBe(35_530);
  });

  it('takes changes that differ by rounding alone for a tie, in module order', () => {
    const [from, to] = pairWithChanges(EXAMPLE);
    // .9 % of another norm: 0.8999999999999986 in doubles, less than block 0's 0.9000000000000057.
    from.modules['blocks.1.attn.v'] = { weightNorm: 10, gradNorm: 1, displacement: 0 };
    to.modules['blocks.1.attn.v'] = { weightNorm: 10.09, gradNorm: 1, displacement: 0 };
    const plan = assignRanks([from, to], rankConfig({ ...overall, rankBudget: 51 }));
    expect(plan.modules[8]?.change).toBeLessThan(plan.modules[0]?.change as number);
    expect(plan.visits.map(({ module }) => module)).toEqual(['blocks.0.attn.q']);
  });

  it('stops at once with a budget of 51 %', () => {
    const plan = assignRanks(pairWithChanges(EXAMPLE), rankConfig({ ...overall, rankBudget: 51 }));
    expect(plan.visits.map(({ module }) => module)).toEqual(['blocks.0.attn.q']);
  });

  it('reaches 21.02 % and nothing below, and says so', () => {
    expect(assignRanks(pairWithChanges(EXAMPLE), rankConfig({ ...overall, rankBudget: 21.02 })).share).toBeCloseTo(21.02, 2);
    expect(() => assignRanks(pairWithChanges(EXAMPLE), rankConfig({ ...overall, rankBudget: 21 }))).toThrow(
      expect.objectContaining({ code: 'budget-unreachable', message: expect.stringContaining('at least 21.02 %') }),
    );
  });
});

describe('the cases of the table', () => {
  it('give rMin to ties and pools of one, also with reversed ranks', () => {
    for (const ranks of ['assigned', 'reversed'] as const) {
      const tied = { 'blocks.0.attn.q': 2, 'blocks.1.attn.q': 2 + 5e-10 };
      expect(Object.values(assignRanks(pairWithChanges(tied), rankConfig({ targetModules: ['q'] }, { ranks })).ranks)).toEqual([4, 4]);
      const single = assignRanks(pairWithChanges(Q_CHANGES), rankConfig({ targetModules: ['blocks.1.attn.q'] }, { ranks }));
      expect(single.ranks).toEqual({ 'blocks.1.attn.q': 4 });
    }
  });

  it('give an infinite change the top and take the extremes over the finite ones', () => {
    const changes = { 'blocks.0.attn.q': Number.POSITIVE_INFINITY, 'blocks.1.attn.q': 1, 'blocks.2.attn.q': 3, 'blocks.3.attn.q': 2 };
    const config = rankConfig({ targetModules: ['q'] });
    const plan = assignRanks(pairWithChanges(changes, 4), { ...config, model: { ...config.model, depth: 4 } });
    expect(Object.values(plan.ranks)).toEqual([32, 4, 32, 8]);
    expect(plan.modules[0]).toMatchObject({ change: 'inf', position: 1, poolMin: 1, poolMax: 3 });
  });

  it('give rMax when every change is infinite', () => {
    const changes = { 'blocks.0.attn.q': Number.POSITIVE_INFINITY, 'blocks.1.attn.q': Number.POSITIVE_INFINITY };
    const plan = assignRanks(pairWithChanges(changes), rankConfig({ targetModules: ['q'] }));
    expect(Object.values(plan.ranks)).toEqual([32, 32]);
    expect(plan.modules[0]).toMatchObject({ change: 'inf', poolMin: null, poolMax: null });
  });

  it('clamp to the largest power of two that fits, also when rMin is above it', () => {
    const { model } = resolvedConfig({ model: { embedDim: 24, numHeads: 2 } });
    const config = { ...rankConfig({ targetModules: ['q'] }), model };
    expect(rankCap(model, 'blocks.0.attn.q')).toBe(16);
    expect(Object.values(assignRanks(pairWithChanges(Q_CHANGES), config).ranks)).toEqual([4, 16]);
    const high = { ...config, prelora: { ...config.prelora, rMin: 32, rMax: 64 } };
    expect(Object.values(assignRanks(pairWithChanges(Q_CHANGES), high).ranks)).toEqual([16, 16]);
    expect(assignRanks(pairWithChanges(Q_CHANGES), high).modules[0]?.reason).toContain('at most 16 fits');
  });

  it('reverse the ladder with reversed ranks', () => {
    const plan = assignRanks(pairWithChanges(Q_CHANGES), rankConfig({ targetModules: ['q'] }, { ranks: 'reversed' }));
    expect(plan.ranks).toEqual({ 'blocks.0.attn.q': 32, 'blocks.1.attn.q': 4 });
  });

  it('let an override win over bin, control and clamp, and stay in its pool', () => {
    const targets: Prelora = { targetModules: ['q', 'k'], rankPool: 'overall', rankOverrides: { 'blocks.0.attn.q': 61 } };
    const changes = { 'blocks.0.attn.q': 9, 'blocks.1.attn.q': 1, 'blocks.0.attn.k': 5, 'blocks.1.attn.k': 3 };
    const plan = assignRanks(pairWithChanges(changes), rankConfig(targets));
    expect(plan.ranks).toEqual({ 'blocks.0.attn.q': 61, 'blocks.0.attn.k': 8, 'blocks.1.attn.q': 4, 'blocks.1.attn.k': 4 });
    expect(plan.modules[0]).toMatchObject({ alpha: 122, poolMax: 9, binRank: 32, reason: 'set by hand (computed: 32)' });
  });

  it('take rank 0 for no adapter: the module stays trainable', () => {
    const without = rankConfig({ targetModules: ['q'], rankOverrides: { 'blocks.0.attn.q': 0 } });
    const plan = assignRanks(pairWithChanges(Q_CHANGES), without);
    expect(plan.ranks).toEqual({ 'blocks.0.attn.q': 0, 'blocks.1.attn.q': 32 });
    expect(plan.trainableAfterFreeze).toBe(114_250 - 64 * 64 - 64 + 32 * 128);
    const named = { ...without, prelora: { ...without.prelora, alsoFreeze: ['q' as const] } };
    expect(assignRanks(pairWithChanges(Q_CHANGES), named).trainableAfterFreeze).toBe(114_250 - 2 * (64 * 64 + 64) + 32 * 128);
  });

  it.each([
    ['a rank beyond the matrix', { 'blocks.0.attn.q': 65 }, '0 to 64'],
    ['a module that gets no adapter', { 'blocks.0.attn.k': 4 }, 'gets no adapter'],
    ['an unknown module', { 'blocks.2.attn.q': 4 }, 'no module of this name'],
  ])('refuse %s', (_, rankOverrides: Record<string, number>, rule) => {
    expect(() => assignRanks(pairWithChanges(Q_CHANGES), rankConfig({ targetModules: ['q'], rankOverrides }))).toThrow(rule);
  });

  it.each([0, 1])('need two snapshots: %i are not enough', (count) => {
    const snapshots = pairWithChanges(EXAMPLE).slice(0, count);
    expect(() => assignRanks(snapshots, rankConfig())).toThrow(expect.objectContaining({ code: 'not-enough-snapshots' }));
    expect(() => assignRanks(snapshots, rankConfig({}, { ranks: 'uniform', uniformRank: 'matched' }))).toThrow(
      expect.objectContaining({ code: 'not-enough-snapshots' }),
    );
    const uniform = assignRanks(snapshots, rankConfig({}, { ranks: 'uniform', uniformRank: 16 }));
    expect(new Set(Object.values(uniform.ranks))).toEqual(new Set([16]));
    const byHand = rankConfig({ targetModules: ['q'], rankOverrides: { 'blocks.0.attn.q': 3, 'blocks.1.attn.q': 0 } });
    expect(Object.values(assignRanks(snapshots, byHand).ranks)).toEqual([3, 0]);
  });

  it('say which number was not recorded', () => {
    const [from, to] = pairWithChanges(EXAMPLE);
    for (const module of allModules(2)) (to.modules[module] as { gradNorm: number | null }).gradNorm = null;
    expect(() => assignRanks([from, to], rankConfig({ rankMetric: 'grad' }))).toThrow(
      'gradNorm of every target in the snapshots of steps 10 and 20',
    );
  });
});

describe('metrics and pools', () => {
  it('rank by the change of gradient norms with grad', () => {
    const pair = [snapshot(10, 1), snapshot(20, 1)] as const;
    (pair[1].modules['blocks.1.attn.q'] as { gradNorm: number }).gradNorm = 3;
    const plan = assignRanks(pair, rankConfig({ rankMetric: 'grad', targetModules: ['q'] }));
    expect(plan.ranks).toEqual({ 'blocks.0.attn.q': 4, 'blocks.1.attn.q': 32 });
    expect(plan.modules[1]).toMatchObject({ change: 200, from: 1, to: 3, reason: expect.stringContaining('gradient change 200 %') });
  });

  it('rank by distance with displacement', () => {
    const pair = [snapshot(10, 1), snapshot(20, 1)] as const;
    (pair[1].modules['blocks.0.attn.q'] as { displacement: number }).displacement = 0.25;
    const plan = assignRanks(pair, rankConfig({ normMetric: 'displacement', targetModules: ['q'] }));
    expect(plan.ranks).toEqual({ 'blocks.0.attn.q': 32, 'blocks.1.attn.q': 4 });
    expect(plan.modules[0]).toMatchObject({ change: 25, from: 1, to: 0.25 });
  });

  it('compare with the family or with all', () => {
    const changes = { 'blocks.0.attn.q': 1, 'blocks.1.attn.q': 2, 'blocks.0.attn.k': 10, 'blocks.1.attn.k': 20 };
    const byFamily = assignRanks(pairWithChanges(changes), rankConfig({ targetModules: ['q', 'k'] }));
    expect(Object.values(byFamily.ranks)).toEqual([4, 4, 32, 32]);
    const overall = assignRanks(pairWithChanges(changes), rankConfig({ targetModules: ['q', 'k'], rankPool: 'overall' }));
    expect(Object.values(overall.ranks)).toEqual([4, 8, 4, 32]);
  });

  it.each([
    ['2r', 16, [8, 64]],
    ['r', 16, [4, 32]],
    ['constant', 16, [16, 16]],
  ] as const)('takes α from the final rank with alphaMode %s', (alphaMode, alphaValue, alphas) => {
    const plan = assignRanks(pairWithChanges(Q_CHANGES), rankConfig({ targetModules: ['q'], alphaMode, alphaValue }));
    expect(plan.modules.map(({ alpha }) => alpha)).toEqual(alphas);
  });
});

describe('uniform ranks', () => {
  it('matched takes the largest whose adapters are no bigger than the assigned plan, budget included', () => {
    const overall: Prelora = { rankPool: 'overall' };
    const matched: Control = { ranks: 'uniform', uniformRank: 'matched' };
    // Assigned: 43,520; a unit of rank over all targets costs 2,304, so 16 (36,864) fits and 32 does not.
    expect(new Set(Object.values(assignRanks(pairWithChanges(EXAMPLE), rankConfig(overall, matched)).ranks))).toEqual(new Set([16]));
    // With the budget: 20,736, which rank 8 (18,432) fits.
    const budgeted = assignRanks(pairWithChanges(EXAMPLE), rankConfig({ ...overall, rankBudget: 32 }, matched));
    expect(new Set(Object.values(budgeted.ranks))).toEqual(new Set([8]));
  });

  it('are halved all together by the budget, down to 1', () => {
    const uniform: Control = { ranks: 'uniform', uniformRank: 32 };
    // 14,794 + 2,304 · r of 114,250: r = 8 gives 29.08 %, r = 1 gives 14.97 %.
    const plan = assignRanks([], rankConfig({ rankBudget: 30 }, uniform));
    expect(new Set(Object.values(plan.ranks))).toEqual(new Set([8]));
    expect(plan.modules[0]?.reason).toContain('the budget lowered 32 to 8');
    expect(new Set(Object.values(assignRanks([], rankConfig({ rankBudget: 15 }, uniform)).ranks))).toEqual(new Set([1]));
    expect(() => assignRanks([], rankConfig({ rankBudget: 14.9 }, uniform))).toThrow(
      expect.objectContaining({ code: 'budget-unreachable' }),
    );
  });
});

describe('controls without adapters', () => {
  it('freezeOnly has no ranks and counts what stays trainable', () => {
    const plan = assignRanks([], rankConfig({}, { action: 'freezeOnly' }));
    expect(plan).toMatchObject({ adapterParameters: 0, trainableAfterFreeze: 14_794 });
    expect(new Set(Object.values(plan.ranks))).toEqual(new Set([0]));
  });

  it('resetOnly freezes nothing and may have no targets', () => {
    const plan = assignRanks([], rankConfig({ targetModules: [] }, { action: 'resetOnly' }));
    expect(plan).toMatchObject({ ranks: {}, trainableAfterFreeze: 114_250, share: 100 });
  });
});

describe('invariants', () => {
  const arbitraryPlan = fc
    .record({
      changes: fc.array(
        fc.oneof(
          { weight: 8, arbitrary: fc.double({ min: 0, max: 50, noNaN: true }) },
          { weight: 1, arbitrary: fc.constantFrom(0, 1, 2, Number.POSITIVE_INFINITY) },
        ),
        { minLength: 12, maxLength: 12 },
      ),
      low: fc.integer({ min: 0, max: 5 }),
      span: fc.integer({ min: 0, max: 4 }),
      rankPool: fc.constantFrom('family' as const, 'overall' as const),
      ranks: fc.constantFrom('assigned' as const, 'reversed' as const),
      rankBudget: fc.option(fc.double({ min: 15, max: 100, noNaN: true })),
      rankOverrides: fc.dictionary(fc.constantFrom(...allModules(2)), fc.integer({ min: 0, max: 64 }), { maxKeys: 3 }),
    })
    .map(({ changes, low, span, rankPool, ranks, rankBudget, rankOverrides }) => {
      const config = rankConfig(
        { rMin: 2 ** low, rMax: 2 ** (low + span), rankPool, rankBudget, rankOverrides: { ...rankOverrides } },
        { ranks },
      );
      return {
        config,
        pair: pairWithChanges(Object.fromEntries(allModules(2).map((module, index) => [module, changes[index] as number]))),
      };
    });

  /** The plan, or null where the budget cannot be met. */
  function planOf(pair: Parameters<typeof assignRanks>[0], config: RankConfig): RankAssignment | null {
    try {
      return assignRanks(pair, config);
    } catch (error) {
      expect(error).toMatchObject({ code: 'budget-unreachable' });
      return null;
    }
  }

  it('6: ranks lie in R, or equal the cap or an override, and equal input gives an equal plan', () => {
    fc.assert(
      fc.property(arbitraryPlan, ({ config, pair }) => {
        const plan = planOf(pair, config);
        expect(planOf(pair, config)).toEqual(plan);
        const ladder = rankLadder(config.prelora.rMin, config.prelora.rMax);
        for (const { module, rank, cap } of plan?.modules ?? []) {
          const override = config.prelora.rankOverrides[module];
          expect(override === undefined ? ladder.includes(rank) || rank === cap : rank === override).toBe(true);
        }
      }),
    );
  });

  it('6: within a pool, among free modules of equal cap, a larger change never gets the smaller rank', () => {
    fc.assert(
      fc.property(arbitraryPlan, ({ config, pair }) => {
        const reversed = config.control.ranks === 'reversed';
        const free = (planOf(pair, config)?.modules ?? []).filter(({ module }) => config.prelora.rankOverrides[module] === undefined);
        for (const a of free) {
          for (const b of free) {
            if (a.cap !== b.cap || (config.prelora.rankPool === 'family' && familyOf(a.module) !== familyOf(b.module))) continue;
            if (!lt(numeric(a.change), numeric(b.change))) continue;
            expect(reversed ? a.rank >= b.rank : a.rank <= b.rank).toBe(true);
          }
        }
      }),
    );
  });

  it('7: the budget holds whenever no error is raised, and the last halving was needed', () => {
    fc.assert(
      fc.property(arbitraryPlan, ({ config, pair }) => {
        const plan = planOf(pair, config);
        const budget = config.prelora.rankBudget;
        if (!plan || budget === null) return;
        expect(le(plan.share, budget)).toBe(true);
        const before =
          plan.visits.length === 1
            ? assignRanks(pair, { ...config, prelora: { ...config.prelora, rankBudget: null } }).share
            : plan.visits.at(-2)?.share;
        if (plan.visits.length > 0) expect(le(before as number, budget)).toBe(false);
        expect(plan.visits.at(-1)?.share ?? plan.share).toBeCloseTo(plan.share, 9);
      }),
    );
  });

  function numeric(change: number | 'inf' | null): number {
    return change === 'inf' ? Number.POSITIVE_INFINITY : (change ?? 0);
  }

  function familyOf(module: string): string | undefined {
    return parseModuleName(module)?.family;
  }
});
