/** Phases as the page names them (product.md, "Words on screen"). The schedule's ramp is always "LR warm-up", never "warm-up". */
import type { Phase } from '../main/protocol/run.ts';

export const PHASE_NAMES: Record<Phase, string> = { full: 'Full', warmup: 'Joint warm-up', lora: 'LoRA' };

/** Of a phase as a file has it; an unknown one keeps its name. */
export function phaseName(phase: string): string {
  return (PHASE_NAMES as Record<string, string>)[phase] ?? phase;
}

/** Where there is no room for more. */
export const PHASE_SHORT: Record<Phase, string> = { ...PHASE_NAMES, warmup: 'Joint' };
