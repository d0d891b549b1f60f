/** Replay of recorded snapshots: method.md section 7's last paragraph and invariant 10; abandoned segments. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allModules } from '../../main/core/modules.ts';
import { afterSnapshot, applySwitch, initialPhaseState, planFixedSwitch, snapshotDue, switchDue } from '../../main/core/phase.ts';
import { phaseSettings } from '../../main/core/phaseSettings.ts';
import { modelFromSnapshots, type ReplaySettings, replay } from '../../main/core/replay.ts';
import { dropAbandoned } from '../../main/core/segments.ts';
import type { ResolvedConfig, RunConfigInput } from '../../main/protocol/config.ts';
import type { SnapshotRecord } from '../../main/protocol/records.ts';
import { resolvedConfig, snapshot } from './support.ts';

const LENGTH = { stepsPerEpoch: 10, totalSteps: 200 };

function configOf(prelora: RunConfigInput['prelora'] = {}, control: RunConfigInput['control'] = {}): ResolvedConfig {
  const train = { batchSize: 100, epochs: 20, lrWarmupSteps: 0 };
  return resolvedConfig({ train, prelora: { minStep: 0, tau: 5, zeta: 10, ...prelora }, control });
}

function replaySettings(config: ResolvedConfig): ReplaySettings {
  const { minStep, graceSteps, jointSteps, totalSteps } = phaseSettings(config, LENGTH);
  return {
    model: config.model,
    prelora: config.prelora,
    control: config.control,
    train: config.train,
    minStep,
    graceSteps,
    jointSteps,
    totalSteps,
  };
}

/** A snapshot every 10 steps in which each module's norm has grown by its share of `growth`, in percent, and the loss fallen to `losses`. */
function recorded(growth: readonly number[], losses: readonly number[]): SnapshotRecord[] {
  let norm = 1;
  return growth.map((percent, index) => {
    norm *= 1 + percent / 100;
    const norms = Object.fromEntries(allModules(2).map((module, place) => [module, norm ** (1 + place / 12)]));
    return snapshot(10 * (index + 1), losses[index] ?? 1, norms);
  });
}

const COOLING = recorded([0, 20, 8, 3.9, 2, 1, 0.5, 0.25], [4, 3, 2.5, 2.3, 2.2, 2.15, 2.12, 2.1]);

describe('replay', () => {
  it('lists the newest changes per snapshot from the second on, and the verdict on the whole window', () => {
    const { windows } = replay(COOLING, replaySettings(configOf({ targetModules: ['q'] })));
    expect(windows.map(({ step }) => step)).toEqual([20, 30, 40, 50, 60, 70, 80]);
    expect(windows.map(({ weightsOk }) => weightsOk)).toEqual([false, false, false, true, true, true, true]);
    expect(windows.map(({ lossOk }) => lossOk)).toEqual([false, false, false, true, true, true, true]);
    expect(windows[0]?.families.q).toBeCloseTo((20 + 100 * (1.2 ** 1.5 - 1)) / 2, 9);
    expect(windows[0]?.lossChange).toBeCloseTo(25, 12);
    expect(Object.keys(windows[0]?.families ?? {})).toEqual(['q']);
  });

  it('lists changes before minStep too, but gives no verdict on them', () => {
    const { windows, switchStep } = replay(COOLING, replaySettings(configOf({ targetModules: ['q'], minStep: 50 })));
    expect(windows).toHaveLength(7);
    expect(windows.map(({ lossOk }) => lossOk)).toEqual([false, false, false, false, false, true, true]);
    expect(switchStep).toBe(70);
  });

  it('adds graceSteps, and moves with the thresholds as the formulas say', () => {
    const at = (prelora: RunConfigInput['prelora']) =>
      replay(COOLING, replaySettings(configOf({ targetModules: ['q'], ...prelora }))).switchStep;
    expect(at({})).toBe(50);
    expect(at({ graceSteps: 7 })).toBe(57);
    // Δ_q, about 1.25 times the first module's growth, is 4.9, 2.5, 1.25, 0.63 % from step 40 on.
    expect(at({ tau: 2 })).toBe(70);
    expect(at({ tau: 100 })).toBe(50);
    expect(at({ tau: 100, zeta: 100 })).toBe(30);
    expect(at({ tau: 100, zeta: 100, windowSize: 2 })).toBe(20);
    expect(at({ tau: 0.1 })).toBeNull();
  });

  it('gives the ranks of the switch, and none without one', () => {
    const { ranks, reasons } = replay(COOLING, replaySettings(configOf({ targetModules: ['q'] })));
    expect(ranks).toEqual({ 'blocks.0.attn.q': 4, 'blocks.1.attn.q': 32 });
    expect(reasons).toHaveLength(2);
    expect(replay(COOLING, replaySettings(configOf({ tau: 0.001 })))).toMatchObject({ switchStep: null, ranks: {}, reasons: [] });
    expect(replay([], replaySettings(configOf()))).toMatchObject({ switchStep: null, windows: [] });
  });

  it('takes no pass that comes too late for the run', () => {
    const settings = replaySettings(configOf({ targetModules: ['q'] }));
    expect(replay(COOLING, { ...settings, totalSteps: 60 }).switchStep).toBeNull();
    expect(replay(COOLING, { ...settings, totalSteps: 61 }).switchStep).toBe(50);
    expect(replay(COOLING, { ...settings, totalSteps: null }).switchStep).toBe(50);
  });

  it('looks at phase full only', () => {
    const later = COOLING.map((record) => (record.step > 40 ? { ...record, phase: 'lora' as const } : record));
    expect(replay(later, replaySettings(configOf())).windows.map(({ step }) => step)).toEqual([20, 30, 40]);
  });

  it('says when the snapshots lack what it is asked for', () => {
    const untracked = COOLING.map((record) => ({
      ...record,
      modules: Object.fromEntries(Object.entries(record.modules).map(([module, norms]) => [module, { ...norms, displacement: null }])),
    }));
    expect(() => replay(untracked, replaySettings(configOf({ normMetric: 'displacement' })))).toThrow('recorded no displacement');
    const other = COOLING.map((record) => ({
      ...record,
      modules: { 'blocks.1.attn.q': record.modules['blocks.1.attn.q'] as SnapshotRecord['modules'][string] },
    }));
    expect(() => replay(other, replaySettings(configOf()))).toThrow('of another model');
  });

  it('works on a file that came without its config', () => {
    const model = modelFromSnapshots(COOLING);
    expect(model.depth).toBe(2);
    expect(replay(COOLING, { ...replaySettings(configOf({ targetModules: ['q'] })), model }).ranks).toEqual({
      'blocks.0.attn.q': 4,
      'blocks.1.attn.q': 32,
    });
    expect(() => modelFromSnapshots([])).toThrow('nothing to replay');
  });
});

