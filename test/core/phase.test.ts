/** method.md section 5: every row of the table, the guards, the order at a boundary, and that no phase is ever skipped. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterEdit,
  afterSnapshot,
  applyFreeze,
  applySwitch,
  defer,
  freezeDue,
  freezeNow,
  initialPhaseState,
  makePlan,
  type PhaseEvent,
  type PhaseState,
  planFixedSwitch,
  snapshotDue,
  switchDue,
  switchTooLate,
  trigger,
  veto,
} from '../../main/core/phase.ts';
import { type PhaseSettings, phaseSettings } from '../../main/core/phaseSettings.ts';
import type { RunConfigInput } from '../../main/protocol/config.ts';
import { resolvedConfig, snapshot } from './support.ts';

/** 10 steps per epoch, 20 epochs, a snapshot every 10 steps, a window of 3, everything tested from the start. */
function settingsOf(prelora: RunConfigInput['prelora'] = {}, control: RunConfigInput['control'] = {}): PhaseSettings {
  const config = resolvedConfig({
    train: { batchSize: 100, epochs: 20, lrWarmupSteps: 0 },
    prelora: { minStep: 0, tau: 5, zeta: 5, jointSteps: 20, ...prelora },
    control,
  });
  return phaseSettings(config, { stepsPerEpoch: 10, totalSteps: 200 });
}

interface Command {
  at: number;
  do: (state: PhaseState, step: number, settings: PhaseSettings) => { state: PhaseState; events: PhaseEvent[] };
}

interface Trace {
  state: PhaseState;
  events: PhaseEvent[];
}

/** Walks the boundaries of a run in the fixed order of section 5. `settled` tells at which snapshots the changes are small. */
function run(
  settings: PhaseSettings,
  options: { settled?: (step: number) => boolean; until?: number; commands?: Command[]; from?: PhaseState; after?: number } = {},
): Trace {
  const { settled = () => true, until = settings.totalSteps, commands = [] } = options;
  let state = options.from ?? initialPhaseState();
  const events: PhaseEvent[] = [];
  const take = (outcome: { state: PhaseState; events: PhaseEvent[] }): void => {
    state = outcome.state;
    events.push(...outcome.events);
  };
  for (let step = (options.after ?? 0) + 1; step <= until; step++) {
    if (snapshotDue(state, step, settings)) {
      take(afterSnapshot(state, { ...snapshot(step, 1, evenly(normAt(step, settled))), phase: state.phase }, settings));
    }
    take(planFixedSwitch(state, step, settings));
    for (const command of commands.filter(({ at }) => at === step)) take(command.do(state, step, settings));
    if (switchDue(state, step, settings)) take(applySwitch(state, step, settings));
    if (freezeDue(state, step, settings)) take(applyFreeze(state, step));
  }
  return { state, events };
}

/** The norm of every weight at a step: it grows by a thousandth in a settled interval of 10 steps and doubles in another. */
function normAt(step: number, settled: (step: number) => boolean): number {
  let norm = 1;
  for (let at = 10; at <= step; at += 10) norm *= settled(at) ? 1.001 : 2;
  return norm;
}

function evenly(norm: number): Record<string, number> {
  return Object.fromEntries(Object.keys(snapshot(0, 1).modules).map((module) => [module, norm]));
}

const kinds = ({ events }: Trace): string[] => events.map(({ kind, step }) => `${kind}@${step}`);

describe('the rule', () => {
  it('switches at the third snapshot at the earliest and freezes jointSteps later', () => {
    const trace = run(settingsOf());
    expect(kinds(trace)).toEqual(['switch-planned@30', 'switched@30', 'frozen@50']);
    expect(trace.state).toMatchObject({ phase: 'lora', switchStep: 30, freezeStep: 50, window: [], pending: null });
    expect(trace.events.map(({ by }) => by)).toEqual(['rule', 'rule', 'rule']);
  });

  it('counts only snapshots at or after minStep', () => {
    expect(run(settingsOf({ minStep: 35 })).state.switchStep).toBe(60);
  });

  it('waits for graceSteps, in which nothing is planned again', () => {
    expect(kinds(run(settingsOf({ graceSteps: 25 })))).toEqual(['switch-planned@30', 'switched@55', 'frozen@75']);
  });

  it('keeps its plan when a test fails in the grace time', () => {
    const trace = run(settingsOf({ graceSteps: 25 }), { settled: (step) => step <= 30 });
    expect(kinds(trace)).toEqual(['switch-planned@30', 'switched@55', 'frozen@75']);
  });

  it('switches and freezes at one boundary when jointSteps is 0', () => {
    expect(kinds(run(settingsOf({ jointSteps: 0 })))).toEqual(['switch-planned@30', 'switched@30', 'frozen@30']);
  });

  it('does not switch when the rest is no longer than grace time and joint phase, and says so once', () => {
    const late = settingsOf({ graceSteps: 10, jointSteps: 20 });
    const trace = run(late, { settled: (step) => step > 160 });
    // Snapshots at 160, 170, 180 agree first at 180; 200 − 180 ≤ 30.
    expect(kinds(trace)).toEqual(['switch-too-late@180']);
    expect(trace.state).toMatchObject({ phase: 'full', tooLateTold: true });
    expect(switchTooLate(169, late)).toBe(false);
    expect(switchTooLate(170, late)).toBe(true);
  });

  it('keeps testing and never switches with switching off', () => {
    const trace = run(settingsOf({ switching: 'off' }));
    expect(kinds(trace)).toEqual([]);
    const { report } = afterSnapshot(trace.state, snapshot(210, 1, evenly(1)), settingsOf({ switching: 'off' }));
    expect(report).not.toBeNull();
  });

  it('tests no more after the switch', () => {
    const { state } = run(settingsOf(), { until: 35 });
    const { report, events, state: after } = afterSnapshot(state, { ...snapshot(40, 1), phase: 'warmup' }, settingsOf());
    expect({ report, events, after }).toEqual({ report: null, events: [], after: state });
  });
});

