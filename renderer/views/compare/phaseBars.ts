/** A measured figure of each phase of a run, for the bars before and after the switch. */
import type { RunState } from '../../../main/protocol/results.ts';
import type { Phase } from '../../../main/protocol/run.ts';

export interface PhaseBar {
  phase: Phase;
  value: number;
}

/** Phases that were not measured are left out. */
export function phaseBars(state: RunState, figure: 'peakMemoryBytes' | 'imagesPerSecond' | 'trainableParameters'): PhaseBar[] {
  return state.phases.flatMap((phase) => (phase[figure] === null ? [] : [{ phase: phase.phase, value: phase[figure] }]));
}
