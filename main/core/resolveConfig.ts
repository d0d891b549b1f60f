/**
 * Defaults ← preset ← file ← `--set path=value` → a checked RunConfig; then, with the data known, a ResolvedConfig in which nothing is
 * left open. Every fault is a `bad-config` error naming field, value and rule; nothing else is ever thrown, whatever comes in.
 */
import { CONFIG_VERSION, type ResolvedConfig, RunConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { configError } from './configIssues.ts';
import { checkConfig, checkWithData, type RunLength } from './configRules.ts';
import { stepsPerEpoch } from './duration.ts';
import { resolveModel, type SizedConfig } from './modelSizes.ts';
import { parseSet } from './setArgument.ts';

/** Where a config comes from, weakest first. Files are parsed already. */
export interface ConfigSources {
  preset?: { name: string; values: unknown };
  file?: unknown;
  /** `path=value` arguments. */
  set?: readonly string[];
}

/** What the data decides. `trainCount` counts what will be trained on, data.maxTrain included. */
export interface DataFacts {
  trainCount: number;
  /** 1 or 3. */
  channels: number;
  numClasses: number;
  /** Of the source's channels, 0 … 1. */
  mean: readonly number[];
  std: readonly number[];
}

const LR_WARMUP_EPOCHS = 5;
const LR_WARMUP_SHARE = 10;
const DEFAULT_LR_RAMP = RunConfig.parse({}).prelora.lrRampSteps;

/** The checked config of a new run. */
export function resolveConfig(sources: ConfigSources): SizedConfig {
  let layers: unknown = {};
  for (const layer of [sources.preset?.values, sources.file]) {
    if (layer === undefined || layer === null) continue;
    checkVersion(layer);
    layers = mergeLayers(layers, layer);
  }
  for (const argument of sources.set ?? []) {
    const { path, value } = parseSet(argument);
    layers = mergeLayers(
      layers,
      path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value),
    );
  }
  const config = parseConfig(layers);
  return sources.preset && config.preset === null ? { ...config, preset: sources.preset.name } : config;
}

/** Checks one whole config, from a file or a request. */
export function parseConfig(input: unknown): SizedConfig {
  checkVersion(input);
  const parsed = RunConfig.safeParse(input);
  if (!parsed.success) throw configError(parsed.error.issues, input);
  const config = { ...parsed.data, model: resolveModel(parsed.data.model) };
  checkConfig(config);
  return config;
}

/** Fills what the data decides and checks what depends on it. */
export function resolveWithData(config: RunConfig, data: DataFacts): ResolvedConfig {
  const length = runLength(config, data.trainCount);
  const model = resolveModel(config.model);
  const inChannels = model.inChannels ?? data.channels;
  const numClasses = model.numClasses ?? data.numClasses;
  if (numClasses < data.numClasses) {
    throw new PreloraError(
      'bad-config',
      `model.numClasses ${numClasses}: must be at least ${data.numClasses}, the number of classes in the data`,
      'model.numClasses',
    );
  }
  const { train, prelora } = config;
  const lrWarmupSteps = train.lrWarmupSteps ?? defaultLrWarmup(length);
  const resolved: ResolvedConfig = {
    ...config,
    model: { ...model, inChannels, numClasses },
    data: {
      ...config.data,
      mean: config.data.mean ?? forChannels(data.mean, inChannels),
      std: config.data.std ?? forChannels(data.std, inChannels),
    },
    train: { ...train, microBatch: train.microBatch ?? train.batchSize, lrWarmupSteps },
    prelora: { ...prelora, minStep: prelora.minStep ?? lrWarmupSteps, lrRampSteps: rampWithin(prelora.lrRampSteps, length) },
  };
  checkConfig(resolved);
  checkWithData(resolved, length);
  return resolved;
}

/** Steps per epoch and in all. Throws `bad-config` when not one batch fits. */
export function runLength({ train }: Pick<RunConfig, 'train'>, trainCount: number): RunLength {
  const perEpoch = stepsPerEpoch(trainCount, train.batchSize, train.dropLast);
  if (perEpoch < 1) {
    throw new PreloraError(
      'bad-config',
      `train.batchSize ${train.batchSize}: must be at most ${trainCount}, the number of training images, while train.dropLast is on`,
      'train.batchSize',
    );
  }
  return { stepsPerEpoch: perEpoch, totalSteps: train.epochs * perEpoch };
}

/** min(5 epochs, T/10) in steps. */
function defaultLrWarmup({ stepsPerEpoch, totalSteps }: RunLength): number {
  return Math.min(LR_WARMUP_EPOCHS * stepsPerEpoch, Math.floor(totalSteps / LR_WARMUP_SHARE));
}

/** The default ramp is longer than a very short run; only a ramp set by hand is refused for that. */
function rampWithin(ramp: RunConfig['prelora']['lrRampSteps'], { totalSteps }: RunLength): RunConfig['prelora']['lrRampSteps'] {
  return ramp === DEFAULT_LR_RAMP && typeof ramp === 'number' ? Math.min(ramp, totalSteps) : ramp;
}

/** The source's statistics for a model that reads another number of channels: gray repeated, colours averaged. */
function forChannels(values: readonly number[], channels: number): number[] {
  if (values.length === channels) return [...values];
  const average = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Array.from({ length: channels }, () => average);
}

function checkVersion(input: unknown): void {
  const version = isGroup(input) ? input.schemaVersion : undefined;
  if (typeof version === 'number' && Number.isInteger(version) && version > CONFIG_VERSION) {
    throw new PreloraError('bad-config', `config is version ${version}, this program reads up to ${CONFIG_VERSION}`, 'schemaVersion');
  }
}

/** Groups of fields merge, everything else replaces. Without a prototype, so that no key can reach one. */
export function mergeLayers(under: unknown, over: unknown): unknown {
  if (!isGroup(over)) return over;
  const merged: Record<string, unknown> = Object.assign(Object.create(null), isGroup(under) ? under : {});
  for (const [key, value] of Object.entries(over)) {
    if (key === '__proto__') throw new PreloraError('bad-config', '__proto__: unknown field', '__proto__');
    merged[key] = mergeLayers(merged[key], value);
  }
  return merged;
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