describe('manual switching', () => {
  const manual = settingsOf({ switching: 'manual' });

  it('tells ready once per uninterrupted series of passes', () => {
    expect(kinds(run(manual))).toEqual(['ready@30']);
    const interrupted = run(manual, { settled: (step) => step !== 80 });
    // The jump at 80 leaves the window at 110 (80, 90, 100 settle from 80 on: comparisons 80→90, 90→100 pass at 100).
    expect(kinds(interrupted)).toEqual(['ready@30', 'ready@100']);
  });

  it('switches when told to, with a plan of that moment', () => {
    const trace = run(manual, { commands: [{ at: 47, do: (state, step, settings) => trigger(state, step, settings) }] });
    expect(kinds(trace)).toEqual(['ready@30', 'switch-triggered@47', 'switched@47', 'frozen@67']);
    expect(trace.events[2]?.by).toBe('user');
  });

  it('switches with exactly the plan that was previewed, even if newer snapshots exist', () => {
    const { state } = run(manual, { until: 45 });
    const previewed = { ...makePlan(state, 45, manual, 'user'), ranks: { 'blocks.0.attn.q': 2 } };
    const triggered = trigger(run(manual, { from: state, after: 45, until: 62 }).state, 62, manual, previewed).state;
    expect(triggered.pending).toMatchObject({ dueStep: 62, plan: { ranks: { 'blocks.0.attn.q': 2 }, reason: 'user', step: 62 } });
  });
});