describe('invariant 10', () => {
  it('replay of a run’s own snapshots with its own settings returns its switch step and ranks', () => {
    const arbitrary = fc.record({
      growth: fc.array(fc.double({ min: 0, max: 8, noNaN: true }), { minLength: 20, maxLength: 20 }),
      losses: fc.array(fc.double({ min: 1, max: 1.2, noNaN: true }), { minLength: 20, maxLength: 20 }),
      windowSize: fc.integer({ min: 2, max: 5 }),
      minStep: fc.integer({ min: 0, max: 60 }),
      graceSteps: fc.integer({ min: 0, max: 30 }),
      tau: fc.double({ min: 1, max: 20, noNaN: true }),
      zeta: fc.double({ min: 1, max: 20, noNaN: true }),
      rankPool: fc.constantFrom('family' as const, 'overall' as const),
      layerWeighting: fc.constantFrom('uniform' as const, 'exponential' as const, 'power' as const),
      rankBudget: fc.option(fc.integer({ min: 25, max: 60 })),
    });
    let switched = 0;
    fc.assert(
      fc.property(arbitrary, ({ growth, losses, ...prelora }) => {
        const config = configOf(prelora);
        const run = runOf(recorded(growth, losses), config);
        const again = replay(run.snapshots, replaySettings(config));
        expect(again.switchStep).toBe(run.switchStep);
        expect(again.ranks).toEqual(run.ranks);
        if (run.switchStep !== null) switched++;
      }),
      { numRuns: 150 },
    );
    expect(switched).toBeGreaterThan(20);
  });

  /** What the phase machine does with these snapshots when nobody disturbs it, and what it leaves on disk. */
  function runOf(
    plan: readonly SnapshotRecord[],
    config: ResolvedConfig,
  ): { switchStep: number | null; ranks: Record<string, number>; snapshots: SnapshotRecord[] } {
    const settings = phaseSettings(config, LENGTH);
    const snapshots: SnapshotRecord[] = [];
    let state = initialPhaseState();
    let ranks: Record<string, number> = {};
    for (let step = 1; step <= LENGTH.totalSteps; step++) {
      if (snapshotDue(state, step, settings)) {
        const record = { ...(plan[step / 10 - 1] as SnapshotRecord), phase: state.phase };
        snapshots.push(record);
        ({ state } = afterSnapshot(state, record, settings));
      }
      ({ state } = planFixedSwitch(state, step, settings));
      if (!switchDue(state, step, settings)) continue;
      const applied = applySwitch(state, step, settings);
      ({ state } = applied);
      ({ ranks } = applied.plan);
    }
    return { switchStep: state.switchStep, ranks, snapshots };
  }
});

describe('segments', () => {
  const record = (step: number, segment: number) => ({ step, segment });

  it('drops what earlier segments wrote at or past the first record of a later one', () => {
    const records = [record(10, 0), record(20, 0), record(30, 0), record(40, 0), record(30, 1), record(40, 1), record(50, 1)];
    expect(dropAbandoned(records)).toEqual([record(10, 0), record(20, 0), record(30, 1), record(40, 1), record(50, 1)]);
  });

  it('handles one segment inside another’s abandoned stretch', () => {
    const records = [record(10, 0), record(20, 0), record(30, 0), record(20, 1), record(30, 1), record(10, 2), record(20, 2)];
    expect(dropAbandoned(records)).toEqual([record(10, 2), record(20, 2)]);
  });

  it('leaves a run of one segment alone, several records of a step included', () => {
    const records = [record(10, 0), record(20, 0), record(20, 0)];
    expect(dropAbandoned(records)).toEqual(records);
    expect(dropAbandoned([])).toEqual([]);
  });
});
