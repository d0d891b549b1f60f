/**
 * The phases of a run, full → warmup → lora, forward only, and everything that moves them: the test, a fixed epoch, the user (method.md
 * section 5). Pure functions over one plain state, which goes into every checkpoint. The loop calls them at a step boundary in the
 * order of section 5: afterSnapshot, planFixedSwitch, the user's commands, switchDue → applySwitch, freezeDue → applyFreeze.
 */
import type { SnapshotRecord } from '../protocol/records.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { Phase } from '../protocol/run.ts';
import { pushSnapshot, testPartialConvergence } from './convergence.ts';
import type { ConvergenceReport } from './convergenceReport.ts';
import type { PhaseSettings } from './phaseSettings.ts';
import { assignRanks, needsMeasurement, type RankAssignment } from './rankAssignment.ts';

/** What a switch will do: the ranks, and on whose word. */
export interface SwitchPlan extends RankAssignment {
  /** Step at which the plan was made. */
  step: number;
  reason: 'rule' | 'user' | 'fixed';
}

export interface PendingSwitch {
  plan: SwitchPlan;
  /** Boundary at which the switch takes place. */
  dueStep: number;
}

/** No automatic switch for so many tests, before a step, or until every single module's change is below tau. */
export type Deferral = { kind: 'tests'; remaining: number } | { kind: 'step'; step: number } | { kind: 'everyModule' };

/** Where a run stands. JSON all through. */
export interface PhaseState {
  phase: Phase;
  /** Snapshots are due at multiples of snapshotEvery from here. */
  anchor: number;
  window: SnapshotRecord[];
  /** The last two snapshots of phase full since the last change of snapshotEvery, minStep ignored: what ranks come from. */
  recent: SnapshotRecord[];
  pending: PendingSwitch | null;
  deferral: Deferral | null;
  /** Step at which `ready` was told in the running series of passes; null when it was not, or the series ended. */
  readyStep: number | null;
  /** The rule passed too late and this was journalled. */
  tooLateTold: boolean;
  /** The user turned the fixed switch down; it does not come back by itself. */
  fixedVetoed: boolean;
  /** The user asked for the freeze before the end of the joint phase. */
  freezeRequested: boolean;
  /** Also set by the control resetOnly, which stays in phase full. */
  switchStep: number | null;
  freezeStep: number | null;
}

/** Something for the journal; the loop adds segment and time. */
export interface PhaseEvent {
  kind:
    | 'switch-planned'
    | 'ready'
    | 'switch-too-late'
    | 'deferral-ended'
    | 'switch-vetoed'
    | 'switch-deferred'
    | 'switch-triggered'
    | 'freeze-requested'
    | 'switched'
    | 'optimizer-reset'
    | 'frozen';
  step: number;
  by: 'rule' | 'user' | 'program';
  detail: Record<string, unknown>;
}

export interface Outcome {
  state: PhaseState;
  events: PhaseEvent[];
}

/** The state at step 0: all weights train, nothing is known of the loss or the norms. */
export function initialPhaseState(): PhaseState {
  return {
    phase: 'full',
    anchor: 0,
    window: [],
    recent: [],
    pending: null,
    deferral: null,
    readyStep: null,
    tooLateTold: false,
    fixedVetoed: false,
    freezeRequested: false,
    switchStep: null,
    freezeStep: null,
  };
}

/** A snapshot is taken after update `step` > 0 when (step − anchor) is a multiple of snapshotEvery; in every phase. */
export function snapshotDue(state: PhaseState, step: number, settings: PhaseSettings): boolean {
  return step > state.anchor && (step - state.anchor) % settings.snapshotEvery === 0;
}

/** Takes a snapshot into the window and decides. `report` is null where nothing is tested: past phase full, or after a reset. */
export function afterSnapshot(
  state: PhaseState,
  snapshot: SnapshotRecord,
  settings: PhaseSettings,
): Outcome & { report: ConvergenceReport | null } {
  if (!isTesting(state)) return { state, events: [], report: null };
  const window = pushSnapshot(state.window, snapshot, settings);
  const recent = [...state.recent, snapshot].slice(-2);
  const report = testPartialConvergence(window, settings.convergence);
  return { ...decide({ ...state, window, recent }, report, snapshot.step, settings), report };
}