describe('the user', () => {
  it('triggers before the test passes, but not without two snapshots, when off, at the end, or twice', () => {
    const never = { settled: () => false };
    expect(run(settingsOf(), { ...never, commands: [{ at: 21, do: trigger }] }).state.switchStep).toBe(21);
    expect(() => run(settingsOf(), { commands: [{ at: 12, do: trigger }] })).toThrow('there is 1');
    expect(() => run(settingsOf({ switching: 'off' }), { commands: [{ at: 40, do: trigger }] })).toThrow('prelora.switching is off');
    expect(() => run(settingsOf(), { ...never, commands: [{ at: 200, do: trigger }] })).toThrow('the last of the run');
    expect(() => run(settingsOf(), { commands: [{ at: 40, do: trigger }] })).toThrow('switched already, at step 30');
  });

  it('triggers after the rule became too late', () => {
    expect(run(settingsOf(), { settled: () => false, commands: [{ at: 195, do: trigger }] }).state).toMatchObject({
      phase: 'warmup',
      switchStep: 195,
    });
  });

  it('vetoes a pending switch: windowSize new snapshots are needed', () => {
    const trace = run(settingsOf({ graceSteps: 5 }), { commands: [{ at: 32, do: veto }] });
    expect(kinds(trace)).toEqual(['switch-planned@30', 'switch-vetoed@32', 'switch-planned@60', 'switched@65', 'frozen@85']);
  });

  it('vetoes at the very boundary of the switch', () => {
    expect(kinds(run(settingsOf(), { until: 50, commands: [{ at: 30, do: veto }] }))).toEqual(['switch-planned@30', 'switch-vetoed@30']);
  });

  it('vetoes what is ready, and has nothing to veto otherwise', () => {
    const trace = run(settingsOf({ switching: 'manual' }), { until: 70, commands: [{ at: 35, do: veto }] });
    expect(kinds(trace)).toEqual(['ready@30', 'switch-vetoed@35', 'ready@60']);
    expect(() => veto(initialPhaseState(), 5)).toThrow('no switch is pending or ready');
  });

  it('defers by tests: the next n cannot switch, the window keeps sliding', () => {
    const settings = settingsOf({ graceSteps: 5 });
    const trace = run(settings, { commands: [{ at: 32, do: (state, step) => defer(state, step, { kind: 'tests', remaining: 2 }) }] });
    expect(kinds(trace)).toEqual([
      'switch-planned@30',
      'switch-deferred@32',
      'ready@40',
      'deferral-ended@50',
      'switch-planned@60',
      'switched@65',
      'frozen@85',
    ]);
  });

  it('defers until a step', () => {
    const trace = run(settingsOf(), { commands: [{ at: 15, do: (state, step) => defer(state, step, { kind: 'step', step: 45 }) }] });
    expect(kinds(trace)).toEqual(['switch-deferred@15', 'ready@30', 'deferral-ended@50', 'switch-planned@50', 'switched@50', 'frozen@70']);
  });

  it('defers until every single change is below τ', () => {
    const settings = settingsOf();
    let state = defer(initialPhaseState(), 5, { kind: 'everyModule' }).state;
    const events: string[] = [];
    // blocks.0.attn.q jumps by 6 % to step 40; the mean of its family is 3 %, below τ 5 %.
    for (const [step, norm] of [
      [10, 1],
      [20, 1],
      [30, 1],
      [40, 1.06],
      [50, 1.06],
      [60, 1.06],
    ] as const) {
      const jump =
        step < 40
          ? { ...snapshot(step, 1, { 'blocks.0.attn.q': step === 20 ? 1.06 : 1 }) }
          : snapshot(step, 1, { 'blocks.0.attn.q': norm });
      const outcome = afterSnapshot(state, jump, settings);
      state = outcome.state;
      events.push(...outcome.events.map(({ kind }) => `${kind}@${step}`));
    }
    expect(events).toEqual(['ready@30', 'deferral-ended@60', 'switch-planned@60']);
  });

  it('freezes early, and only in phase warmup', () => {
    expect(kinds(run(settingsOf(), { commands: [{ at: 33, do: freezeNow }] })).slice(-2)).toEqual(['freeze-requested@33', 'frozen@33']);
    expect(() => freezeNow(initialPhaseState(), 5)).toThrow('in phase full');
  });
});

describe('a fixed epoch', () => {
  it('switches at its time, whatever the test says', () => {
    expect(kinds(run(settingsOf({}, { fixedEpoch: 4.5 }), { settled: () => false }))).toEqual([
      'switch-planned@45',
      'switched@45',
      'frozen@65',
    ]);
    expect(run(settingsOf({}, { fixedEpoch: 4.5 })).state.switchStep).toBe(45);
    expect(run(settingsOf({}, { fixedEpoch: 4.5 })).events[0]?.detail).toMatchObject({ reason: 'fixed' });
  });

  it('does nothing with switching manual or off', () => {
    expect(kinds(run(settingsOf({ switching: 'off' }, { fixedEpoch: 4 })))).toEqual([]);
    expect(kinds(run(settingsOf({ switching: 'manual' }, { fixedEpoch: 4 })))).toEqual(['ready@30']);
  });

  it('does not come back after a veto', () => {
    const trace = run(settingsOf({}, { fixedEpoch: 4.5 }), { commands: [{ at: 45, do: veto }] });
    expect(kinds(trace)).toEqual(['switch-planned@45', 'switch-vetoed@45']);
  });

  it('needs no snapshot for uniform ranks', () => {
    expect(run(settingsOf({}, { fixedEpoch: 0.5, ranks: 'uniform' })).state).toMatchObject({ switchStep: 5, freezeStep: 25 });
  });
});

describe('controls', () => {
  it('freezeOnly runs the same phases', () => {
    expect(run(settingsOf({}, { action: 'freezeOnly' })).state).toMatchObject({ phase: 'lora', switchStep: 30, freezeStep: 50 });
  });

  it('resetOnly resets at the switch step, stays in full and tests no more', () => {
    const trace = run(settingsOf({}, { action: 'resetOnly' }));
    expect(kinds(trace)).toEqual(['switch-planned@30', 'optimizer-reset@30']);
    expect(trace.state).toMatchObject({ phase: 'full', switchStep: 30, freezeStep: null });
  });
});

