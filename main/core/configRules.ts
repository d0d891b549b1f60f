/**
 * What a config must hold beyond the range of each field, refused at load (method.md sections 3 and 4). Each rule throws `bad-config`
 * naming field, value and rule. First what the config alone tells, then what takes the size of the data.
 */
import type { ResolvedConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { durationSteps, epochSteps } from './duration.ts';
import { le } from './equality.ts';
import { checkDivides, type SizedConfig } from './modelSizes.ts';
import { needsMeasurement, smallestShare } from './rankAssignment.ts';
import { budgetUnreachable } from './rankBudget.ts';
import { checkRankOverrides, targetModules } from './targets.ts';

/** Where a run will stand in steps. */
export interface RunLength {
  stepsPerEpoch: number;
  totalSteps: number;
}

/** Throws for the first broken rule that needs no data. */
export function checkConfig(config: SizedConfig): void {
  const { train, prelora, control, model } = config;
  if (train.microBatch !== null) checkDivides('train', 'microBatch', train.microBatch, 'batchSize', train.batchSize);
  if (prelora.rMin > prelora.rMax) refuse('prelora.rMin', prelora.rMin, `must be at most prelora.rMax ${prelora.rMax}`);
  if (prelora.snapshotEvery === 0 || Number.parseFloat(String(prelora.snapshotEvery)) === 0) {
    refuse('prelora.snapshotEvery', prelora.snapshotEvery, 'must be at least 1 step');
  }
  if (prelora.normMetric === 'displacement' && !prelora.trackDisplacement) {
    refuse('prelora.normMetric', 'displacement', 'needs prelora.trackDisplacement on');
  }
  const targets = targetModules(prelora.targetModules, model.depth);
  if (targets.length === 0 && control.action !== 'resetOnly') {
    refuse('prelora.targetModules', '[]', 'must name at least one module (it may be empty for control.action resetOnly only)');
  }
  checkRankOverrides(prelora.rankOverrides, targets, model);
  if (control.fixedEpoch !== null && control.fixedEpoch >= train.epochs) {
    refuse('control.fixedEpoch', control.fixedEpoch, `must be less than train.epochs ${train.epochs}`);
  }
}

/** Throws for the first broken rule that needs the data's size. */
export function checkWithData(config: ResolvedConfig, length: RunLength): void {
  checkLengths(config, length);
  checkFixedSwitch(config, length);
  checkChannels(config);
  const { rankBudget: budget } = config.prelora;
  if (budget !== null && config.control.action === 'prelora') {
    const smallest = smallestShare(config);
    if (!le(smallest, budget)) throw budgetUnreachable(budget, smallest);
  }
}

function checkLengths({ train, prelora }: ResolvedConfig, { stepsPerEpoch, totalSteps }: RunLength): void {
  const warmup = durationSteps(train.lrWarmupSteps, stepsPerEpoch);
  if (warmup >= totalSteps) refuse('train.lrWarmupSteps', train.lrWarmupSteps, `must be less than the run's ${totalSteps} steps`);
  for (const field of ['minStep', 'graceSteps', 'jointSteps', 'lrRampSteps'] as const) {
    const steps = durationSteps(prelora[field], stepsPerEpoch);
    if (steps > totalSteps) refuse(`prelora.${field}`, prelora[field], `must be at most the run's ${totalSteps} steps`);
  }
}

function checkFixedSwitch(config: ResolvedConfig, { stepsPerEpoch, totalSteps }: RunLength): void {
  const { fixedEpoch } = config.control;
  if (fixedEpoch === null) return;
  const fixedStep = epochSteps(fixedEpoch, stepsPerEpoch);
  const jointSteps = durationSteps(config.prelora.jointSteps, stepsPerEpoch);
  if (fixedStep + jointSteps >= totalSteps) {
    refuse(
      'control.fixedEpoch',
      fixedEpoch,
      `its step ${fixedStep} and prelora.jointSteps ${jointSteps} together must be less than the run's ${totalSteps} steps`,
    );
  }
  const secondSnapshot = 2 * durationSteps(config.prelora.snapshotEvery, stepsPerEpoch);
  if (needsMeasurement(config) && fixedStep < secondSnapshot) {
    refuse(
      'control.fixedEpoch',
      fixedEpoch,
      `its step ${fixedStep} must not lie before the second snapshot (step ${secondSnapshot}), from which ranks are computed`,
    );
  }
}

function checkChannels({ model, data }: ResolvedConfig): void {
  for (const field of ['mean', 'std'] as const) {
    if (data[field].length !== model.inChannels) {
      refuse(`data.${field}`, JSON.stringify(data[field]), `must have one number for each of the ${model.inChannels} channels`);
    }
  }
}

function refuse(field: string, value: string | number, rule: string): never {
  throw new PreloraError('bad-config', `${field} ${value}: ${rule}`, field);
}