/** What a verdict leads to. */
function decide(state: PhaseState, report: ConvergenceReport, step: number, settings: PhaseSettings): Outcome {
  const { deferral, ended } = countTest(state.deferral, report, step);
  const next = { ...state, deferral, readyStep: report.passes ? state.readyStep : null };
  const events: PhaseEvent[] = ended ? [{ kind: 'deferral-ended', step, by: 'rule', detail: { deferral: state.deferral } }] : [];
  if (!report.passes || settings.switching === 'off' || state.pending) return { state: next, events };
  // A deferral by tests also covers the test that ends it.
  const deferred = deferral !== null || (state.deferral?.kind === 'tests' && ended);
  if (settings.switching === 'manual' || deferred) return tellReady(next, events, report, step);
  if (settings.fixedStep !== null) return { state: next, events };
  if (switchTooLate(step, settings)) return tellTooLate(next, events, report, step);
  const plan = makePlan(next, step, settings, 'rule');
  return propose(next, events, { plan, dueStep: step + settings.graceSteps }, report.words);
}

/** The deferral after one more test, and whether this test was its end. */
function countTest(deferral: Deferral | null, report: ConvergenceReport, step: number): { deferral: Deferral | null; ended: boolean } {
  if (deferral === null) return { deferral: null, ended: false };
  const left: Deferral | null = deferral.kind === 'tests' ? { kind: 'tests', remaining: deferral.remaining - 1 } : deferral;
  const ended =
    (left.kind === 'tests' && left.remaining <= 0) ||
    (left.kind === 'step' && step >= left.step) ||
    (left.kind === 'everyModule' && report.everyModuleBelowTau);
  return { deferral: ended ? null : left, ended };
}

/** Once per uninterrupted series of passes. */
function tellReady(state: PhaseState, events: PhaseEvent[], report: ConvergenceReport, step: number): Outcome {
  if (state.readyStep !== null) return { state, events };
  return {
    state: { ...state, readyStep: step },
    events: [...events, { kind: 'ready', step, by: 'rule', detail: { words: report.words } }],
  };
}

/** Once per run; it ends in full unless a user triggers. */
function tellTooLate(state: PhaseState, events: PhaseEvent[], report: ConvergenceReport, step: number): Outcome {
  if (state.tooLateTold) return { state, events };
  return {
    state: { ...state, tooLateTold: true },
    events: [...events, { kind: 'switch-too-late', step, by: 'rule', detail: { words: report.words } }],
  };
}

/** After the test and before the user's commands: a fixed epoch makes its plan when it is reached. */
export function planFixedSwitch(state: PhaseState, step: number, settings: PhaseSettings): Outcome {
  const nothing: Outcome = { state, events: [] };
  if (settings.fixedStep === null || settings.switching !== 'auto' || step < settings.fixedStep || step >= settings.totalSteps)
    return nothing;
  if (!isTesting(state) || state.pending || state.fixedVetoed || state.deferral) return nothing;
  // After a late edit of snapshotEvery two new snapshots may be needed first; the load check rules this out otherwise.
  if (needsMeasurement(settings.config) && state.recent.length < 2) return nothing;
  const plan = makePlan(state, step, settings, 'fixed');
  return propose(state, [], { plan, dueStep: step }, `fixed epoch ${settings.config.control.fixedEpoch} is reached`);
}

function propose(state: PhaseState, events: PhaseEvent[], pending: PendingSwitch, words: string): Outcome {
  const { plan, dueStep } = pending;
  const detail = { reason: plan.reason, dueStep, adapterParameters: plan.adapterParameters, share: plan.share, words };
  return { state: { ...state, pending }, events: [...events, { kind: 'switch-planned', step: plan.step, by: 'rule', detail }] };
}

/** A plan from the last two snapshots. Throws what assignRanks throws. */
export function makePlan(state: PhaseState, step: number, settings: PhaseSettings, reason: SwitchPlan['reason']): SwitchPlan {
  return { ...assignRanks(state.recent, settings.config), step, reason };
}

/** The rest of the run is not longer than grace time and joint phase: the rule no longer switches, and the page warns the user. */
export function switchTooLate(step: number, { totalSteps, jointSteps, graceSteps }: PhaseSettings): boolean {
  return totalSteps - step <= jointSteps + graceSteps;
}

/** The user switches at this boundary, with the plan that was previewed or one made now. Throws `bad-arguments` out of place. */
export function trigger(state: PhaseState, step: number, settings: PhaseSettings, previewed?: RankAssignment): Outcome {
  if (!isTesting(state)) throw new PreloraError('bad-arguments', `switch: the run has switched already, at step ${state.switchStep}`);
  if (settings.switching === 'off')
    throw new PreloraError('bad-arguments', 'switch: prelora.switching is off; set it to manual or auto first');
  if (step >= settings.totalSteps) throw new PreloraError('bad-arguments', `switch: step ${step} is the last of the run; extend it first`);
  const plan: SwitchPlan = previewed ? { ...previewed, step, reason: 'user' } : makePlan(state, step, settings, 'user');
  const detail = { previewed: previewed !== undefined, adapterParameters: plan.adapterParameters, share: plan.share };
  return {
    state: { ...state, pending: { plan, dueStep: step } },
    events: [{ kind: 'switch-triggered', step, by: 'user', detail }],
  };
}

