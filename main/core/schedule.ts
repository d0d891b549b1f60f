/**
 * The learning-rate multiplier of an update: linear ramp, cosine, and a second ramp after the freeze (method.md section 3). The
 * switch does not touch it. A live edit of `epochs` bends the cosine from the step of the edit on.
 */

/** How the cosine goes on when the end of the run is moved. */
export type ExtensionMode = 'continue' | 'recompute' | 'hold';

/** A live edit of `epochs`. */
export interface LrExtension {
  /** Step e at which the end was moved; the next update is the first to feel it. */
  atStep: number;
  /** T′, updates of the whole run from then on. */
  totalSteps: number;
  mode: ExtensionMode;
}

export interface LrSchedule {
  /** W, 0 ≤ W < totalSteps. */
  lrWarmupSteps: number;
  /** T as it was when the run began; later ends are in `extensions`. */
  totalSteps: number;
  /** Where the cosine ends, as a fraction of lr. */
  lrFloor: number;
  /** R, length of the ramp after the freeze; 0 is none. */
  lrRampSteps: number;
  /** Step of the freeze, null before it. */
  freezeStep: number | null;
  /** Live edits of the end, oldest first. */
  extensions?: readonly LrExtension[];
}

/** mult(s): what update `step` (1 … T) multiplies `lr` with, in [0, 1]. */
export function lrMultiplier(step: number, schedule: LrSchedule): number {
  return cosineMultiplier(step, schedule, schedule.extensions ?? []) * freezeRamp(step, schedule);
}

/** mult(s) before the ramp of the freeze; the newest edit made before this update decides. */
function cosineMultiplier(step: number, schedule: LrSchedule, extensions: readonly LrExtension[]): number {
  const { lrWarmupSteps: warmup, lrFloor: floor } = schedule;
  const edit = extensions.at(-1);
  if (edit && step <= edit.atStep) return cosineMultiplier(step, schedule, extensions.slice(0, -1));
  if (!edit) return rampThenCosine(step, warmup, schedule.totalSteps, floor);
  // In the linear ramp there is no cosine to continue yet, and from mult(0) = 0 the rate would never rise: the ramp goes on.
  if (edit.mode === 'recompute' || (edit.mode === 'continue' && edit.atStep < warmup)) {
    return rampThenCosine(step, warmup, edit.totalSteps, floor);
  }
  const held = cosineMultiplier(edit.atStep, schedule, extensions.slice(0, -1));
  if (edit.mode === 'hold') return held;
  return cosine(held, floor, (step - edit.atStep) / (edit.totalSteps - edit.atStep));
}

function rampThenCosine(step: number, warmup: number, totalSteps: number, floor: number): number {
  if (warmup > 0 && step <= warmup) return step / warmup;
  return cosine(1, floor, (step - warmup) / (totalSteps - warmup));
}

/** floor + (from − floor) · ½(1 + cos(π · progress)). */
function cosine(from: number, floor: number, progress: number): number {
  return floor + (from - floor) * 0.5 * (1 + Math.cos(Math.PI * progress));
}

function freezeRamp(step: number, { freezeStep, lrRampSteps }: LrSchedule): number {
  if (freezeStep === null || lrRampSteps === 0 || step < freezeStep) return 1;
  return Math.min(1, (step - freezeStep) / lrRampSteps);
}
