/** What the fake engine says of a config before it trains: its problems, and costs at a made-up pace. */
import { phaseSettings } from '../../../main/core/phaseSettings.ts';
import { parseConfig, resolveWithData } from '../../../main/core/resolveConfig.ts';
import { PreloraError } from '../../../main/protocol/reply.ts';
import type { Estimate } from '../../../main/protocol/results.ts';
import type { Phase } from '../../../main/protocol/run.ts';
import { DATA_FACTS, GIB, protocolCost } from './history.ts';

export function problems(config: unknown): { field: string; message: string }[] {
  try {
    resolveWithData(parseConfig(config), DATA_FACTS);
    return [];
  } catch (error) {
    if (error instanceof PreloraError) return [{ field: error.field ?? '', message: error.message }];
    throw error;
  }
}

export function estimate(config: unknown, measured: boolean): Estimate {
  const found = problems(config);
  const nothing = { full: null, warmup: null, lora: null, parameters: null, stepsPerEpoch: null, totalSteps: null, firstTestStep: null };
  const machine = { freeMemoryBytes: 7.6 * GIB, fittingMicroBatch: null, freeDiskBytes: 81 * GIB };
  if (found.length > 0) return { problems: found, ...nothing, secondsEstimate: null, checkpointBytes: null, ...machine };
  const resolved = resolveWithData(parseConfig(config), DATA_FACTS);
  const stepsPerEpoch = Math.floor(DATA_FACTS.trainCount / resolved.train.batchSize);
  const totalSteps = stepsPerEpoch * resolved.train.epochs;
  const settings = phaseSettings(resolved, { stepsPerEpoch, totalSteps });
  const cost = (phase: Phase, rate: number) => ({ ...protocolCost(resolved, phase, {}, rate), measured });
  const full = cost('full', 1250);
  return {
    problems: [],
    parameters: full.trainableParameters,
    full,
    warmup: cost('warmup', 1180),
    lora: cost('lora', 1600),
    stepsPerEpoch,
    totalSteps,
    firstTestStep:
      Math.ceil(settings.minStep / settings.snapshotEvery) * settings.snapshotEvery +
      (resolved.prelora.windowSize - 1) * settings.snapshotEvery,
    secondsEstimate: (totalSteps * resolved.train.batchSize) / 1250,
    checkpointBytes: full.trainableParameters * 12,
    ...machine,
  };
}
