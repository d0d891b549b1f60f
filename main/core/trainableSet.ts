/**
 * Which parameters exist, train and decay in each phase, and how many they are (method.md sections 3 and 10). Phase full: the base.
 * Phase warmup: base and adapters. Phase lora: adapters, head, and whatever the freeze did not name. Pure counting: no tensors.
 */
import type { ModelShape, RunConfig } from '../protocol/config.ts';
import type { FAMILIES } from '../protocol/families.ts';
import type { Phase } from '../protocol/run.ts';
import { type ModuleName, parseModuleName } from './modules.ts';
import { adapterShapes, countParameters, linearShape, parameterShapes, type Shape, sizeOf } from './parameterShapes.ts';
import { type ControlSettings, frozenTargets, type PreloraSettings, placeOf, type Ranks } from './targets.ts';

/** The part of a config that decides the trainable set. */
export interface TrainableSetConfig {
  model: ModelShape;
  prelora: Pick<PreloraSettings, 'targetModules' | 'rankOverrides' | 'alsoFreeze'>;
  control: Pick<ControlSettings, 'action'>;
  train: Pick<RunConfig['train'], 'decayGroups'>;
}

export interface ParameterState {
  /** Parameter path, such as `blocks.0.attn.q.weight` or `blocks.0.attn.q.loraA`. */
  path: string;
  shape: Shape;
  role: 'base' | 'adapter';
  /** Gets a gradient, moments and updates in this phase. */
  trainable: boolean;
  /** Belongs to the group that weightDecay acts on; says nothing while it is frozen. */
  decays: boolean;
}

export interface ParameterCounts {
  /** Parameters of the model without adapters. */
  base: number;
  adapters: number;
  trainable: number;
  /** Trainable in percent of `base`. */
  share: number;
}

/** Every parameter of a phase in storage order, the adapters last. `ranks` is the switch plan's; it is not looked at in phase full. */
export function parametersInPhase(config: TrainableSetConfig, phase: Phase, ranks: Ranks): ParameterState[] {
  const isFrozen = phase === 'lora' ? frozenPaths(config, ranks) : () => false;
  const states: ParameterState[] = [];
  for (const [path, shape] of parameterShapes(config.model)) {
    states.push({ path, shape, role: 'base', trainable: !isFrozen(path), decays: config.train.decayGroups === 'all' || isWeight(path) });
  }
  if (phase === 'full') return states;
  for (const module of adaptedModules(config, ranks)) {
    for (const [path, shape] of adapterShapes(config.model, module, placeOf(module).family, ranks[module] as number)) {
      states.push({ path, shape, role: 'adapter', trainable: true, decays: true });
    }
  }
  return states;
}

/** Modules that carry an adapter under this plan, in module order; none for the controls that have no adapters. */
export function adaptedModules(config: TrainableSetConfig, ranks: Ranks): ModuleName[] {
  return config.control.action === 'prelora' ? frozenTargets(config, ranks) : [];
}

/** Parameters of the adapter pairs: r · (in + out) each. */
export function adapterParameters(config: TrainableSetConfig, ranks: Ranks): number {
  return adaptedModules(config, ranks).reduce((sum, module) => sum + (ranks[module] as number) * rankUnit(config.model, module), 0);
}

/** What one unit of rank costs in a module: in + out parameters. */
export function rankUnit(model: ModelShape, module: ModuleName): number {
  const [inputs, outputs] = linearShape(model, placeOf(module).family);
  return inputs + outputs;
}

/** Counts of a phase. */
export function countInPhase(config: TrainableSetConfig, phase: Phase, ranks: Ranks): ParameterCounts {
  const base = countParameters(config.model);
  const adapters = phase === 'full' ? 0 : adapterParameters(config, ranks);
  const trainable = adapters + base - (phase === 'lora' ? frozenParameters(config, ranks) : 0);
  return { base, adapters, trainable, share: (100 * trainable) / base };
}

/** Base parameters that stop at the freeze. */
function frozenParameters(config: TrainableSetConfig, ranks: Ranks): number {
  const isFrozen = frozenPaths(config, ranks);
  let sum = 0;
  for (const [path, shape] of parameterShapes(config.model)) if (isFrozen(path)) sum += sizeOf(shape);
  return sum;
}

/** Tells of a parameter path whether the freeze stops it: weight and bias of the targets, and what alsoFreeze names. Never the head. */
function frozenPaths(config: TrainableSetConfig, ranks: Ranks): (path: string) => boolean {
  const targets = new Set<string>(frozenTargets(config, ranks));
  const groups = new Set<string>(config.prelora.alsoFreeze);
  return (path) => {
    const owner = path.replace(/\.(weight|bias)$/, '');
    return targets.has(owner) || groups.has(groupOf(owner));
  };
}

/** The word of alsoFreeze that covers a parameter's owner; `head` is covered by none. */
function groupOf(owner: string): (typeof FAMILIES)[number] | 'norms' | 'embeddings' | 'head' {
  if (owner === 'head') return 'head';
  if (isNorm(owner)) return 'norms';
  return parseModuleName(owner)?.family ?? 'embeddings';
}

function isNorm(owner: string): boolean {
  return /(^|\.)norm[12]?$/.test(owner);
}

/** Decayed under decayGroups `weights`: no bias, LayerNorm, clsToken or posEmbed. */
function isWeight(path: string): boolean {
  return path.endsWith('.weight') && !isNorm(path.slice(0, -'.weight'.length));
}
