/**
 * What a config would cost before anything is trained: parameters, memory, steps, time, disk. Counts are exact (core/cost.ts), memory and
 * pace predicted (core/predictedMemory.ts, core/predictedSpeed.ts) until they are measured. Ranks are not known before the switch; the largest allowed ones give an upper bound.
 */
import { statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { multiplyAdds } from '../core/cost.ts';
import { durationSteps } from '../core/duration.ts';
import { memoryShortage } from '../core/memoryShortage.ts';
import { countParameters } from '../core/parameterShapes.ts';
import { predictMemory } from '../core/predictedMemory.ts';
import { type MachineSpeed, predictImagesPerSecond } from '../core/predictedSpeed.ts';
import { rankCap } from '../core/rankAssignment.ts';
import { parseConfig, resolveWithData, runLength } from '../core/resolveConfig.ts';
import { type Ranks, targetModules } from '../core/targets.ts';
import { countInPhase } from '../core/trainableSet.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { Estimate, PhaseCost } from '../protocol/results.ts';
import type { Phase } from '../protocol/run.ts';
import { dataFacts, type FactsOrFault, quickDataFacts } from './dataFacts.ts';
import type { EngineHost } from './engineHost.ts';
import { knownSpeed } from './machineSpeed.ts';

type Problem = { field: string; message: string };

const PHASES: readonly Phase[] = ['full', 'warmup', 'lora'];
const MEASURED_STEPS = 10;

/** The estimate for a config with these schema problems; with any, only free memory and disk are filled in. */
export async function estimate(input: unknown, problems: Problem[], dataRoot: string): Promise<Estimate> {
  const blank = await blankEstimate(problems, dataRoot);
  if (problems.length > 0) return blank;
  const config = parseConfig(input);
  return fill(blank, config, await quickDataFacts(config.data, config.model.inChannels));
}

/** The estimate for a checked config and what is known of its data; null: sizes that the data would decide come from a stand-in. */
export async function estimateConfig(
  config: ReturnType<typeof parseConfig>,
  known: FactsOrFault | null,
  dataRoot: string,
): Promise<Estimate> {
  return fill(await blankEstimate([], dataRoot), config, known);
}

/** The same with images per second and memory from real steps of each phase, in a fresh process. Throws `busy` while a run is live. */
export async function measureEstimate(input: unknown, problems: Problem[], host: EngineHost): Promise<Estimate> {
  const blank = await blankEstimate(problems, host.dataRoot);
  if (problems.length > 0) return blank;
  const config = parseConfig(input);
  const known = await dataFacts(config.data, config.model.inChannels);
  const estimated = fill(blank, config, known);
  if (!known.facts || !estimated.full) return estimated;
  const resolved = resolveWithData(config, known.facts);
  const measured: Partial<Record<Phase, PhaseCost>> = {};
  for (const [index, phase] of PHASES.entries()) {
    host.broadcast('task:progress', {
      task: 'estimate:measure',
      message: `${MEASURED_STEPS} steps of phase ${phase}`,
      fraction: index / 3,
    });
    const ranks = phase === 'full' ? {} : upperRanks(resolved);
    const result = await host.runJob(config.engine, (client) =>
      client.request('measurePhase', { config: resolved, phase, ranks, steps: MEASURED_STEPS }),
    );
    const cost = estimated[phase];
    if (cost) {
      measured[phase] = { ...cost, imagesPerSecond: result.imagesPerSecond, totalBytes: result.peakMemoryBytes, measured: true };
    }
  }
  host.broadcast('task:progress', { task: 'estimate:measure', message: 'measured', fraction: 1 });
  return { ...estimated, ...measured, secondsEstimate: secondsOf(resolved, estimated.totalSteps, measured.full?.imagesPerSecond ?? null) };
}

async function blankEstimate(problems: Problem[], dataRoot: string): Promise<Estimate> {
  return {
    problems,
    parameters: null,
    full: null,
    warmup: null,
    lora: null,
    stepsPerEpoch: null,
    totalSteps: null,
    firstTestStep: null,
    secondsEstimate: null,
    checkpointBytes: null,
    freeMemoryBytes: os.freemem(),
    fittingMicroBatch: null,
    freeDiskBytes: await freeDiskBytes(dataRoot),
  };
}

/** Without the data's facts sizes come from a stand-in of ten classes and gray images where the config leaves them open. */
function fill(blank: Estimate, config: ReturnType<typeof parseConfig>, known: FactsOrFault | null): Estimate {
  if (known?.fault) return { ...blank, problems: [{ field: known.fault.field ?? 'data.source', message: known.fault.message }] };
  const facts = known?.facts ?? {
    trainCount: config.train.batchSize * 100,
    channels: 3,
    numClasses: 10,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
  };
  try {
    const resolved = resolveWithData(config, facts);
    const costs = phaseCosts(resolved);
    const sized = {
      ...blank,
      parameters: costs.parameters,
      ...costs.phases,
      checkpointBytes: checkpointBytes(resolved, costs.parameters),
      fittingMicroBatch: fittingMicroBatch(resolved, costs.phases.full.totalBytes, blank.freeMemoryBytes),
    };
    if (!known) return sized;
    const length = runLength(resolved, facts.trainCount);
    return {
      ...sized,
      ...length,
      firstTestStep: firstTestStep(resolved, length.stepsPerEpoch),
      secondsEstimate: secondsOf(resolved, length.totalSteps, costs.phases.full?.imagesPerSecond ?? null),
    };
  } catch (error) {
    if (error instanceof PreloraError) return { ...blank, problems: [{ field: error.field ?? '', message: error.message }] };
    throw error;
  }
}

function fittingMicroBatch(config: ResolvedConfig, neededBytes: number, freeBytes: number): number | null {
  return neededBytes <= freeBytes ? null : memoryShortage(config, 'full', {}, freeBytes).fits;
}

function phaseCosts(config: ResolvedConfig): { parameters: number; phases: Record<Phase, PhaseCost> } {
  const ranks = upperRanks(config);
  const costOf = (phase: Phase): PhaseCost => predictPhase(config, phase, phase === 'full' ? {} : ranks);
  return { parameters: countParameters(config.model), phases: { full: costOf('full'), warmup: costOf('warmup'), lora: costOf('lora') } };
}

/** The one estimator: exact counts, predicted memory and pace, in the shape of the protocol. `ranks` are not looked at in phase full. */
export function predictPhase(
  config: ResolvedConfig,
  phase: Phase,
  ranks: Ranks,
  speed: MachineSpeed = knownSpeed(config.engine),
): PhaseCost {
  const memory = predictMemory(config, phase, ranks);
  return {
    trainableParameters: countInPhase(config, phase, ranks).trainable,
    multiplyAdds: multiplyAdds(config, phase, ranks).total,
    weightBytes: memory.weightBytes,
    gradientBytes: memory.gradientBytes,
    optimizerBytes: memory.optimizerBytes,
    activationBytes: memory.activationBytes,
    workspaceBytes: memory.processBytes + memory.copiesBytes + memory.mergedBytes,
    totalBytes: memory.totalBytes,
    imagesPerSecond: predictImagesPerSecond(config, phase, ranks, speed),
    measured: false,
  };
}

/** The largest rank every target may get. */
function upperRanks({ prelora, model, control }: ResolvedConfig): Record<string, number> {
  if (control.action !== 'prelora') return {};
  const targets = targetModules(prelora.targetModules, model.depth);
  return Object.fromEntries(
    targets.map((module) => [module, prelora.rankOverrides[module] ?? Math.min(prelora.rMax, rankCap(model, module))]),
  );
}

/** The snapshot that first fills a window past minStep. */
function firstTestStep({ prelora }: ResolvedConfig, stepsPerEpoch: number): number {
  const every = Math.max(1, durationSteps(prelora.snapshotEvery, stepsPerEpoch));
  const first = Math.max(1, Math.ceil(durationSteps(prelora.minStep, stepsPerEpoch) / every));
  return (first + prelora.windowSize - 1) * every;
}

function secondsOf({ train }: ResolvedConfig, totalSteps: number | null, imagesPerSecond: number | null): number | null {
  return totalSteps === null || !imagesPerSecond ? null : (totalSteps * train.batchSize) / imagesPerSecond;
}

/** Weights, two moments each, and what distances and averages keep beside them; fp32. */
function checkpointBytes({ prelora, train }: ResolvedConfig, parameters: number): number {
  const copies = 3 + (prelora.trackDisplacement ? 1 : 0) + (train.emaDecay > 0 ? 1 : 0);
  return 4 * parameters * copies;
}

/** Free space where runs will be written; of the nearest folder above that is there. */
export async function freeDiskBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    const parent = path.dirname(folder);
    return parent === folder ? 0 : freeDiskBytes(parent);
  }
}
