/**
 * Everything of a run that is not a tensor: what state.json of a checkpoint holds, so that going on from it equals never having stopped
 * (method.md section 12). Plain JSON; the tensors lie beside it. Also the way from and to a checkpoint's content.
 */
import { initialPhaseState, type PhaseState } from '../core/phase.ts';
import type { LrExtension } from '../core/schedule.ts';
import type { HostTensor } from '../model/init.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { RankReason } from '../protocol/records.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { PhaseSummary } from '../protocol/results.ts';
import type { CheckpointContent, LoadedCheckpoint } from '../store/checkpoint.ts';
import type { AdaptedRanks } from './phaseTrainer.ts';
import type { TensorState } from './tensorState.ts';

export interface RunState {
  /** Updates applied so far. */
  step: number;
  segment: number;
  /** T: updates of the whole run, live edits included. */
  totalSteps: number;
  stepsPerEpoch: number;
  /** The config with all live edits so far. */
  config: ResolvedConfig;
  extensions: LrExtension[];
  phase: PhaseState;
  /** The plan that was carried out; empty before the switch. */
  ranks: RankReason[];
  updateCounts: Record<string, number>;
  /** Training loss since the last snapshot, over samples. */
  interval: { loss: number; count: number };
  /** Sums of the running epoch; `seconds` counts training alone. */
  epoch: { loss: number; correct: number; count: number; seconds: number };
  best: { step: number; epoch: number; valTop1: number } | null;
  evaluationsWithoutBest: number;
  phases: PhaseSummary[];
  /** What computed it: resuming on another engine is possible, but not bit-identical. */
  engine: { backend: string; version: string; threads: number; compiled: boolean };
}

/** The state before the first update. `stepsPerEpoch` follows from the data, `engine` is what computes it. */
export function initialRunState(config: ResolvedConfig, stepsPerEpoch: number, engine: RunState['engine']): RunState {
  return {
    step: 0,
    segment: 0,
    totalSteps: config.train.epochs * stepsPerEpoch,
    stepsPerEpoch,
    config,
    extensions: [],
    phase: initialPhaseState(),
    ranks: [],
    updateCounts: {},
    interval: { loss: 0, count: 0 },
    epoch: { loss: 0, correct: 0, count: 0, seconds: 0 },
    best: null,
    evaluationsWithoutBest: 0,
    phases: [],
    engine,
  };
}

/** Modules with an adapter, with rank and alpha; empty before the switch and for controls without adapters. */
export function adaptedRanks(state: Pick<RunState, 'ranks'>): AdaptedRanks {
  return new Map(state.ranks.filter(({ rank }) => rank > 0).map(({ module, rank, alpha }) => [module, { rank, alpha }]));
}

/** Rank of every module of the plan, 0 = no adapter. */
export function rankPlan(state: Pick<RunState, 'ranks'>): Record<string, number> {
  return Object.fromEntries(state.ranks.map(({ module, rank }) => [module, rank]));
}

/** State and tensors as a checkpoint stores them. */
export function checkpointContent(state: RunState, tensors: TensorState): CheckpointContent {
  const { parameters, moments, updateCounts, previous, average } = tensors;
  return {
    step: state.step,
    phase: state.phase.phase,
    segment: state.segment,
    tensors: {
      model: parameters,
      optimizer: withZeroMoments(moments, updateCounts, parameters),
      ...(previous ? { previous: renamed(previous, (module) => `${module}.weight`) } : {}),
      ...(average ? { average } : {}),
    },
    state: { ...state, updateCounts: Object.fromEntries(updateCounts) },
  };
}

/** Weights of the previous snapshot go by module here and by tensor in the file (formats.md section 1). */
function renamed(tensors: ReadonlyMap<string, HostTensor>, rename: (name: string) => string): Map<string, HostTensor> {
  return new Map([...tensors].map(([name, tensor]) => [rename(name), tensor]));
}

/** A reset optimizer holds no arrays until its first update; a checkpoint in between has to say "zero". */
function withZeroMoments(
  moments: ReadonlyMap<string, HostTensor>,
  updateCounts: ReadonlyMap<string, number>,
  parameters: ReadonlyMap<string, HostTensor>,
): Map<string, HostTensor> {
  const complete = new Map<string, HostTensor>();
  for (const path of updateCounts.keys()) {
    const { shape, data } = parameters.get(path) as HostTensor;
    for (const name of [`m/${path}`, `v/${path}`]) complete.set(name, moments.get(name) ?? { shape, data: new Float32Array(data.length) });
  }
  return complete;
}

/** The way back. Throws `checkpoint-damaged` when state.json is not one of ours. */
export function restoreCheckpoint({ tensors, state, manifest }: LoadedCheckpoint): { state: RunState; tensors: TensorState } {
  const restored = state as RunState;
  if (typeof restored?.step !== 'number' || restored.step !== manifest.step || !restored.phase || !restored.config) {
    throw new PreloraError('checkpoint-damaged', `checkpoint step-${manifest.step} is damaged: state.json: is not the state of a run`);
  }
  return {
    state: restored,
    tensors: {
      parameters: tensors.model,
      moments: tensors.optimizer,
      updateCounts: new Map(Object.entries(restored.updateCounts)),
      previous: tensors.previous ? renamed(tensors.previous, (path) => path.replace(/\.weight$/, '')) : null,
      average: tensors.average ?? null,
    },
  };
}
