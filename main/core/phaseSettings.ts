/** The settings the phases follow, with every duration in steps. Made anew after a live edit. */
import type { ResolvedConfig, RunConfig } from '../protocol/config.ts';
import { type ConvergenceSettings, convergenceSettings } from './convergence.ts';
import { durationSteps, epochSteps } from './duration.ts';
import type { RankConfig } from './rankAssignment.ts';

export interface PhaseSettings {
  switching: RunConfig['prelora']['switching'];
  /** T, updates of the whole run. */
  totalSteps: number;
  snapshotEvery: number;
  windowSize: number;
  minStep: number;
  graceSteps: number;
  jointSteps: number;
  /** Step of control.fixedEpoch, null without one. */
  fixedStep: number | null;
  convergence: ConvergenceSettings;
  config: RankConfig;
}

/** `place.totalSteps` is epochs · stepsPerEpoch, unless the run was extended. */
export function phaseSettings(
  config: Pick<ResolvedConfig, 'model' | 'prelora' | 'control' | 'train'>,
  place: { stepsPerEpoch: number; totalSteps: number },
): PhaseSettings {
  const { prelora, control } = config;
  const steps = (duration: string | number): number => durationSteps(duration, place.stepsPerEpoch);
  return {
    switching: prelora.switching,
    totalSteps: place.totalSteps,
    snapshotEvery: Math.max(1, steps(prelora.snapshotEvery)),
    windowSize: prelora.windowSize,
    minStep: steps(prelora.minStep),
    graceSteps: steps(prelora.graceSteps),
    jointSteps: steps(prelora.jointSteps),
    fixedStep: control.fixedEpoch === null ? null : epochSteps(control.fixedEpoch, place.stepsPerEpoch),
    convergence: convergenceSettings(prelora, control, config.model.depth),
    config: { model: config.model, prelora, control, train: config.train },
  };
}
