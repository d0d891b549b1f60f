/** status.json of a run: where it stands, with exact parameter counts. */
import { countInPhase } from '../core/trainableSet.ts';
import type { StatusFile } from '../protocol/run.ts';
import type { TrainingRun } from './loop.ts';
import { rankPlan } from './runState.ts';

export function statusFile(run: TrainingRun): StatusFile {
  const { state, options, config } = run;
  const { name, version, device, why } = options.backend;
  const counts = countInPhase(config, state.phase.phase, rankPlan(state));
  return {
    runId: options.store.runId,
    name: config.name,
    status: run.status,
    phase: state.phase.phase,
    step: state.step,
    totalSteps: state.totalSteps,
    stepsPerEpoch: state.stepsPerEpoch,
    epoch: Math.floor(state.step / state.stepsPerEpoch),
    epochs: Math.ceil(state.totalSteps / state.stepsPerEpoch),
    segment: state.segment,
    switchStep: state.phase.switchStep,
    freezeStep: state.phase.freezeStep,
    trainableParameters: counts.trainable,
    totalParameters: counts.base + counts.adapters,
    best: state.best,
    backend: { name, version, device, why, compiled: run.trainer.isCompiled },
    message: run.message,
    disk: run.checkpoints.room,
    ...(run.pace.gpu !== undefined && { gpu: run.pace.gpu }),
    updatedAt: new Date().toISOString(),
    secondsLeft: run.secondsLeft,
    phases: state.phases,
  };
}

export interface ParameterCounts {
  /** The model without adapters. */
  total: number;
  adapters: number;
  /** Null before a switch, and for a control that never freezes. */
  trainableAfterFreeze: number | null;
  /** Of `total`, percent. */
  sharePercent: number | null;
}

/** Exact counts of the base, of the adapters that were attached, and of what trains after the freeze. */
export function parameterCounts({ state, config }: TrainingRun): ParameterCounts {
  const { base, adapters, trainable, share } = countInPhase(config, 'lora', rankPlan(state));
  if (state.phase.phase === 'full') return { total: base, adapters: 0, trainableAfterFreeze: null, sharePercent: null };
  return { total: base, adapters, trainableAfterFreeze: trainable, sharePercent: share };
}
