/**
 * The tensors' way from one phase into the next: state out of one program, adapters in, frozen tensors out of the optimizer, state into
 * the next (method.md sections 9 and 10). Pure on host tensors; the caller makes the new program.
 */
import { parametersInPhase, type TrainableSetConfig } from '../core/trainableSet.ts';
import { initialAdapters } from '../lora/inject.ts';
import { initialParameters } from '../model/init.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { Phase } from '../protocol/run.ts';
import type { AdaptedRanks } from './phaseTrainer.ts';
import type { TensorState } from './tensorState.ts';

/** Fresh weights and an empty optimizer: the state at step 0. */
export function initialState(config: ResolvedConfig): TensorState {
  const parameters = initialParameters(config.model, config.train.seed);
  const counts = trainablePaths(config, 'full', new Map()).map((path) => [path, 0] as const);
  return { parameters, moments: new Map(), updateCounts: new Map(counts), previous: null, average: null };
}

/** The state after the switch: adapters added, everything trainable, moments dropped or kept by name. */
export function switchState(state: TensorState, config: ResolvedConfig, ranks: AdaptedRanks): TensorState {
  const adapters = initialAdapters(config.model, ranks, config.train.seed);
  const parameters = new Map([...state.parameters, ...adapters]);
  const average = state.average && new Map([...state.average, ...adapters]);
  return withOptimizer({ ...state, parameters, average }, trainablePaths(config, 'warmup', ranks), config.prelora.optimizerAtSwitch);
}

/** The state after the freeze: only what still trains keeps moments and an averaged copy. */
export function freezeState(state: TensorState, config: ResolvedConfig, ranks: AdaptedRanks): TensorState {
  const trainable = trainablePaths(config, 'lora', ranks);
  const isTrainable = new Set(trainable);
  // The averaged copy never influences training: a frozen tensor keeps its own value, and its copy goes.
  const average = state.average && new Map([...state.average].filter(([path]) => isTrainable.has(path)));
  return withOptimizer({ ...state, average }, trainable, config.prelora.optimizerAtFreeze);
}

/** The same phase with an empty optimizer: control resetOnly. */
export function resetOptimizer(state: TensorState): TensorState {
  return { ...state, moments: new Map(), updateCounts: new Map([...state.updateCounts.keys()].map((path) => [path, 0])) };
}

/** Paths that get gradients in a phase, in storage order. */
function trainablePaths(config: TrainableSetConfig, phase: Phase, ranks: AdaptedRanks): string[] {
  const plan = Object.fromEntries([...ranks].map(([module, { rank }]) => [module, rank]));
  return parametersInPhase(config, phase, plan)
    .filter(({ trainable }) => trainable)
    .map(({ path }) => path);
}

function withOptimizer(state: TensorState, trainable: readonly string[], rule: 'reset' | 'keepByName'): TensorState {
  const keeps = rule === 'keepByName';
  const kept = new Set(trainable.flatMap((path) => [`m/${path}`, `v/${path}`]));
  return {
    ...state,
    moments: keeps ? new Map([...state.moments].filter(([name]) => kept.has(name))) : new Map(),
    updateCounts: new Map(trainable.map((path) => [path, keeps ? (state.updateCounts.get(path) ?? 0) : 0])),
  };
}