describe('the end of the run', () => {
  it('sees neither switch nor freeze', () => {
    const trace = run(settingsOf({ jointSteps: 0, graceSteps: 169 }));
    expect(kinds(trace)).toEqual(['switch-planned@30', 'switched@199', 'frozen@199']);
    const freezeAtEnd = run(settingsOf({ jointSteps: 10 }), { settled: () => false, commands: [{ at: 190, do: trigger }] });
    expect(kinds(freezeAtEnd)).toEqual(['switch-triggered@190', 'switched@190']);
    const { state } = run(settingsOf({ graceSteps: 10 }), { until: 35 });
    expect(switchDue(state, 40, settingsOf())).toBe(true);
    expect(switchDue(state, 40, { ...settingsOf(), totalSteps: 40 })).toBe(false);
  });
});

describe('live edits', () => {
  it('of snapshotEvery move the anchor and empty window and ranks; of normMetric the window', () => {
    const { state } = run(settingsOf({ switching: 'manual' }), { until: 37 });
    const before = settingsOf({ switching: 'manual' });
    const slower = afterEdit(state, 37, before, settingsOf({ switching: 'manual', snapshotEvery: 8 }));
    expect(slower).toMatchObject({ anchor: 37, window: [], recent: [], readyStep: null });
    expect([38, 45, 53].map((step) => snapshotDue(slower, step, settingsOf({ snapshotEvery: 8 })))).toEqual([false, true, true]);
    const moved = afterEdit(state, 37, before, settingsOf({ switching: 'manual', normMetric: 'displacement' }));
    expect(moved).toMatchObject({ anchor: 0, window: [] });
    expect(moved.recent).toHaveLength(2);
    expect(afterEdit(state, 37, before, settingsOf({ switching: 'manual', tau: 1 }))).toEqual(state);
  });

  it('from auto drop a pending switch', () => {
    const before = settingsOf({ graceSteps: 50 });
    const { state } = run(before, { until: 32 });
    expect(state.pending).not.toBeNull();
    expect(afterEdit(state, 32, before, settingsOf({ graceSteps: 50, switching: 'manual' })).pending).toBeNull();
  });
});

describe('stop and resume', () => {
  it('going on from a JSON copy of the state at any boundary gives the same run', () => {
    const settings = settingsOf({ graceSteps: 7 });
    const straight = run(settings);
    for (const stop of [1, 29, 30, 33, 37, 50, 57, 120]) {
      const first = run(settings, { until: stop });
      const second = run(settings, { from: JSON.parse(JSON.stringify(first.state)), after: stop });
      expect(second.state).toEqual(straight.state);
      expect([...first.events, ...second.events]).toEqual(straight.events);
    }
  });
});

describe('the phase machine', () => {
  it('goes full → warmup → lora, forward only and once, whatever happens', () => {
    const action = fc.constantFrom('trigger', 'veto', 'defer', 'freezeNow', 'nothing');
    const arbitrary = fc.record({
      settled: fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
      actions: fc.array(fc.tuple(fc.integer({ min: 1, max: 200 }), action), { maxLength: 8 }),
      graceSteps: fc.integer({ min: 0, max: 40 }),
      jointSteps: fc.integer({ min: 0, max: 60 }),
      windowSize: fc.integer({ min: 2, max: 5 }),
      switching: fc.constantFrom('auto' as const, 'manual' as const, 'off' as const),
      fixedEpoch: fc.option(fc.integer({ min: 2, max: 13 })),
      control: fc.constantFrom('prelora' as const, 'freezeOnly' as const, 'resetOnly' as const),
    });
    const obey = {
      trigger,
      veto,
      freezeNow,
      nothing: (state: PhaseState) => ({ state, events: [] }),
      defer: (state: PhaseState, step: number) => defer(state, step, { kind: 'tests', remaining: 1 }),
    };
    fc.assert(
      fc.property(arbitrary, ({ settled, actions, fixedEpoch, control, ...prelora }) => {
        const settings = settingsOf(prelora, { fixedEpoch, action: control });
        const refused =
          (command: (typeof obey)[keyof typeof obey]): Command['do'] =>
          (state, step, current) => {
            try {
              return command(state, step, current);
            } catch {
              return { state, events: [] };
            }
          };
        const commands = actions.map(([at, name]) => ({ at, do: refused(obey[name as keyof typeof obey]) }));
        const { state, events } = run(settings, { settled: (step) => settled[step / 10 - 1] ?? false, commands });
        const moves = events
          .filter(({ kind }) => kind === 'switched' || kind === 'frozen' || kind === 'optimizer-reset')
          .map(({ kind }) => kind);
        expect(control === 'resetOnly' ? [[], ['optimizer-reset']] : [[], ['switched'], ['switched', 'frozen']]).toContainEqual(moves);
        expect(state.phase).toBe(moves.includes('frozen') ? 'lora' : moves.includes('switched') ? 'warmup' : 'full');
        if (state.freezeStep !== null) expect(state.freezeStep).toBeGreaterThanOrEqual(state.switchStep as number);
        if (prelora.switching === 'off') expect(moves).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
