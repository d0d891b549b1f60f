/** The switch preview of method.md section 11. */
import { describe, expect, it } from 'vitest';
import { allModules } from '../../main/core/modules.ts';
import { previewSwitch } from '../../main/core/preview.ts';
import type { RunConfigInput } from '../../main/protocol/config.ts';
import { resolvedConfig, snapshot } from './support.ts';

const LENGTH = { stepsPerEpoch: 10, totalSteps: 200 };

/** Every module grows by 1 % per snapshot, those of block 1 by 2 %. */
const SNAPSHOTS = [10, 20, 30, 40].map((step, index) =>
  snapshot(
    step,
    4 - index / 10,
    Object.fromEntries(allModules(2).map((module) => [module, (module.startsWith('blocks.1') ? 1.02 : 1.01) ** index])),
  ),
);

const configOf = (prelora: RunConfigInput['prelora'] = {}) =>
  resolvedConfig({
    train: { batchSize: 100, epochs: 20, microBatch: 50, lrWarmupSteps: 0 },
    prelora: { minStep: 0, tau: 2, zeta: 5, ...prelora },
  });

const preview = (prelora: RunConfigInput['prelora'] = {}, snapshots = SNAPSHOTS) =>
  previewSwitch({ snapshots, present: configOf(), proposed: configOf(prelora), length: LENGTH });

describe('the switch preview', () => {
  it('shows verdict, passing step, ranks with reasons, and what each phase costs', () => {
    const shown = preview();
    expect(shown.verdict).toMatchObject({ passes: true, step: 40 });
    expect(shown.switchStep).toBe(30);
    expect(shown.windows).toHaveLength(3);
    expect(shown.plan?.ranks).toMatchObject({ 'blocks.0.attn.q': 4, 'blocks.1.attn.q': 32 });
    expect(shown.plan?.modules[6]?.reason).toBe('change 2 % in family q (1 to 2 %): position 1, rank 32');
    expect(shown.phases?.lora.parameters.trainable).toBe(shown.plan?.trainableAfterFreeze);
    expect(shown.phases?.full.parameters).toMatchObject({ base: 114_250, trainable: 114_250, adapters: 0 });
  });

  it('compares every phase with now', () => {
    const { againstNow, now, phases } = preview();
    expect(againstNow?.full).toEqual({ trainable: 0, share: 0, computeRatio: 1, stateBytes: 0, totalBytesEstimate: 0 });
    expect(againstNow?.warmup.trainable).toBe(phases?.warmup.parameters.adapters);
    expect(againstNow?.lora.trainable).toBe((phases?.lora.parameters.trainable ?? 0) - 114_250);
    expect(preview({ rMax: 4 }).againstNow?.lora.computeRatio).toBeLessThan(1);
    expect(now.memory.state).toBe(16 * 114_250);
  });

  it('compares the proposed with the present settings', () => {
    const same = preview().againstPresent;
    expect(same).toMatchObject({ switchStep: 30, ranks: {} });
    expect(same.phases?.lora).toMatchObject({ trainable: 0, computeRatio: 1 });
    const { againstPresent, switchStep } = preview({ rMax: 8, tau: 1.1, targetModules: ['q'] });
    expect(switchStep).toBeNull();
    expect(againstPresent.switchStep).toBe(30);
    expect(againstPresent.ranks['blocks.1.attn.q']).toEqual([32, 8]);
    expect(againstPresent.ranks['blocks.0.attn.v']).toEqual([4, 0]);
    expect(againstPresent.ranks['blocks.0.attn.q']).toBeUndefined();
  });

  it('says why there can be no plan, and shows the rest', () => {
    const early = preview({}, SNAPSHOTS.slice(0, 1));
    expect(early).toMatchObject({
      plan: null,
      phases: null,
      againstNow: null,
      switchStep: null,
      planError: { code: 'not-enough-snapshots' },
    });
    expect(early.verdict.words).toBe('not yet: the window holds 1 of 3 snapshots');
    expect(
      preview({ rankOverrides: Object.fromEntries(allModules(2).map((module) => [module, 2])) }, []).plan?.ranks['blocks.0.attn.q'],
    ).toBe(2);
  });

  it('changes nothing it is given', () => {
    const before = JSON.stringify(SNAPSHOTS);
    expect(preview({ rankBudget: 40 })).toEqual(preview({ rankBudget: 40 }));
    expect(JSON.stringify(SNAPSHOTS)).toBe(before);
  });
});