/** Turns a pending or ready switch down: windowSize new snapshots are needed before the next. Throws when there is none. */
export function veto(state: PhaseState, step: number): Outcome {
  if (!isTesting(state) || (!state.pending && state.readyStep === null)) {
    throw new PreloraError('bad-arguments', 'veto: no switch is pending or ready');
  }
  const fixedVetoed = state.fixedVetoed || state.pending?.plan.reason === 'fixed';
  return {
    state: { ...state, pending: null, window: [], readyStep: null, fixedVetoed },
    events: [{ kind: 'switch-vetoed', step, by: 'user', detail: {} }],
  };
}

/** Puts automatic switching off; a pending switch is dropped and the window keeps sliding. Throws past phase full. */
export function defer(state: PhaseState, step: number, deferral: Deferral): Outcome {
  if (!isTesting(state)) throw new PreloraError('bad-arguments', `defer: the run has switched already, at step ${state.switchStep}`);
  return {
    state: { ...state, pending: null, deferral },
    events: [{ kind: 'switch-deferred', step, by: 'user', detail: { ...deferral } }],
  };
}

/** Whether the pending switch takes place at this boundary. Never at the end of the run. */
export function switchDue(state: PhaseState, step: number, settings: PhaseSettings): boolean {
  return state.phase === 'full' && state.pending !== null && step >= state.pending.dueStep && step < settings.totalSteps;
}

/** Carries the pending switch out: testing ends, the window is emptied. The loop does the rest (section 9). */
export function applySwitch(state: PhaseState, step: number, settings: PhaseSettings): Outcome & { plan: SwitchPlan } {
  if (!state.pending) throw new TypeError('applySwitch without a pending switch');
  const { plan } = state.pending;
  const resets = settings.config.control.action === 'resetOnly';
  const next: PhaseState = {
    ...state,
    phase: resets ? 'full' : 'warmup',
    switchStep: step,
    pending: null,
    deferral: null,
    readyStep: null,
    window: [],
    recent: [],
  };
  const detail = { reason: plan.reason, ranks: plan.ranks, adapterParameters: plan.adapterParameters, share: plan.share };
  const by = plan.reason === 'user' ? 'user' : 'rule';
  return { state: next, events: [{ kind: resets ? 'optimizer-reset' : 'switched', step, by, detail }], plan };
}

/** The user ends the joint phase at this boundary. Throws outside phase warmup. */
export function freezeNow(state: PhaseState, step: number): Outcome {
  if (state.phase !== 'warmup') throw new PreloraError('bad-arguments', `freeze: the run is in phase ${state.phase}, not warmup`);
  return { state: { ...state, freezeRequested: true }, events: [{ kind: 'freeze-requested', step, by: 'user', detail: {} }] };
}

/** Whether the freeze takes place at this boundary: jointSteps after the switch, 0 being the same boundary. Never at the end. */
export function freezeDue(state: PhaseState, step: number, settings: PhaseSettings): boolean {
  if (state.phase !== 'warmup' || state.switchStep === null || step >= settings.totalSteps) return false;
  return state.freezeRequested || step - state.switchStep >= settings.jointSteps;
}

/** The base freezes at `step`: from here on adapters and declared extras alone train. For a boundary at which `freezeDue` holds. */
export function applyFreeze(state: PhaseState, step: number): Outcome {
  const by = state.freezeRequested ? 'user' : 'rule';
  return {
    state: { ...state, phase: 'lora', freezeStep: step, freezeRequested: false },
    events: [{ kind: 'frozen', step, by, detail: { switchStep: state.switchStep } }],
  };
}

/** What live edits of the settings do to the state, at the boundary at which they act. */
export function afterEdit(state: PhaseState, step: number, before: PhaseSettings, after: PhaseSettings): PhaseState {
  const next = { ...state };
  const newInterval = before.snapshotEvery !== after.snapshotEvery;
  if (newInterval) Object.assign(next, { anchor: step, recent: [] });
  if (newInterval || before.convergence.normMetric !== after.convergence.normMetric) Object.assign(next, { window: [], readyStep: null });
  if (before.fixedStep !== after.fixedStep) next.fixedVetoed = false;
  if (after.switching !== 'auto' && before.switching !== after.switching) next.pending = null;
  return next;
}

/** Whether snapshots are still tested and a switch can still come. */
function isTesting(state: PhaseState): boolean {
  return state.phase === 'full' && state.switchStep === null;
}
