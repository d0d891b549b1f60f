/** Small configs and hand-made snapshots for the tests of core. */

import { allModules } from '../../main/core/modules.ts';
import { resolveConfig, resolveWithData } from '../../main/core/resolveConfig.ts';
import type { ModelShape, ResolvedConfig, RunConfigInput } from '../../main/protocol/config.ts';
import { RunConfig } from '../../main/protocol/config.ts';
import type { ModuleNorms, SnapshotRecord } from '../../main/protocol/records.ts';

/** D 64, depth 2, 32 px, patch 8, 10 classes: the model of method.md section 8's worked example, 114,250 parameters. */
export const EXAMPLE_MODEL = { size: 'custom', imageSize: 32, patchSize: 8, embedDim: 64, depth: 2, numHeads: 2 } as const;

/** A resolved config over `trainCount` images of 3 channels and 10 classes. */
export function resolvedConfig(values: RunConfigInput = {}, trainCount = 1000): ResolvedConfig {
  const file = { ...values, model: { ...EXAMPLE_MODEL, ...values.model } };
  const facts = { trainCount, channels: 3, numClasses: 10, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] };
  return resolveWithData(resolveConfig({ file }), facts);
}

/** A shape of one of the named sizes at 1000 classes and 224 px. */
export function namedModel(size: 'tiny' | 'small' | 'base' | 'large' | 'huge', classes = 1000): ModelShape {
  const file = { model: { size, numClasses: classes, inChannels: 3 } };
  const facts = { trainCount: 1000, channels: 3, numClasses: 10, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] };
  return resolveWithData(resolveConfig({ file }), facts).model;
}

/** A snapshot of phase full; modules not named have norm 1. */
export function snapshot(step: number, loss: number, weightNorms: Record<string, number> = {}, depth = 2): SnapshotRecord {
  const modules: Record<string, ModuleNorms> = {};
  for (const module of allModules(depth)) modules[module] = { weightNorm: weightNorms[module] ?? 1, gradNorm: 1, displacement: 0 };
  return { step, epoch: step / 10, phase: 'full', segment: 0, loss, modules };
}

/** Two snapshots between which each module changes by the given percentages (in any order of magnitude, Infinity included). */
export function pairWithChanges(changes: Record<string, number>, depth = 2): [SnapshotRecord, SnapshotRecord] {
  const before: Record<string, number> = {};
  const after: Record<string, number> = {};
  for (const [module, change] of Object.entries(changes)) {
    before[module] = Number.isFinite(change) ? 100 : 0;
    after[module] = Number.isFinite(change) ? 100 + change : 1;
  }
  return [snapshot(10, 4, before, depth), snapshot(20, 4, after, depth)];
}

/** Default settings of the prelora and control sections. */
export const DEFAULTS = RunConfig.parse({});
